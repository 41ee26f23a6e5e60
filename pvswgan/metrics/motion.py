"""How clips move: how much, where to, whether they freeze, whether they flicker."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
COMPASS = 8  # directions that a movement is sorted into; 0 is to the right, then clockwise as the picture is seen
FROZEN = 0.25  # a step is frozen that changes less than this part of the real clips' median step


@dataclass(frozen=True)
class Motion:
    """Of clips: change (N, T-1), mean absolute change of a pixel from frame to frame, of the range 0..1;
    compass (N, 8), movement in each direction, in pixels a frame summed over the frames; flicker (N,), 0..1."""

    change: Array
    compass: Array
    flicker: Array

    @classmethod
    def of(cls, clips: Tensor) -> Motion:
        """Of clips (N, 3, T, H, W) in [-1, 1] with two frames at least. Raises ValueError."""
        if clips.shape[2] < 2:
            raise ValueError(f"clips of {clips.shape[2]} frame do not move; allowed: 2 frames or more")
        grey = (clips.detach().float().mean(1) + 1) / 2
        step = grey.diff(dim=1)
        change = ((clips[:, :, 1:] - clips[:, :, :-1]).abs().mean((1, 3, 4)) / 2).double().cpu().numpy()
        return cls(change, _compass(grey, step).double().cpu().numpy(), _flicker(step).double().cpu().numpy())

    @classmethod
    def join(cls, parts: list[Motion]) -> Motion:
        """That of all clips, from that of batches."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("change", "compass",
                                                                                         "flicker")))


def _flicker(step: Tensor) -> Tensor:
    """(N,): how much of the change is taken back by the next frame. 0: all movement goes on; 1: every second frame is
    the same. With steps a and b: sum max(0, -ab) / sum |ab|."""
    product = step[:, 1:] * step[:, :-1]
    total = product.abs().sum((1, 2, 3))
    return torch.where(total > 0, (-product).clamp_min(0).sum((1, 2, 3)) / total.clamp_min(1e-20), 0.0)


def _compass(grey: Tensor, step: Tensor) -> Tensor:
    """(N, 8) of the one movement of each step that explains it best (Lucas and Kanade 1981, over the whole picture)."""
    middle = (grey[:, 1:] + grey[:, :-1]) / 2
    gx = (middle[..., 1:-1, 2:] - middle[..., 1:-1, :-2]) / 2
    gy = (middle[..., 2:, 1:-1] - middle[..., :-2, 1:-1]) / 2
    gt = step[..., 1:-1, 1:-1]
    xx, yy, xy, xt, yt = ((a * b).sum((2, 3)) for a, b in ((gx, gx), (gy, gy), (gx, gy), (gx, gt), (gy, gt)))
    ridge = 1e-3 * (xx + yy) + 1e-8  # a picture of stripes says nothing of movement along them
    xx, yy = xx + ridge, yy + ridge
    det = xx * yy - xy * xy
    vx, vy = (xy * yt - yy * xt) / det, (xy * xt - xx * yt) / det  # (N, T-1), pixels a frame
    place = (torch.atan2(vy, vx) / (2 * math.pi) * COMPASS).round().long() % COMPASS
    return torch.zeros(len(grey), COMPASS, device=grey.device).scatter_add_(1, place, torch.hypot(vx, vy))


def wasserstein(a: Array, b: Array) -> float:
    """The 1-D Wasserstein-1 distance of two sets of numbers, by their quantiles."""
    at = (np.arange(1024) + 0.5) / 1024
    return float(np.abs(np.quantile(a, at) - np.quantile(b, at)).mean())


def compare(real: Motion, fake: Motion) -> dict[str, float]:
    """motion: mean change of a step; motion_distance: between the steps' distributions, in the real ones' mean;
    direction_distance: total variation 0..1 between where the movement goes; frozen: share of the steps; flicker."""
    mean = max(float(real.change.mean()), 1e-9)
    shares = [m.compass.sum(0) / max(float(m.compass.sum()), 1e-12) for m in (real, fake)]
    return {"motion": float(fake.change.mean()),
            "motion_distance": wasserstein(real.change.ravel(), fake.change.ravel()) / mean,
            "direction_distance": float(np.abs(shares[0] - shares[1]).sum() / 2),
            "frozen": float((fake.change < FROZEN * np.median(real.change)).mean()),
            "flicker": float(fake.flicker.mean())}
