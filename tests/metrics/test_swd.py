import numpy as np
import pytest
import torch

from pvswgan.conv import enlarge, shrink
from pvswgan.metrics import swd
from pvswgan.metrics.swd import Patches, distances, patch_swd, pyramid


def _clips(n=40, seed=0, size=(16, 32, 32)):
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.slow
def test_distance_is_none_for_the_same_and_grows_with_what_is_wrong():
    t = torch.linspace(0, 6, 16)[None, None, :, None, None] + torch.rand(64, 1, 1, 1, 1) * 6
    x = torch.linspace(-2, 2, 16)
    real = torch.sin(t + 2 * x[:, None] + x[None, :]).expand(64, 3, 16, 16, 16).contiguous()
    shuffled = real[torch.randperm(64)]
    noise = torch.randn(real.shape)
    slight, strong = patch_swd(real, real + 0.1 * noise), patch_swd(real, real + 0.5 * noise)
    assert patch_swd(real, real) == pytest.approx(0, abs=1e-6)
    assert patch_swd(real, shuffled) < slight < strong, "other places of the same clips"
    still = real[:, :, :1].expand(real.shape)                # every frame is a real one: only the movement is missing
    one = real[:1].expand(real.shape)                        # mode collapse
    for worse in (still, one, real - 1):
        assert patch_swd(real, worse) > 2 * patch_swd(real, shuffled) + 0.05
    assert patch_swd(real[:, :, :4, :4, :4], noise[:, :, :4, :4, :4]) > 0


def test_the_levels_add_up_to_the_clips():
    clips = _clips(3)
    levels = pyramid(clips)
    assert [tuple(level.shape[2:]) for level in levels] == [
        (t, r, r) for r in (32, 16, 8) for t in (16, 8, 4)]
    built = torch.zeros(1)
    for space in (6, 3, 0):                                  # the coarsest first
        details = levels[space + 2]
        for time in (1, 0):
            details = levels[space + time] + enlarge(details, (2, 1, 1))
        built = details + (enlarge(built, (1, 2, 2)) if space < 6 else 0)
    torch.testing.assert_close(built, clips)


def test_the_distance_is_that_of_pot():
    ot = pytest.importorskip("ot")
    real, fake = _clips(60, 1, (4, 8, 8)), _clips(60, 2, (4, 8, 8)) * 0.7 + 0.1
    sets = Patches(), Patches()
    for patches, clips in zip(sets, (real, fake), strict=True):
        patches.add(clips)
    found = distances(*sets)
    assert list(found) == ["4x8x8"]
    directions = swd.unit_directions(3 * 4 * 8 * 8, swd.DIRECTIONS, torch.Generator().manual_seed(1)).double().numpy()
    a, b = (x.flatten(1).double().numpy() for x in (real, fake))
    wanted = ot.sliced_wasserstein_distance(a, b, projections=directions, p=1) / np.std(a)
    assert found["4x8x8"] == pytest.approx(wanted, rel=1e-5)


def test_batches_files_and_other_numbers_of_clips_change_nothing():
    real, fake = _clips(40, 1), _clips(40, 2) * 0.8
    whole, parts, of_real = Patches(40), Patches(40), Patches(40)
    of_real.add(real)
    whole.add(fake)
    for part in fake.split(16):
        parts.add(part)
    wanted = distances(of_real, whole)
    assert distances(of_real, parts) == pytest.approx(wanted, rel=1e-5)
    assert distances(Patches.of_tensors(of_real.tensors()), Patches.of_tensors(whole.tensors())) == wanted
    twice = Patches(40)
    for _ in range(2):
        twice.add(fake)
    assert distances(of_real, twice) == pytest.approx(wanted, rel=0.1, abs=0.02)


def test_each_level_sees_its_own_fault():
    real = _clips(60, 1)
    flat = enlarge(shrink(real, (1, 2, 2)), (1, 2, 2))  # the finest detail is lost
    slow = enlarge(shrink(real, (2, 1, 1)), (2, 1, 1))  # the quickest movement is
    flicker = real + 0.5 * torch.tensor([1.0, -1.0]).repeat(8)[None, None, :, None, None]  # whole pictures, up and down
    sets = {}
    for name, clips in {"real": real, "flat": flat, "slow": slow, "flicker": flicker}.items():
        sets[name] = Patches(len(clips))
        sets[name].add(clips)
    for name, where in (("flat", ["16x32x32", "8x32x32", "4x32x32"]), ("slow", ["16x32x32", "16x16x16", "16x8x8"]),
                        ("flicker", ["16x8x8"])):
        found = distances(sets["real"], sets[name])
        assert [level for level, value in found.items() if value > 0.3] == where, name
        assert all(value < 1e-3 for level, value in found.items() if level not in where), name


@pytest.mark.slow
@pytest.mark.parametrize("expected", [500, 1 << 12])
def test_a_fault_in_any_frame_or_corner_shows_however_many_clips_there_are(expected):
    """As the first and the last frame, which zeros in time made flash: of many clips few patches of each are cut."""
    real, whole = _clips(100, size=(16, 16, 16)), slice(None)
    of_real = Patches(expected)
    of_real.add(real)
    for where in (*((frame, whole, whole) for frame in range(16)), (whole, slice(4), slice(4)),
                  (whole, slice(12, 16), slice(12, 16))):
        wrong = real.clone()
        wrong[(whole, whole, *where)] *= -0.2
        found = Patches(expected)
        found.add(wrong)
        assert distances(of_real, found)["16x16x16"] > 0.005, where


def test_of_many_clips_not_all_are_cut_and_batches_change_nothing(monkeypatch):
    monkeypatch.setattr(swd, "MOST", 40)
    clips = _clips(100, size=(4, 8, 16))
    whole, parts = Patches(100), Patches(100)
    whole.add(clips)
    for part in clips.split(7):
        parts.add(part)
    kept = [patches.tensors()["0.values"] for patches in (whole, parts)]
    assert len(kept[0]) == 34 and torch.allclose(*kept, atol=1e-5) and whole.clips == parts.clips == 100


def test_clips_that_hold_still_are_measured_by_what_rounding_adds():
    """Real clips without any movement have no deviation of their own at the levels of quick change."""
    still = _clips(40, 3)[:, :, :1].expand(-1, -1, 16, -1, -1)
    moved = still + 0.01 * torch.randn(40, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    sets = Patches(), Patches()
    for patches, clips in zip(sets, (still, moved), strict=True):
        patches.add(clips)
    assert 0.5 < distances(*sets)["16x8x8"] < 10


def test_clips_of_two_sizes_are_refused():
    patches, other = Patches(), Patches()
    patches.add(_clips(2))
    with pytest.raises(ValueError, match=r"\(8, 16, 16\).*\(16, 32, 32\)"):
        patches.add(_clips(2, size=(8, 16, 16)))
    other.add(_clips(2, size=(8, 16, 16)))
    with pytest.raises(ValueError, match="cannot be compared"):
        distances(patches, other)
