"""Decoding one file into clips: uint8 (T, R, R, 3), each frame cropped to its centre square and area-resized.

Pillow and PyAV are imported inside: a machine that only trains from a built store needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pvswgan.data.store import Array

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 256  # frames of a clip; a longer file becomes several, so that one clip always fits in memory
STRIP_FPS = 25.0  # a strip does not say its rate


class Piece(NamedTuple):
    """A clip of a file: frames uint8 (T, R, R, 3), the file's frame where it begins, frames a second."""

    frames: Array
    start: int
    fps: float


class BadFile(Exception):
    """A file that holds no clip for us; the message goes on after its name: "has no video stream"."""


class TooSmall(BadFile):
    """Frames with fewer pixels than the store wants."""

    def __init__(self, width: int, height: int, resolution: int) -> None:
        self.side = min(width, height)
        super().__init__(
            f"has frames of {width}x{height} pixels, fewer than the resolution {resolution}; "
            f"greatest allowed: {greatest_resolution(self.side)}"
        )


Decoder = Callable[[Path, int], Iterator[Piece]]


def greatest_resolution(side: int) -> int:
    """The greatest power of two that is not above `side`."""
    return 1 << (side.bit_length() - 1)


def decode(decoder: Decoder, path: Path, resolution: int) -> Iterator[Piece]:
    """The clips of one file. Raises BadFile, whatever the decoder stumbled over."""
    try:
        if not path.stat().st_size:
            raise BadFile("is empty (0 bytes)")
        yield from decoder(path, resolution)
    except (BadFile, MemoryError, ImportError):
        raise
    except Exception as error:  # Pillow and FFmpeg raise nearly anything for files that are not what they say
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadFile(f"cannot be decoded: {what.replace(str(path), path.name)}") from error


def decode_strip(path: Path, resolution: int) -> Iterator[Piece]:
    """Clips of an image that shows square frames side by side, the first at the left."""
    from PIL import Image

    with Image.open(path) as file:
        width, side = file.size
        if width % side:
            raise BadFile(f"is {width}x{side} pixels; the width of a strip is a multiple of its height")
        if side < resolution:
            raise TooSmall(side, side, resolution)
        image = file.convert("RGB")
    for start in range(0, width // side, LONGEST):
        lefts = range(start * side, min(width, (start + LONGEST) * side), side)
        frames = [centre_square(image.crop((left, 0, left + side, side)), resolution) for left in lefts]
        yield Piece(np.stack(frames), start, STRIP_FPS)


def decode_video(path: Path, resolution: int) -> Iterator[Piece]:
    """Clips of a video file's first video stream, upright; sound is not decoded."""
    import av

    # A playlist can call itself .mp4 and name addresses: nothing but files is opened.
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        if not container.streams.video:
            raise BadFile("has no video stream")
        stream = container.streams.video[0]
        fps = float(stream.average_rate or stream.guessed_rate or STRIP_FPS)
        frames: list[Array] = []
        start = 0
        for frame in container.decode(stream):
            frames.append(_upright(centre_square(frame.to_image(), resolution), frame))
            if len(frames) == LONGEST:
                yield Piece(np.stack(frames), start, fps)
                start, frames = start + LONGEST, []
        if frames:
            yield Piece(np.stack(frames), start, fps)
        elif not start:
            raise BadFile("holds no frame")


def _upright(pixels: Array, frame: Any) -> Array:
    """Turn a square frame (R, R, 3) as its file asks (phones store a turned picture and the angle)."""
    return np.rot90(pixels, round(frame.rotation / 90) % 4) if frame.rotation else pixels


def centre_square(image: Image, resolution: int) -> Array:
    """uint8 (R, R, 3): the centre square of an RGB image, each pixel the mean of the area that it covers.

    Raises TooSmall where the square has fewer pixels than R.
    """
    width, height = image.size
    side = min(width, height)
    if side < resolution:
        raise TooSmall(width, height, resolution)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    if side % resolution == 0:
        return np.asarray(image.reduce(side // resolution, box))  # the same as below, and faster
    return area_mean(np.asarray(image.crop(box)), resolution)


def area_mean(pixels: Array, resolution: int) -> Array:
    """uint8 (S, S, 3) -> uint8 (R, R, 3), R at most S: exact mean over S/R x S/R pixels, rounded once.

    Pillow's own BOX takes whole pixels only, which shifts edges to and fro where S/R is no whole number.
    """
    side = len(pixels)
    rows = _area_sum(pixels, resolution)
    both = _area_sum(rows.swapaxes(0, 1), resolution).swapaxes(0, 1)
    return np.rint(both / (side * side)).astype(np.uint8)


def _area_sum(values: Array, resolution: int) -> Array:
    """Integers (S, W, 3) -> int64 (R, W, 3): sums over S/R rows, parts of rows too, times R."""
    side = len(values)
    row, fraction = np.divmod(np.arange(resolution + 1) * side, resolution)  # borders, in rows and R-ths
    above = np.zeros((side + 1, *values.shape[1:]), dtype=np.int64)
    np.cumsum(values, axis=0, out=above[1:])
    inside = values[np.minimum(row, side - 1)].astype(np.int64)
    return np.diff(above[row] * resolution + inside * fraction[:, None, None], axis=0)
