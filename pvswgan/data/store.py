"""The clip store: every clip as uint8 at every resolution from R down to 4, memory-mapped.

A store is a folder:

    meta.json           version, resolution, classes, what was skipped, and one entry a clip in the lists
    clips-064.u8        raw bytes (total_frames, 64, 64, 3): the frames of all clips, one clip after another
    clips-032.u8        the same frames as 2x2 box means, and so on down to clips-004.u8

Nothing here reads a whole file, so a store may be larger than the memory. `writer.py` builds one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

VERSION = 1
LOWEST = 4  # pixels a side where every growth plan begins
HIGHEST = 1024  # up to here a box mean of bytes is still exact in float32, whatever the number of halvings
TIMES = ("average", "subsample", "window")
COLUMNS = ("lengths", "labels", "sources", "starts", "fps")  # the lists in meta.json with one entry a clip

Array = NDArray[Any]


class DataError(ValueError):
    """Data that cannot be used; the message is a sentence for a person."""


def pyramid_sizes(resolution: int) -> list[int]:
    """Resolutions of a store, greatest first: 64 -> [64, 32, 16, 8, 4].

    Raises DataError where `resolution` is not a power of two from 4 to 1024.
    """
    if not LOWEST <= resolution <= HIGHEST or resolution & (resolution - 1):
        raise DataError(f"resolution is {resolution}; allowed: a power of two from {LOWEST} to {HIGHEST}")
    return [resolution >> step for step in range((resolution // LOWEST).bit_length())]


def pyramid(frames: Array) -> Iterator[Array]:
    """uint8 (T, R, R, 3) -> uint8 (T, r, r, 3) for r = R, R/2, ..., 4.

    Each is the 2x2 box mean of the unrounded one above and is rounded once, so that a small frame is
    the mean of the pixels it covers to half a grey level.
    """
    yield frames
    exact = frames.astype(np.float32)
    while exact.shape[1] > LOWEST:
        rows = exact[:, 0::2] + exact[:, 1::2]
        exact = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
        yield np.rint(exact).astype(np.uint8)


def file_name(resolution: int) -> str:
    """Name of the file of one resolution in a store's folder."""
    return f"clips-{resolution:03d}.u8"


