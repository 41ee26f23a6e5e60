"""Shapes: a disc, ring, square, triangle, star or cross that glides along a curved path, with every factor known.

    >>> clip = draw(7, seed=0, resolution=64, frames=32)      # uint8 (32, 64, 64, 3)
    >>> what = factors(7, seed=0); KINDS[what.kind], what.spin

A clip is a pure function of (seed, index). `resolution` only says how finely it is drawn and `frames` where it is cut,
as with toyfaces. The path is a Lissajous curve: across and down the picture the shape swings on its own, so it bends
all the time and never leaves the picture. The kind is the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from pvswgan.data.drawing import Array, Canvas, Shaded, clamp, glow
from pvswgan.data.face.model import SKY, mix, palette, ramp, tone
from pvswgan.data.face.paint import CHUNK
from pvswgan.data.factors import draw as draw_factors
from pvswgan.data.factors import whole
from pvswgan.data.pieces import Piece
from pvswgan.data.toyfaces import MAX_FRAMES, RESOLUTIONS

KINDS = ("disc", "ring", "square", "triangle", "star", "cross")
CLASSES = KINDS
FPS = 16.0
COLOURS = palette("d93f4c", "e8743b", "e9a927", "7fae3b", "2f9d6a", "2a9aa8", "2f6fc4", "6a4fc0", "a843a8", "d13f86")
INK = palette("262838")[0]


@dataclass(frozen=True)
class Factors:
    """Everything that distinguishes one clip from another; all drawn independently.

    A range means uniform on it; a list of names means a whole number that indexes it, all equally likely.

      kind         KINDS
      size         half width of the shape, in half frames. [0.18, 0.36]
      colour       position on a closed ring of ten strong colours; 0 and 1 are the same. [0, 1]
      background   position on a closed ring of eight soft colours; 0 and 1 are the same. [0, 1]
      x_reach      how far it swings to the sides, 1 = to the edge of the picture. [0.3, 1]
      x_phase      [0, 1];  x_period  of the swing, in frames. [28, 80]
      y_reach      how far it swings up and down, 1 = to the edge. [0.3, 1]
      y_phase      [0, 1];  y_period  [28, 80]
      angle        how it is turned at the start, in turns (not to be seen on disc and ring). [0, 1]
      spin         how it turns, in degrees a frame (nor this). [-8, 8]
    """

    kind: int
    size: float
    colour: float
    background: float
    x_reach: float
    x_phase: float
    x_period: float
    y_reach: float
    y_phase: float
    y_period: float
    angle: float
    spin: float

    def as_dict(self) -> dict[str, float | int]:
        """The factors by name, as plain numbers (for JSON or a table)."""
        return asdict(self)


# (low, high) of the uniform factors, and the chances of the others' values; together, all fields of Factors
RANGES: dict[str, tuple[float, float]] = {
    "size": (0.18, 0.36), "colour": (0, 1), "background": (0, 1),
    "x_reach": (0.3, 1), "x_phase": (0, 1), "x_period": (28, 80),
    "y_reach": (0.3, 1), "y_phase": (0, 1), "y_period": (28, 80),
    "angle": (0, 1), "spin": (-8, 8),
}  # fmt: skip
CHANCES: dict[str, tuple[float, ...]] = {"kind": (1 / len(KINDS),) * len(KINDS)}
_SPREAD = 1.18  # no kind reaches further than this from its middle, in half widths


class Motion(NamedTuple):
    """Where the shape is at the asked times; each has the shape of t, float64.

    x, y: its middle, in half frames from the picture's, y down. angle: radians, clockwise.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    angle: npt.NDArray[np.float64]


def factors(index: SupportsIndex, seed: SupportsIndex = 0) -> Factors:
    """The factors of clip `index` of the set `seed`, both whole numbers from 0. Raises ValueError otherwise."""
    words = [whole("seed", seed, 0, None), whole("index", index, 0, None), 1]  # 1: other numbers than toyfaces'
    return draw_factors(Factors, words, RANGES, CHANCES)


def motion(what: Factors, t: npt.ArrayLike) -> Motion:
    """The pose at times t, in frames (any shape, whole or not)."""
    t = np.asarray(t, np.float64)
    room = 1 - _SPREAD * what.size

    def swing(reach: float, phase: float, period: float) -> npt.NDArray[np.float64]:
        path: npt.NDArray[np.float64] = room * reach * np.sin(2 * np.pi * (t / period + phase))
        return path

    return Motion(swing(what.x_reach, what.x_phase, what.x_period), swing(what.y_reach, what.y_phase, what.y_period),
                  2 * np.pi * what.angle + np.radians(what.spin) * t)


