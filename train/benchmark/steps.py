"""Whole training steps of the engine and of the plain reference, in turn, stage by stage, against the roofline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train import heap
from train.benchmark.reference import Reference
from train.benchmark.roofline import Rates, step_seconds
from train.config import Config
from train.engine import Engine
from train.machine import synchronise
from train.shortage import is_shortage
from train.work import step_flops

LEAST_TRIALS = 2
MOST_TRIALS = 50


def steps_table(config: Config, device: torch.device, stages: Sequence[int], seconds: float,
                say: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """One row a stage, at alpha 1: both step in turn for about `seconds` after one step each to warm up.

    config.precision must be float32 or bfloat16. Rows: stage, size, batch; engine_s and reference_s, seconds of the
    quickest whole step (critic with penalty, generator, average); engine and reference, clips/s; ratio; kimg, thousands
    of clips that the plan has at the stage; engine_mb and
    reference_mb, the greatest memory of a step above what the networks and optimisers hold, megabytes; tflops, the
    engine's rate. None where the reference ran out of memory. (roofline_s and share: `against`.)
    """
    engine, plain = Engine(config, device, config.precision), Reference(config, device)
    rows = []
    for stage in stages:
        say(f"stage {stage}: {engine.plan.stages[stage].name}, {engine.batches[stage]} clips a step")
        rows.append(_row(engine, plain, stage, seconds))
    return rows


def against(rows: Sequence[dict[str, Any]], config: Config, rates: Rates) -> None:
    """Set rows of steps_table against what the machine can do: roofline_s, the least time a step could take, and share,
    how much of it the engine reaches."""
    size = 2 if config.precision == "bfloat16" else 4
    for row in rows:
        row["roofline_s"] = step_seconds(config, row["stage"], row["batch"], rates, size)
        if row["engine_s"] is not None:
            row["share"] = row["roofline_s"] / row["engine_s"]


def _row(engine: Engine, plain: Reference, stage: int, seconds: float) -> dict[str, Any]:
    plan, batch, device = engine.plan, engine.batches[stage], engine.device
    frames, side = plan.sizes[stage]
    real = torch.rand(batch, 3, frames, side, side, device=device) * 2 - 1
    start = plan.starts[stage] + plan.stages[stage].fade

    def ours() -> dict[str, Tensor]:
        engine.clips = start
        return engine.step(lambda *_: real)

    works: dict[str, Callable[[], dict[str, Tensor]]] = {"engine": ours, "reference": lambda: plain.step(real, stage)}
    memory: dict[str, float | None] = {}
    for name, work in list(works.items()):
        try:
            for _ in range(3 if device.type == "cuda" else 1):                 # the allocator and cuDNN settle
                memory[name] = _memory_mb(work, device)
        except (RuntimeError, MemoryError) as error:
            if not is_shortage(error):
                raise
            memory[name] = None
            del works[name]
            _free(device)
    best = _in_turn(works, device, seconds)
    row: dict[str, Any] = {"stage": stage, "size": plan.stages[stage].name, "batch": batch,
                           "kimg": (plan.starts[stage + 1] - plan.starts[stage]) / 1000}
    for name in ("engine", "reference"):
        row |= {f"{name}_s": best.get(name), name: batch / best[name] if name in best else None,
                f"{name}_mb": memory[name]}
    if "engine" in best:
        flops = batch * step_flops(engine.config, stage)
        row |= {"tflops": flops / best["engine"] / 1e12}
        row |= {"ratio": best["reference"] / best["engine"] if "reference" in best else None}
    return row


def _in_turn(works: dict[str, Callable[[], dict[str, Tensor]]], device: torch.device,
             seconds: float) -> dict[str, float]:
    """The shortest time of each, in turn, so that other work on the machine meets both."""
    best: dict[str, float] = dict.fromkeys(works, float("inf"))
    began = time.perf_counter()
    for trial in range(MOST_TRIALS):
        if trial >= LEAST_TRIALS and time.perf_counter() - began > seconds:
            break
        for name, work in works.items():
            synchronise(device)
            since = time.perf_counter()
            work()
            synchronise(device)
            best[name] = min(best[name], time.perf_counter() - since)
    return best


def _memory_mb(work: Callable[[], object], device: torch.device) -> float:
    """Greatest memory while it runs, above what was held before: by the allocator on a GPU, resident on a CPU."""
    _free(device)
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        synchronise(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    try:
        Path("/proc/self/clear_refs").write_text("5")                          # Linux: the peak begins anew
    except OSError:
        work()
        return float("nan")
    held = _status_kb("VmRSS")
    work()
    return (_status_kb("VmHWM") - held) / 1e3


def _status_kb(name: str) -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name + ":"))
    return float(line.split()[1])


def _free(device: torch.device) -> None:
    heap.trim()
    if device.type == "cuda":
        torch.cuda.empty_cache()
