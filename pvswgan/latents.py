"""Latents: drawing them (the same everywhere) and walking between them. Where to walk: directions.py."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pvswgan.networks import Generator


def sample_latents(n: int, dim: int, seed: int) -> Tensor:
    """n standard normal latents, float32 (n, dim), bit for bit the same on every machine; row i does not depend on n.

    torch.randn and numpy's normals go through the machine's log, cos and exp, whose last bits differ. Here uniform
    53-bit integers (SHA-256 in counter mode: a fixed standard) pass through Wichura's AS 241 with only IEEE-exact
    operations. Raises ValueError unless n >= 0, dim >= 1 and seed is a whole number >= 0.
    """
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in (n, dim, seed))
    if not whole or n < 0 or dim < 1 or seed < 0:
        raise ValueError(f"sample_latents: n={n}, dim={dim}, seed={seed}; allowed: whole numbers, n >= 0, dim >= 1, "
                         "seed >= 0")
    need, out = n * dim * 8, []
    for block in range(-(-need // 32)):
        out.append(hashlib.sha256(f"pvswgan latents {seed} {block}".encode()).digest())
    words = np.frombuffer(b"".join(out)[:need], dtype="<u8").astype(np.uint64) >> np.uint64(11)
    uniform = (words.astype(np.float64) + 0.5) * 2.0**-53                     # in (0, 1), never an end
    return torch.from_numpy(normal_quantile(uniform).astype(np.float32)).view(n, dim)


def normal_quantile(p: np.ndarray) -> np.ndarray:
    """The standard normal's inverse distribution function, float64, to about 1e-15 (Wichura 1988, AS 241 PPND16)."""
    q = p - 0.5
    centre = np.abs(q) <= 0.425
    r = 0.180625 - q * q
    inner = q * _ratio(r, _A, _B)
    tail = np.minimum(p, 1.0 - p)
    r = np.sqrt(-_log(tail))
    near = r <= 5.0
    outer = np.where(near, _ratio(r - 1.6, _C, _D), _ratio(r - 5.0, _E, _F))
    return np.where(centre, inner, np.where(q < 0, -outer, outer))


def _ratio(x: np.ndarray, above: tuple[float, ...], below: tuple[float, ...]) -> np.ndarray:
    num = np.zeros_like(x)
    den = np.zeros_like(x)
    for a, b in zip(reversed(above), reversed(below), strict=True):
        num = num * x + a
        den = den * x + b
    return num / den


def _log(x: np.ndarray) -> np.ndarray:
    """log x for x > 0 by additions, products and quotients alone: x = m 2^e, log m = 2 atanh((m-1)/(m+1))."""
    m, e = np.frexp(x)
    low = m < 0.7071067811865476
    m, e = np.where(low, m * 2.0, m), np.where(low, e - 1, e)
    s = (m - 1.0) / (m + 1.0)                                                 # |s| < 0.172
    s2, total = s * s, np.zeros_like(s)
    for k in range(23, 0, -2):
        total = total * s2 + 1.0 / k
    return e * 0.6931471805599453 + 2.0 * s * total


_A = (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
      4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)
_B = (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
      3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)
_C = (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
      1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
_D = (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
      1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)
_E = (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
_F = (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
      7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Between latents a and b (..., dim) along the great circle, t in 0..1; lengths are interpolated linearly.

    The generator only sees a latent's direction (its pixel norm comes first), so a straight line would walk unevenly.
    """
    la, lb = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    ua, ub = a / la, b / lb
    angle = (ua * ub).sum(-1, keepdim=True).clamp(-1, 1).acos()
    near = angle < 1e-4
    safe = torch.where(near, torch.ones_like(angle), angle).sin()
    wa = torch.where(near, torch.full_like(angle, 1 - t), ((1 - t) * angle).sin() / safe)
    wb = torch.where(near, torch.full_like(angle, t), (t * angle).sin() / safe)
    return (wa * ua + wb * ub) * torch.lerp(la, lb, t)


def walk(keyframes: Tensor, at: Sequence[float]) -> Tensor:
    """Latents (len(at), dim) on the looping walk through keyframes (k, dim), by slerp from each to the next.

    at 2.25: a quarter of the way from keyframe 2 to the next one. After the last comes the first again, so that at k
    the walk is where it began. Raises ValueError for no keyframes.
    """
    if not len(keyframes):
        raise ValueError("a walk has 0 keyframes; allowed: 1 or more")
    places = [divmod(u % len(keyframes), 1) for u in at]
    steps = [slerp(keyframes[int(i)], keyframes[(int(i) + 1) % len(keyframes)], t) for i, t in places]
    return torch.stack(steps) if steps else keyframes[:0]


def on_sphere(z: Tensor) -> Tensor:
    """Latents (n, dim) brought to length sqrt(dim), as the generator's pixel norm does: the clips stay the same."""
    return z / z.square().mean(1, keepdim=True).sqrt()


def affordable(generator: Generator, samples: int, floats: int = 2**26) -> int:
    """So many samples of the first layer's activations as fit into `floats` numbers, at least 64. A generator that
    begins at its full size (no growing) has a first layer of millions."""
    return min(samples, max(64, floats // math.prod(generator.base)))
