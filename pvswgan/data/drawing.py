"""Anti-aliased shapes in numpy, many frames at once: what the drawn data sets are painted with.

The picture spans x, y in [-1, 1], x to the right and y down, whatever the resolution, so a shape is the
same shape at 32 and at 256 pixels. A canvas is planar float32, (3, T, H, W) in 0..255.

Two habits make this quick. A shape touches only its bounding box: a `Patch`, copied out of the canvas to
lie in one piece while it is painted. And shapes are chosen whose level function is a sum of a part in x and a
part in y: the arithmetic is then done on (T, 1, w) and (T, h, 1), and one broadcast addition makes the
(T, h, w) coverage. Only exactly rounded operations (+ - * / sqrt, min, max, squares) are applied to pixels, so a
frame's bytes depend neither on which frames are drawn beside it nor on the processor: numpy's other powers differ in
the last bit from one kind to another (AVX-512), and one pixel in millions with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

try:
    import cv2
except ImportError:  # a borrowed GPU machine may have none: numpy then writes the same bytes
    cv2 = None  # type: ignore[assignment]

Array = npt.NDArray[Any]  # float32 throughout
DRAWING = 2  # counted up where a pixel of what is drawn changes: stores are then drawn anew
Value = Array | float


class Shaded(NamedTuple):
    """A colour (3, T, h, w) that is the sum of `across` (3, T, 1, w) and `down` (3, T, h, 1)."""

    across: Array
    down: Array


class Patch(NamedTuple):
    """A rectangle being painted: `pixels` (3, T, h, w), pixel centres `x` (1, 1, w) and `y` (1, h, 1)."""

    pixels: Array
    x: Array
    y: Array
    pixel: float  # width of a pixel, in picture units
    change: Array  # room for blend() to work in, shaped as pixels
    where: tuple[slice, slice]  # its rows and columns in the canvas

    def blend(self, cover: Array, colour: Array | Shaded) -> None:
        """Paint `colour`, broadcastable to (3, T, h, w), where `cover` (T, h, w) in [0, 1] says so."""
        if isinstance(colour, Shaded):
            np.add(colour.across, colour.down, out=self.change)
            np.subtract(self.change, self.pixels, out=self.change)
        else:
            np.subtract(colour, self.pixels, out=self.change)
        np.multiply(self.change, cover, out=self.change)
        np.add(self.pixels, self.change, out=self.pixels)


class Canvas:
    """`frames` pictures of `resolution` pixels a side that are painted together; black at first."""

    def __init__(self, frames: int, resolution: int) -> None:
        self.pixels = np.zeros((3, frames, resolution, resolution), np.float32)
        centres = (np.arange(resolution, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / resolution)
        self._centres = centres - np.float32(1)
        # one room for every patch: fresh memory for each costs more than the painting
        self._room = np.empty((2, self.pixels.size), np.float32)
        self._planes = np.empty(self.pixels.shape, np.uint8)

    def _extent(self, low: Value, high: Value) -> slice:
        """The pixels that [low, high] can touch, with one to spare for the soft edge, cut to the picture."""
        size = self.pixels.shape[-1]
        first = math.floor((min(_numbers(low)) + 1) * size / 2) - 1
        last = math.ceil((max(_numbers(high)) + 1) * size / 2) + 1
        return slice(min(max(first, 0), size), min(max(last, 0), size))

    @contextmanager
    def patch(
        self, left: Value = -1, right: Value = 1, top: Value = -1, bottom: Value = 1, once: bool = False
    ) -> Iterator[Patch]:
        """The rectangle that holds all frames' boxes, to paint on; edges are numbers or one value a frame.

        It is put back when the block ends; only one can be open at a time. May be empty. `once`: one blend() is to
        come, which is quicker done in the canvas itself than in a copy.
        """
        columns, rows = self._extent(left, right), self._extent(top, bottom)
        view = self.pixels[:, :, rows, columns]
        pixels, change = (room[: view.size].reshape(view.shape) for room in self._room)
        if once:
            pixels = view
        else:
            pixels[...] = view
        x, y, pixel = self._centres[columns], self._centres[rows, None], 2 / self.pixels.shape[-1]
        yield Patch(pixels, x, y, pixel, change, (rows, columns))
        if not once:
            view[...] = pixels

    def bytes(self, out: npt.NDArray[np.uint8]) -> None:
        """Write the pictures, rounded to nearest, to `out` (T, H, W, 3)."""
        pixels, planes = self.pixels, self._planes
        pixels.clip(0, 255, out=pixels)
        pixels += np.float32(0.5)  # the fraction is dropped below
        np.copyto(planes, pixels, casting="unsafe")
        if cv2 is None:
            np.stack(tuple(planes), axis=-1, out=out)
        else:  # numpy takes four times as long to interleave
            cv2.merge([plane.reshape(-1, plane.shape[-1]) for plane in planes], out.reshape(-1, *out.shape[2:]))


def _numbers(value: Value) -> list[float]:
    # a list: for one number a frame Python's min() is quicker than numpy's
    return [value] if isinstance(value, float | int) else value.ravel().tolist()


def clamp(values: Array) -> Array:
    """Cut to [0, 1], in place."""
    return values.clip(0, 1, out=values)


def positive(values: Array) -> Array:
    """Cut off below 0, in place; np.maximum with a number costs thrice as much without AVX-512."""
    return values.clip(0, np.inf, out=values)


def ellipse(area: Patch, cx: Value, cy: Value, rx: Value, ry: Value) -> Array:
    """Coverage of an ellipse with an edge one pixel wide; centres and radii are numbers or (T, 1, 1)."""
    u, v = (area.x - cx) / rx, (area.y - cy) / ry
    # near the edge u² + v² - 1 grows by 2 for each radius walked; the mean radius will do for round shapes
    scale = (rx + ry) / (4 * area.pixel)
    return clamp((0.5 + scale - scale * v * v) - scale * u * u)


def glow(area: Patch, cx: Value, cy: Value, rx: Value, ry: Value, strength: Value = 1.0) -> Array:
    """A soft spot: `strength` in the centre, fading smoothly to 0 at the ellipse; no sharp edge anywhere."""
    u, v = (area.x - cx) / rx, (area.y - cy) / ry
    root = np.sqrt(np.float32(strength))  # squared again with the rest
    weight = (1 - v * v) * root - u * u * root
    positive(weight)
    weight *= weight
    return weight


def steepness(slope: Array, pixel: float) -> Array:
    """What turns a height above a curve of that slope into a distance from it, counted in pixels."""
    return 1 / (pixel * np.sqrt(1 + slope * slope))


def below(area: Patch, curve: Array, steep: Array) -> Array:
    """Coverage of everything under a curve y = curve(x), (T, 1, w); `steep` comes from `steepness`."""
    return clamp(area.y * steep + (0.5 - curve * steep))


def between(upper: Array, lower: Array) -> Array:
    """Coverage of what is under one curve and not under the other; takes what `below` gives, eats `upper`.

    A band thinner than a pixel keeps its weight, so thin lines fade at small sizes and do not vanish.
    """
    upper -= lower
    return positive(upper)


def outline(area: Patch, across: Array, narrow: Value, down: Value, radius: float) -> Array:
    """Coverage of across(x) * narrow(y) + down(y) < 1, a shape about `radius` in size."""
    scale = radius / (2 * area.pixel)
    return clamp(across * (-scale * narrow) + (scale * (1 - down) + 0.5))
