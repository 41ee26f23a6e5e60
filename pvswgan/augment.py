"""Differentiable augmentation (Zhao et al. 2020), carried to video: one draw a clip, the same for all its frames.

Reals and fakes pass through it alike before the critic sees them, so a critic cannot memorise a small data set, and the
generator gets its gradient through it, so it does not learn to draw augmented clips. Clips are (N, 3, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

POLICIES = ("shift", "colour", "cutout")
SHIFT, CUT = 1 / 8, 1 / 2     # shares of the picture: greatest shift, side of the hole (as in the paper)


def augment(x: Tensor, policies: Sequence[str], generator: torch.Generator, rank: int = 0, world: int = 1) -> Tensor:
    """x with the policies applied in their given order. Raises ValueError for an unknown policy.

    rank, world: x holds the clips rank, rank + world ... of a batch that is spread over processes; each clip gets the
    draw that it would get in the whole batch.
    """
    for name in policies:
        if name not in _APPLY:
            raise ValueError(f"train.augment has {name!r}; allowed: {', '.join(POLICIES)}")
        x = _APPLY[name](x, _uniform(x, generator, rank, world))
    return x


def _uniform(x: Tensor, generator: torch.Generator, rank: int, world: int) -> Tensor:
    """Three numbers in 0..1 a clip, (3, N), drawn on the CPU: the same on every device."""
    return torch.rand(3, x.shape[0] * world, generator=generator)[:, rank::world].to(x.device)


def _shift(x: Tensor, u: Tensor) -> Tensor:
    """Moved by up to an eighth of the picture in each direction, the border repeated."""
    size = x.shape[3]
    reach = round(size * SHIFT)
    dy, dx = ((u[:2] * (2 * reach + 1)).long().clamp(max=2 * reach) - reach)
    at = torch.arange(size, device=x.device)
    rows = (at + dy[:, None]).clamp(0, size - 1)                       # (N, H)
    columns = (at + dx[:, None]).clamp(0, size - 1)
    n = torch.arange(x.shape[0], device=x.device)[:, None, None]
    # Advanced indexing over (clip, row, column) puts those first: (N, H, W, 3, T).
    return x.permute(0, 3, 4, 1, 2)[n, rows[:, :, None], columns[:, None, :]].permute(0, 3, 4, 1, 2)


def _colour(x: Tensor, u: Tensor) -> Tensor:
    """Brightness by up to a quarter of the range, saturation 0..2, contrast 1/2..3/2, as in the paper."""
    u = u.view(3, -1, 1, 1, 1, 1)
    x = x + (u[0] - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * u[1])
    mean = x.mean([1, 2, 3, 4], keepdim=True)
    return mean + (x - mean) * (u[2] + 0.5)


def _cutout(x: Tensor, u: Tensor) -> Tensor:
    """A grey square of half the side, centred anywhere, the same place in every frame."""
    size = x.shape[3]
    half = size * CUT / 2
    at = torch.arange(size, device=x.device) + 0.5
    rows = (at - u[0, :, None] * size).abs() < half                    # (N, H)
    columns = (at - u[1, :, None] * size).abs() < half
    hole = rows[:, :, None] & columns[:, None, :]                      # (N, H, W)
    return x * ~hole[:, None, None]


_APPLY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"shift": _shift, "colour": _colour, "cutout": _cutout}
