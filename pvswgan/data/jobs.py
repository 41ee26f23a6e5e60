"""An import that somebody watches from another process: a folder with its status, in which a cancel can be left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvswgan.data.build import Told
from pvswgan.data.format import DataError
from pvswgan.files import write_text

EVERY_S = 0.5


class Cancelled(Exception):
    """A file `cancel` appeared in the job's folder."""


class Job:
    """Writes FOLDER/status.json, replaced whole, about twice a second:

        {"state": "running" | "done" | "failed" | "cancelled", "pid", "done", "total", "item", "clips", "skipped",
         "seconds", "eta_s", "error", "store", ...what `about` says}

    Raises DataError where it cannot be written.
    """

    def __init__(self, folder: Path, **about: Any) -> None:
        self.folder = folder
        self._status: dict[str, Any] = about | {"pid": os.getpid(), "error": None, "store": None}
        self._written = 0.0
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cancel").unlink(missing_ok=True)  # of an earlier try
        self.tell(Told(0, 0, "looking for clips"))

    def tell(self, now: Told) -> None:
        """A build's progress. Raises Cancelled where that was asked."""
        if (self.folder / "cancel").exists():
            raise Cancelled
        self._status |= vars(now)
        if time.monotonic() - self._written > EVERY_S:
            self._write("running")

    def end(self, state: str, *, store: Path | None = None, error: str | None = None) -> None:
        """The last status: "done" with the store, "failed" with a sentence, or "cancelled"."""
        self._status |= {"store": None if store is None else str(store), "error": error}
        self._write(state)

    def _write(self, state: str) -> None:
        with self._writing():
            write_text(self.folder / "status.json", json.dumps({"state": state} | self._status))
        self._written = time.monotonic()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """An error here is not one of the store's disk, and says so."""
        try:
            yield
        except OSError as error:
            raise DataError(f"the import's status cannot be kept in {self.folder}: {error.strerror}") from error
