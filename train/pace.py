"""How long the stages to come will take, judged while a training is still at a small one.

A step is arithmetic and calls. Where clips are small it is nearly all calls: scaling its time by the arithmetic alone
made five hours into thirty. So the arithmetic's rate is timed once, on a convolution of the plan's last size, and what
a step takes beyond that is spread evenly over its passes through layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from pvswgan.conv import conv3d_same
from pvswgan.growth import GrowthPlan
from pvswgan.networks import to_layout
from train.config import Config
from train.machine import least_seconds
from train.shortage import is_shortage
from train.work import convolution_size, passes, shares

CLIPS = 8
ELEMENTS = {"cpu": 1 << 19, "cuda": 1 << 25}    # of the activations that are timed; more says nothing new
SECONDS = 0.05                                  # of timing


class Pace:
    """Of a configuration on a device; precision: 'bfloat16' or 'float32'; processes: that share a batch."""

    def __init__(self, config: Config, device: torch.device, precision: str, processes: int = 1) -> None:
        self.plan, self.work, self.passes = config.plan(), shares(config), passes(config)
        several = len(self.work) > 1
        self.arithmetic = processes * _arithmetic(config, device, getattr(torch, precision)) if several else 0.0
        self.clips_per_s, self.stage, self.phase = 0.0, 0, ""       # measured, and where

    def saw(self, stage: int, phase: str, clips: int, seconds: float) -> None:
        """So many clips took so long. Smoothed within a phase, so that the time left does not jump with every hiccup of
        the machine."""
        now = clips / seconds
        self.clips_per_s = 0.8 * self.clips_per_s + 0.2 * now if phase == self.phase else now
        self.stage, self.phase = stage, phase

    def left(self, clips: int, batches: Sequence[int]) -> float | None:
        """Seconds from `clips` to the end of the plan; None before anything was measured. batches: clips a step."""
        if not self.clips_per_s:
            return None
        return remaining(self.plan, clips, self.seconds(self.stage, 1 / self.clips_per_s, batches))

    def seconds(self, stage: int, measured: float, batches: Sequence[int]) -> list[float]:
        """Seconds a clip at each stage, if it takes so many (`measured`) at one; batches: clips a step at each."""
        calls = measured - self.work[stage] / self.arithmetic if self.arithmetic else 0.0
        if calls <= 0:                          # no rate, or a step faster than the convolution that was timed
            return [measured * work / self.work[stage] for work in self.work]
        call = calls * batches[stage] / self.passes[stage]
        return [work / self.arithmetic + call * n / batch
                for work, n, batch in zip(self.work, self.passes, batches, strict=True)]


def remaining(plan: GrowthPlan, clips: int, per_clip: Sequence[float]) -> float:
    """Seconds from `clips` to the end of the plan, with per_clip seconds a clip at each stage."""
    return sum(max(0, plan.starts[i + 1] - max(clips, plan.starts[i])) * s for i, s in enumerate(per_clip))


def _arithmetic(config: Config, device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a convolution and its two gradients, of the plan's last size that is not too large; 0
    where all are, or memory is short: no training is to fail for an estimate."""
    most = ELEMENTS["cuda" if device.type == "cuda" else "cpu"]
    shape = convolution_size(config, CLIPS, most)
    if prod(shape) > most:
        return 0.0
    try:
        seconds = _time(shape, device, dtype)
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        return 0.0
    return 3 * 2.0 * 27 * shape[1] * prod(shape) / seconds


def _time(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> float:
    """Seconds of a convolution as wide as its clips, and of its gradients in both."""
    x = to_layout(torch.ones(shape, device=device, dtype=dtype)).requires_grad_()
    w = torch.ones(shape[1], shape[1], 3, 3, 3, device=device, dtype=dtype).requires_grad_()
    seconds = least_seconds(lambda: torch.autograd.grad(conv3d_same(x, w), (x, w), x.detach()), device, SECONDS)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)     # the statistics tell the memory of the training
    return seconds