class ClipStore:
    """Clips of a built store; made by `ClipStore.open`.

    resolution      greatest resolution;  resolutions: all of them, greatest first
    lengths         (N,) int64, frames of each clip;  labels: (N,) int64, index into `classes`
    classes         names of the classes;  sources: (N) file of each clip, relative to the data folder
    starts          (N,) int64, frame of the source where the clip begins (long videos are cut into clips)
    fps             frames a second, the median over the clips;  clip_fps: (N,) float64, of each
    skipped         [{"file", "reason"}], the files that could not be used
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
        self.clip_fps = np.array(meta["fps"], dtype=np.float64)
        self.fps = float(np.median(self.clip_fps))
        self.skipped: list[dict[str, str]] = meta["skipped"]
        self._offsets = np.cumsum(self.lengths) - self.lengths  # (N,) first frame of each clip in the files
        self._maps: dict[int, Array] = {}

    @classmethod
    def open(cls, folder: str | Path) -> ClipStore:
        """Open a built store. Raises DataError where it is missing, incomplete or of another version."""
        folder = Path(folder)
        meta = _read_meta(folder)
        try:
            store = cls(folder, meta)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise DataError(f"{folder / 'meta.json'} is damaged: {error}") from error
        total = int(store.lengths.sum())
        for size in store.resolutions:
            file, expected = folder / file_name(size), total * size * size * 3
            found = file.stat().st_size if file.is_file() else None
            if found != expected:
                held = "is missing" if found is None else f"has {found} bytes"
                raise DataError(f"{file} {held}, {expected} expected: the store is damaged")
        return store

    def __len__(self) -> int:
        return len(self.lengths)

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled memory map would carry all of its bytes; a worker process opens the files again instead.
        return ClipStore.open, (self.folder,)

    def usable(self, frames: int, stride: int = 1) -> NDArray[np.int64]:
        """Indices (M,) of the clips that hold a window of `frames` frames, `stride` apart."""
        return np.flatnonzero(self.lengths >= (frames - 1) * stride + 1)

    def read(
        self,
        index: ArrayLike,
        start: ArrayLike,
        frames: int,
        stride: int,
        size: tuple[int, int],
        time: str = "average",
        mirror: ArrayLike | None = None,
    ) -> torch.Tensor:
        """A batch: float32 (B, 3, T, R, R) in [-1, 1], size = (T, R), in channels_last_3d memory.

        index, start    (B,) which clip, and the frame where its window begins
        frames, stride  the window: this many frames of the clip, this far apart
        time            how the window becomes T frames: "average" of frames/T neighbours (in float32, never
                        rounded), "subsample" (every frames/T-th) or "window" (the first T)
        mirror          (B,) bool: which clips are turned left to right; None: none
        Raises ValueError, naming the value, for a window outside its clip and a size that the store lacks.
        """
        length, resolution = size
        clips, begins = np.atleast_1d(np.asarray(index)), np.atleast_1d(np.asarray(start))
        step, taken, group = _plan(frames, stride, length, time)
        self._check(clips, begins, (frames - 1) * stride + 1)
        pixels = self._map(resolution)

        raw = np.empty((len(clips), taken, resolution, resolution, 3), dtype=np.uint8)
        span = (taken - 1) * step + 1
        for row, first in zip(raw, (self._offsets[clips] + begins).tolist(), strict=True):
            row[...] = pixels[first : first + span : step]
        batch = torch.from_numpy(raw)
        if mirror is not None:
            turned = torch.as_tensor(np.asarray(mirror, dtype=bool))
            batch[turned] = batch[turned].flip(3)

        batch = batch.view(len(clips), length, group, resolution, resolution, 3)
        total = batch[:, :, 0].to(torch.float32)
        for neighbour in range(1, group):
            total += batch[:, :, neighbour]  # a sum of bytes is exact in float32
        total.div_(127.5 * group).sub_(1.0)
        return total.permute(0, 4, 1, 2, 3)  # memory stays (B, T, H, W, C): channels_last_3d without a copy

    def _check(self, clips: Array, begins: Array, span: int) -> None:
        """Refuse windows that do not lie inside their clips (they would read a neighbour's frames)."""
        if clips.shape != begins.shape or clips.ndim != 1:
            raise ValueError(f"index {clips.shape} and start {begins.shape} must be (B,) both")
        if len(clips) and not 0 <= int(clips.min()) <= int(clips.max()) < len(self):
            raise ValueError(f"index from {clips.min()} to {clips.max()}; allowed: 0 to {len(self) - 1}")
        outside = (begins < 0) | (begins + span > self.lengths[clips])
        if outside.any():
            at = int(np.argmax(outside))
            raise ValueError(
                f"clip {clips[at]} has {self.lengths[clips[at]]} frames; "
                f"a window of {span} frames cannot start at {begins[at]}"
            )

    def _map(self, resolution: int) -> Array:
        """uint8 (total_frames, R, R, 3), mapped at first use."""
        if resolution not in self._maps:
            if resolution not in self.resolutions:
                raise ValueError(f"resolution {resolution} is not in the store; it has {self.resolutions}")
            shape = (int(self.lengths.sum()), resolution, resolution, 3)
            mapped = np.memmap(self.folder / file_name(resolution), np.uint8, mode="r", shape=shape)
            self._maps[resolution] = np.asarray(mapped)  # a plain view: slices of np.memmap itself are slow
        return self._maps[resolution]


def _plan(frames: int, stride: int, length: int, time: str) -> tuple[int, int, int]:
    """How a window of `frames` is read to make `length`: (step between frames, how many, averaged by)."""
    if frames < 1 or stride < 1 or length < 1:
        raise ValueError(f"frames {frames}, stride {stride} and T {length} must be at least 1")
    if time not in TIMES:
        raise ValueError(f"time is {time!r}; allowed: {', '.join(TIMES)}")
    if time == "window":
        if length > frames:
            raise ValueError(f"T is {length}; a window of {frames} frames has no more than that")
        return stride, length, 1
    if frames % length:
        raise ValueError(f"T is {length}; time {time!r} needs a divisor of the window's {frames} frames")
    group = frames // length
    return (stride, frames, group) if time == "average" else (stride * group, length, 1)


def _read_meta(folder: Path) -> dict[str, Any]:
    """meta.json of a store, checked. Raises DataError."""
    file = folder / "meta.json"
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{folder} is not a clip store: {file} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{file} is damaged: {error}") from error
    if not isinstance(meta, dict) or meta.get("version") != VERSION:
        found = meta.get("version") if isinstance(meta, dict) else None
        raise DataError(f"{file} has version {found}; this program reads version {VERSION}")
    names = {"resolution", "classes", "skipped", *COLUMNS}
    if names - meta.keys():
        raise DataError(f"{file} is damaged: {', '.join(sorted(names - meta.keys()))} missing")
    columns = [meta[name] for name in COLUMNS]
    if not all(isinstance(column, list) and 0 < len(column) == len(columns[0]) for column in columns):
        raise DataError(f"{file} is damaged: {', '.join(COLUMNS)} must be equally long and not empty")
    return meta
