"""What a training costs: a short measurement for the seconds, and what that says of stages that would take too long."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from train.engine import Engine
from train.pace import Pace


def measure(engine: Engine, seconds: float = 30.0,
            say: Callable[[str], None] = lambda _: None) -> tuple[list[float], int]:
    """Seconds a clip at each stage, and how many stages were timed.

    Stages are timed in order while the budget lasts, two steps each after one to warm up; those after it are judged by
    the last one timed, as a training judges the stages to come (pace.py). Where memory runs out a stage gives up what
    it would in a training. Changes the engine's weights: measure on one of its own.
    """
    engine.adapts = True
    plan = engine.plan
    pace = Pace(engine.config, engine.device, str(engine.G.dtype).removeprefix("torch."))
    out: list[float] = []
    timed = 0

    def judged(stage: int) -> float:
        return pace.seconds(timed - 1, out[timed - 1], engine.batches)[stage] if timed else 0.0

    begin = time.perf_counter()
    for stage, (frames, resolution) in enumerate(plan.sizes):
        last = time.perf_counter() - begin
        if timed and last + 4 * judged(stage) * engine.batches[stage] > seconds:
            out.append(judged(stage))
            continue
        say(f"timing stage {stage}: {plan.stages[stage].name}")
        engine.clips = plan.starts[stage] + plan.stages[stage].fade
        if plan.at(engine.clips).stage != stage:                       # a stage without clips of its own
            out.append(judged(stage))
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


def duration(seconds: float) -> str:
    """4000 -> '1h 07m'."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    return f"{days}d {h:02}h" if days else f"{hours}h {m:02}m" if hours else f"{m}m {s:02}s"
