"""Whether a model repeats its training clips: how near samples are to them, against how near other real clips are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEAR = 0.05  # quantile of the other real clips' distances below which a sample counts as near


@dataclass(frozen=True)
class Nearest:
    """index (N,), distance (N,): the nearest reference clip of each clip."""

    index: Tensor
    distance: Tensor


def nearest(clips: Tensor, reference: Tensor, scale: Tensor) -> Nearest:
    """Of features (N, D) among features (M, D), each divided by scale (D)."""
    parts = [torch.cdist(part / scale, reference / scale).min(1) for part in clips.float().split(1024)]
    return Nearest(torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts]))


def compare(samples: Nearest, others: Nearest) -> dict[str, float]:
    """near_share: share of samples nearer to a training clip than all but 5 % of other real clips are; about 0.05 where
    nothing is memorised, towards 1 where samples are copies. near_ratio: median distance against the other clips'."""
    bar = torch.quantile(others.distance, NEAR)
    return {"near_share": float((samples.distance < bar).float().mean()),
            "near_ratio": float(samples.distance.median() / others.distance.median().clamp_min(1e-9))}
