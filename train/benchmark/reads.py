"""Random reads of a store, as the sampler makes them, against what the trainer takes at each stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pvswgan.data.sampler import Sampler
from pvswgan.data.store import ClipStore
from train.clips import sampler_of
from train.config import Config
from train.cost import measure
from train.engine import Engine, choose_device
from train.precision import choose_precision


def reads_table(config: Config, store: ClipStore, seconds: float = 2.0, budget: float = 60.0,
                say: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """One row a stage: clips a second read (without reading ahead, one thread), trained, and how many times faster.

    seconds  of reading at each stage;  budget: seconds of training in all; stages after it are scaled by arithmetic
             and marked in "timed"
    """
    device = choose_device(config.device)
    engine = Engine(config, device, choose_precision(config, device))
    plan, sampler = engine.plan, sampler_of(config, store)
    read = []
    for size, batch in zip(plan.sizes, engine.batches, strict=True):
        say(f"reading {size[0]}x{size[1]}x{size[1]}")
        read.append(_read_rate(sampler, size, batch, seconds))
    sampler.close()
    per_clip, timed = measure(engine, budget, say)
    return [{"stage": stage, "size": plan.stages[stage].name, "batch": engine.batches[stage], "read": rate,
             "trained": 1 / cost if cost else float("nan"), "times": rate * cost, "timed": stage < timed}
            for stage, (rate, cost) in enumerate(zip(read, per_clip, strict=True))]


def _read_rate(sampler: Sampler, size: tuple[int, int], batch: int, seconds: float) -> float:
    """Clips a second at random positions."""
    rng, done, began = np.random.default_rng(0), 0, time.perf_counter()
    sampler.read(0, batch, size)  # maps the files
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        sampler.read(int(rng.integers(0, 1 << 20)), batch, size)
        done += batch
    return done / (time.perf_counter() - began)
