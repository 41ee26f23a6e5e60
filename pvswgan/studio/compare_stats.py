"""The statistics of the runs that are compared, read on from where the last look came to (train_watch.new_lines)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from pvswgan.studio import train_watch
from train.run import RunFolder

DRAWN = ("seconds", "loss_G", "loss_D", "clips_per_s")
KEPT = 16  # runs remembered
_known: OrderedDict[Path, tuple[int, list[dict[str, Any]]]] = OrderedDict()  # bytes read, and their rows
_reading = threading.Lock()


def rows(run: RunFolder) -> list[dict[str, Any]]:
    """The lines with losses, and how many steps each came after: {clips, steps, and what is DRAWN}."""
    path = run.path / "stats.jsonl"
    with _reading:
        since, found = _known.pop(path, (0, []))
        lines, following, reset = train_watch.new_lines(path, since)
        found = [] if reset else found
        for line in lines:
            _add(found, line)
        _known[path] = following, found
        if len(_known) > KEPT:
            _known.popitem(last=False)
        return list(found)


def _add(found: list[dict[str, Any]], line: dict[str, Any]) -> None:
    """After a crash a run resumes from its last checkpoint: the lost stretch goes, as in RunFolder.stats."""
    clips = line.get("clips")
    if not isinstance(clips, int | float):
        return
    if line.get("event") == "resumed":
        while found and found[-1]["clips"] > clips:
            found.pop()
    if "loss_D" in line:
        before = found[-1] if found else {"clips": 0, "steps": 0.0}
        steps = before["steps"] + (clips - before["clips"]) / (line.get("batch") or 1)
        found.append({"clips": clips, "steps": steps} | {key: train_watch.finite(line.get(key)) for key in DRAWN})
