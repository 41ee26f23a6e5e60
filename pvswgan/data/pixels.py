"""One picture brought to a store's size: its centre square, each pixel the mean of the area that it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.pieces import TooSmall

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]


def centre_square(pixels: NDArray[Any], resolution: int) -> Pixels:
    """uint8 (H, W, 3) -> uint8 (R, R, 3): the centre square, area-resized. Raises TooSmall for less than R pixels."""
    height, width = pixels.shape[:2]
    side = min(width, height)
    if side < resolution:
        raise TooSmall(width, height, resolution)
    left, top = (width - side) // 2, (height - side) // 2
    return area_mean(pixels[top : top + side, left : left + side], resolution)


def area_mean(pixels: NDArray[Any], resolution: int) -> Pixels:
    """uint8 (S, S, 3) -> uint8 (R, R, 3), R at most S: the mean over S/R x S/R pixels, parts of pixels too.

    OpenCV's area filter is the exact mean (Pillow's BOX takes whole pixels only, which shifts edges to and fro where
    S/R is no whole number).
    """
    if len(pixels) == resolution:
        return np.ascontiguousarray(pixels)
    import cv2

    cv2.setNumThreads(1)  # the import has a process for each core
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (resolution, resolution), interpolation=cv2.INTER_AREA),
                      dtype=np.uint8)


def rgb(image: Image) -> Pixels:
    """A Pillow image of any mode as uint8 (H, W, 3); 16-bit greys lose their low byte, transparency is ignored."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image)
        if grey.dtype.kind == "f" or grey.max(initial=0) > 65535 or grey.min(initial=0) < 0:
            raise ValueError(f"its pixels are {grey.dtype} from {grey.min()} to {grey.max()}; allowed: 8 or 16 bits")
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB"))
