import hashlib

import numpy as np
import pytest
import torch

from pvswgan.latents import normal_quantile, sample_latents, slerp, walk


def test_latents_are_these_bits_on_every_machine():
    z = sample_latents(16, 128, seed=7)
    assert hashlib.sha256(z.numpy().tobytes()).hexdigest() == (
        "e1227fef90e4779f8fa43d9124e5c7cb7e24c10b40ec91a5e24fd117d021416a")


def test_rows_do_not_depend_on_how_many_are_drawn():
    assert torch.equal(sample_latents(3, 50, 1), sample_latents(9, 50, 1)[:3])
    assert not torch.equal(sample_latents(3, 50, 1), sample_latents(3, 50, 2))


def test_latents_are_standard_normal():
    z = sample_latents(4000, 128, 0).double()
    n = z.numel()
    assert abs(z.mean().item()) < 4 / n**0.5
    assert abs(z.var().item() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**4).mean().item() - 3) < 4 * (96 / n) ** 0.5


def test_quantile_is_the_normal_one():
    scipy = pytest.importorskip("scipy.stats", reason="scipy comes with scikit-learn")
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 20001), 10.0 ** -np.arange(1, 300, 7)])
    np.testing.assert_allclose(normal_quantile(p), scipy.norm.ppf(p), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("n, dim, seed", [(-1, 4, 0), (1, 0, 0), (1, 4, -1)])
def test_impossible_draws_are_named(n, dim, seed):
    with pytest.raises(ValueError, match=f"n={n}, dim={dim}, seed={seed}"):
        sample_latents(n, dim, seed)


def test_slerp_walks_evenly():
    a, b = sample_latents(2, 64, 3)
    points = [slerp(a, b, t) for t in np.linspace(0, 1, 9)]
    torch.testing.assert_close(points[0], a)
    torch.testing.assert_close(points[-1], b)
    unit = torch.stack([p / p.norm() for p in points])
    steps = (unit[1:] * unit[:-1]).sum(1).acos()
    torch.testing.assert_close(steps, steps.mean().expand(8), rtol=1e-3, atol=0)
    torch.testing.assert_close(slerp(a, a, 0.3), a)


def test_a_walk_goes_round():
    keys = sample_latents(3, 16, 5)
    found = walk(keys, [0, 1, 2.25, 3])
    torch.testing.assert_close(found[:2], keys[:2])
    torch.testing.assert_close(found[2], slerp(keys[2], keys[0], 0.25))
    torch.testing.assert_close(found[3], keys[0])
