"""Which clip comes when: a pure function of (seed, position), so that a resumed training sees what it would have."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from pvswgan.data.format import DataError
from pvswgan.data.store import ClipStore

Array = np.ndarray[Any, Any]


class Draw(NamedTuple):
    """What a batch is read from, each (n,): clip, first frame of its window, frames from one to the next, mirrored left
    to right, run backwards."""

    clip: Array
    start: Array
    stride: Array
    mirror: Array
    reverse: Array


def join(draws: Sequence[Draw]) -> Draw:
    """One after another."""
    return Draw(*(np.concatenate(column) for column in zip(*draws, strict=True)))


class Sampler:
    """Batches of training clips from a store. Each clip comes once an epoch, in a new order each time.

    frames   frames of a clip's window;  time: how a stage with fewer sees them (ClipStore.read)
    stride   frames of the source from one frame to the next; of several, one is drawn for each clip, of those that fit
    offset   the window begins at a random frame; False: at the clip's first
    mirror   half of the clips, by a fair coin, are turned left to right;  reverse: half run backwards
    split    clips of this split only; None: all
    raw      batches are bytes (ClipStore.window) in page-locked memory: a GPU copies a quarter as much, while the CPU
             goes on, and makes clips of them itself (to_clips)
    rank     of `world` processes that train together: a position counts the clips of all, and each reads every world-th
    Raises DataError where no clip is long enough.

    The next batch is read in a thread while this one is in use; what it holds does not depend on that.
    """

    def __init__(self, store: ClipStore, *, frames: int, stride: int | Sequence[int] = 1, time: str = "average",
                 mirror: bool = True, offset: bool = True, reverse: bool = False, split: str | None = None,
                 seed: int = 0, rank: int = 0, world: int = 1, raw: bool = False) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank is {rank} of {world}; allowed: 0 to {world - 1}")
        self.store, self.frames, self.time = store, frames, time
        self.mirror, self.offset, self.reverse, self.seed = mirror, offset, reverse, seed
        self.rank, self.world, self.raw = rank, world, raw
        self.strides = np.sort(np.atleast_1d(stride))
        least = int(self.strides[0])
        self.usable = store.usable(frames, least, split)
        if not len(self.usable):
            if split is not None and split not in store.splits:
                known = ", ".join(sorted({str(name) for name in store.splits if name})) or "none"
                raise DataError(f"split is {split!r}; those of {store.folder}: {known}")
            longest = int(np.max(store.lengths))
            of = "" if split is None else f" of the split {split!r}"
            raise DataError(f"no clip{of} is long enough: {frames} frames, {least} apart, need "
                            f"{(frames - 1) * least + 1} frames; the longest clip has {longest}")
        self._pool = ThreadPoolExecutor(1, "clips")
        self._next: tuple[tuple[Any, ...], Future[Tensor]] | None = None
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)  # two: a batch may end in the next

    def batch(self, position: int, n: int, size: tuple[int, int]) -> Tensor:
        """This rank's n of the clips position .. position + n * world - 1 (each world-th, from position + rank on), at
        size (T, R): float32 (n, 3, T, R, R) in [-1, 1]."""
        key = (position, n, size)
        waiting, self._next = self._next, None
        ready = waiting[1].result() if waiting and waiting[0] == key else self.read(*key)
        following = (position + n * self.world, n, size)
        self._next = (following, self._pool.submit(self.read, *following))
        return ready

    def read(self, position: int, n: int, size: tuple[int, int]) -> Tensor:
        """As `batch`, at once and without reading ahead."""
        return self.windows(self.draw(position, n), size)

    def windows(self, drawn: Draw, size: tuple[int, int]) -> Tensor:
        """The clips that a draw names, as `read` gives them."""
        clip, start, stride, mirror, reverse = drawn
        asked = clip, start, self.frames, stride, size, self.time, mirror, reverse
        return self.store.window(*asked).pin_memory() if self.raw else self.store.read(*asked)

    def draw(self, position: int, n: int) -> Draw:
        """What this rank reads of the clips position .. position + n * world - 1."""
        epoch, place = np.divmod(position + self.rank + self.world * np.arange(n), len(self.usable))
        first = self._epoch(int(epoch[0]))
        if epoch[0] == epoch[-1]:
            return Draw(*(column[place] for column in first))
        return join([Draw(*(column[place[epoch == e]] for column in self._epoch(int(e)))) for e in np.unique(epoch)])

    def many(self) -> int:
        """How many windows the clips have, mirrored ones not counted."""
        return (1 + self.reverse) * sum(int(self._room(stride).sum()) for stride in self.strides.tolist())

    def every(self) -> Draw:
        """All of them, in the order of the store."""
        found = []
        for backwards in (False, True)[:1 + self.reverse]:
            for stride in self.strides.tolist():
                room = self._room(stride)
                clip, start = np.repeat(self.usable, room), np.concatenate([np.arange(places) for places in room])
                found.append(Draw(clip, start, np.full(len(clip), stride), np.zeros(len(clip), bool),
                                  np.full(len(clip), backwards)))
        return join(found)

    def _room(self, stride: int) -> Array:
        """Places where each usable clip's window can begin."""
        room = (self.store.lengths[self.usable] - (self.frames - 1) * stride).clip(0)
        return room if self.offset else np.minimum(room, 1)

    def _draw_epoch(self, epoch: int) -> Draw:
        """All that an epoch draws, in its order. Each kind has a generator of its own: one more changes no other."""
        order, offset, mirror, stride, reverse = (np.random.default_rng([self.seed, kind, epoch]) for kind in range(5))
        clips = order.permutation(self.usable)
        many, lengths = len(clips), self.store.lengths[clips]
        fitting = ((self.frames - 1) * self.strides[None, :] + 1 <= lengths[:, None]).sum(1)
        strides = self.strides[(stride.random(many) * fitting).astype(np.int64)]
        room = lengths - (self.frames - 1) * strides  # places where a window can begin
        starts = (offset.random(many) * room).astype(np.int64) * self.offset
        return Draw(clips, starts, strides, (mirror.random(many) < 0.5) & self.mirror,
                    (reverse.random(many) < 0.5) & self.reverse)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
