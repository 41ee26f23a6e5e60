"""What requests at the same time share: values kept for the next one, and turns at the cores."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class Recent:
    """The most recently used values, up to a total weight. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit, self.weight = limit, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value put under this key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any, weight: int = 1) -> None:
        """Keeps the value; the least recently used ones go until the total weight fits again."""
        with self._lock:
            self.weight += weight - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, weight
            while self.weight > self.limit and len(self._values) > 1:
                self.weight -= self._values.popitem(last=False)[1][1]


class Turns:
    """A lock that goes to whoever waits longest: work in many small parts lets everybody else in between them.

    (A threading.Lock is mostly taken again by the thread that has just released it.)
    """

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Inside, it is this thread's turn."""
        self._wait()
        try:
            yield
        finally:
            with self._inner:
                if self._waiting:
                    self._waiting.popleft().release()  # handed over: it stays taken
                else:
                    self._taken = False

    def _wait(self) -> None:
        with self._inner:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()
