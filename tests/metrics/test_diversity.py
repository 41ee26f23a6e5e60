import pytest
import torch

from pvswgan.metrics import memorisation
from pvswgan.metrics.diversity import feature_distance, ms_ssim, scales
from pvswgan.metrics.extractors import make
from pvswgan.metrics.sets import describe


@pytest.mark.parametrize(("resolution", "many"), [(8, 0), (16, 1), (32, 2), (64, 3), (128, 4), (256, 5)])
def test_the_size_decides_how_many_scales_there_are(resolution, many):
    assert scales(resolution) == many
    clips = torch.rand(2, 3, 2, resolution, resolution) * 2 - 1
    if not many:
        with pytest.raises(ValueError, match="8x8"):
            ms_ssim(clips, clips)
    elif resolution <= 64:
        torch.testing.assert_close(ms_ssim(clips, clips), torch.ones(2))


def test_more_alike_is_more_similar():
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.functional.interpolate(torch.rand(4, 3, 4, 8, 8, generator=generator), (4, 32, 32)) * 1.6 - 0.8
    noise = torch.randn(base.shape, generator=generator)
    near, far = ms_ssim(base, base + 0.05 * noise).mean(), ms_ssim(base, base + 0.5 * noise).mean()
    other = ms_ssim(base, base.roll(1, 0)).mean()
    assert 1 > near > far > 0
    assert other < near


def test_one_scale_is_the_ssim_of_the_formula():
    """Constant pictures: SSIM is its luminance term, (2ab + c1) / (a^2 + b^2 + c1)."""
    a, b = torch.full((1, 3, 1, 16, 16), 0.2), torch.full((1, 3, 1, 16, 16), -0.4)
    x, y, c1 = 0.6, 0.3, 0.01**2
    assert float(ms_ssim(a, b)) == pytest.approx((2 * x * y + c1) / (x * x + y * y + c1), rel=1e-3)


def test_distance_of_features():
    x = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 8.0]])
    assert feature_distance(x, torch.tensor([1.0, 2.0])) == pytest.approx((3 + 4 + 5) / 3)
    assert feature_distance(torch.ones(5, 4), torch.ones(4)) == 0


def test_copies_of_training_clips_are_found():
    generator = torch.Generator().manual_seed(0)
    real, turned, fresh = (torch.randn(400, 8, generator=generator) for _ in range(3))
    scale = real.std(0)
    own = torch.arange(400)
    held = memorisation.nearest(real[:200], real, scale, left_out=(own[:200], own))
    copies = real[150:350] + 0.01 * torch.randn(200, 8, generator=generator)
    copied = memorisation.nearest(copies, real, scale)
    assert copied.index.tolist() == list(range(150, 350))
    assert memorisation.compare(copied, held) == pytest.approx({"near_share": 1.0, "near_ratio": 0}, abs=0.05)
    # Of copies that were turned, what counts is how near they are when turned again.
    again = memorisation.nearest(turned[:200], real, scale, turned=copies)
    assert again.index.tolist() == copied.index.tolist() and torch.equal(again.distance, copied.distance)
    # What is left out is as far from the rest as what was never there, and other halves of it are alike.
    for others in (memorisation.nearest(fresh, real, scale),
                   memorisation.nearest(real[200:], real, scale, left_out=(own[200:], own))):
        found = memorisation.compare(others, held)
        assert found["near_share"] == pytest.approx(0.05, abs=0.03)
        assert found["near_ratio"] == pytest.approx(1, abs=0.1)


def test_a_clip_that_is_left_out_is_not_its_own_nearest():
    clips = torch.arange(3000.0).square()[:, None]                    # more than one part of the search
    own = torch.arange(3000)
    found = memorisation.nearest(clips[500:], clips, torch.ones(1), left_out=(own[500:], own))
    assert found.index.tolist() == list(range(499, 2999))
    pairs = own // 2                                                  # two windows of each clip: neither counts
    found = memorisation.nearest(clips[500:], clips, torch.ones(1), left_out=(pairs[500:], pairs))
    assert found.index.tolist() == [*(i + 1 if i % 2 else i - 1 for i in range(500, 2999)), 2997]


def test_a_set_is_as_similar_as_its_neighbours_are():
    """Of five clips the first two and the next two are compared; the last one has nobody."""
    clips = torch.rand(5, 3, 8, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clips[1], clips[3] = clips[0], clips[2]
    eyes = make("clipnet")

    def similarity(order):
        return describe(iter([clips[order]]), 5, eyes, eyes, lambda done: None).similarity

    assert similarity([0, 1, 2, 3, 4]) == pytest.approx(1)
    assert similarity([0, 2, 1, 3, 4]) < 0.5
