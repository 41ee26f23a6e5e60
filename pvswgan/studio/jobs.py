"""Work behind a page: in one thread, with progress, given up when nobody asks for it any more, its result kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE_S = 10.0  # a page asks several times a second; one that went away does not
KEPT = 32

Progress = Callable[[str, int, int], None]
Work = Callable[[Progress], dict[str, Any]]


class Abandoned(Exception):
    """Nobody waits for this any more."""


class _Job:
    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.told: dict[str, Any] = {"state": "running", "sentence": "Waiting for its turn", "done": 0, "of": 0}
        self.result: dict[str, Any] | None = None
        self.error: Exception | None = None
        self.over = False
        self.asked = time.monotonic()
        self.delivered = float("inf")  # when its result was first given to somebody

    def progress(self, sentence: str, done: int, of: int) -> None:
        if time.monotonic() - self.asked > self.patience:
            raise Abandoned
        self.told = {"state": "running", "sentence": sentence, "done": done, "of": of}

    def run(self, work: Work) -> None:
        try:
            self.progress("Starting", 0, 0)
            self.result = work(self.progress)
        except Exception as error:  # told to whoever asks
            self.error = error
        self.over = True


class Jobs:
    """ask(key, work) again and again until the answer's state is "done": the page's side of it is a loop.

    One thread: two at once would only take each other's cores, and the slider's on the Explore page. patience: seconds
    after which a job that nobody asks for is given up. holds: seconds after its delivery for which a result answers a
    wish; then the work is done anew, as its result may be gone or out of date.
    """

    def __init__(self, patience: float = PATIENCE_S, holds: float = float("inf")) -> None:
        self._patience, self._holds = patience, holds
        self._pool = ThreadPoolExecutor(1, "latents")
        self._jobs: dict[Hashable, _Job] = {}
        self._wanted: dict[str, Hashable] = {}
        self._lock = threading.Lock()

    def ask(self, key: Hashable, work: Work, who: str = "") -> dict[str, Any]:
        """{"state": "running", "sentence", "done", "of"} or {"state": "done", ...what work(progress) returned}.

        who: a page that wants one thing at a time; what it wanted before is given up at once, unless others want it.
        Raises what the work raised, once; asked for again, it is tried again.
        """
        with self._lock:
            self._want(key, who)
            job = self._jobs.pop(key, None)
            if job is not None and isinstance(job.error, Abandoned):
                job = None  # somebody came back
            if job is not None and time.monotonic() - job.delivered > self._holds:
                job = None
            if job is None:
                job = _Job(self._patience)
                self._pool.submit(job.run, work)
            if job.error is not None:
                raise job.error
            job.asked = time.monotonic()
            self._jobs[key] = job  # last: the newest
            for old in list(self._jobs)[:-KEPT]:
                if self._jobs[old].over:
                    del self._jobs[old]
            if job.result is None:
                return job.told
            job.delivered = min(job.delivered, time.monotonic())
            return {"state": "done", **job.result}

    def give_up(self, who: str) -> None:
        """What this page wanted is given up at once, unless others want it."""
        with self._lock:
            self._want(None, who)

    def _want(self, key: Hashable, who: str) -> None:
        before = self._wanted.pop(who, key)
        if who:
            self._wanted[who] = key
            while len(self._wanted) > KEPT:
                self._wanted.pop(next(iter(self._wanted)))
        if before != key and before not in self._wanted.values() and before in self._jobs:
            self._jobs[before].asked = float("-inf")
