"""How unlike the clips of a sprite sheet are, and how much they move: two plain numbers of a picture, no network."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEEN_AT = 32  # pixels: larger clips are averaged down, which is quick and forgets fine noise
KEPT = 1000

_looking = threading.Lock()
_known: OrderedDict[tuple[Path, int], Measures] = OrderedDict()


@dataclass(frozen=True)
class Measures:
    """Both in grey levels of 0..255.

    diversity: root of the mean squared difference of two clips, over all pairs of clips, pixels and frames.
    motion: mean absolute change of a pixel from one frame to the next; 0 where there is one frame.
    """

    diversity: float
    motion: float


def measure(clips: NDArray[np.generic]) -> Measures:
    """Of clips (N, T, H, W, C), 0..255, N at least 2."""
    values = clips.astype(np.float32)
    # The mean of (a - b)^2 over pairs of unlike clips is twice the variance.
    diversity = float(np.sqrt(2 * values.var(axis=0, ddof=1).mean()))
    return Measures(diversity, float(np.abs(np.diff(values, axis=1)).mean()) if values.shape[1] > 1 else 0.0)


def of_sheet(path: Path, resolution: int) -> Measures | None:
    """Of a sprite sheet in a PNG file (rows: clips, columns: frames); remembered as long as the file stays the same.

    None where it cannot be read, or holds fewer than two clips.
    """
    try:
        key = (path, path.stat().st_mtime_ns)
        with _looking:
            if key not in _known:
                _known[key] = measure(_clips(path, resolution))
            _known.move_to_end(key)
            while len(_known) > KEPT:
                _known.popitem(last=False)
            return _known[key]
    except (OSError, ValueError, SyntaxError):  # gone, or half a file
        return None


def _clips(path: Path, resolution: int) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        small = image.convert("RGB")
    rows, frames = small.height // resolution, small.width // resolution
    if rows < 2 or frames < 1:
        raise ValueError(f"{path} holds no two clips of {resolution} pixels")
    if resolution > SEEN_AT and resolution % SEEN_AT == 0:
        small, resolution = small.reduce(resolution // SEEN_AT), SEEN_AT
    sheet = np.asarray(small)[: rows * resolution, : frames * resolution]
    return sheet.reshape(rows, resolution, frames, resolution, 3).transpose(0, 2, 1, 3, 4)