def render(what: Factors, resolution: SupportsIndex = 64, frames: SupportsIndex = 32) -> npt.NDArray[np.uint8]:
    """The clip of these factors, uint8 (frames, resolution, resolution, 3), RGB; for factors changed by hand.

    Raises ValueError when resolution or frames is not a whole number in its range.
    """
    size, length = whole("resolution", resolution, *RESOLUTIONS), whole("frames", frames, 1, MAX_FRAMES)
    pose = motion(what, np.arange(length))
    out = np.empty((length, size, size, 3), np.uint8)
    sky = _background(what, size)
    step = max(1, CHUNK // size**2)
    for first in range(0, length, step):
        part = Motion(*(values[first : first + step] for values in pose))
        canvas = Canvas(len(part.x), size)
        canvas.pixels[...] = sky
        _paint(canvas, what, part)
        canvas.bytes(out[first : first + step])
    return out


def draw(index: SupportsIndex, seed: SupportsIndex = 0, resolution: SupportsIndex = 64,
         frames: SupportsIndex = 32) -> npt.NDArray[np.uint8]:
    """Clip `index` of the set `seed`, uint8 (frames, resolution, resolution, 3), RGB.

    index and seed are whole numbers from 0, resolution from 8 to 512, frames from 1 to 4096. Raises ValueError, which
    names the value, when one is not.
    """
    return render(factors(index, seed), resolution, frames)


def clips(first: int, last: int, *, seed: int, resolution: int, frames: int) -> Iterator[Piece]:
    """Clips first .. last - 1 of the set `seed` for a store, each with its factors, its kind as its class."""
    for index in range(first, last):
        what = factors(index, seed)
        known = {name: float(value) for name, value in what.as_dict().items()}
        yield Piece(render(what, resolution, frames), 0, frames, FPS, known, label=what.kind)


# ---- painting -------------------------------------------------------------------------------------------------


def _background(what: Factors, resolution: int) -> Array:
    """Two neighbouring soft colours, from the top to the bottom: (3, 1, H, W)."""
    canvas = Canvas(1, resolution)
    ring = np.concatenate([SKY, SKY[:1]])
    near, far = ramp(ring, what.background), ramp(ring, (what.background + 0.13) % 1)
    with canvas.patch() as area:
        area.pixels[...] = tone(mix(near, far, 0.5) * 0.94) + tone((far * 0.86 - near) / 2) * area.y
    return canvas.pixels


def _paint(canvas: Canvas, what: Factors, pose: Motion) -> None:
    """A soft shadow on the ground behind, then the shape, lit from the upper left."""
    x, y = (values.astype(np.float32)[:, None, None] for values in (pose.x, pose.y))
    size, reach = what.size, _SPREAD * what.size
    colour = ramp(np.concatenate([COLOURS, COLOURS[:1]]), what.colour)
    far_x, far_y, wide = x + 0.12 * size, y + 0.30 * size, 1.35 * size
    with canvas.patch(far_x - wide, far_x + wide, far_y - wide, far_y + wide) as area:
        area.blend(glow(area, far_x, far_y, wide, wide, 0.55), tone(INK))
    with canvas.patch(x - reach, x + reach, y - reach, y + reach) as area:
        u, v = (area.x - x) / size, (area.y - y) / size
        lit = Shaded(tone(colour) * (1 - np.float32(0.13) * u), tone(colour) * np.float32(-0.16) * v)
        cover = clamp(_inside(what.kind, u, v, pose.angle) * np.float32(size / area.pixel) + np.float32(0.5))
        area.blend(cover, lit)


def _inside(kind: int, u: Array, v: Array, angle: npt.NDArray[np.float64]) -> Array:
    """How far inside the shape's edge a point lies, in half widths, negative outside: (T, h, w).

    u (T, 1, w) and v (T, h, 1) are the point; only exactly rounded operations, as drawing.py says.
    """
    name = KINDS[kind]
    if name in ("disc", "ring"):
        radius = np.sqrt(u * u + v * v)
        return 1 - radius if name == "disc" else np.float32(0.22) - np.abs(radius - np.float32(0.78))
    if name in ("square", "cross"):
        a, b = (np.abs(_along(u, v, angle + turn)) for turn in (0, np.pi / 2))
        if name == "square":
            return np.float32(0.8) - np.maximum(a, b)
        long, thin = np.float32(1.0), np.float32(0.34)
        return np.maximum(np.minimum(long - a, thin - b), np.minimum(thin - a, long - b))
    corners, apothem = (3, 0.55) if name == "triangle" else (5, 0.36)
    outside = [_along(u, v, angle + 2 * np.pi * k / corners) - np.float32(apothem) for k in range(corners)]
    most, second = outside[0], np.full_like(outside[0], -np.inf)
    for edge in outside[1:]:
        second = np.maximum(second, np.minimum(most, edge))
        most = np.maximum(most, edge)
    return -(most if name == "triangle" else second)  # a star's point lies beyond one edge of its pentagon, never two


def _along(u: Array, v: Array, angle: npt.NDArray[np.float64]) -> Array:
    """The point's coordinate in the direction of each frame's angle: (T, h, w)."""
    across, down = (f(angle).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    part: Array = u * across + v * down
    return part
