"""Toyfaces: drawn faces that turn, nod, blink, smile and talk, with every factor known.

    >>> clip = draw(7, seed=0, resolution=64, frames=32)      # uint8 (32, 64, 64, 3)
    >>> who = factors(7, seed=0); who.hair_style, who.turn_amplitude
    >>> motion(who, np.arange(32)).blink                      # what each frame of that clip does

A clip is a pure function of (seed, index). `resolution` only says how finely it is drawn and `frames` where
it is cut: the 64-pixel clip is, but for its edges, the box mean of the 256-pixel one, and the first 8 frames
of a 32-frame clip are the 8-frame clip, byte for byte.

The face stays in the middle and its parts lie on a rounded head: turning moves each part by its depth (the
nose most, the ears least, the back of the hair the other way) and narrows what turns away. One key light,
from the upper left or right, shades everything. Times are in frames; a clip looks natural at about 16 frames
a second. The painting itself is in face/ and drawing.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from pvswgan.data.face.paint import paint
from pvswgan.data.factors import draw as draw_factors
from pvswgan.data.factors import whole
from pvswgan.data.pieces import Piece

RESOLUTIONS = (8, 512)  # smallest and greatest that draw() takes; made to be looked at between 32 and 256
MAX_FRAMES = 4096
FPS = 16.0
CLASSES = ("all",)

HAIR_STYLES = ("bald", "buzz", "swept", "bob", "long", "afro", "bun", "spiky")
HAIR_COLOURS = ("black", "brown", "chestnut", "copper", "blond", "silver", "pink", "blue")
EYE_COLOURS = ("brown", "hazel", "green", "blue", "grey")
GLASSES = ("none", "round", "square")
BEARDS = ("none", "stubble", "full")
SHIRTS = ("white", "navy", "red", "mustard", "teal", "plum", "charcoal", "coral")


@dataclass(frozen=True)
class Factors:
    """Everything that distinguishes one clip from another; all drawn independently.

    A range means uniform on it; a list of names means a whole number that indexes it, all equally likely
    unless said otherwise.

    Who:
      skin             0 light .. 1 deep; position on a ramp of six tones. [0, 1]
      face_width       half width of the face, in half frames. [0.48, 0.57]
      face_length      half height of the face, in half frames. [0.6, 0.68]
      jaw              0 pointed chin .. 1 square jaw. [0, 1]
      hair_style       HAIR_STYLES
      hair_colour      HAIR_COLOURS (brows and beard follow it)
      eye_colour       EYE_COLOURS
      eye_size         half width of an eye, in half face widths. [0.25, 0.31]
      eye_gap          distance of an eye's centre from the middle, in half face widths. [0.41, 0.47]
      brow             thickness of the brows, in half face heights. [0.045, 0.085]
      nose             length of the nose, in half face heights. [0.26, 0.36]
      lips             fullness of the lips, in half face heights. [0.05, 0.1]
      glasses          GLASSES; none 0.7, the others 0.15 each
      beard            BEARDS; none 0.7, the others 0.15 each
      shirt            SHIRTS
      background       position on a closed ring of eight soft colours; 0 and 1 are the same. [0, 1]
      light            where the key light stands: -1 upper left .. 1 upper right; the glint in the eyes and
                       the side of a parting follow it. [-1, 1]

    How (amplitude, phase as a part of the period, period in frames):
      turn_amplitude   greatest turn of the head about the vertical, degrees. [0, 32]
      turn_phase       [0, 1];  turn_period  [24, 64]
      nod_amplitude    greatest nod, degrees. [0, 14]
      nod_phase        [0, 1];  nod_period   [16, 48]
      blink_amplitude  how far the lids close, 1 = shut. [0.8, 1]
      blink_phase      [0, 1];  blink_period [14, 30] (a blink itself always lasts five frames)
      smile_amplitude  greatest smile, 1 = broad. [0, 1]
      smile_phase      [0, 1];  smile_period [24, 64]
      talk_amplitude   how far the mouth opens on a syllable, 1 = wide. [0, 1]
      talk_phase       [0, 1];  talk_period  a syllable. [5, 9]
    """

    skin: float
    face_width: float
    face_length: float
    jaw: float
    hair_style: int
    hair_colour: int
    eye_colour: int
    eye_size: float
    eye_gap: float
    brow: float
    nose: float
    lips: float
    glasses: int
    beard: int
    shirt: int
    background: float
    light: float
    turn_amplitude: float
    turn_phase: float
    turn_period: float
    nod_amplitude: float
    nod_phase: float
    nod_period: float
    blink_amplitude: float
    blink_phase: float
    blink_period: float
    smile_amplitude: float
    smile_phase: float
    smile_period: float
    talk_amplitude: float
    talk_phase: float
    talk_period: float

    def as_dict(self) -> dict[str, float | int]:
        """The factors by name, as plain numbers (for JSON or a table)."""
        return asdict(self)


# (low, high) of the uniform factors, and the chances of the others' values; together, all fields of Factors
RANGES: dict[str, tuple[float, float]] = {
    "skin": (0, 1), "face_width": (0.48, 0.57), "face_length": (0.60, 0.68), "jaw": (0, 1),
    "eye_size": (0.25, 0.31), "eye_gap": (0.41, 0.47), "brow": (0.045, 0.085), "nose": (0.26, 0.36),
    "lips": (0.05, 0.1), "background": (0, 1), "light": (-1, 1),
    "turn_amplitude": (0, 32), "turn_phase": (0, 1), "turn_period": (24, 64),
    "nod_amplitude": (0, 14), "nod_phase": (0, 1), "nod_period": (16, 48),
    "blink_amplitude": (0.8, 1), "blink_phase": (0, 1), "blink_period": (14, 30),
    "smile_amplitude": (0, 1), "smile_phase": (0, 1), "smile_period": (24, 64),
    "talk_amplitude": (0, 1), "talk_phase": (0, 1), "talk_period": (5, 9),
}  # fmt: skip
CHANCES: dict[str, tuple[float, ...]] = {
    "hair_style": (1 / len(HAIR_STYLES),) * len(HAIR_STYLES),
    "hair_colour": (1 / len(HAIR_COLOURS),) * len(HAIR_COLOURS),
    "eye_colour": (1 / len(EYE_COLOURS),) * len(EYE_COLOURS),
    "glasses": (0.7, 0.15, 0.15),
    "beard": (0.7, 0.15, 0.15),
    "shirt": (1 / len(SHIRTS),) * len(SHIRTS),
}
BLINK_FRAMES = 5.0


class Motion(NamedTuple):
    """What the head does at the asked times; each has the shape of t, float64.

    turn: degrees, positive to the viewer's right. nod: degrees, positive down. blink: 0 open .. 1 shut.
    smile: 0 .. 1. talk: opening of the mouth, 0 shut .. 1 wide.
    """

    turn: npt.NDArray[np.float64]
    nod: npt.NDArray[np.float64]
    blink: npt.NDArray[np.float64]
    smile: npt.NDArray[np.float64]
    talk: npt.NDArray[np.float64]


def factors(index: SupportsIndex, seed: SupportsIndex = 0) -> Factors:
    """The factors of clip `index` of the set `seed`, both whole numbers from 0.

    Raises ValueError when either is not.
    """
    words = [whole("seed", seed, 0, None), whole("index", index, 0, None)]
    return draw_factors(Factors, words, RANGES, CHANCES)


def motion(who: Factors, t: npt.ArrayLike) -> Motion:
    """The pose at times t, in frames (any shape, whole or not)."""
    t = np.asarray(t, np.float64)
    full = 2 * np.pi

    def wave(name: str) -> npt.NDArray[np.float64]:
        phase: npt.NDArray[np.float64] = t / getattr(who, f"{name}_period") + getattr(who, f"{name}_phase")
        return phase

    # frames from the middle of the blink; the lid's path is a parabola: quick to close, a moment shut
    since = ((wave("blink") % 1) - 0.5) * who.blink_period
    lids = np.maximum(0, 1 - (since / (BLINK_FRAMES / 2)) ** 2)
    # syllables of one period, under a slower breath so that they differ in loudness
    voice = np.sin(full / 2 * wave("talk")) ** 2 * (0.65 + 0.35 * np.sin(full * wave("talk") / 3.7))
    return Motion(
        turn=who.turn_amplitude * np.sin(full * wave("turn")),
        nod=who.nod_amplitude * np.sin(full * wave("nod")),
        blink=who.blink_amplitude * lids,
        smile=who.smile_amplitude * (0.5 - 0.5 * np.cos(full * wave("smile"))),
        talk=who.talk_amplitude * voice,
    )


def render(
    who: Factors, resolution: SupportsIndex = 64, frames: SupportsIndex = 32
) -> npt.NDArray[np.uint8]:
    """The clip of these factors, uint8 (frames, resolution, resolution, 3), RGB; for factors changed by hand.

    Raises ValueError when resolution or frames is not a whole number in its range.
    """
    size, length = whole("resolution", resolution, *RESOLUTIONS), whole("frames", frames, 1, MAX_FRAMES)
    return paint(who, motion(who, np.arange(length)), size)


def draw(
    index: SupportsIndex, seed: SupportsIndex = 0, resolution: SupportsIndex = 64, frames: SupportsIndex = 32
) -> npt.NDArray[np.uint8]:
    """Clip `index` of the set `seed`, uint8 (frames, resolution, resolution, 3), RGB.

    index and seed are whole numbers from 0, resolution from 8 to 512, frames from 1 to 4096. Raises
    ValueError, which names the value, when one is not.
    """
    return render(factors(index, seed), resolution, frames)


def clips(first: int, last: int, *, seed: int, resolution: int, frames: int) -> Iterator[Piece]:
    """Clips first .. last - 1 of the set `seed` for a store, each with its factors."""
    for index in range(first, last):
        known = {name: float(value) for name, value in factors(index, seed).as_dict().items()}
        yield Piece(draw(index, seed, resolution, frames), 0, frames, FPS, known)
