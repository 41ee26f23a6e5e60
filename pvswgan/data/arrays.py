"""Clips out of .npy and .npz files, whatever the order of their axes, read a clip at a time.

Understood, C being 1, 3 or 4 channels:

    (N, T, H, W, C)  (N, C, T, H, W)  (N, T, C, H, W)  (N, T, H, W)  clips
    (T, H, W, C)                                                     one clip

of bytes, or of numbers whose range says what they mean: 0 to 1, -1 to 1, or 0 to 255. An .npz file may hold labels
beside its clips: whole numbers (N,), under any name.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pvswgan.data.decode import STILL_FPS, cut, named
from pvswgan.data.format import DataError
from pvswgan.data.pieces import BadFile, Piece
from pvswgan.data.pixels import Pixels, centre_square

_CHANNELS = (1, 3, 4)
_LEAST_RANK = 4
_MOST_LABELS = 10_000  # classes; more are no classes but numbers of something else


@dataclass(frozen=True)
class Layout:
    """How an array holds clips.

    member   its name in an .npz file; "" for .npy
    order    "NTHWC", "NCTHW", "NTCHW", "NTHW" or "THWC"
    shape    of the array;  labels: class of each clip, or none
    black, white  the numbers that are black and white
    """

    member: str
    order: str
    shape: tuple[int, ...]
    labels: tuple[int, ...] = ()
    black: float = 0
    white: float = 255

    @property
    def clips(self) -> int:
        return self.shape[0] if self.order[0] == "N" else 1


def look(path: Path) -> Layout:
    """What a file holds. Of an array of bytes only the header is read, of one of other numbers all. Raises BadFile."""
    with named(path):
        if path.suffix.lower() == ".npy":
            with open(path, "rb") as file:
                shape, _, dtype = _header(file)
            layout = Layout("", _order(shape, dtype), shape)
        else:
            layout = _look_into(path)
        black, white = _range(path, layout)
        return replace(layout, black=black, white=white)


def _look_into(path: Path) -> Layout:
    """The array of clips among the members of an .npz file."""
    found: list[Layout] = []
    vectors: list[str] = []
    with zipfile.ZipFile(path) as archive:
        for member in (name for name in archive.namelist() if name.endswith(".npy")):
            with archive.open(member) as file:
                shape, _, dtype = _header(file)
            if len(shape) >= _LEAST_RANK:
                found.append(Layout(member, _order(shape, dtype), shape))
            elif len(shape) == 1 and dtype.kind in "iu":
                vectors.append(member)
        if len(found) != 1:
            names = ", ".join(layout.member.removesuffix(".npy") for layout in found) or "none"
            raise BadFile(f"holds {len(found)} arrays of clips ({names}); one is wanted, (N, T, H, W, C) or alike")
        [layout] = found
        for member in vectors:
            with archive.open(member) as file:
                values = npy.read_array(file, allow_pickle=False)
            if len(values) == layout.clips and 0 <= values.min() <= values.max() < _MOST_LABELS:
                return Layout(layout.member, layout.order, layout.shape, tuple(values.tolist()))
        return layout


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, Fortran order, type) of an array that begins here; afterwards the file stands at its numbers."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise BadFile("holds Python objects, which are not read: they could run any code")
    return shape, fortran, dtype


def _order(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """What the axes are. Raises BadFile."""
    if dtype.kind not in "biuf":
        raise BadFile(f"holds {dtype}; allowed: bytes, whole numbers, or floats")
    if 0 in shape:
        raise BadFile(f"is {shape}: it holds no pixel")
    if len(shape) == 5:
        for place, order in ((4, "NTHWC"), (2, "NTCHW"), (1, "NCTHW")):
            if shape[place] in _CHANNELS:
                return order
    elif len(shape) == 4:
        return "THWC" if shape[3] in _CHANNELS else "NTHW"
    raise BadFile(f"is {shape}; allowed: (N, T, H, W, C), (N, C, T, H, W), (N, T, C, H, W) with 1, 3 or 4 channels, "
                  "(N, T, H, W), or (T, H, W, C)")


def read_array(path: Path, layout: Layout, first: int, last: int, resolution: int) -> Iterator[Piece]:
    """Clips first .. last - 1 of a file. Raises BadFile.

    start and stop of the pieces count all frames of the file, clip by clip.
    """
    with named(path):
        frames = layout.shape[layout.order.index("T")]
        for index, values in _clips(path, layout, first, last):
            moved = _frames_last(values, layout.order.removeprefix("N"))
            pixels = (centre_square(_bytes(frame, layout), resolution) for frame in moved)
            for piece in cut(pixels, STILL_FPS, index * frames):
                yield piece._replace(label=layout.labels[index]) if layout.labels else piece


def _frames_last(clip: NDArray[Any], order: str) -> NDArray[Any]:
    """A clip of any order as (T, H, W, C)."""
    return clip[..., None] if order == "THW" else clip.transpose([order.index(axis) for axis in "THWC"])


def _bytes(frame: NDArray[Any], layout: Layout) -> Pixels:
    """(H, W, C) of the file's numbers -> uint8 (H, W, 3)."""
    colours = np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame[:, :, :3]
    if colours.dtype == np.uint8:
        return np.ascontiguousarray(colours)
    scale = 255 / (layout.white - layout.black)
    return np.rint((colours.astype(np.float64) - layout.black) * scale).astype(np.uint8)


