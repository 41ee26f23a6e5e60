"""What passes between those who make clips (decoders, the face builder, drawn sets) and the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 256  # frames of a clip; a longer file becomes several, so that one clip always fits in memory


class Piece(NamedTuple):
    """A clip of an item, and where it lies in it.

    frames       uint8 (T, R, R, 3), T from 1 to LONGEST
    start, stop  frames of the source file that it covers, stop excluded (where the rate was changed, stop - start
                 is not T)
    fps          frames a second of `frames`
    factors      what is known of a drawn clip, by name; the same names for all clips of a store
    fingerprint  64 bits that look-alikes share nearly all of; None where look-alikes are wanted
    label        index into the store's classes; None: the item's
    """

    frames: NDArray[np.uint8]
    start: int
    stop: int
    fps: float
    factors: Mapping[str, float] | None = None
    fingerprint: int | None = None
    label: int | None = None


class Drop(NamedTuple):
    """A part of an item that did not become a clip; the reason goes on after the item's name: "is too short"."""

    start: int
    stop: int
    reason: str


@dataclass(frozen=True)
class Item:
    """One source file, or one range of drawn clips: what a worker process turns into clips.

    name   how reports and the store call it: the path below the data folder, with slashes
    label  index into the store's classes;  split: "train", "test" or whatever the set says; "" for none
    read   makes its clips; picklable, as it runs in another process (a functools.partial of a module's function)
    """

    name: str
    read: Callable[[], Iterator[Piece | Drop]]
    label: int = 0
    split: str = ""


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


def greatest_resolution(side: int) -> int:
    """The greatest power of two that is not above `side`."""
    return 1 << (side.bit_length() - 1)
