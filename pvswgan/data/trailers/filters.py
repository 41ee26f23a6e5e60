"""Which clips are left out, and why: by what the track is like, and by what the cropped clip looks like."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pvswgan.data.trailers.crops import Values
from pvswgan.data.trailers.detect import Box
from pvswgan.data.trailers.settings import FaceSettings
from pvswgan.data.trailers.tracks import Track
from pvswgan.data.trailers.video import Pixels

# kind -> how its reasons begin; the first three are what pvswgan.data.decode says, "look-alike" pvswgan.data.build
KINDS = {
    "damaged": "is damaged",
    "gap": "shows nothing new",
    "cut off": "ends at",
    "short shot": "is a short shot",
    "no face": "shows no face",
    "lost face": "loses its face",
    "short track": "shows its face too shortly",
    "small face": "shows a small face",
    "two faces": "shows another face",
    "flat": "is nearly of one colour",
    "blurred": "is blurred",
    "still": "is nearly still",
    "restless": "changes too much",
    "look-alike": "looks like an earlier clip",
}
LEAST_FINDS = 3  # a track with fewer is taken for a mistake of the detector
_INTRUDES = 0.3  # share of another face's box inside the crop that makes it another face in the clip
_OFTEN = 0.2  # share of the looked-at frames in which it does


def kind(reason: str) -> str:
    """The kind of a reason, a key of KINDS; "other" where it is none of them."""
    return next((name for name, words in KINDS.items() if reason.startswith(words)), "other")


def because(name: str, numbers: str) -> str:
    """A reason of that kind with its numbers."""
    return f"{KINDS[name]}: {numbers}"


def track_fault(track: Track, length: int, settings: FaceSettings) -> str | None:
    """Why no clip is made of a track that covers `length` frames; None: it is good. Boxes in pixels of the trailer."""
    share = track.found(settings.every)
    if length < settings.frames:
        return because("short track", f"{length} frames, fewer than {settings.frames}")
    if share < settings.steady:
        return because("lost face", f"found in {share:.0%} of the frames, fewer than {settings.steady:.0%}")
    if track.side() < settings.least_face:
        return because("small face", f"{track.side():.0f} pixels, fewer than {settings.least_face:g}")
    return None


def another_face(track: Track, others: list[Track], start: int, crops: Values) -> str | None:
    """Why a clip that begins at `start` with these crops (T, 4) shows more than one face; None: it shows one."""
    stop = start + len(crops)
    looked, seen = 0, 0
    own = dict(zip(track.at, track.boxes, strict=True))
    for frame, box in own.items():
        if start <= frame < stop:
            looked += 1
            near = [other.boxes[other.at.index(frame)] for other in others if frame in other.at]
            seen += any(_inside(face, crops[frame - start]) >= _INTRUDES and not box.holds(face.x, face.y)
                        for face in near)
    if seen > _OFTEN * looked:
        return because("two faces", f"in {seen} of {looked} frames, more than {_OFTEN:.0%}")
    return None


def _inside(box: Box, crop: Values) -> float:
    """Share of a box that lies in a crop."""
    left, top, right, bottom = crop
    width = min(box.x + box.side / 2, right) - max(box.x - box.side / 2, left)
    height = min(box.y + box.side / 2, bottom) - max(box.y - box.side / 2, top)
    return float(max(0.0, width) * max(0.0, height) / box.side**2)


class Look(NamedTuple):
    """What a clip looks like; the settings of the same names tell the units."""

    sharpness: float
    contrast: float
    motion: float


def look(frames: Pixels) -> Look:
    """Measure a clip, uint8 (T, R, R, 3)."""
    import cv2

    sharp, contrast, greys = [], [], []
    for frame in frames:
        grey = cv2.cvtColor(cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        spread = float(grey.std())
        contrast.append(spread)
        sharp.append(float(cv2.Laplacian(grey, cv2.CV_32F).var()) / max(spread**2, 1.0))
        greys.append(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32))
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(greys)]
    return Look(float(np.median(sharp)), float(np.median(contrast)), float(np.mean(steps)) if steps else np.inf)


def look_fault(seen: Look, settings: FaceSettings) -> str | None:
    """Why a clip that looks like that is left out; None: it is good."""
    if seen.contrast < settings.contrast:
        return because("flat", f"its contrast is {seen.contrast:.1f}, less than {settings.contrast:g}")
    if seen.sharpness < settings.sharpness:
        return because("blurred", f"its sharpness is {seen.sharpness:.4f}, less than {settings.sharpness:g}")
    if np.isinf(seen.motion):
        return None  # one frame: nothing is known of how it moves
    if seen.motion < settings.motion_least:
        return because("still", f"it changes by {seen.motion:.2f} a frame, less than {settings.motion_least:g}")
    if seen.motion > settings.motion_most:
        return because("restless", f"it changes by {seen.motion:.2f} a frame, more than {settings.motion_most:g}")
    return None


def fingerprint(frames: Pixels) -> int:
    """64 bits of a clip, uint8 (T, R, R, 3): the signs of the lowest waves of its mean picture.

    The mean over time makes it hold for a clip that was cut a little earlier or later, or encoded anew.
    """
    import cv2

    small = [cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA) for frame in frames]
    mean = np.asarray(np.mean([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small], axis=0, dtype=np.float32))
    waves = np.asarray(cv2.dct(mean))[:9, :9].ravel()
    order = np.add.outer(np.arange(9), np.arange(9)).ravel()
    chosen = waves[np.argsort(order, kind="stable")[1:65]]  # the lowest 64 without the mean brightness
    bits = chosen > np.median(chosen)
    return int(sum(1 << at for at, bit in enumerate(bits.tolist()) if bit))
