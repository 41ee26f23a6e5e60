"""Puts a toyface together, back to front: from factors and poses to pixels."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pvswgan.data.drawing import Array, Canvas, clamp, ellipse, glow
from pvswgan.data.face import features, hair
from pvswgan.data.face.model import SHIRT, SKIN, SKY, WHITE, Face, face_of, mix, paint_of, ramp, tone

if TYPE_CHECKING:
    from pvswgan.data.toyfaces import Factors, Motion

CHUNK = 1 << 18  # pixels painted together: many enough to hide numpy's cost a call, few enough for the cache
_kept = threading.local()


def paint(who: Factors, pose: Motion, resolution: int) -> npt.NDArray[np.uint8]:
    """The clip, uint8 (T, H, W, 3), T being the length of the pose's arrays."""
    frames = len(pose.turn)
    out = np.empty((frames, resolution, resolution, 3), np.uint8)
    still, neck = _still(who, resolution)
    step = max(1, CHUNK // resolution**2)
    for first in range(0, frames, step):
        last = min(first + step, frames)
        canvas = _canvas(last - first, resolution)
        canvas.pixels[...] = still
        _paint_head(canvas, still, neck, face_of(who, type(pose)(*(values[first:last] for values in pose))))
        canvas.bytes(out[first:last])
    return out


def _canvas(frames: int, resolution: int) -> Canvas:
    """This thread's canvas, a few megabytes: fresh memory for each clip costs a third of the drawing."""
    canvas: Canvas | None = getattr(_kept, "canvas", None)
    if canvas is None or canvas.pixels.shape[1:3] != (frames, resolution):
        canvas = _kept.canvas = Canvas(frames, resolution)
    return canvas


def _still(who: Factors, resolution: int) -> tuple[Array, Array]:
    """What does not move: background, shoulders and neck (3, 1, H, W), and the neck's coverage (H, W)."""
    canvas = Canvas(1, resolution)
    with canvas.patch() as area:
        ring = np.concatenate([SKY, SKY[:1]])
        sky = ramp(ring, who.background)
        far = ramp(ring, (who.background + 0.13) % 1)
        area.pixels[...] = tone(mix(sky, far, 0.5) * 0.90) + tone((far * 0.84 - sky) / 2) * area.y
        area.blend(glow(area, 0.7 * who.light, -0.5, 1.7, 1.5, 0.55), tone(mix(sky, WHITE, 0.6)))
        shirt = paint_of(SHIRT[who.shirt])
        lit = 0.35 * who.light * area.x
        round_off = 0.5 * area.x * area.x
        area.blend(ellipse(area, 0.0, 1.32, 0.84, 0.56), shirt.shaded(lit - round_off, 0.9 - area.y))
        area.blend(ellipse(area, 0.0, 0.80, 0.30, 0.15), shirt.shaded(lit, -0.55))
        # a column that the chin always covers at its upper end, rounded into the collar below
        column = clamp((0.205 - np.abs(area.x)) / area.pixel + 0.5)
        column = column * (np.abs(area.y - 0.6) < 0.2).astype(np.float32)
        neck = np.maximum(column, ellipse(area, 0.0, 0.80, 0.25, 0.11))
        skin = paint_of(ramp(SKIN, who.skin), 1)
        area.blend(neck, skin.shaded(0.8 * lit - 4 * area.x * area.x, 1.6 * area.y - 1.7))
    return canvas.pixels, neck


def _paint_head(canvas: Canvas, still: Array, neck: Array, face: Face) -> None:
    hair.behind(canvas, face)
    if face.style.end > 0.6:  # hair that falls behind the neck
        with canvas.patch(-0.3, 0.3, 0.38, 0.95) as area:
            area.blend(neck[area.where], still[:, :, *area.where])
    features.ears(canvas, face)
    features.oval(canvas, face)
    features.cheeks(canvas, face)
    features.nose(canvas, face)
    for side in (-1, 1):
        features.eye(canvas, face, side)
    if face.who.beard:
        features.beard(canvas, face)
    features.mouth(canvas, face)
    hair.front(canvas, face)
    for side in (-1, 1):
        features.brow(canvas, face, side)
    if face.who.glasses:
        features.glasses(canvas, face)
