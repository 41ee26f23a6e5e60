"""The statistics of the runs that are compared, read on from where the last look came to.

stats.jsonl only grows, and the page looks every few seconds: a look costs what is new, however long the run.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from pvswgan.studio import train_watch
from train.run import RunFolder

DRAWN = ("seconds", "loss_G", "loss_D", "clips_per_s")
KEPT = 16  # runs remembered
HEAD = 256  # bytes by which a file is known again


def rows(run: RunFolder) -> list[dict[str, Any]]:
    """The lines with losses, and how many steps each came after: {clips, steps, and what is DRAWN}."""
    path = run.path / "stats.jsonl"
    with _reading:
        known = _known.setdefault(path, _Statistics())
        _known.move_to_end(path)
        if len(_known) > KEPT:
            _known.popitem(last=False)
        return known.read(path)


class _Statistics:
    """What is known of one file."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.head, self.at = b"", 0
        self.rows: list[dict[str, Any]] = []

    def read(self, path: Path) -> list[dict[str, Any]]:
        try:
            with path.open("rb") as file:
                if file.read(len(self.head)) != self.head or os.fstat(file.fileno()).st_size < self.at:
                    self._forget()  # another run of that name
                file.seek(self.at)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]  # the rest is still being written
        self.head, self.at = self.head or whole[:HEAD], self.at + len(whole)
        for line in whole.splitlines():
            self._add(line)
        return list(self.rows)

    def _add(self, text: bytes) -> None:
        """After a crash a run resumes from its last checkpoint: the lost stretch goes, as in RunFolder.stats."""
        try:
            line = json.loads(text)
            clips = line["clips"]
        except (ValueError, KeyError, TypeError):
            return
        if not isinstance(clips, int | float):
            return
        if line.get("event") == "resumed":
            while self.rows and self.rows[-1]["clips"] > clips:
                self.rows.pop()
        if "loss_D" not in line:
            return
        before = self.rows[-1] if self.rows else {"clips": 0, "steps": 0.0}
        steps = before["steps"] + (clips - before["clips"]) / (line.get("batch") or 1)
        self.rows.append({"clips": clips, "steps": steps} | {key: train_watch.finite(line.get(key)) for key in DRAWN})


_known: OrderedDict[Path, _Statistics] = OrderedDict()
_reading = threading.Lock()
