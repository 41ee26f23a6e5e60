"""What a training costs: a short measurement for the seconds, arithmetic (work.py) where that would take too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from pvswgan.growth import GrowthPlan
from train.engine import Engine
from train.work import shares


def measure(engine: Engine, seconds: float = 30.0,
            say: Callable[[str], None] = lambda _: None) -> tuple[list[float], int]:
    """Seconds a clip at each stage, and how many stages were timed.

    Stages are timed in order while the budget lasts, two steps each after one to warm up; those after it are scaled by
    their arithmetic from the last one timed. Where memory runs out a stage gives up what it would in a training.
    Changes the engine's weights: measure on one of its own.
    """
    engine.adapts = True
    plan = engine.plan
    work = shares(engine.config)
    out: list[float] = []
    timed = 0
    begin = time.perf_counter()
    for stage, (frames, resolution) in enumerate(plan.sizes):
        last = time.perf_counter() - begin
        if out and last + 4 * out[-1] * engine.batches[stage] * work[stage] / work[stage - 1] > seconds:
            out.append(out[-1] * work[stage] / work[stage - 1])
            continue
        say(f"timing stage {stage}: {plan.stages[stage].name}")
        engine.clips = plan.starts[stage] + plan.stages[stage].fade
        if plan.at(engine.clips).stage != stage:                       # a stage without clips of its own
            out.append(out[-1] * work[stage] / work[stage - 1] if out else 0.0)
            continue
        batch = torch.rand(engine.batches[stage], 3, frames, resolution, resolution) * 2 - 1
        out.append(_time_steps(engine, batch, seconds))
        timed = stage + 1
    return out, timed


def _time_steps(engine: Engine, batch: torch.Tensor, seconds: float) -> float:
    """Seconds a clip of a step, the second of two timed after one to warm up being the better guess; of a step that
    takes longer than the whole budget the first one's."""
    clips, best = engine.clips, float("inf")
    for trial in range(3):
        engine.clips = clips
        start = time.perf_counter()
        terms = engine.step(lambda position, n, size: batch[:n])
        float(terms["loss_G"])                                         # waits for a GPU
        took = time.perf_counter() - start
        if trial or took > seconds:
            best = min(best, took)
        if took > seconds:
            break
    return best / (engine.clips - clips)


def remaining(plan: GrowthPlan, clips: int, per_clip: Sequence[float]) -> float:
    """Seconds from `clips` to the end of the plan, with per_clip seconds a clip at each stage."""
    return sum(max(0, plan.starts[i + 1] - max(clips, plan.starts[i])) * s for i, s in enumerate(per_clip))


def duration(seconds: float) -> str:
    """4000 -> '1h 07m'."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    return f"{days}d {h:02}h" if days else f"{hours}h {m:02}m" if hours else f"{m}m {s:02}s"
