"""Where a trailer's shots begin and end: cuts by PySceneDetect, dissolves and fades by how they mix two pictures."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.trailers.settings import FaceSettings
from pvswgan.data.trailers.video import Pixels

_LONGER_SIDE = 320  # pixels of the picture that PySceneDetect compares: it takes means over whole pictures
_GRID = 64  # the dissolve finder's pictures are at most so many pixels wide
_HALF_S = 0.25  # a dissolve is looked for between pictures that lie so many seconds before and after
_MIXED = 0.33  # a dissolve's middle picture is off the mean of the two by less than this share of their difference
_BAR = 20.0  # rows and columns that are never brighter are black bars (video's black is 16, codecs add a little)
_BARS_MOST = 0.3  # of the height or width; more is a dark scene, not a bar
_SHORTEST = 2  # frames of a shot
_BLOCK = 8  # frames whose bars are looked for together: bounds what a long film leaves behind


@dataclass(frozen=True)
class Shot:
    """Frames from start to stop (excluded), and the part of the picture inside its black bars, each 0 to 1."""

    start: int
    stop: int
    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


class ShotFinder:
    """Takes a trailer's frames one after another and tells its shots at the end. Holds half a second of tiny pictures,
    and some hundred bytes for each third of a second.

    `cuts` are the first frames of new shots; `mixed` the frames of no shot: dark ones, and those between two shots.
    """

    def __init__(self, settings: FaceSettings, fps: float) -> None:
        from scenedetect.detectors import AdaptiveDetector  # type: ignore[import-untyped]

        self._settings, self._fps = settings, fps
        self._detector = AdaptiveDetector(settings.cut, min_scene_len=_SHORTEST, min_content_val=settings.cut_least)
        self._half = max(2, round(_HALF_S * fps))
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=2 * self._half + 1)
        self._rows: list[NDArray[np.uint8]] = []  # the greatest brightness of each row and column, a block
        self._columns: list[NDArray[np.uint8]] = []
        self.cuts: list[int] = []
        self.mixed: set[int] = set()
        self.count = 0

    def feed(self, pixels: Pixels) -> None:
        """The next frame, bgr uint8 (H, W, 3), H and W the same for all."""
        import cv2

        small = _fitted(pixels, _LONGER_SIDE)
        # It compares a frame with two on each side, so it tells a cut two frames late, but with the cut's own number.
        self.cuts += [int(number) for number in self._detector.process_frame(self.count, small)]
        grey = cv2.cvtColor(_fitted(small, _GRID), cv2.COLOR_BGR2GRAY)
        if float(grey.mean()) < self._settings.black:
            self.mixed.add(self.count)
        lines = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        self._brightness(lines.mean(axis=1).astype(np.uint8), lines.mean(axis=0).astype(np.uint8))
        self._recent.append(grey.astype(np.float32))
        self._mix()
        self.count += 1

    def broken(self, index: int) -> None:
        """Frames are missing before the next, which has this number: no shot spans them."""
        self.mixed.update(range(self.count, index))
        self.cuts.append(index)
        self._recent.clear()
        self.count = index

    def _brightness(self, rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> None:
        while len(self._rows) <= self.count // _BLOCK:  # several after a break
            self._rows.append(np.zeros_like(rows))
            self._columns.append(np.zeros_like(columns))
        np.maximum(self._rows[-1], rows, out=self._rows[-1])
        np.maximum(self._columns[-1], columns, out=self._columns[-1])

    def _mix(self) -> None:
        """Whether the picture in the middle of the recent ones is a mix of the first and the last."""
        if len(self._recent) <= 2 * self._half:
            return
        before, middle, after = self._recent[0], self._recent[self._half], self._recent[-1]
        change = float(np.abs(after - before).mean())
        if change < self._settings.dissolve or self._settings.dissolve >= 255:
            return
        if float(np.abs(middle - (before + after) / 2).mean()) < _MIXED * change:
            # Only near its middle does a dissolve show so clearly; its ends are taken to lie around.
            centre = self.count - self._half
            self.mixed.update(range(max(0, centre - self._half), centre + self._half + 1))

    def shots(self) -> list[Shot]:
        """The shots of all frames so far, in their order; they do not overlap."""
        borders = sorted({0, *self.cuts, self.count})
        found = []
        for start, stop in pairwise(borders):
            for first, last in _runs([at not in self.mixed for at in range(start, stop)]):
                if last - first >= _SHORTEST:
                    found.append(self._shot(start + first, start + last))
        return found

    def _shot(self, start: int, stop: int) -> Shot:
        first, last = -(-start // _BLOCK), stop // _BLOCK  # blocks that hold no frame of another shot
        if first >= last:
            return Shot(start, stop)
        top, bottom = _inside(np.max(self._rows[first:last], axis=0))
        left, right = _inside(np.max(self._columns[first:last], axis=0))
        return Shot(start, stop, left, top, right, bottom)


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longer side at most `side`."""
    import cv2

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _runs(wanted: list[bool]) -> list[tuple[int, int]]:
    """Where a list is true: [T, T, F, T] -> [(0, 2), (3, 4)]."""
    edges = np.flatnonzero(np.diff(np.array([False, *wanted, False]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _inside(brightness: NDArray[np.uint8]) -> tuple[float, float]:
    """The part of rows or columns that is not a black bar, as shares of their number."""
    bright = np.flatnonzero(brightness > _BAR)
    count = len(brightness)
    if not len(bright):
        return 0.0, 1.0
    first, last = int(bright[0]), int(bright[-1]) + 1
    if first > _BARS_MOST * count or count - last > _BARS_MOST * count:
        return 0.0, 1.0
    # A line more at each side: the picture's edge and the bar are mixed there.
    return (first + (first > 0)) / count, (last - (last < count)) / count
