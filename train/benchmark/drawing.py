"""How fast drawn sets are drawn, in as many processes as an import would use."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import ModuleType
from typing import Any

from pvswgan.data import shapes, toyfaces

FRAMES = 32
_TOGETHER = 8  # clips of a task


def draw_rows(resolutions: list[int], seconds: float, workers: int) -> list[dict[str, Any]]:
    """One row a set and resolution: set, resolution, clips_s (of 32 frames), drawn for `seconds` by `workers`."""
    context = multiprocessing.get_context("forkserver")
    rows = []
    with ProcessPoolExecutor(workers, context) as pool:
        for name, module in (("toyfaces", toyfaces), ("shapes", shapes)):
            for resolution in resolutions:
                work = partial(_drawn, module.__name__, resolution, seconds)
                list(pool.map(partial(_drawn, module.__name__, resolution, 0.0), range(workers)))  # imports, canvases
                rate = sum(pool.map(work, range(workers)))
                rows.append({"set": name, "resolution": resolution, "clips_s": rate})
    return rows


def _drawn(name: str, resolution: int, seconds: float, worker: int) -> float:
    """Clips a second of one process, each clip another."""
    module: ModuleType = {drawn.__name__: drawn for drawn in (toyfaces, shapes)}[name]
    index, began = 10_000 * worker, time.perf_counter()
    while True:
        for _ in range(_TOGETHER):
            module.draw(index, resolution=resolution, frames=FRAMES)
            index += 1
        past = time.perf_counter() - began
        if past >= seconds:
            return (index - 10_000 * worker) / past
