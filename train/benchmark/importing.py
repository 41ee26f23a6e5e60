"""How fast an import decodes, and in how much memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil

from pvswgan.data.build import Told
from pvswgan.data.sources import Wish, recipe

_EVERY_S = 0.5


def import_row(path: Path, place: Path, resolution: int, workers: int, compact: bool = False,
               clips: int | None = None) -> dict[str, Any]:
    """Import `path` into a new store at `place`.

    Returns files_s, clips_s, mb_s (megabytes of pixels at the greatest resolution), seconds; main_mib and worker_mib,
    the greatest resident memory that was seen of this process and of one of its workers, without file-backed pages.
    """
    me = psutil.Process(os.getpid())
    seen = {"main": 0, "worker": 0}
    last = 0.0

    def watch(now: Told) -> None:
        nonlocal last
        if time.monotonic() - last < _EVERY_S:
            return
        last = time.monotonic()
        seen["main"] = max(seen["main"], _held(me))
        seen["worker"] = max([seen["worker"], *map(_held, me.children(recursive=True))])

    made = recipe(Wish("auto", path, resolution, clips=clips, compact=compact))
    began = time.perf_counter()
    store = made.build(place, workers, watch)
    seconds = time.perf_counter() - began
    pixels = int(store.lengths.sum()) * resolution * resolution * 3
    return {"files_s": len(made.items) / seconds, "clips_s": len(store) / seconds, "mb_s": pixels / seconds / 1e6,
            "seconds": seconds, "main_mib": seen["main"] / 2**20, "worker_mib": seen["worker"] / 2**20}


def _held(process: psutil.Process) -> int:
    """Resident bytes that are the process's own."""
    try:
        found = process.memory_info()
        return int(found.rss - found.shared)
    except psutil.Error:
        return 0
