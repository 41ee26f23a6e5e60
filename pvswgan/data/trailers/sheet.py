"""The contact sheet: one small picture a clip, so that a person sees at a glance what the builder kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pvswgan.files import write_bytes

SIDE = 96  # pixels of a picture
_MOST = 1200  # pictures of a sheet; of more clips, so many that lie evenly
_QUALITY = 88


def contact_sheet(thumbnails: Iterable[NDArray[np.uint8]], path: Path) -> None:
    """Write a JPEG of pictures, uint8 (H, W, 3) each, side by side with their index; rows from left to right.

    The file is replaced whole. Raises OSError where it cannot be written.
    """
    from PIL import Image, ImageDraw

    tiles = []
    for index, pixels in enumerate(thumbnails):
        tile = Image.fromarray(np.ascontiguousarray(pixels)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(tile)
        draw.text((3, 1), str(index), fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0))
        tiles.append(tile)
    columns = max(1, min(30, math.ceil(math.sqrt(len(tiles) * 16 / 9))))
    sheet = Image.new("RGB", (columns * SIDE, max(1, math.ceil(len(tiles) / columns)) * SIDE))
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % columns * SIDE, index // columns * SIDE))
    data = BytesIO()
    sheet.save(data, format="JPEG", quality=_QUALITY)
    write_bytes(path, data.getvalue())


def shown(clips: int) -> list[int]:
    """Which clips a sheet shows: all, or 1,200 that lie evenly."""
    if clips <= _MOST:
        return list(range(clips))
    return [at * clips // _MOST for at in range(_MOST)]
