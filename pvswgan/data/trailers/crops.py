"""The square that is cut out around a face: steady in time, inside the picture, resampled without aliasing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.trailers.settings import FaceSettings
from pvswgan.data.trailers.video import Pixels

Values = NDArray[np.float64]
_SPIKE = 5  # finds over which a median is taken: a single wrong box leaves no trace


def without_spikes(values: Values) -> Values:
    """(N, C) -> (N, C): the running median over five rows; fewer at both ends."""
    reach = _SPIKE // 2
    return np.stack([np.median(values[max(0, at - min(reach, at, len(values) - 1 - at)):
                                      at + min(reach, at, len(values) - 1 - at) + 1], axis=0)
                     for at in range(len(values))])


def smoothed(values: Values, sigma: float) -> Values:
    """(T,) -> (T,): a Gaussian of `sigma` frames; a straight line stays what it is, up to both ends."""
    if sigma < 0.05 or len(values) < 2:  # a Gaussian as narrow as that is one frame
        return values.copy()
    reach = min(math.ceil(3 * sigma), len(values) - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before = 2 * values[0] - values[reach:0:-1]  # turned about its end, so that a slope goes on
    after = 2 * values[-1] - values[-2:-reach - 2:-1]
    return np.convolve(np.concatenate([before, values, after]), weights / weights.sum(), mode="valid")


def windows(faces: Values, inside: tuple[float, float, float, float], settings: FaceSettings, fps: float) -> Values:
    """(T, 3) x, y and side of a face -> (T, 4) left, top, right and bottom of its crop, all in the same pixels.

    inside  left, top, right, bottom of the picture without its black bars. A crop that would leave it is moved, and
            made smaller where it is larger than the picture.
    """
    sigma = settings.smooth * fps
    x, y = smoothed(faces[:, 0], sigma), smoothed(faces[:, 1], sigma)
    side = np.exp(smoothed(np.log(faces[:, 2]), 2 * sigma))
    left, top, right, bottom = inside
    half = np.minimum(side * (0.5 + settings.margin), min(right - left, bottom - top) / 2)
    x = np.clip(x, left + half, right - half)
    y = np.clip(y + settings.lower * side, top + half, bottom - half)
    return np.stack([x - half, y - half, x + half, y + half], axis=1)


def resampled(pixels: Pixels, window: Values, resolution: int) -> Pixels:
    """rgb uint8 (H, W, 3) and left, top, right, bottom, fractions included -> uint8 (R, R, 3).

    Pillow's bicubic filter grows with the step, so that making smaller makes no new patterns; and it takes windows
    that begin between pixels, so that a slow pan does not jump.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    left, top, right, bottom = (float(value) for value in window)
    box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
    # Only what the filter sees is handed over: two of its steps around the window.
    reach = 3 * max(1.0, (right - left) / resolution)
    first_x, first_y = max(0, math.floor(box[0] - reach)), max(0, math.floor(box[1] - reach))
    last_x, last_y = min(width, math.ceil(box[2] + reach)), min(height, math.ceil(box[3] + reach))
    part = Image.fromarray(np.ascontiguousarray(pixels[first_y:last_y, first_x:last_x]))
    moved = (box[0] - first_x, box[1] - first_y, box[2] - first_x, box[3] - first_y)
    return np.asarray(part.resize((resolution, resolution), Image.Resampling.BICUBIC, box=moved))
