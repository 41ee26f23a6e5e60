"""Clips out of .npy and .npz files, whatever the order of their axes, read a clip at a time.

Understood, C being 1, 3 or 4 channels:

    (N, T, H, W, C)  (N, C, T, H, W)  (N, T, C, H, W)  (N, T, H, W)  clips
    (T, H, W, C)                                                     one clip

of bytes, or of numbers whose range says what they mean: 0 to 1, -1 to 1, or 0 to 255. An .npz file may hold labels
beside its clips: whole numbers (N,), under one of the names in LABELS.
"""

from __future__ import annotations

import math
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

LABELS = ("label", "labels", "y", "class", "classes", "target", "targets")  # of several the first
_CHANNELS = (1, 3, 4)
_COLOURS = 3
_LEAST_RANK = 4
_MOST_LABELS = 10_000  # classes; more are no classes but numbers of something else
# Rounding (half floats: by 0.0005) and resizing take floats beyond black and white; by so much of the range, 2.5 of 255
# levels, nobody sees what is clipped. Sharp filters overstep by a third: what lies between that and these is unclear.
_OVER = 0.01
_SURELY_NEGATIVE = -0.5  # darkest number of a file whose black is -1
_SURELY_BYTES = 2.0  # a brighter number is not one of 0 to 1


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
        layout = _layout(path)
        black, white = _range(path, layout)
        return replace(layout, black=black, white=white)


def count(path: Path) -> int:
    """How many clips a file holds, told from its header (and the labels of an .npz file); of one that is broken 1."""
    try:
        with named(path):
            return _layout(path).clips
    except BadFile:
        return 1


def _layout(path: Path) -> Layout:
    """What a file holds, as far as its headers and labels tell."""
    if path.suffix.lower() != ".npy":
        return _look_into(path)
    with open(path, "rb") as file:
        shape, _, dtype = _header(file, path.stat().st_size)
    return Layout("", _order(shape, dtype), shape)


def _look_into(path: Path) -> Layout:
    """The array of clips among the members of an .npz file, and their labels."""
    found: list[Layout] = []
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
        for member in members:
            with archive.open(member) as file:
                shape, _, dtype = _header(file, archive.getinfo(member).file_size)
            if len(shape) >= _LEAST_RANK:
                found.append(Layout(member, _order(shape, dtype), shape))
        if len(found) != 1:
            names = ", ".join(layout.member.removesuffix(".npy") for layout in found) or "none"
            raise BadFile(f"holds {len(found)} arrays of clips ({names}); one is wanted, (N, T, H, W, C) or alike")
        [layout] = found
        others = {member.lower(): member for member in members if member != layout.member}
        told = [others[f"{name}.npy"] for name in LABELS if f"{name}.npy" in others]
        return replace(layout, labels=_labels(archive, told[0], layout.clips)) if told else layout


def _labels(archive: zipfile.ZipFile, member: str, clips: int) -> tuple[int, ...]:
    """The class of each clip. Raises BadFile where the member does not tell that."""
    name = member.removesuffix(".npy")
    allowed = f"allowed: ({clips},) of whole numbers from 0 to {_MOST_LABELS - 1}, one for each clip"
    with archive.open(member) as file:
        shape, _, dtype = _header(file, archive.getinfo(member).file_size)
        if shape != (clips,) or dtype.kind not in "biu":
            raise BadFile(f"has labels ({name}) that are {dtype} {shape}; {allowed}")
        # Not npy.read_array: it makes room first, and an archive's directory may claim more than the member holds.
        values = np.frombuffer(_exactly(file, clips * dtype.itemsize), dtype)  # type: ignore[arg-type]
    least, most = int(values.min()), int(values.max())
    if least < 0 or most >= _MOST_LABELS:
        raise BadFile(f"has labels ({name}) from {least} to {most}; {allowed}")
    return tuple(map(int, values))


def _header(file: Any, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, Fortran order, type) of an array that begins here; afterwards the file stands at its numbers. size: of
    the file, in bytes. Raises BadFile, also where the array would be larger: nobody should make room for it."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise BadFile("holds Python objects, which are not read: they could run any code")
    if math.prod(shape) * dtype.itemsize > size:
        raise BadFile(f"ends before its last clip: {dtype} {shape} takes more than {size} bytes")
    return shape, fortran, dtype


def _order(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """What the axes are. Raises BadFile."""
    if dtype.kind not in "biuf":
        raise BadFile(f"holds {dtype}; allowed: bytes, whole numbers, or floats")
    if any(side < 1 for side in shape):
        raise BadFile(f"is {shape}: it holds no pixel")
    if len(shape) == 5:
        for place, order in ((4, "NTHWC"), (2, "NTCHW"), (1, "NCTHW")):
            if shape[place] in _CHANNELS:
                return order
    elif len(shape) == 4:
        if shape[3] in _CHANNELS:
            return "THWC"
        if _COLOURS in shape[:2]:
            raise BadFile(f"is {shape}: grey clips (N, T, H, W), or one in three colours; allowed: (N, T, H, W, 1), or "
                          "(T, H, W, 3), (1, 3, T, H, W), (1, T, 3, H, W)")
        return "NTHW"
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
    return np.rint((colours.astype(np.float64) - layout.black) * scale).clip(0, 255).astype(np.uint8)


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
    if kind == "f":
        return _float_range(least, most)
    if least < 0 or most > 255:
        raise BadFile(f"holds whole numbers from {least:g} to {most:g}; allowed: 0 to 255")
    return 0, 255


def _float_range(least: float, most: float) -> tuple[float, float]:
    """The floats that are black and white where a file's darkest and brightest are these. Raises BadFile."""
    def within(black: float, white: float) -> bool:
        over = _OVER * (white - black)
        return black - over <= least and most <= white + over

    if within(0, 1):
        return 0, 1
    if within(-1, 1) and least <= _SURELY_NEGATIVE:
        return -1, 1
    if within(0, 255) and most > _SURELY_BYTES:
        return 0, 255
    raise BadFile(f"holds numbers from {least:g} to {most:g}; allowed: 0 to 1, -1 to 1 (some {_SURELY_NEGATIVE:g} or "
                  f"less), or 0 to 255 (some above {_SURELY_BYTES:g}), overstepped by {_OVER:.0%} at most")


def _clips(path: Path, layout: Layout, first: int, last: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """(index, clip) of a file; an .npz file is unpacked as it is read, never whole."""
    whole = layout.order[0] != "N"
    if not layout.member:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        yield from ((index, np.asarray(mapped if whole else mapped[index])) for index in range(first, last))
        return
    with zipfile.ZipFile(path) as archive, archive.open(layout.member) as file:
        shape, fortran, dtype = _header(file, archive.getinfo(layout.member).file_size)
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
