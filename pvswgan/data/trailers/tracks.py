"""Faces of single frames linked to tracks: the same face, from frame to frame of one shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.trailers.detect import Box


@dataclass
class Track:
    """One face: the frames in which it was found, rising, and its box in each."""

    at: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.at[0]

    @property
    def stop(self) -> int:
        return self.at[-1] + 1

    def side(self) -> float:
        """Median side of the box, in pixels."""
        return float(np.median([box.side for box in self.boxes]))

    def found(self, every: int) -> float:
        """Share of the looked-at frames from the first to the last in which the face was found."""
        return len(self.at) / (1 + (self.at[-1] - self.at[0]) // every)

    def values(self) -> NDArray[np.float64]:
        """(T, 3): x, y and side in each frame from start to stop, on straight lines between the finds."""
        frames = np.arange(self.start, self.stop)
        columns = np.array(self.boxes, dtype=np.float64).T
        return np.stack([np.interp(frames, self.at, column) for column in columns], axis=1)


def overlap(a: Box, b: Box) -> float:
    """Shared area of two squares over the area of both together, 0 to 1."""
    width = min(a.x + a.side / 2, b.x + b.side / 2) - max(a.x - a.side / 2, b.x - b.side / 2)
    height = min(a.y + a.side / 2, b.y + b.side / 2) - max(a.y - a.side / 2, b.y - b.side / 2)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a.side**2 + b.side**2 - shared)


def link(found: Sequence[tuple[int, Sequence[Box]]], least: float, gap: int) -> list[Track]:
    """Tracks of one shot, by their first frame and then from left to right.

    found  (frame, boxes) of every frame that was looked at, frames rising
    least  share of their union that two boxes which follow one another have in common
    gap    frames for which a face may be lost
    Of all pairs the one with the greatest overlap is linked first, so a face is not taken over by its neighbour.
    """
    tracks: list[Track] = []
    for frame, boxes in found:
        alive = [track for track in tracks if frame - track.at[-1] <= gap]
        pairs = [(-overlap(track.boxes[-1], box), index, number)
                 for index, track in enumerate(alive) for number, box in enumerate(boxes)]
        free, unused = set(range(len(alive))), set(range(len(boxes)))
        for score, index, number in sorted(pairs):
            if -score < least:
                break
            if index in free and number in unused:
                free.remove(index)
                unused.remove(number)
                alive[index].at.append(frame)
                alive[index].boxes.append(boxes[number])
        tracks += [Track([frame], [boxes[number]]) for number in sorted(unused)]
    return tracks
