"""Projection: the latent whose clip comes nearest to a real one (image2stylegan, Abdal et al. 2019, for clips and z).

    found = project(model, clip)          # clip: uint8 (T, H, W, 3) of the model's own size
    model.generate(found.z)               # what the model makes of it

A latent only counts by its direction (the generator's pixel norm comes first), so the search stays on the sphere of
radius sqrt(latent_dim), where sampled latents lie. It has many hollows: it begins at those of many sampled latents
that are nearest already, and after a while goes on with the better ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pvswgan import video
from pvswgan.checkpoint import Model
from pvswgan.latents import on_sphere, sample_latents

Callback = Callable[[int, int, float], None]
TOGETHER = 16  # sampled latents that are drawn at a time
FOLLOWED = (4, 2)  # latents: so many for a quarter of the steps, then so many
RATE = 0.1  # of Adam, at the beginning of each round; it falls to nothing along half a cosine
_COARSEST = 2  # pixels, or frames, of an axis that is not halved any more


@dataclass(frozen=True)
class Projection:
    """The latent that was found.

    z         (1, latent_dim), of length sqrt(latent_dim)
    distance  of its clip to the target, see `distance`
    """

    z: Tensor
    distance: float


def project(model: Model, clip: Tensor | NDArray[np.uint8], *, steps: int = 200, samples: int = 64, seed: int = 0,
            callback: Callback | None = None) -> Projection:
    """The latent whose clip is nearest to `clip`, by gradient descent (Adam); the same for one seed on one machine.

    clip      uint8 (T, H, W, 3), or float (3, T, H, W) in [-1, 1], of the model's frames and resolution
    steps     of Adam, 8 or more;  samples: latents that are drawn first, of which the nearest are followed
    callback  called as callback(step, steps, least distance so far) after each batch of samples and each step. Where it
              raises StopIteration the nearest latent so far is the answer; anything else that it raises passes
    Raises ValueError for a clip of another size, and for impossible steps or samples.
    """
    target = _target(model, clip)
    if steps < 8 or samples < FOLLOWED[0]:
        raise ValueError(f"steps is {steps} and samples {samples}; allowed: steps 8 or more, samples {FOLLOWED[0]} or "
                         "more")
    search = _Search(model, target, -(-samples // TOGETHER) + steps, callback)
    z = on_sphere(sample_latents(samples, model.latent_dim, seed).to(model.device))
    with suppress(StopIteration):
        with torch.no_grad():
            far = torch.cat([search.look(part) for part in z.split(TOGETHER)])
        for count, some in zip(FOLLOWED, (steps // 4, steps - steps // 4), strict=True):
            z, far = _descend(search, z[far.argsort(stable=True)[:count]], some)
    return Projection(search.best.cpu(), search.least)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """How far clips (N, 3, T, H, W) in [-1, 1] lie apart, (N,): 0 for the same, 2 for black and white.

    The root of the mean squared difference of pixels, averaged over scales: the clips as they are, at half the size in
    space and time, at a quarter, and so on. The coarse scales tell the way where nothing overlaps yet.
    """
    apart = []
    while True:
        apart.append((a - b).square().flatten(1).mean(1))
        halve = [2 if n > _COARSEST and n % 2 == 0 else 1 for n in a.shape[2:]]
        if halve == [1, 1, 1]:
            return torch.stack(apart).mean(0).add(1e-12).sqrt()
        a, b = F.avg_pool3d(a, halve), F.avg_pool3d(b, halve)


class _Search:
    """The target, and the nearest latent so far."""

    def __init__(self, model: Model, target: Tensor, steps: int, callback: Callback | None) -> None:
        self._model, self._target, self._steps, self._callback = model, target, steps, callback
        self._step = 0
        self.least, self.best = math.inf, torch.empty(0)

    def look(self, z: Tensor) -> Tensor:
        """Distances (N,) of the clips of latents on the sphere, with a gradient where one is asked for."""
        model = self._model
        clips = model.generator.grow(model.generator.start(z), model.stage, model.alpha)
        # As they are shown; but a pixel beyond white still knows the way back.
        clips = clips + (clips.clamp(-1, 1) - clips).detach()
        far = distance(clips, self._target)
        nearest = int(far.argmin())
        if float(far[nearest].detach()) < self.least:
            self.least, self.best = float(far[nearest].detach()), z[nearest : nearest + 1].detach().clone()
        self._step += 1
        if self._callback:
            self._callback(self._step, self._steps, self.least)
        return far


def _descend(search: _Search, z: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """(latents after that many steps, their distances before the last one)."""
    z = z.clone().requires_grad_(True)
    adam = torch.optim.Adam([z], lr=RATE, betas=(0.9, 0.99))
    for step in range(steps):
        adam.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        far = search.look(z)
        (z.grad,) = torch.autograd.grad(far.sum(), [z])
        adam.step()
        with torch.no_grad():
            z.copy_(on_sphere(z))
    return z.detach(), far.detach()


def _target(model: Model, clip: Tensor | NDArray[np.uint8]) -> Tensor:
    """float (1, 3, T, H, W) on the model's device."""
    target = video.to_float(clip[None]) if isinstance(clip, np.ndarray) and clip.ndim == 4 else torch.as_tensor(clip)
    target = target[None] if target.ndim == 4 else target
    size = (1, 3, model.frames, model.resolution, model.resolution)
    if tuple(target.shape) != size:
        pixels = f"({model.frames}, {model.resolution}, {model.resolution}, 3)"
        raise ValueError(f"the clip is {tuple(clip.shape)}; allowed: uint8 {pixels} or float {size[1:]}, as this "
                         "model's clips are")
    return target.to(model.device, torch.float32)
