"""Activation checkpointing changes no number, also where a gradient is differentiated, and takes less memory."""

import pytest
import torch

from pvswgan.losses import SWGAN, WGANGP, Mix
from pvswgan.networks import Discriminator, Generator
from train.memory import LiveBytes

SIZES = [(1, 4), (2, 8), (4, 8), (4, 16)]
LOSSES = {"swgan": SWGAN, "wgan-gp": WGANGP}


def _networks(loss, dtype=torch.float64):
    torch.manual_seed(0)
    parts = Generator(SIZES, 8, 64, 8), Discriminator(SIZES, 64, 8), LOSSES[loss](8)
    for part in parts:
        part.to(dtype).dtype = dtype
    return parts


def _step(G, D, loss, stage, alpha):
    """Losses of critic and generator, and all gradients, of one step without updates: {name: tensor}."""
    dtype = next(D.parameters()).dtype
    draw = torch.Generator().manual_seed(1)
    frames, side = SIZES[stage]
    real = torch.rand(8, 3, frames, side, side, dtype=dtype, generator=draw) * 2 - 1
    z = torch.randn(8, 8, dtype=dtype, generator=draw)
    mix = Mix(*torch.rand(2, 8, dtype=dtype, generator=draw))

    def critic(x, parts=1):
        return D(x, stage, alpha, parts)

    with torch.no_grad():
        fake = G(z, stage, alpha)
    loss_d, _ = loss.critic_loss(critic, real, fake, mix)
    loss_d.backward()
    found = {"loss_D": loss_d.detach()} | _take_gradients("D", D) | _take_gradients("head", loss)
    D.requires_grad_(False)
    loss.requires_grad_(False)
    loss_g = loss.generator_loss(critic, G(z, stage, alpha))
    loss_g.backward()
    return found | {"loss_G": loss_g.detach()} | _take_gradients("G", G)


def _take_gradients(name, module):
    found = {f"{name}.{key}": p.grad for key, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    return found


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("stage", "alpha"), [(0, 1.0), (1, 0.25), (2, 0.5), (3, 0.75), (3, 1.0)])
def test_losses_and_gradients_are_the_same(loss, stage, alpha):
    kept = _step(*_networks(loss), stage, alpha)
    G, D, head = _networks(loss)
    G.checkpointing = D.checkpointing = True
    again = _step(G, D, head, stage, alpha)
    assert kept.keys() == again.keys()
    for name, value in kept.items():
        torch.testing.assert_close(again[name], value, rtol=1e-10, atol=1e-12 * float(value.abs().max()))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_takes_less_memory(loss):
    def peak(checkpointing):
        G, D, head = _networks(loss, torch.float32)
        G.checkpointing = D.checkpointing = checkpointing
        with LiveBytes() as live:
            _step(G, D, head, 3, 1.0)
        return live.peak

    assert peak(True) < 0.75 * peak(False)


def test_without_gradients_nothing_is_recomputed():
    G, _, _ = _networks("swgan")
    G.checkpointing = True
    with torch.no_grad():
        assert not G(torch.zeros(2, 8, dtype=torch.float64), 3).requires_grad
