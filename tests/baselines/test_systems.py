"""What each system is about: VideoGAN's streams, TGAN's clipping, MoCoGAN's content and motion; and the losses."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pvswgan.baselines import make_critic, make_generator, tgan
from pvswgan.baselines.losses import GAN, WGAN

SMALL = (8, 16)


class Scores(nn.Module):
    """A critic that gives each clip its mean, and its first frame's."""

    def forward(self, x, draw):
        return [x.mean([1, 2, 3, 4]), x[:, :, 0].mean([1, 2, 3])]


@pytest.fixture
def clips():
    torch.manual_seed(0)
    return torch.rand(4, 3, *SMALL, 16) * 2 - 1, torch.rand(4, 3, *SMALL, 16) * 2 - 1


# --- VideoGAN -----------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_clip_is_foreground_over_a_still_background():
    torch.manual_seed(0)
    generator = make_generator("videogan", SMALL)
    x = generator.start(torch.randn(2, 100))
    moving, mask, still = generator.streams(x)
    assert moving.shape == (2, 3, 8, 16, 16) and mask.shape == (2, 1, 8, 16, 16) and still.shape == (2, 3, 16, 16)
    assert mask.min() > 0 and mask.max() < 1
    clips, given = generator.masked(x)
    assert torch.equal(given, mask)
    torch.testing.assert_close(clips, mask * moving + (1 - mask) * still[:, :, None])


def test_two_logits_are_one_score(clips):
    """Cross-entropy over (real, made) is the binary one of their difference."""
    critic = make_critic("videogan", SMALL)
    (score,) = critic(clips[0], torch.Generator())
    logits = critic.last(critic.body(clips[0])).flatten(1)
    torch.testing.assert_close(F.binary_cross_entropy_with_logits(score, torch.ones(4)),
                               F.cross_entropy(logits, torch.zeros(4, dtype=torch.long)))


# --- TGAN ---------------------------------------------------------------------------------------------------------


def test_singular_values_are_at_most_one_and_the_rest_stays():
    torch.manual_seed(0)
    w = torch.randn(12, 40) / 6
    u, s, v = torch.linalg.svd(w, full_matrices=False)
    assert s[0] > 1 > s[-1]
    torch.testing.assert_close(tgan.clipped(w), u @ (s.clamp(max=1)[:, None] * v), rtol=1e-4, atol=1e-5)
    assert torch.equal(tgan.clipped(w / 2), w / 2)                    # none is above 1


def test_every_layer_of_the_critic_is_clipped():
    torch.manual_seed(0)
    critic = make_critic("tgan", SMALL)
    for parameter in critic.parameters():
        nn.init.normal_(parameter, 1, 2) if parameter.ndim == 1 else nn.init.normal_(parameter, std=0.1)
    norms = [layer for layer in critic.modules() if isinstance(layer, nn.BatchNorm3d)]
    norms[0].running_var.uniform_(0.5, 2)
    tgan.clip_singular_values(critic)
    for layer in critic.modules():
        if isinstance(layer, nn.Conv3d):
            assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) <= 1 + 1e-4
        if isinstance(layer, nn.BatchNorm3d):
            factor = layer.weight / layer.running_var.sqrt()
            assert factor.max() <= 1 + 1e-6 and factor.min() >= 0.01 - 1e-6
    before = [p.clone() for p in critic.parameters()]
    tgan.clip_singular_values(critic)                                 # once more changes nothing
    for old, new in zip(before, critic.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_latents_of_tgan_are_uniform_and_one_a_frame():
    generator = make_generator("tgan", SMALL)
    z0, each = generator.latents(torch.randn(200, 100, generator=torch.Generator().manual_seed(0)))
    assert z0.abs().max() <= 1 and abs(z0.mean()) < 0.02 and abs(z0.var() - 1 / 3) < 0.01
    assert each.shape == (200, 100, 8) and each.abs().max() <= 1


# --- MoCoGAN ------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_content_stays_while_motion_changes_and_the_other_way_round():
    torch.manual_seed(0)
    generator = make_generator("mocogan", SMALL).eval()
    parts = generator.parts
    assert parts == {"content": slice(0, 50), "motion": slice(50, 140)} and generator.latent_dim == 140
    z, other = torch.randn(2, 140), torch.randn(2, 140)
    moved, changed = z.clone(), z.clone()
    moved[:, parts["motion"]] = other[:, parts["motion"]]
    changed[:, parts["content"]] = other[:, parts["content"]]
    assert torch.equal(generator.motion(changed), generator.motion(z))
    assert not torch.equal(generator.motion(moved), generator.motion(z))
    assert not torch.allclose(generator(moved), generator(z)) and not torch.allclose(generator(changed), generator(z))


@torch.no_grad()
def test_with_the_same_motion_code_in_each_frame_a_clip_stands_still():
    """All that changes over time is the motion: content is the same in every frame."""
    torch.manual_seed(0)
    generator = make_generator("mocogan", SMALL).eval()
    generator.motion = lambda z: torch.ones(len(z), 8, 10)
    clips = generator(torch.randn(2, 140))
    torch.testing.assert_close(clips, clips[:, :, :1].expand_as(clips), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_motion_goes_on_from_frame_to_frame():
    """The noise of a frame changes that frame and those after it."""
    generator = make_generator("mocogan", SMALL)
    z = torch.randn(1, 140)
    other = z.clone()
    other[:, 50 + 10 * (1 + 5):50 + 10 * (2 + 5)] += 1                # e_5, counted from 0
    same = (generator.motion(z) == generator.motion(other)).all(2)[0]
    assert same.tolist() == [True] * 5 + [False] * 3


def test_the_image_critic_sees_one_frame_of_each_clip(clips):
    critic = make_critic("mocogan", SMALL).eval()
    _, image = critic(clips[0], torch.Generator().manual_seed(3))
    each = torch.randint(8, (4,), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(image, critic.image(torch.stack([clip[:, t] for clip, t in zip(clips[0], each,
                                                                                               strict=True)])))


# --- losses -------------------------------------------------------------------------------------------------------


def test_cross_entropy(clips):
    real, fake = clips
    loss, critic, ones = GAN(mask=0.1), Scores(), torch.ones(4)
    bce = F.binary_cross_entropy_with_logits
    value, terms = loss.critic_loss(critic, real, fake, None)
    reals, fakes = critic(real, None), critic(fake, None)
    torch.testing.assert_close(value, sum(bce(r, ones) + bce(f, 0 * ones) for r, f in zip(reals, fakes, strict=True)))
    torch.testing.assert_close(terms["image_distance"], (reals[1] - fakes[1]).mean())
    torch.testing.assert_close(loss.generator_loss(critic, fake, None), sum(bce(f, ones) for f in fakes))
    mask = torch.full((4, 1, *SMALL, 16), 0.5)
    torch.testing.assert_close(loss.generator_loss(critic, fake, None, mask) - loss.generator_loss(critic, fake, None),
                               torch.tensor(0.05))


def test_wasserstein(clips):
    real, fake = clips
    value, terms = WGAN().critic_loss(Scores(), real, fake, None)
    torch.testing.assert_close(value, fake.mean() - real.mean())
    torch.testing.assert_close(terms["distance"], -value)
    torch.testing.assert_close(WGAN().generator_loss(Scores(), fake, None), -fake.mean())
