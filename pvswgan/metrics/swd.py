"""Sliced Wasserstein distance of space-time patches: how far generated clips are from real ones, without a trained
network. Enough to tell a better checkpoint from a worse one of the same stage."""

from __future__ import annotations

import torch
from torch import Tensor

from pvswgan.conv import enlarge, shrink

PATCH = (4, 8, 8)           # frames, rows, columns
PATCHES = 16                # of each clip, at each scale
DIRECTIONS = 256


@torch.no_grad()
def patch_swd(real: Tensor, fake: Tensor) -> float:
    """Sliced Wasserstein distance of space-time patches, mean over the scales; 0 for the same clips. The patches'
    places and the directions are the same at each call.

    real, fake (N, 3, T, H, W) in [-1, 1]. As Karras et al. 2018 for pictures: each scale holds what the next coarser
    one does not (a Laplacian pyramid), the coarsest the clips as a whole; the unit is the standard deviation of the
    real patches.
    """
    generator = torch.Generator().manual_seed(0)
    scales = []
    while True:
        frames, rows, columns = (2 if have > want else 1 for have, want in zip(real.shape[2:], PATCH, strict=True))
        factors = frames, rows, columns
        if factors == (1, 1, 1):
            break
        coarse = [shrink(x, factors) for x in (real, fake)]
        fine = [x - enlarge(c, factors) for x, c in zip((real, fake), coarse, strict=True)]
        scales.append(_sliced(_patches(fine, generator), generator))
        real, fake = coarse
    scales.append(_sliced(_patches([real, fake], generator), generator))
    return sum(scales) / len(scales)


def _patches(sets: list[Tensor], generator: torch.Generator) -> list[Tensor]:
    """(N * PATCHES, values) of each, cut at the same places; whole clips where they are no larger than a patch."""
    size = sets[0].shape[2:]
    cut = [min(have, want) for have, want in zip(size, PATCH, strict=True)]
    room = [have - want + 1 for have, want in zip(size, cut, strict=True)]
    places = {tuple(int(torch.randint(r, (), generator=generator)) for r in room) for _ in range(PATCHES)}
    return [torch.cat([x[:, :, t:t + cut[0], i:i + cut[1], j:j + cut[2]].flatten(1) for t, i, j in sorted(places)])
            for x in sets]


def _sliced(sets: list[Tensor], generator: torch.Generator) -> float:
    real = sets[0]
    directions = torch.randn(real.shape[1], DIRECTIONS, generator=generator)
    directions = (directions / directions.norm(dim=0)).to(real)
    mean, scale = real.mean(), real.std().clamp_min(1e-6)
    a, b = ((((x - mean) / scale) @ directions).sort(dim=0).values for x in sets)
    return float((a - b).abs().mean())
