"""Shapes of VideoGAN, TGAN and MoCoGAN; parameter counts worked out by hand from ../shared/reference/baselines.md."""

import pytest
import torch

from pvswgan.baselines import SYSTEMS, make_critic, make_generator
from pvswgan.baselines.losses import GAN, WGAN

SMALL = (8, 16)


def _count(network):
    return sum(p.numel() for p in network.parameters())


def _on_meta(make, *args):
    with torch.device("meta"):
        return make(*args)


# Convolutions of VideoGAN and of TGAN's critic have a bias, BatchNorm two numbers a channel. So a level of a -> b
# channels with a kernel of k taps has a b k + 3 b numbers; the last one, without BatchNorm, a b k + b.
FOREGROUND = (100 * 512 * 32 + 3 * 512) + (512 * 256 + 256 * 128 + 128 * 64) * 64 + 3 * (256 + 128 + 64)
HEAD_VIDEO, HEAD_MASK = 64 * 3 * 64 + 3, 64 * 64 + 1
BACKGROUND = (100 * 512 * 16 + 3 * 512) + (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) * 16 + 3 * (256 + 128 + 64) + 3
CRITIC_LEVELS = (3 * 64 * 64 + 64) + (64 * 128 + 128 * 256 + 256 * 512) * 64 + 3 * (128 + 256 + 512)
# TGAN: five 1-D levels; two dense layers to 256x4x4 without bias; 2-D levels without bias, a 3x3 convolution with one.
TIMES = (100 * 512 + 3 * 512) + (512 * 256 + 256 * 128 + 128 * 128 + 128 * 100) * 4 + 3 * (256 + 128 + 128) + 100
DENSE = 2 * (100 * 4096 + 2 * 4096)
IMAGE = (512 * 256 + 256 * 128 + 128 * 64 + 64 * 32) * 16 + 2 * (256 + 128 + 64 + 32) + 32 * 3 * 9 + 3
# MoCoGAN: no bias but the GRU's, which has three gates, each with two 10x10 matrices and two biases.
GRU = 3 * (2 * 10 * 10 + 2 * 10)
FRAMES = (60 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) * 16 + 2 * (512 + 256 + 128 + 64)
D_IMAGE = (3 * 64 + 64 * 128 + 128 * 256 + 256) * 16 + 2 * (128 + 256)
D_VIDEO = (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) * 64 + 2 * (128 + 256 + 512)


@pytest.mark.parametrize("system, size, generator, critic", [
    ("videogan", (32, 64), FOREGROUND + HEAD_VIDEO + HEAD_MASK + BACKGROUND, CRITIC_LEVELS + 512 * 2 * 32 + 2),
    ("videogan-one-stream", (32, 64), FOREGROUND + HEAD_VIDEO, CRITIC_LEVELS + 512 * 2 * 32 + 2),
    ("tgan", (16, 64), TIMES + DENSE + IMAGE, CRITIC_LEVELS + 512 * 16 + 1),
    ("mocogan", (16, 64), GRU + FRAMES, D_IMAGE + D_VIDEO),
])
def test_parameters_as_published(system, size, generator, critic):
    assert _count(_on_meta(make_generator, system, size)) == generator
    assert _count(_on_meta(make_critic, system, size)) == critic


