"""Whether a model repeats its training clips: how near samples are to them, against how near training clips are to one
another, each left out of the search when its turn comes.

A clip that is left out is to the rest what a clip of the same kind that was never trained on would be, so that no other
clips are needed. (Where several clips were cut from one video they are nearer to one another than new ones would be.)
Where clips are longer than what a network makes, their other windows are searched too: a copy of any moment is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEAR = 0.05  # quantile of the left-out clips' distances below which a sample counts as near


@dataclass(frozen=True)
class Nearest:
    """index (N,), distance (N,): the nearest reference clip of each clip."""

    index: Tensor
    distance: Tensor

    def halves(self) -> tuple[Nearest, Nearest]:
        """The first and the second half of the clips."""
        half = len(self.index) // 2
        first, second = slice(half), slice(half, 2 * half)
        return Nearest(self.index[first], self.distance[first]), Nearest(self.index[second], self.distance[second])


def nearest(clips: Tensor, reference: Tensor, scale: Tensor, turned: Tensor | None = None,
            left_out: tuple[Tensor, Tensor] | None = None) -> Nearest:
    """Of features (N, D) among features (M, D), each divided by scale (D).

    turned (N, D): features of the same clips turned left to right: the nearer of the two counts. left_out (N,), (M,):
    which clip of the store each was cut from; those that were cut from the same one are passed over.
    """
    def find(some: Tensor) -> Nearest:
        found = []
        for first in range(0, len(some), 1024):
            # By differences: by products, the distance of a copy would be rounding.
            far = torch.cdist(some[first:first + 1024].float() / scale, reference.float() / scale,
                              compute_mode="donot_use_mm_for_euclid_dist")
            if left_out is not None:
                own, others = left_out
                far[own[first:first + 1024, None] == others[None]] = torch.inf
            found.append(far.min(1))
        return Nearest(torch.cat([f.indices for f in found]), torch.cat([f.values for f in found]))

    plain = find(clips)
    if turned is None:
        return plain
    other = find(turned)
    nearer = other.distance < plain.distance
    return Nearest(torch.where(nearer, other.index, plain.index), torch.minimum(plain.distance, other.distance))


def compare(samples: Nearest, left_out: Nearest) -> dict[str, float]:
    """near_share: share of samples nearer to a training clip than all but 5 % of left-out training clips are; about
    0.05 where nothing is memorised, towards 1 where samples are copies. near_ratio: median distance against theirs."""
    bar = torch.quantile(left_out.distance, NEAR)
    return {"near_share": float((samples.distance < bar).float().mean()),
            "near_ratio": float(samples.distance.median() / left_out.distance.median().clamp_min(1e-9))}
