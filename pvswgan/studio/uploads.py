"""A clip that a person dropped on the page: its bytes, whatever kind of file they are, as frames of a model's size.

The kind is told by the first bytes, never by a name. Only containers that hold their own pictures are opened: a
playlist is a text that names other files, on this machine too.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pvswgan.data import arrays, decode
from pvswgan.data.pieces import LONGEST, BadFile, Drop, Piece, TooSmall
from pvswgan.data.pixels import Pixels, centre_square, rgb

UNDERSTOOD = "a video (mp4, mov, webm, mkv, avi ...), a GIF, WebP or PNG, or an array of clips (.npy, .npz)"
UNPACKED = 2**30  # bytes of an .npz file: a small one may hold any number
_PICTURES = ("PNG", "WEBP", "JPEG")
_PICTURE = re.compile(rb"\x89PNG|RIFF....WEBP|\xff\xd8\xff", re.DOTALL)
_VIDEO = re.compile(
    rb"....(ftyp|moov|mdat|wide|free|skip|pnot)|GIF8|RIFF....AVI |\x1a\x45\xdf\xa3|FLV\x01|\x30\x26\xb2\x75"
    rb"|\x00\x00\x01[\xb3\xba]|\x47.{187}\x47|.{4}\x47.{191}\x47|OggS", re.DOTALL)  # fmt: skip
_ARRAYS = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}


class UploadError(ValueError):
    """A file that holds no clip; the message is a sentence for the page."""


def read_clip(data: bytes, frames: int, resolution: int) -> Pixels:
    """uint8 (frames, resolution, resolution, 3) of a file's bytes.

    The centre square of each frame, each pixel the mean of the area that it covers (or enlarged, where there are fewer
    pixels); so many frames at even distances of the first LONGEST, repeated where there are fewer. Raises UploadError.
    """
    if not data:
        raise UploadError("This file is empty (0 bytes).")
    try:
        try:
            clip = _frames(data, resolution)
        except TooSmall as small:
            clip = _enlarged(_frames(data, small.side), resolution)
    except BadFile as error:
        raise UploadError(f"This file {error}.") from error
    if len(clip) < 2:
        raise UploadError("This file holds a single frame; a clip has two or more. A still picture is read as a strip: "
                          "square frames side by side, the first at the left.")
    return clip[[(2 * i + 1) * len(clip) // (2 * frames) for i in range(frames)]]


def _frames(data: bytes, resolution: int) -> Pixels:
    """The first clip, uint8 (T, R, R, 3), T at most LONGEST. Raises BadFile."""
    with tempfile.TemporaryDirectory(prefix="pvswgan-upload-") as folder:
        suffix = next((suffix for magic, suffix in _ARRAYS.items() if data.startswith(magic)), "")
        path = Path(folder) / f"clip{suffix}"
        if _PICTURE.match(data):
            return _picture(data, path, resolution)
        path.write_bytes(data)
        if suffix:
            _check_unpacked(path)
            return _first(arrays.read_array(path, arrays.look(path), 0, 1, resolution))
        if _VIDEO.match(data):
            return _first(decode.read_video(path, resolution))
    raise BadFile(f"is of no kind that is read here; allowed: {UNDERSTOOD}")


def _check_unpacked(path: Path) -> None:
    if path.suffix == ".npz":
        with decode.named(path), zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > UNPACKED:
                raise BadFile(f"unpacks to {size / 2**30:.1f} GiB; allowed: {UNPACKED / 2**30:.0f} GiB")


def _picture(data: bytes, path: Path, resolution: int) -> Pixels:
    """Of an animation its frames, of a still picture the square frames that it shows side by side."""
    from PIL import Image, ImageSequence

    path.write_bytes(data)
    with decode.named(path), Image.open(BytesIO(data), formats=_PICTURES) as image:
        if getattr(image, "n_frames", 1) > 1:
            shown = islice(ImageSequence.Iterator(image), LONGEST)
            return np.stack([centre_square(rgb(frame.copy()), resolution) for frame in shown])
    return _first(decode.read_strip(path, resolution))


def _first(pieces: Iterator[Piece | Drop] | Iterator[Piece]) -> Pixels:
    reason = "holds no frame"
    for piece in pieces:
        if isinstance(piece, Piece):
            return piece.frames
        reason = piece.reason
    raise BadFile(reason)


def _enlarged(clip: Pixels, resolution: int) -> Pixels:
    """uint8 (T, r, r, 3) -> (T, R, R, 3), R above r."""
    pixels = torch.from_numpy(clip).permute(0, 3, 1, 2).float()
    larger = F.interpolate(pixels, (resolution, resolution), mode="bilinear", align_corners=False)
    return larger.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
