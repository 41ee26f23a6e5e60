"""Which clip comes when: a pure function of (seed, position), so that a resumed training sees what it would have."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from torch import Tensor

from pvswgan.data.store import ClipStore, DataError


class Sampler:
    """Batches of training clips from a store. Each clip comes once an epoch, in a new order each time, cut at a random
    window of `frames` frames (`stride` apart) and mirrored by a fair coin where `mirror` says so.

    The next batch is read in a thread while this one is in use; what it holds does not depend on that.
    """

    def __init__(self, store: ClipStore, *, frames: int, stride: int = 1, time: str = "average", mirror: bool = True,
                 seed: int = 0) -> None:
        self.store, self.frames, self.stride, self.time = store, frames, stride, time
        self.mirror, self.seed = mirror, seed
        self.usable = np.asarray(store.usable(frames, stride))
        if not len(self.usable):
            longest = int(np.max(store.lengths))
            raise DataError(f"no clip is long enough: {frames} frames, {stride} apart, need "
                            f"{(frames - 1) * stride + 1} frames; the longest clip has {longest}")
        self._pool = ThreadPoolExecutor(1, "clips")
        self._next: tuple[tuple, Future[Tensor]] | None = None
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def batch(self, position: int, n: int, size: tuple[int, int]) -> Tensor:
        """Clips position .. position+n-1 at size (T, R): float32 (n, 3, T, R, R) in [-1, 1]."""
        key = (position, n, size)
        waiting, self._next = self._next, None
        ready = waiting[1].result() if waiting and waiting[0] == key else self.read(*key)
        following = (position + n, n, size)
        self._next = (following, self._pool.submit(self.read, *following))
        return ready

    def read(self, position: int, n: int, size: tuple[int, int]) -> Tensor:
        """As `batch`, at once and without reading ahead."""
        index, start, mirror = self.draw(position, n)
        return self.store.read(index, start, self.frames, self.stride, size, self.time, mirror)

    def draw(self, position: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(clip, first frame, mirrored) of positions position .. position+n-1."""
        index = np.array([self._clip(p) for p in range(position, position + n)])
        coins = np.stack([np.random.default_rng([self.seed, 1, p]).random(2) for p in range(position, position + n)])
        room = np.asarray(self.store.lengths)[index] - (self.frames - 1) * self.stride
        return index, (coins[:, 0] * room).astype(np.int64), (coins[:, 1] < 0.5) & self.mirror

    def _clip(self, position: int) -> int:
        epoch, place = divmod(position, len(self.usable))
        order = self._order                       # one look: the reading thread may replace it at any time
        if order[0] != epoch:
            order = self._order = (epoch, np.random.default_rng([self.seed, 0, epoch]).permutation(self.usable))
        return int(order[1][place])

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
