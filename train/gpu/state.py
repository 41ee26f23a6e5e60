"""A training checkpoint made small enough to travel, and a checkpoint again.

Where Adam's beta1 is 0 its first moment is the last gradient, which no later step looks at: left out, nothing is lost.
What is then still too large loses more, as little as will do, and says so in its header.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from train.gpu.outbox import size

Tensors = dict[str, Tensor]
EXACT = "whole: goes on as if it had never stopped"
NO_MOMENTS = "without Adam's moments: goes on as where a phase begins"
ROUNDED = "without Adam's moments, weights rounded to float16"


def pack(tensors: Tensors, beta1: float, limit: int) -> tuple[Tensors, str]:
    """(tensors, what is kept) of at most `limit` bytes where that can be had; the smallest form where not."""
    moment = {key for key in tensors if key.endswith("/exp_avg")} if beta1 == 0 else set()
    kept = {key: t for key, t in tensors.items() if key not in moment}
    if size(kept) <= limit:
        return kept, EXACT
    kept = {key: t for key, t in tensors.items() if not key.startswith("opt_")}
    if size(kept) <= limit:
        return kept, NO_MOMENTS
    return {key: t.half() if t.dtype == torch.float32 else t for key, t in kept.items()}, ROUNDED


def unpack(tensors: Tensors, info: dict[str, Any]) -> Tensors:
    """The tensors of a training checkpoint from what `pack` made."""
    if info["kept"] == ROUNDED:
        tensors = {key: t.float() if t.dtype == torch.float16 else t for key, t in tensors.items()}
    first = {key.removesuffix("_sq"): torch.zeros_like(t) for key, t in tensors.items() if key.endswith("/exp_avg_sq")}
    return first | tensors
