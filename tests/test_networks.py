import pytest
import torch

from pvswgan.conv import enlarge, shrink
from pvswgan.growth import make_plan
from pvswgan.losses import SlicedCritic
from pvswgan.networks import Discriminator, Generator, blend_real, temporal_contrast
from tests import oracle

TOLERANCE = 1e-4
SIZES = {8: 8, 16: 8, 32: 16}


def _count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_of_the_full_size():
    sizes = make_plan(resolution=256, frames=32).sizes
    assert _count(Generator(sizes)) == 3_703_597
    assert _count(Discriminator(sizes)) == 3_707_656
    assert _count(SlicedCritic(128)) == 16_640


def _position(lod: float, top: int) -> tuple[int, float]:
    """lod l: the newest stage is floor(l) below the full size, alpha = 1 - frac(l)."""
    below = int(lod)
    return top - below, 1 - (lod - below)


@oracle.needs_oracle
@pytest.mark.parametrize("name", ["G_res8", "G_res8_unfused", "G_res16_unfused", "G_res32_unfused"])
def test_generator_is_the_authors(name, record_property):
    values = oracle.arrays(name)
    resolution = int(name.split("_")[1][3:])
    sizes = make_plan(resolution=resolution, frames=SIZES[resolution]).sizes
    g = Generator(sizes, latent_dim=8, fmap_base=64, fmap_max=8)
    oracle.load(oracle.parameter_names(generator=g, fused="unfused" not in name), values, "w/")
    if "unfused" not in name:
        for block in g.blocks:
            block[0].scale *= 3**0.5               # oddity 4: their fan_in of the fused up-convolution uses k^2
    for key in [k for k in values if k.startswith("out/lod") and "mean_std" not in k]:
        stage, alpha = _position(float(key.removeprefix("out/lod")), len(sizes) - 1)
        with torch.no_grad():
            ours = g(values["latents"], stage, alpha)
        theirs = values[key]
        up = [t // o for t, o in zip(theirs.shape[2:], ours.shape[2:], strict=True)]
        difference = oracle.relative(enlarge(ours, tuple(up)), theirs)
        record_property(f"{name} {key}", difference)
        assert difference < TOLERANCE, key


class ActivateThenPool(Discriminator):
    """The authors' discriminator without fused scaling activates before it averages, where the fused one (and ours)
    activates after."""

    def level(self, i, y):
        first, second = self.blocks[i - 1]
        y = first(y)
        down, second.down = second.down, (1, 1, 1)
        y = shrink(second(y), down)
        second.down = down
        return y


@oracle.needs_oracle
@pytest.mark.parametrize("name", ["D_res8", "D_res8_unfused", "D_res16_unfused", "D_res32_unfused"])
def test_discriminator_is_the_authors(name, record_property):
    values = oracle.arrays(name)
    resolution = int(name.split("_")[1][3:])
    sizes = make_plan(resolution=resolution, frames=SIZES[resolution]).sizes
    d = (ActivateThenPool if "unfused" in name else Discriminator)(sizes, fmap_base=64, fmap_max=8)
    oracle.load(oracle.parameter_names(discriminator=d, fused="unfused" not in name), values, "w/")
    clips = values["images_u8"].float() / 127.5 - 1
    for key in [k for k in values if k.startswith("scores_out/lod")]:
        stage, alpha = _position(float(key.removeprefix("scores_out/lod")), len(sizes) - 1)
        frames, pixels = sizes[stage]
        x = shrink(clips, (clips.shape[2] // frames, clips.shape[3] // pixels, clips.shape[4] // pixels))
        with torch.no_grad():
            difference = oracle.relative(d(x, stage, alpha), values[key])
        record_property(f"{name} {key}", difference)
        assert difference < TOLERANCE, key


def test_clips_that_begin_as_stills_are_stills_until_the_first_layers_frames_differ():
    torch.manual_seed(0)
    g = Generator([(4, 4), (8, 8), (8, 16)], 16, 64, 8, still=True)
    z = torch.randn(4, 16)
    with torch.no_grad():
        for stage in range(3):
            clips = g(z, stage)
            assert clips.diff(dim=2).abs().max() < 1e-4 < clips.diff(dim=3).abs().max()
    g(z, 2).diff(dim=2)[:, :, 3].sum().backward()       # what asks for motion tells the first layer's frames apart
    assert g.dense.grad.view(*g.base, 16).std(1).max() > 0


@pytest.mark.parametrize("grow", [(8, 4), (4, 8), (8, 8)], ids=["time", "space", "both"])
def test_a_fade_goes_from_the_old_picture_to_the_new(grow):
    torch.manual_seed(0)
    sizes = [(4, 4), grow]
    g, d = Generator(sizes, 16, 64, 8), Discriminator(sizes, 64, 8)
    z = torch.randn(4, 16)
    up = (grow[0] // 4, grow[1] // 4, grow[1] // 4)
    with torch.no_grad():
        old, start, middle, new = g(z, 0), g(z, 1, 0.0), g(z, 1, 0.5), g(z, 1, 1.0)
        assert torch.equal(start, enlarge(old, up))
        torch.testing.assert_close(middle, (start + new) / 2)
        # The critic sees a clip that has only just been enlarged as it saw the small one.
        torch.testing.assert_close(d(start, 1, 0.0), d(old, 0))
        real = torch.randn(2, 3, grow[0], grow[1], grow[1])
        torch.testing.assert_close(blend_real(real, sizes[0], grow, 0.0), enlarge(shrink(real, up), up))
        assert torch.equal(blend_real(real, sizes[0], grow, 1.0), real)


@pytest.mark.parametrize("contrast", [0.25, 1.0, 4.0, 16.0])
def test_contrast_makes_changes_larger_and_leaves_what_stands(contrast):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 4, 4, dtype=torch.float64)
    seen = temporal_contrast(x, contrast)
    torch.testing.assert_close(seen.mean(2), x.mean(2))
    torch.testing.assert_close(seen.diff(dim=2), contrast * x.diff(dim=2))
    torch.testing.assert_close(temporal_contrast(seen, 1 / contrast), x)
    still = x[:, :, :1].expand(-1, -1, 8, -1, -1)
    torch.testing.assert_close(temporal_contrast(still, contrast), still)
    assert temporal_contrast(x[:, :, :1], contrast).equal(x[:, :, :1]) and (temporal_contrast(x, 1.0) is x)


def test_a_real_clip_and_one_that_stands_are_farther_apart_with_contrast():
    """What the critic's slope of 1 is measured in: as many times the distance, for what only moves."""
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 4, 4)
    still = x.mean(2, keepdim=True).expand_as(x)
    apart = (temporal_contrast(x, 4.0) - temporal_contrast(still, 4.0)).norm() / (x - still).norm()
    assert float(apart) == pytest.approx(4, rel=1e-5)


def test_two_batches_in_one_pass_are_two_passes():
    torch.manual_seed(0)
    d = Discriminator([(4, 4), (4, 8)], 64, 8)
    real, fake = torch.randn(2, 8, 3, 4, 8, 8)
    with torch.no_grad():
        both = d(torch.cat([real, fake]), parts=2)
        torch.testing.assert_close(both, torch.cat([d(real), d(fake)]), rtol=1e-5, atol=1e-6)
