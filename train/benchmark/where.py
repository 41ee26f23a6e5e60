"""Where the time of a step goes: PyTorch's profiler over a few steps, its operators put into groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from train.benchmark.reference import Reference
from train.config import Config
from train.engine import Engine

# First match wins. Names are PyTorch's operators and kernels, by a part of their name.
GROUPS = (("weight gradients", ("conv_backward", "convolution_backward", "mkldnn_convolution_backward", "wgrad")),
          ("convolutions", ("conv", "mkldnn", "cudnn", "gemm", "xmma")),
          ("matrix products", ("addmm", "aten::mm", "aten::bmm", "linear")),
          ("optimiser", ("adam", "foreach", "lerp")),
          ("copies and layouts", ("copy_", "clone", "contiguous", "aten::to", "memcpy", "aten::cat", "pad", "fill_")),
          ("pooling, enlarging", ("pool", "upsample", "repeat", "expand")))


def where_rows(config: Config, device: torch.device, stage: int, steps: int = 3) -> list[dict[str, Any]]:
    """One row a group of operators, greatest share of the engine first: group, engine and reference, seconds a step
    spent in them themselves (not in what they call), and engine_share, reference_share of all."""
    engine, plain = Engine(config, device, config.precision), Reference(config, device)
    frames, side = engine.plan.sizes[stage]
    real = torch.rand(engine.batches[stage], 3, frames, side, side, device=device) * 2 - 1
    start = engine.plan.starts[stage] + engine.plan.stages[stage].fade

    def ours() -> object:
        engine.clips = start
        return engine.step(lambda *_: real)

    works = {"engine": ours, "reference": lambda: plain.step(real, stage)}
    found = {name: _grouped(work, device, steps) for name, work in works.items()}
    total = {name: sum(groups.values()) for name, groups in found.items()}
    names = sorted({*found["engine"], *found["reference"]}, key=lambda group: -found["engine"].get(group, 0.0))
    return [{"group": group} | {name: found[name].get(group, 0.0) for name in found}
            | {f"{name}_share": found[name].get(group, 0.0) / total[name] for name in found} for group in names]


def _grouped(work: Callable[[], object], device: torch.device, steps: int) -> dict[str, float]:
    """Seconds a call by group, of the device where that is a GPU."""
    work()
    gpu = device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=kinds) as seen:
        for _ in range(steps):
            work()
        if gpu:
            torch.cuda.synchronize(device)
    return {group: spent / 1e6 / steps for group, spent in summed(seen.key_averages(), gpu).items()}


def summed(events: Iterable[Any], gpu: bool) -> dict[str, float]:
    """Microseconds by group. On a GPU an operator's own device time holds its kernels', which are events of their own
    beside it, as are the profiler's annotations: only operators count."""
    sums: dict[str, float] = {}
    for event in events:
        if gpu and event.device_type != DeviceType.CPU:
            continue
        spent = event.self_device_time_total if gpu else event.self_cpu_time_total
        if spent:
            group = _group(event.key)
            sums[group] = sums.get(group, 0.0) + spent
    return sums


def _group(name: str) -> str:
    lower = name.lower()
    return next((group for group, parts in GROUPS if any(part in lower for part in parts)), "everything else")
