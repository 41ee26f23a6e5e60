"""The clip store: every clip as uint8 at every resolution from R down to 4, in memory-mapped shards.

Nothing here reads a whole file, so a store may be larger than the memory. What lies on the disk says format.py;
`writer.py` and `build.py` make one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pvswgan.data.format import RAW, Array, DataError, compact_sizes, file_name, pyramid_sizes, read_meta

TIMES = ("average", "subsample", "window")
_READERS = 4  # threads that decode the clips of a batch of a compact store, or copy large ones
_LARGE = 1 << 20  # bytes of a window that are worth a thread: smaller ones are copied sooner than a thread is asked


class ClipStore:
    """Clips of a built store; made by `ClipStore.open`.

    resolution      greatest resolution;  resolutions: all of them, greatest first
    lengths         (N,) int64, frames of each clip;  labels: (N,) int64, index into `classes`
    classes         names of the classes;  sources: (N) file of each clip, relative to the data folder
    starts, stops   (N,) int64, the frames of the source that the clip covers, stop excluded
    splits          (N) "train", "test" or what the set says; "" where it says nothing
    fps             frames a second, the median over the clips;  clip_fps: (N,) float64, of each
    factors         {name: (N,) float64} of drawn clips; empty for others
    skipped         [{"file", "reason"}], files that could not be used; with "start" and "stop": parts of files
    shards          [{"clips", "files": {name: {"bytes", "sha256"}}}]
    compact         resolutions that are kept as video, greatest first; empty: none
    """

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        """For `open`: takes a meta that is already checked."""
        self.folder = folder
        self.resolution: int = meta["resolution"]
        self.resolutions = pyramid_sizes(self.resolution)
        self.lengths = np.array(meta["lengths"], dtype=np.int64)
        self.labels = np.array(meta["labels"], dtype=np.int64)
        self.classes: list[str] = meta["classes"]
        self.sources: list[str] = meta["sources"]
        self.starts = np.array(meta["starts"], dtype=np.int64)
        self.stops = np.array(meta["stops"], dtype=np.int64)
        self.splits: list[str] = meta["splits"]
        self.clip_fps = np.array(meta["fps"], dtype=np.float64)
        self.fps = float(np.median(self.clip_fps))
        self.skipped: list[dict[str, Any]] = meta["skipped"]
        self.shards: list[dict[str, Any]] = meta["shards"]
        rows, names = meta["factors"]["rows"], meta["factors"]["names"]
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        self.factors: dict[str, Array] = dict(zip(names, values.T, strict=True))
        self.compact = compact_sizes(self.resolution) if meta["compact"] else []
        self._codec: str = meta["compact"] or ""
        self._place(meta["chunks"])
        self._maps: dict[tuple[int, int], Array] = {}
        self._readers: ThreadPoolExecutor | None = None

    def _place(self, chunks: dict[str, list[list[int]]]) -> None:
        """Where each clip begins: its shard, its first frame there, and in the video files its first byte."""
        counts = np.array([shard["clips"] for shard in self.shards], dtype=np.int64)
        if counts.sum() != len(self) or (counts < 1).any():
            raise ValueError(f"its shards hold {counts.sum()} clips, its columns {len(self)}")
        self._shard = np.repeat(np.arange(len(counts)), counts)
        firsts = np.cumsum(counts) - counts
        self._frames = np.add.reduceat(self.lengths, firsts)  # of each shard

        def within(values: NDArray[np.int64]) -> NDArray[np.int64]:
            before = np.cumsum(values) - values
            return before - before[firsts][self._shard]

        self._offsets = within(self.lengths)
        self._chunks: dict[int, list[list[int]]] = {}
        self._bytes: dict[int, NDArray[np.int64]] = {}
        self._totals: dict[int, NDArray[np.int64]] = {}
        for size in self.compact:
            rows = self._chunks[size] = chunks[str(size)]
            if len(rows) != len(self):
                raise ValueError(f"its chunks at {size} pixels are those of {len(rows)} clips")
            sizes = np.array([sum(row) for row in rows], dtype=np.int64)
            self._bytes[size], self._totals[size] = within(sizes), np.add.reduceat(sizes, firsts)

    @classmethod
    def open(cls, folder: str | Path) -> ClipStore:
        """Open a built store. Raises DataError where it is missing, incomplete or of another version."""
        folder = Path(folder)
        meta = read_meta(folder)
        try:
            store = cls(folder, meta)
            expected = {store._file(shard, size): store._file_bytes(shard, size)
                        for shard in range(len(store.shards)) for size in store.resolutions}
        except (TypeError, ValueError, KeyError, OverflowError, AttributeError, IndexError) as error:
            raise DataError(f"{folder / 'meta.json'} is damaged: {error}") from error
        for file, wanted in expected.items():
            found = file.stat().st_size if file.is_file() else None
            if found != wanted:
                held = "is missing" if found is None else f"has {found} bytes"
                raise DataError(f"{file} {held}, {wanted} expected: the store is damaged")
        return store

    def __len__(self) -> int:
        return len(self.lengths)

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled memory map would carry all of its bytes; a worker process opens the files again instead.
        return ClipStore.open, (self.folder,)

    def bytes_on_disk(self) -> dict[int, int]:
        """Bytes of all clips at each resolution, greatest first."""
        return {size: sum(self._file_bytes(shard, size) for shard in range(len(self.shards)))
                for size in self.resolutions}

    def usable(self, frames: int, stride: int = 1, split: str | None = None) -> NDArray[np.int64]:
        """Indices (M,) of the clips that hold a window of `frames` frames, `stride` apart; of one split, or of all."""
        fits = self.lengths >= (frames - 1) * stride + 1
        if split is not None:
            fits &= np.array(self.splits) == split
        return np.flatnonzero(fits)

    def read(self, index: ArrayLike, start: ArrayLike, frames: int, stride: ArrayLike, size: tuple[int, int],
             time: str = "average", mirror: ArrayLike | None = None, reverse: ArrayLike | None = None) -> torch.Tensor:
        """A batch: float32 (B, 3, T, R, R) in [-1, 1], size = (T, R), in channels_last_3d memory.

        index, start    (B,) which clip, and the frame where its window begins
        frames, stride  the window: this many frames of the clip, this far apart (one stride, or (B,))
        time            how the window becomes T frames: "average" of frames/T neighbours (in float32, never
                        rounded), "subsample" (every frames/T-th) or "window" (the first T)
        mirror          (B,) bool: which clips are turned left to right; None: none
        reverse         (B,) bool: which clips run backwards; None: none
        Raises ValueError, naming the value, for a window outside its clip and a size that the store lacks.
        """
        return to_clips(self.window(index, start, frames, stride, size, time, mirror, reverse), size[0])

    def window(self, index: ArrayLike, start: ArrayLike, frames: int, stride: ArrayLike, size: tuple[int, int],
               time: str = "average", mirror: ArrayLike | None = None,
               reverse: ArrayLike | None = None) -> torch.Tensor:
        """The bytes that `read` makes a batch of: uint8 (B, T * n, R, R, 3), n neighbours for each frame. A quarter of
        its size, and to_clips makes it a batch on any device."""
        length, resolution = size
        strides = np.asarray(stride)
        _, taken, every = _plan(frames, length, time)
        clips, begins, _ = self._check(index, start, frames, strides)
        batch = torch.from_numpy(self.pixels(clips, begins, taken, strides * every, resolution))
        for turned, axis in ((reverse, 1), (mirror, 3)):
            if turned is not None:
                chosen = torch.as_tensor(np.asarray(turned, dtype=bool))
                batch[chosen] = batch[chosen].flip(axis)
        return batch

    def pixels(self, index: ArrayLike, start: ArrayLike, frames: int, step: ArrayLike,
               resolution: int) -> NDArray[np.uint8]:
        """Frames start, start + step, ... of clips as they are stored: uint8 (B, frames, R, R, 3), a copy.

        index, start and step are (B,), or step is one number. Raises ValueError, naming the value, for frames outside
        a clip and a resolution that the store lacks; DataError where a compact store is damaged, or its codec is not
        installed.
        """
        if resolution not in self.resolutions:
            raise ValueError(f"resolution {resolution} is not in the store; it has {self.resolutions}")
        clips, begins, steps = self._check(index, start, frames, step)
        out = np.empty((len(clips), frames, resolution, resolution, 3), dtype=np.uint8)
        if resolution in self.compact:
            jobs = zip(clips.tolist(), begins.tolist(), ((frames - 1) * steps + 1).tolist(), strict=True)
            windows = self._pool().map(lambda job: self._decode(job[0], job[1], job[2], resolution), jobs)
            for row, window, every in zip(out, windows, steps.tolist(), strict=True):
                row[...] = window[::every]
            return out
        firsts = self._offsets[clips] + begins
        shards = [self._map(shard, resolution) for shard in self._shard[clips].tolist()]

        def copy(row: Array, shard: Array, first: int, every: int) -> None:
            row[...] = shard[first : first + (frames - 1) * every + 1 : every]

        rows = out, shards, firsts.tolist(), steps.tolist()
        if len(clips) > 1 and out[0].nbytes >= _LARGE:  # several wait for the disk at once
            list(self._pool().map(copy, *rows))
        else:
            list(map(copy, *rows))
        return out

    def _pool(self) -> ThreadPoolExecutor:
        self._readers = self._readers or ThreadPoolExecutor(_READERS, "read")
        return self._readers

    def _decode(self, clip: int, start: int, span: int, resolution: int) -> Array:
        """uint8 (span, R, R, 3) from the chunks of video that hold these frames."""
        from pvswgan.data import codec

        sizes, length = self._chunks[resolution][clip], int(self.lengths[clip])
        ends = np.cumsum(sizes) + self._bytes[resolution][clip]
        data = self._map(int(self._shard[clip]), resolution)
        first, last = start // codec.CHUNK, (start + span - 1) // codec.CHUNK
        try:
            parts = [codec.decode(data[ends[k] - sizes[k] : ends[k]].tobytes(),
                                  min(codec.CHUNK, length - k * codec.CHUNK), resolution)
                     for k in range(first, last + 1)]
        except codec.CodecError as error:
            raise DataError(f"clip {clip} of {self.folder} at {resolution} pixels: {error}") from error
        skip = start - first * codec.CHUNK
        return np.concatenate(parts)[skip : skip + span]

    def _check(self, index: ArrayLike, start: ArrayLike, frames: int, step: ArrayLike) -> tuple[Array, Array, Array]:
        """Refuse windows that do not lie inside their clips (they would read a neighbour's frames)."""
        clips, begins = np.atleast_1d(np.asarray(index)), np.atleast_1d(np.asarray(start))
        if clips.shape != begins.shape or clips.ndim != 1:
            raise ValueError(f"index {clips.shape} and start {begins.shape} must be (B,) both")
        steps = np.broadcast_to(np.asarray(step), clips.shape)
        if frames < 1 or (steps < 1).any():
            raise ValueError(f"frames {frames} and stride {np.asarray(step)} must be at least 1")
        if len(clips) and not 0 <= int(clips.min()) <= int(clips.max()) < len(self):
            raise ValueError(f"index from {clips.min()} to {clips.max()}; allowed: 0 to {len(self) - 1}")
        spans = (frames - 1) * steps + 1
        outside = (begins < 0) | (begins + spans > self.lengths[clips])
        if outside.any():
            at = int(np.argmax(outside))
            raise ValueError(f"clip {clips[at]} has {self.lengths[clips[at]]} frames; "
                             f"a window of {spans[at]} frames cannot start at {begins[at]}")
        return clips, begins, steps

    def _file(self, shard: int, resolution: int) -> Path:
        return self.folder / file_name(shard, resolution, self._codec if resolution in self.compact else RAW)

    def _file_bytes(self, shard: int, resolution: int) -> int:
        if resolution in self.compact:
            return int(self._totals[resolution][shard])
        return int(self._frames[shard]) * resolution * resolution * 3

    def _map(self, shard: int, resolution: int) -> Array:
        """A shard's file, mapped at first use: uint8 (frames, R, R, 3), or (bytes,) of video."""
        key = (shard, resolution)
        if key not in self._maps:
            file, held = self._file(shard, resolution), self._file_bytes(shard, resolution)
            if file.stat().st_size != held:  # it was opened whole
                raise DataError(f"{file} has {file.stat().st_size} bytes by now, not {held}: it is damaged")
            shape = (-1,) if resolution in self.compact else (-1, resolution, resolution, 3)
            mapped = np.memmap(file, np.uint8, mode="r")
            self._maps[key] = np.asarray(mapped).reshape(shape)  # a plain view: slices of np.memmap itself are slow
        return self._maps[key]


def to_clips(window: torch.Tensor, length: int) -> torch.Tensor:
    """Bytes of ClipStore.window -> float32 (B, 3, T, R, R) in [-1, 1] of `length` frames, each the mean of its
    neighbours, in channels_last_3d memory; on the window's device."""
    batch = window.unflatten(1, (length, -1))
    group = batch.shape[2]
    total = batch[:, :, 0].to(torch.float32)
    for neighbour in range(1, group):
        total += batch[:, :, neighbour]  # a sum of bytes is exact in float32
    total.div_(127.5 * group).sub_(1.0)
    return total.permute(0, 4, 1, 2, 3)  # memory stays (B, T, H, W, C): channels_last_3d without a copy


def _plan(frames: int, length: int, time: str) -> tuple[int, int, int]:
    """How a window of `frames` makes `length`: (averaged by, frames to take, of the window every so many-th)."""
    if frames < 1 or length < 1:
        raise ValueError(f"frames {frames} and T {length} must be at least 1")
    if time not in TIMES:
        raise ValueError(f"time is {time!r}; allowed: {', '.join(TIMES)}")
    if time == "window":
        if length > frames:
            raise ValueError(f"T is {length}; a window of {frames} frames has no more than that")
        return 1, length, 1
    if frames % length:
        raise ValueError(f"T is {length}; time {time!r} needs a divisor of the window's {frames} frames")
    group = frames // length
    return (group, frames, 1) if time == "average" else (1, length, group)
