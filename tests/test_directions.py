import pytest
import torch

from pvswgan.directions import between, effect, pca, sefa, variety
from pvswgan.growth import make_plan
from pvswgan.latents import sample_latents
from pvswgan.networks import Generator


def test_directions_find_what_the_first_layer_spreads():
    """A first layer that turns three known directions of z into most of its variance gives those directions back."""
    torch.manual_seed(0)
    g = Generator(make_plan(resolution=8, frames=8).sizes, latent_dim=16, fmap_base=64, fmap_max=8)
    strong = torch.linalg.qr(torch.randn(16, 3)).Q
    with torch.no_grad():
        g.dense.mul_(0.05).add_(torch.randn(len(g.dense), 3) @ strong.T)
        g.dense_bias.fill_(1.0)
    d = pca(g, k=5, samples=1000)
    inside = (d.vectors @ strong).norm(dim=1) / d.scales
    assert (inside[:3] > 0.95).all() and d.explained.sum() <= 1.0001
    again = pca(g, k=5, samples=1000)
    torch.testing.assert_close(again.vectors, d.vectors)


def test_sefa_finds_what_the_weights_stretch():
    torch.manual_seed(0)
    g = Generator(make_plan(resolution=8, frames=8).sizes, latent_dim=16, fmap_base=64, fmap_max=8)
    found = sefa(g, k=4)
    a = g.dense.detach() * g.dense_scale
    _, values, rows = torch.linalg.svd(a, full_matrices=False)
    torch.testing.assert_close((found.vectors * rows[:4]).sum(1).abs(), torch.ones(4), rtol=1e-3, atol=0)
    torch.testing.assert_close(found.explained, values[:4] ** 2 / (values**2).sum(), rtol=1e-3, atol=0)


def test_between_two_groups():
    z = sample_latents(40, 16, 0)
    shift = torch.zeros(16)
    shift[3] = 5
    assert between(z, z + shift)[0][3] > 0.95
    with pytest.raises(ValueError, match="same place"):
        between(z, 2 * z)


def test_effects_tell_looks_from_moves():
    def draw(z):
        """z0 is the brightness, z1 how far it swings over time, z2 both."""
        time = torch.tensor([-1.0, 1, -1, 1]).view(1, 1, 4, 1, 1)
        still, swing = (z[:, [i]] + z[:, [2]] for i in (0, 1))
        return (still.view(-1, 1, 1, 1, 1) + swing.view(-1, 1, 1, 1, 1) * time).expand(-1, 3, -1, 2, 2)

    whole = variety(draw, 3)
    assert [effect(draw, v, whole).label for v in torch.eye(3)] == ["looks", "moves", "both"]
