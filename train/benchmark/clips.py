"""Clips to measure on: drawn ones everywhere, real ones where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.format import pyramid

Clip = NDArray[np.uint8]
FRAMES = 32


def drawn_clips(count: int, resolution: int = 256) -> list[Clip]:
    """Toyfaces uint8 (32, R, R, 3), at `resolution` and at half of it."""
    from pvswgan.data import toyfaces

    return _both([toyfaces.draw(index, resolution=resolution, frames=FRAMES) for index in range(count)])


def real_clips(folder: Path, count: int, resolution: int = 256) -> list[Clip]:
    """The first 32 frames of the first videos of a folder; none where there is no such folder."""
    from pvswgan.data.decode import read_video
    from pvswgan.data.pieces import Piece

    found = []
    for file in sorted(folder.glob("*.mp4"))[:count]:
        piece = next(piece for piece in read_video(file, resolution) if isinstance(piece, Piece))
        found.append(piece.frames[:FRAMES])
    return _both(found)


def _both(clips: list[Clip]) -> list[Clip]:
    return clips + [small for clip in clips for small in pyramid(clip) if small.shape[1] * 2 == clip.shape[1]]
