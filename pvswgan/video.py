"""Clips as pictures and files: sprite sheets, grids, PNG, JPEG, mp4, GIF, WebP.

Outside the library a clip is uint8 (T, H, W, 3), several are (N, T, H, W, 3). A *sprite sheet* is one picture whose
rows are clips and whose columns are frames: the page draws from it without a decoder.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pvswgan.files import write_bytes

Pixels = NDArray[np.uint8]
FPS = 16
SUFFIXES = (".mp4", ".gif", ".webp", ".png")


class VideoError(ValueError):
    """A video that cannot be read or written; the message says which and why."""


def to_uint8(clips: Tensor) -> Pixels:
    """(N, 3, T, H, W) in [-1, 1] -> uint8 (N, T, H, W, 3), rounded to nearest."""
    scaled = ((clips.detach().float().cpu() + 1) * 127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 4, 1).contiguous().numpy()


def to_float(clips: Pixels) -> Tensor:
    """uint8 (N, T, H, W, 3) -> float32 (N, 3, T, H, W) in [-1, 1]."""
    return (torch.from_numpy(np.ascontiguousarray(clips)).float() / 127.5 - 1).permute(0, 4, 1, 2, 3)


def sprite_sheet(clips: Pixels) -> Pixels:
    """(N, T, H, W, 3) -> one picture (N*H, T*W, 3): rows are clips, columns frames."""
    n, t, h, w, c = clips.shape
    return np.ascontiguousarray(clips.transpose(0, 2, 1, 3, 4)).reshape(n * h, t * w, c)


def split_sheet(sheet: Pixels, frames: int) -> Pixels:
    """The clips of a sprite sheet with that many square frames a row: (N, T, H, W, 3)."""
    height, width, c = sheet.shape
    size = width // frames
    if size * frames != width or height % size:
        raise VideoError(f"a sheet of {width}x{height} pixels does not hold rows of {frames} square frames")
    return np.ascontiguousarray(sheet.reshape(height // size, size, frames, size, c).transpose(0, 2, 1, 3, 4))


def grid(clips: Pixels, columns: int | None = None) -> Pixels:
    """(N, T, H, W, 3) -> one clip (T, rows*H, columns*W, 3); free places are black. Default: about square."""
    n, t, h, w, c = clips.shape
    columns = columns or int(np.ceil(n**0.5))
    rows = -(-n // columns)
    full = np.zeros((rows * columns, t, h, w, c), np.uint8)
    full[:n] = clips
    return np.ascontiguousarray(full.reshape(rows, columns, t, h, w, c).transpose(2, 0, 3, 1, 4, 5)).reshape(
        t, rows * h, columns * w, c)


def png_bytes(image: Pixels) -> bytes:
    """A picture (H, W, 3) as PNG. By zlib alone: the trainer also runs where there is no imaging library."""
    height, width, _ = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
            + chunk(b"IEND", b""))


def write_png(path: str | Path, image: Pixels) -> None:
    """Write a picture (H, W, 3), complete or not at all."""
    write_bytes(Path(path), png_bytes(image))


def encode_jpeg(image: Pixels, quality: int = 90) -> bytes:
    """A picture (H, W, 3) as JPEG with full colour resolution (4:4:4)."""
    from PIL import Image

    out = BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def read(path: str | Path) -> tuple[Pixels, float]:
    """A video file -> (uint8 (T, H, W, 3), frames a second). Raises VideoError."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} holds no video")
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            fps = float(stream.average_rate or FPS)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path} cannot be read as a video: {error}") from error
    if not frames:
        raise VideoError(f"{path} holds no frames")
    return np.stack(frames), fps


def write(clips: Tensor | Pixels, path: str | Path, fps: float = FPS, scale: int = 1,
          columns: int | None = None) -> Path:
    """Write clips side by side as a grid; the suffix says how: .mp4, .gif, .webp (animated) or .png (sprite sheet).

    clips: float (N, 3, T, H, W) in [-1, 1], or uint8 (N, T, H, W, 3). scale: whole enlargement without smoothing.
    Raises VideoError for another suffix or an impossible scale.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise VideoError(f"cannot write {path.name!r}; allowed: {', '.join(SUFFIXES)}")
    if scale < 1 or not 0 < fps <= 1000:
        raise VideoError(f"scale is {scale} and fps {fps}; allowed: scale 1 or more, fps above 0 and to 1000")
    pixels = to_uint8(clips) if isinstance(clips, Tensor) else clips
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    if path.suffix.lower() == ".png":
        write_png(path, sprite_sheet(pixels))
        return path
    movie = grid(pixels, columns)
    if path.suffix.lower() == ".webp":
        _write_webp(movie, path, fps)
    else:
        _write_movie(movie, path, fps)
    return path


def _write_movie(movie: Pixels, path: Path, fps: float) -> None:
    from moviepy import ImageSequenceClip

    clip = ImageSequenceClip(list(movie), fps=fps)
    if path.suffix.lower() == ".gif":
        clip.write_gif(str(path), fps=fps, logger=None)
        return
    if movie.shape[1] % 2 or movie.shape[2] % 2:
        raise VideoError(f"mp4 wants an even width and height, got {movie.shape[2]}x{movie.shape[1]}")
    # crf 12: the frames are small, so artefacts would show before the bytes do.
    clip.write_videofile(str(path), fps=fps, codec="libx264", audio=False, logger=None, threads=1,
                         ffmpeg_params=["-crf", "12", "-pix_fmt", "yuv420p", "-movflags", "+faststart"])


def _write_webp(movie: Pixels, path: Path, fps: float) -> None:
    from PIL import Image

    frames = [Image.fromarray(f) for f in movie]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=round(1000 / fps), loop=0, quality=90)