@pytest.mark.parametrize("size", [(8, 16), (16, 32), (16, 64), (32, 64)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_shapes(system, size):
    frames, pixels = size
    generator, critic = _on_meta(make_generator, system, size), _on_meta(make_critic, system, size)
    z = torch.empty(3, generator.latent_dim, device="meta")
    x = generator.start(z)
    assert generator.sizes == [size] and x.shape == (3, *generator.base)
    clips = generator.grow(x, 0, 1.0)
    assert clips.shape == generator(z, stage=0, alpha=1.0).shape == (3, 3, frames, pixels, pixels)
    assert [len(scores) for scores in critic(clips, torch.Generator())] == [3] * (1 + (system == "mocogan"))
    assert generator.dense.shape[1] == generator.latent_dim


def test_smaller_sizes_lose_levels_and_keep_channels():
    """At 16 pixels those of 4 and 8 are left; 64x64 has two more."""
    for system in SYSTEMS:
        small, large = _on_meta(make_generator, system, SMALL), _on_meta(make_generator, system, (32, 64))
        assert small.base[0] == large.base[0] == 512
        assert small.body[0].weight.shape == large.body[0].weight.shape
    critic = _on_meta(make_critic, "mocogan", (16, 64))
    assert [tuple(p.shape) for p in critic.image.parameters() if p.ndim == 4] == [
        (64, 3, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (1, 256, 4, 4)]
    small = _on_meta(make_critic, "mocogan", SMALL)
    assert [tuple(p.shape) for p in small.video.parameters() if p.ndim == 5] == [
        (256, 3, 4, 4, 4), (512, 256, 4, 4, 4), (1, 512, 2, 4, 4)]           # of 8 frames 5, 2 and 1 are left


def test_first_weights_and_slopes():
    torch.manual_seed(0)
    for system, deviation in (("videogan", 0.01), ("mocogan", 0.02)):
        for network in (make_generator(system, SMALL), make_critic(system, SMALL)):
            weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim >= 4])
            assert weights.std().item() == pytest.approx(deviation, rel=0.01) and abs(weights.mean()) < deviation / 50
    for system in SYSTEMS:
        slopes = {module.negative_slope for module in make_critic(system, SMALL).modules()
                  if isinstance(module, torch.nn.LeakyReLU)}
        assert slopes == {0.2}


@pytest.mark.parametrize("system, size, words", [
    ("videogan", (8, 64), "videogan has no clips of 8 frames of 64x64 pixels; allowed at 64 pixels: 16 frames or more"),
    ("tgan", (4, 32), "allowed at 32 pixels: 8 frames or more"),
    ("mocogan", (16, 128), "mocogan has no clips of 16 frames of 128x128 pixels; allowed: 16, 32, 64 pixels"),
    ("mocogan", (16, 8), "allowed: 16, 32, 64 pixels"),
])
def test_impossible_sizes(system, size, words):
    with pytest.raises(ValueError, match=words):
        make_generator(system, size)
    with pytest.raises(ValueError, match=words):
        make_critic(system, size)


@pytest.mark.parametrize("system", SYSTEMS)
def test_gradients_reach_all_and_clips_lie_in_range(system):
    torch.manual_seed(0)
    generator, critic = make_generator(system, SMALL), make_critic(system, SMALL)
    loss = WGAN() if SYSTEMS[system].loss == "wgan-svc" else GAN()
    draw = torch.Generator().manual_seed(0)
    clips, mask = generator.masked(generator.start(torch.randn(2, generator.latent_dim)))
    assert clips.abs().max() <= 1 and clips.std() > 0
    loss.generator_loss(critic, clips, draw, mask).backward()
    dead = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # BatchNorm takes away what a bias before it adds: its gradient is rounding, or nothing.
    assert [name for name in dead if not name.endswith("bias")] == []
    critic.zero_grad()
    value, terms = loss.critic_loss(critic, torch.rand(2, 3, *SMALL, SMALL[1]) * 2 - 1, clips.detach(), draw)
    value.backward()
    dead = [name for name, p in critic.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [name for name in dead if not name.endswith("bias")] == []
    assert {"score_real", "score_fake", "distance"} <= terms.keys()


@pytest.mark.parametrize("system", SYSTEMS)
@torch.no_grad()
def test_a_latent_fixes_its_clip(system):
    """Alone or among others, in evaluation: no noise but z, and no statistics of a batch."""
    torch.manual_seed(0)
    generator = make_generator(system, SMALL).eval()
    z = torch.randn(3, generator.latent_dim)
    torch.testing.assert_close(generator(z)[1:2], generator(z[1:2]), rtol=1e-4, atol=1e-5)
    assert torch.equal(generator(z), generator(z))