def _range(path: Path, layout: Layout) -> tuple[float, float]:
    """The numbers that are black and white, told from the least and greatest of the whole file. Raises BadFile."""
    least, most, kind = np.inf, -np.inf, ""
    for _, clip in _clips(path, layout, 0, layout.clips):
        if clip.dtype in (np.uint8, np.bool_):
            return 0, 255 if clip.dtype == np.uint8 else 1
        low, high = float(clip.min()), float(clip.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise BadFile("holds numbers that are not finite")
        least, most, kind = min(least, low), max(most, high), clip.dtype.kind
    if (least < 0 and (kind != "f" or least < -1 or most > 1)) or most > 255:
        raise BadFile(f"holds numbers from {least:g} to {most:g}; allowed: 0 to 1, -1 to 1, or 0 to 255")
    return (-1, 1) if least < 0 else (0, 1) if kind == "f" and most <= 1 else (0, 255)


def _clips(path: Path, layout: Layout, first: int, last: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """(index, clip) of a file; an .npz file is unpacked as it is read, never whole."""
    whole = layout.order[0] != "N"
    if not layout.member:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        yield from ((index, np.asarray(mapped if whole else mapped[index])) for index in range(first, last))
        return
    with zipfile.ZipFile(path) as archive, archive.open(layout.member) as file:
        shape, fortran, dtype = _header(file)
        if fortran:
            raise BadFile("is stored in Fortran's order; save it again from numpy.ascontiguousarray(...)")
        one = shape if whole else shape[1:]
        size = int(np.prod(one)) * dtype.itemsize
        for index in range(last):
            data = _exactly(file, size)  # type: ignore[arg-type]
            if index >= first:
                yield index, np.frombuffer(data, dtype).reshape(one)


def _exactly(file: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        block = file.read(min(size, 1 << 24))
        if not block:
            raise BadFile("ends before its last clip")
        parts.append(block)
        size -= len(block)
    return b"".join(parts)


def label_classes(layouts: list[Layout]) -> list[str]:
    """Names of the classes of labelled arrays: their numbers. Raises DataError where only some are labelled."""
    labelled = [bool(layout.labels) for layout in layouts]
    if any(labelled) and not all(labelled):
        raise DataError("some of the arrays have labels and some have none; import them one by one")
    most = max((max(layout.labels) for layout in layouts if layout.labels), default=-1)
    return [str(label) for label in range(most + 1)]
