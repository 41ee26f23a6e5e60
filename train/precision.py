"""Which number format the convolutions run fastest in on this machine: not every processor has bfloat16 units."""

from __future__ import annotations

import time

import torch

from pvswgan.conv import conv3d_same
from pvswgan.layers import leaky_relu
from pvswgan.networks import channels, to_layout
from train.config import Config

FORMATS = ("bfloat16", "float32")
TRIALS = 8
CLEARLY = 1.3     # without bfloat16 units it is several times slower, with them faster; between lies only noise


def choose_precision(config: Config, device: torch.device) -> str:
    """'bfloat16' or 'float32'. On a GPU bfloat16 where it has it; on a CPU unless it is clearly slower at the plan's
    last size."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    frames, resolution = config.plan().sizes[-1]
    width = channels(resolution, config.network.fmap_base, config.network.fmap_max)
    x = to_layout(torch.randn(4, width, frames, resolution, resolution))
    w = torch.randn(width, width, 3, 3, 3)
    best = dict.fromkeys(FORMATS, float("inf"))
    for trial in range(TRIALS):                   # in turn, and the least of each: other work comes and goes
        for name in FORMATS:
            seconds = _time(x.to(getattr(torch, name)), w.to(getattr(torch, name)))
            if trial:
                best[name] = min(best[name], seconds)
    return "float32" if best["bfloat16"] > CLEARLY * best["float32"] else "bfloat16"


def _time(x: torch.Tensor, w: torch.Tensor) -> float:
    """Seconds of a convolution, an activation and their derivatives."""
    x.requires_grad_(True)
    w.requires_grad_(True)
    begin = time.perf_counter()
    leaky_relu(conv3d_same(x, w)).sum().backward()
    return time.perf_counter() - begin
