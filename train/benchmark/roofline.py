"""The least time that a training step could take on this machine, and the rates of which that is made.

A layer needs at least flops / (best matrix rate) and at least bytes / (memory bandwidth), whichever is longer; a step
is the sum over its layers (train/work.py). Both rates are measured, in the same run as what they are compared with.
(Williams, Waterman, Patterson 2009, "Roofline".)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from train.config import Config
from train.machine import least_seconds
from train.work import Layer, step_layers


@dataclass(frozen=True)
class Rates:
    """What the machine does at best: operations a second and bytes a second."""

    flops: float
    bandwidth: float

    def best(self, other: Rates) -> Rates:
        """The higher of each: what a busy moment has hidden the other may have seen."""
        return Rates(max(self.flops, other.flops), max(self.bandwidth, other.bandwidth))

    def seconds(self, layer: Layer, batch: int, size: int) -> float:
        """Of one pass over a batch with elements of `size` bytes: the longer of arithmetic and traffic."""
        moved = (batch * (layer.inputs + layer.outputs) + layer.weights) * (4 if layer.images else size)
        return max(batch * layer.flops / self.flops, moved / self.bandwidth)


def step_seconds(config: Config, stage: int, batch: int, rates: Rates, size: int) -> float:
    """The least time of one step at a stage, elements of `size` bytes (2 for bfloat16)."""
    return sum(passes * rates.seconds(layer, batch * clips, size)
               for layer, passes, clips in step_layers(config, stage))


def measure_rates(device: torch.device, dtype: torch.dtype, seconds: float = 2.0) -> Rates:
    """The best of square matrix products of several sizes, and of copies much larger than the caches."""
    gpu = device.type == "cuda"
    flops = 0.0
    for n in (2048, 4096, 8192) if gpu else (512, 1024, 2048):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        flops = max(flops, 2.0 * n**3 / least_seconds(partial(torch.mm, a, b), device, seconds / 6))
    source = torch.empty(1 << (30 if gpu else 27), dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    bandwidth = 2 * source.numel() / least_seconds(lambda: target.copy_(source), device, seconds / 2)
    return Rates(flops, bandwidth)
