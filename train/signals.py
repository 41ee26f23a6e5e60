"""Ctrl-C, SIGTERM and a closed terminal, as a wish to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopSignals:
    """Inside, the first Ctrl-C (SIGTERM, closed terminal) calls `ask`; a second one raises KeyboardInterrupt."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.ask = ask
        self.asked = False
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self.before[number] = signal.signal(number, self._handle)
        except ValueError:                                   # not the main thread: no signals arrive there
            self.before = {}

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.ask()
