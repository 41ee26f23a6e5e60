"""Which number format the convolutions run fastest in on this machine: not every processor has bfloat16 units."""

from __future__ import annotations

import time

import torch

from pvswgan.conv import conv3d_same
from pvswgan.layers import leaky_relu
from pvswgan.networks import to_layout
from train.config import Config
from train.work import convolution_size

FORMATS = ("bfloat16", "float32")
TRIALS = 8
SMALL, LARGE = 1 << 14, 1 << 19    # elements of the activations that are timed; more says nothing new
CLEARLY = 1.3     # without bfloat16 units it is several times slower, with them faster; between lies only noise
HOPELESS = 2.0    # times slower: emulated, and going on would take minutes


def choose_precision(config: Config, device: torch.device) -> str:
    """'bfloat16' or 'float32': what the configuration says; at `auto` on a GPU bfloat16 where it has it, on a CPU
    unless it is clearly slower at the plan's last size, or the last that is not too large to time."""
    if config.precision != "auto":
        return config.precision
    if config.network.system != "pvswgan":
        return "float32"                          # BatchNorm, and plain layers that bfloat16 is not safe in (conv.py)
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if _slowdown(config, SMALL) > HOPELESS:
        return "float32"
    return "float32" if _slowdown(config, LARGE) > CLEARLY else "bfloat16"


def _slowdown(config: Config, elements: int) -> float:
    """How many times longer bfloat16 takes, at the plan's last size of at most so many elements."""
    shape = convolution_size(config, 4, elements)
    x, w = to_layout(torch.randn(shape)), torch.randn(shape[1], shape[1], 3, 3, 3)
    best = dict.fromkeys(FORMATS, float("inf"))
    for trial in range(TRIALS):                   # in turn, and the least of each: other work comes and goes
        for name in FORMATS:
            seconds = _time(x.to(getattr(torch, name)), w.to(getattr(torch, name)))
            if trial:                             # the first one also loads the kernels
                best[name] = min(best[name], seconds)
        if trial > 1 and best["bfloat16"] > HOPELESS * best["float32"]:
            break
    return best["bfloat16"] / best["float32"]


def _time(x: torch.Tensor, w: torch.Tensor) -> float:
    """Processor seconds of a convolution, an activation and their derivatives: others may have the core meanwhile."""
    x.requires_grad_(True)
    w.requires_grad_(True)
    begin = time.process_time()
    leaky_relu(conv3d_same(x, w)).sum().backward()
    return time.process_time() - begin
