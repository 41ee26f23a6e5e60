import numpy as np
import pytest
import torch

from pvswgan.conv import enlarge
from pvswgan.metrics import swd
from pvswgan.metrics.swd import Patches, distances, patch_swd, pyramid


def _clips(n=40, seed=0, size=(16, 32, 32)):
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_distance_is_none_for_the_same_and_grows_with_what_is_wrong():
    t = torch.linspace(0, 6, 16)[None, None, :, None, None] + torch.rand(64, 1, 1, 1, 1) * 6
    x = torch.linspace(-2, 2, 16)
    real = torch.sin(t + 2 * x[:, None] + x[None, :]).expand(64, 3, 16, 16, 16).contiguous()
    shuffled = real[torch.randperm(64)]
    assert patch_swd(real, real) == patch_swd(real, shuffled) == pytest.approx(0, abs=1e-6)
    noise = torch.randn(real.shape)
    slight, strong = patch_swd(real, real + 0.1 * noise), patch_swd(real, real + 0.5 * noise)
    assert 0 < slight < strong
    still = real[:, :, :1].expand(real.shape)                # every frame is a real one: only the movement is missing
    one = real[:1].expand(real.shape)                        # mode collapse
    for worse in (still, one, real - 1):
        assert patch_swd(real, worse) > 5 * patch_swd(real, real) + 0.05
    assert patch_swd(real[:, :, :4, :4, :4], noise[:, :, :4, :4, :4]) > 0


def test_the_levels_add_up_to_the_clips():
    clips = _clips(3)
    levels = pyramid(clips)
    assert [tuple(level.shape[2:]) for level in levels] == [(16, 32, 32), (8, 16, 16), (4, 8, 8)]
    built = levels[-1]
    for finer in reversed(levels[:-1]):
        built = finer + enlarge(built, tuple(a // b for a, b in zip(finer.shape[2:], built.shape[2:], strict=True)))
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
    assert distances(of_real, twice) == pytest.approx(wanted, rel=0.02)


def test_each_level_sees_its_own_fault():
    real = _clips(60, 1)
    sets = {}
    flat = enlarge(torch.nn.functional.avg_pool3d(real, 2), (2, 2, 2))  # the finest detail is lost, the rest is there
    for name, clips in {"real": real, "flat": flat}.items():
        sets[name] = Patches(len(clips))
        sets[name].add(clips)
    fine, middle, coarse = distances(sets["real"], sets["flat"]).values()
    assert fine > 0.5
    assert middle == pytest.approx(0, abs=1e-3)
    assert coarse == pytest.approx(0, abs=1e-3)


def test_clips_of_two_sizes_are_refused():
    patches, other = Patches(), Patches()
    patches.add(_clips(2))
    with pytest.raises(ValueError, match=r"\(8, 16, 16\).*\(16, 32, 32\)"):
        patches.add(_clips(2, size=(8, 16, 16)))
    other.add(_clips(2, size=(8, 16, 16)))
    with pytest.raises(ValueError, match="cannot be compared"):
        distances(patches, other)
