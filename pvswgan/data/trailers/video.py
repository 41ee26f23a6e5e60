"""Reading a trailer twice: each frame small for finding, and some of them whole for cropping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvswgan.data import layouts
from pvswgan.data.decode import open_video, pixel_aspect, whole_frames
from pvswgan.data.pieces import BadFile, Drop

Pixels = NDArray[np.uint8]
VIDEOS = tuple(sorted(layouts.VIDEOS - {".gif"}))
_USUAL_FPS = 25.0  # where a file does not tell


class Trailer:
    """An open video file; made by `open_trailer`.

    width, height  of an upright frame, in square pixels;  fps: frames a second
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or _USUAL_FPS)
        if not 0 < self.fps <= 1000:
            self.fps = _USUAL_FPS
        self._frames = self._of_one_size()
        self._first: list[tuple[int, Any]] = []  # up to the first frame that is whole, which tells the size
        for index, frame in self._frames:
            self._first.append((index, frame))
            if not isinstance(frame, Drop):
                break
        else:
            raise BadFile(frame.reason)
        width, height = round(frame.width * pixel_aspect(stream)), frame.height
        self.width, self.height = (height, width) if frame.rotation % 180 else (width, height)

    def frames(self) -> Iterator[tuple[int, Any]]:
        """(index, PyAV frame) of all frames, once; (index, Drop) where frames are damaged or missing."""
        yield from self._first
        yield from self._frames

    def _of_one_size(self) -> Iterator[tuple[int, Any]]:
        size = None
        for index, _, frame in whole_frames(self._container, self._stream, self.fps):
            if not isinstance(frame, Drop):
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    raise BadFile(f"changes its frames from {size[0]}x{size[1]} to {frame.width}x{frame.height} pixels")
            yield index, frame


@contextmanager
def open_trailer(path: Path) -> Iterator[Trailer]:
    """A trailer, read from its start. Raises BadFile where the file holds no picture, or FFmpeg stumbles over it."""
    with open_video(path) as (container, stream):
        yield Trailer(container, stream)


def picture(frame: Any, width: int, height: int, order: str = "bgr24") -> Pixels:
    """uint8 (height, width, 3): an upright frame, brought to the size by the mean of areas.

    order  of its channels: "bgr24" or "rgb24"
    """
    quarters = round(frame.rotation / 90) % 4
    if quarters % 2:
        width, height = height, width
    if (width, height) == (frame.width, frame.height):
        pixels = frame.to_ndarray(format=order)
    else:
        pixels = frame.to_ndarray(width=width, height=height, format=order, interpolation="AREA")
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
