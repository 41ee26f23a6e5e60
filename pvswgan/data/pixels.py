"""One picture brought to a store's size: its centre square, each pixel the mean of the area that it covers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.pieces import TooSmall

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
_ORIENTATION = 0x0112  # of EXIF
_QUARTER_TURNS = 5  # this orientation and those above it: width and height change places


def centre_square(pixels: NDArray[Any], resolution: int, aspect: float = 1.0) -> Pixels:
    """uint8 (H, W, 3) -> uint8 (R, R, 3): the centre square, area-resized. Raises TooSmall for less than R pixels.

    aspect  width of a pixel over its height, as it is shown: the square may have fewer pixels across than down
    """
    height, width = pixels.shape[:2]
    across, down = min(width, round(height / aspect)), min(height, round(width * aspect))
    if min(across, down) < resolution:
        raise TooSmall(*((width, height) if aspect == 1 else (across, down)), resolution)
    left, top = (width - across) // 2, (height - down) // 2
    return area_mean(pixels[top : top + down, left : left + across], resolution)


def area_mean(pixels: NDArray[Any], resolution: int) -> Pixels:
    """uint8 (H, W, 3) -> uint8 (R, R, 3), R at most H and W: the mean over H/R x W/R pixels, parts of pixels too.

    OpenCV's area filter is the exact mean (Pillow's BOX takes whole pixels only, which shifts edges to and fro where
    the step is no whole number).
    """
    if pixels.shape[:2] == (resolution, resolution):
        return np.ascontiguousarray(pixels)
    import cv2

    cv2.setNumThreads(1)  # the import has a process for each core
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (resolution, resolution), interpolation=cv2.INTER_AREA),
                      dtype=np.uint8)


def upright_size(image: Image) -> tuple[int, int]:
    """(width, height) that a Pillow image, not loaded yet, has when it is turned as its EXIF says."""
    turned = False
    with suppress(Exception):  # as in `rgb`
        # Pillow itself turns TIFF, and tells its size so.
        turned = image.format != "TIFF" and image.getexif().get(_ORIENTATION, 1) >= _QUARTER_TURNS
    return image.size[::-1] if turned else image.size


def rgb(image: Image) -> Pixels:
    """A Pillow image of any mode as uint8 (H, W, 3), turned as its EXIF says.

    16-bit greys lose their low byte, transparency is ignored. It is the image itself that is turned.
    """
    from PIL import ImageOps

    image.load()  # here, so that a broken picture is not taken for a broken EXIF
    with suppress(Exception):  # Pillow raises nearly anything for EXIF that is not what it says: the picture is whole
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image)
        if grey.dtype.kind == "f" or grey.max(initial=0) > 65535 or grey.min(initial=0) < 0:
            raise ValueError(f"its pixels are {grey.dtype} from {grey.min()} to {grey.max()}; allowed: 8 or 16 bits")
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB"))
