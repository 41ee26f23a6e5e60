"""A face before it is painted: its colours, the light on it, and where its parts are in each frame.

Parts are placed in head coordinates: X to the viewer's right and Y down in half widths and half heights of
the face, Z towards the viewer. `Head` turns them into picture coordinates for each frame; values a frame are
float32 (T, 1, 1). Colours are 0..255; a shaded colour is a sum of a part in x and one in y (drawing.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from pvswgan.data.drawing import Array, Patch, Shaded, Value

if TYPE_CHECKING:
    from pvswgan.data.toyfaces import Factors, Motion

DEPTH = 0.8  # how far turning moves what stands out; a true sphere, 1, would hide an eye at 32 degrees


def palette(*codes: str) -> Array:
    """Hexadecimal colours as (n, 3) in 0..255."""
    return np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes], np.float32)


SKIN = palette("f9dac4", "f9cfae", "e8b088", "c98b60", "9a6240", "6b4129")
# in the order of HAIR_COLOURS, EYE_COLOURS and SHIRTS
HAIR = palette("2b2527", "5a3a28", "8a4f2d", "c8652e", "ecc573", "c9ccd4", "f08fb4", "4f86d6")
EYES = palette("6b4226", "9a7436", "4f9a5a", "3d8fd6", "7d93a6")
SHIRT = palette("f4f1ea", "2f4b7c", "c8443e", "e3a92f", "2f9088", "7d4a86", "4a4d55", "f27f66")
SKY = palette("9fd3e8", "a9c4f0", "c3b5ea", "efb6cf", "f6c6a4", "f0dc9a", "bfdca0", "9fd9c4")
LIP = palette("cf5560")[0]
MOUTH = palette("5c1a22")[0]
TONGUE = palette("e0707a")[0]
WHITE = palette("fffdf8")[0]
DARK = palette("2a2022")[0]
LID = palette("3c3c32")[0]  # what the upper lid's shadow takes from the white
FRAME = palette("3a3136", "7a3b22")  # of round and of square glasses


class Style(NamedTuple):
    """A hair style; lengths in half face heights (y) or half widths (x)."""

    rise: float  # top of the hair above the face's centre
    width: float  # half width of the hair behind
    end: float  # where the hair behind ends
    flare: float  # how much wider it is at its end
    line: tuple[float, float, float, float]  # hairline in u = -1..1: height, factors of u, |u| and u⁴
    side: float  # u beyond which the hairline stays level: past 1 for hair that frames the face
    wave: tuple[float, float]  # (depth, number) of curls along the outline; spikes when depth is negative
    bun: float = 0.0  # radius of a knot on top


STYLES = (  # as HAIR_STYLES
    Style(1.02, 0.97, 0.30, 0.0, (-2.00, 0.0, 0.0, 0.0), 1.00, (0, 1)),
    Style(1.06, 1.01, 0.25, 0.0, (-0.60, 0.0, 0.0, 0.42), 1.05, (0, 1)),
    Style(1.20, 1.06, 0.30, 0.0, (-0.56, 0.26, 0.0, 0.42), 1.05, (0, 1)),
    Style(1.17, 1.22, 0.92, 0.05, (-0.40, 0.0, 0.0, 0.60), 1.13, (0, 1)),
    Style(1.16, 1.20, 1.45, 0.12, (-0.84, 0.0, 0.62, 0.30), 1.16, (0, 1)),
    Style(1.36, 1.46, 0.62, 0.0, (-0.54, 0.0, 0.0, 0.40), 1.14, (0.05, 5)),
    Style(1.09, 1.03, 0.25, 0.0, (-0.66, 0.0, 0.12, 0.40), 1.05, (0, 1), 0.34),
    Style(1.22, 1.05, 0.28, 0.0, (-0.52, 0.0, 0.0, 0.40), 1.05, (-0.24, 3.5)),
)


def tone(colour: Array) -> Array:
    """A colour (3,) shaped to paint with: (3, 1, 1, 1)."""
    return colour.astype(np.float32).reshape(3, 1, 1, 1)


def mix(a: Array, b: Array, part: float) -> Array:
    return a + (b - a) * np.float32(part)


def ramp(colours: Array, position: float) -> Array:
    """The colour at a position in [0, 1] along a list of colours."""
    at = position * (len(colours) - 1)
    low = min(int(at), len(colours) - 2)
    return mix(colours[low], colours[low + 1], at - low)


class Paint(NamedTuple):
    """A material: `base` where light falls flat, plus `gain` for each unit of shade (light positive)."""

    base: Array
    gain: Array

    def shaded(self, across: Value, down: Value) -> Shaded:
        """The colour where the shade is across (T, 1, w) + down (T, h, 1)."""
        return Shaded(self.base + self.gain * across, self.gain * down)


def paint_of(colour: Array, warm: float = 0.0) -> Paint:
    """A material that darkens in the shade, and then turns redder by `warm`; black still shows its form."""
    gain = colour * np.array([0.34 - 0.08 * warm, 0.36, 0.36], np.float32) + 10
    return Paint(tone(colour), tone(gain))


@dataclass(frozen=True)
class Head:
    """Where the head is in each frame, and how its parts land in the picture."""

    x: Array
    y: Array
    width: float
    height: float
    turn_sin: Array
    turn_cos: Array
    nod_sin: Array
    nod_cos: Array
    light: float

    def at(self, across: float, down: float, depth: float) -> tuple[Array, Array]:
        """Picture coordinates of the head's point (X, Y, Z)."""
        x = self.x + self.width * (across * self.turn_cos + DEPTH * depth * self.turn_sin)
        y = self.y + self.height * (down * self.nod_cos + DEPTH * depth * self.nod_sin)
        return x, y

    def narrowing(self, across: float) -> Array:
        """How wide something flat on the head at X looks: 1 from the front, less where it turns away."""
        return np.maximum(self.turn_cos - across * self.turn_sin, 0.3)

    def shade(self, area: Patch) -> tuple[Array, Array]:
        """The light on a ball of the head's size, as its parts across (T, 1, w) and down (T, h, 1)."""
        u, v = (area.x - self.x) / self.width, (area.y - self.y) / self.height
        return (0.22 * self.light) * u - 0.34 * u * u + 0.18, -0.18 * v - 0.22 * v * v


def head_of(who: Factors, pose: Motion) -> Head:
    def each(values: npt.NDArray[np.float64]) -> Array:
        return values.astype(np.float32)[:, None, None]

    turn, nod = np.radians(pose.turn), np.radians(pose.nod)
    return Head(
        x=each(0.07 * np.sin(turn)),
        y=each(0.06 + 0.10 * np.sin(nod)),
        width=who.face_width,
        height=who.face_length,
        turn_sin=each(np.sin(turn)),
        turn_cos=each(np.cos(turn)),
        nod_sin=each(np.sin(nod)),
        nod_cos=each(np.cos(nod)),
        light=who.light,
    )


@dataclass(frozen=True)
class Face:
    """What the painters share: the factors, the head, the pose a frame as (T, 1, 1), and the materials."""

    who: Factors
    head: Head
    blink: Array
    smile: Array
    talk: Array
    skin: Paint
    hair: Paint
    style: Style


def face_of(who: Factors, pose: Motion) -> Face:
    blink, smile, talk = (values.astype(np.float32)[:, None, None] for values in pose[2:])
    skin, hair = paint_of(ramp(SKIN, who.skin), 1), paint_of(HAIR[who.hair_colour])
    return Face(who, head_of(who, pose), blink, smile, talk, skin, hair, STYLES[who.hair_style])
