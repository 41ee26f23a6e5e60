"""The compact form of clips: chunks of H.264 video in RGB, within a grey level of the pixels (rms).

    chunks = encode(frames)                       # uint8 (T, R, R, 3) -> list[bytes], CHUNK frames each
    frames = decode(chunks[0], CHUNK, resolution) # uint8 (CHUNK, R, R, 3); any chunk, from any thread

What was chosen, and why (`python -m train.benchmark codec` measures it; numbers for clips of 256x256x32):

- RGB planes (libx264rgb) and not YCbCr: 8-bit YCbCr rounds colours by up to a grey level before anything is coded,
  FFmpeg's own conversion shifts them by 0.8, and converting takes longer than decoding. In RGB a flat colour comes
  back exactly.
- A constant quantiser: the error is the same for every clip, 50 dB or more on all that was measured (0.8 of a grey
  level), 54 dB on TrailerFaces; H.264 with the bytes that its own files have (46 kB a clip) leaves 45 dB. Without
  loss ("qp": "0") a clip takes twice the bytes and half as long again to decode.
- No arithmetic coding, no deblocking filter, no B-frames: decoding is nearly twice as fast for a fifth more bytes.
- One encoder a chunk, one thread: the same frames give the same bytes, whoever encodes them and in whatever order.

A chunk is an H.264 byte stream (Annex B), closed by a unit of a type that the standard leaves to applications, with
the CRC-32 of what is before it. Players pass over it: the `.h264` files of a store can be watched with ffplay.
"""

from __future__ import annotations

import re
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

NAME = "h264"  # also the suffix of the files
VERSION = 1  # of what a chunk looks like; any settings of the encoder can be decoded
CHUNK = 16  # frames: a window of 4 frames decodes 16 at least; chunks of 8 take 12 % more bytes, of 32 7 % less
SETTINGS = {
    "preset": "faster",  # half the time of "fast", for 5 % more bytes
    "tune": "psnr,fastdecode",
    "qp": "10",
    # Rounding to the nearest, nearly: x264's own way drops faint grain, and with it motion (2.3 % of its
    # energy on the actions clips, 1.4 % so).
    "x264-params": "bframes=0:scenecut=0:trellis=0:deadzone-inter=6:deadzone-intra=6",
}

_CHECK = b"\0\0\1\x1f"  # begins the unit with the checksum: type 31, no reference
_CHECK_BYTES = len(_CHECK) + 8
_SEI = re.compile(rb"\x00\x00\x01\x06.*?(?=\x00\x00\x00?\x01)", re.DOTALL)  # x264 signs each chunk, with 700 bytes


class CodecError(ValueError):
    """A chunk that cannot be decoded, or a library that is missing; the message is a sentence."""


def encode(frames: NDArray[np.uint8]) -> list[bytes]:
    """uint8 (T, R, R, 3), T at least 1 -> chunks of CHUNK frames each, the last of what is left; each stands alone.

    Raises ValueError for another shape or type, CodecError where the encoder is not installed.
    """
    if frames.ndim != 4 or frames.shape[1] != frames.shape[2] or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames are {frames.dtype} {frames.shape}; allowed: uint8 (T, R, R, 3)")
    if not frames.size:
        raise ValueError(f"frames are {frames.shape}; allowed: one frame and one pixel at least")
    return [_encode_chunk(frames[first : first + CHUNK]) for first in range(0, len(frames), CHUNK)]


def _encode_chunk(frames: NDArray[np.uint8]) -> bytes:
    try:
        import av
        from av.video.codeccontext import VideoCodecContext

        context = VideoCodecContext.create("libx264rgb", "w")
    except (ImportError, ValueError) as error:  # PyAV's UnknownCodecError is a ValueError
        raise CodecError("making a compact store needs the package av with the encoder libx264rgb") from error
    context.width = context.height = frames.shape[1]
    context.pix_fmt = "rgb24"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)  # required; no meaning here
    context.gop_size = CHUNK
    context.thread_count = 1  # more threads give other bytes
    context.options = SETTINGS
    packets = []
    for time, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts = time
        packets += context.encode(frame)
    packets += context.encode(None)
    stream = b"".join(map(bytes, packets))
    stream = _SEI.sub(b"", stream, count=1)
    return stream + _CHECK + b"%08x" % zlib.crc32(stream)


def decode(chunk: bytes | memoryview, frames: int, resolution: int) -> NDArray[np.uint8]:
    """The frames of a chunk: uint8 (frames, R, R, 3). May be called from several threads at once.

    Raises CodecError, with a sentence, for a damaged chunk, one of other frames, and where PyAV is missing.
    """
    chunk = bytes(chunk)
    stream, check = chunk[:-_CHECK_BYTES], chunk[-_CHECK_BYTES:]
    if check != _CHECK + b"%08x" % zlib.crc32(stream):
        raise CodecError(f"a chunk of {len(chunk)} bytes is damaged: its checksum is not that of its contents")
    found = pictures(stream)
    held = [(picture.width, picture.height, picture.format.name) for picture in found]
    if held != [(resolution, resolution, "gbrp")] * frames:
        raise CodecError(f"a chunk holds {len(held)} frames {sorted(set(held))}; "
                         f"{frames} of {resolution}x{resolution} gbrp expected")
    return planes_to_pixels(found, resolution)


def pictures(stream: bytes) -> list[VideoFrame]:
    """All pictures of an H.264 byte stream. Raises CodecError."""
    try:
        import av
        from av.video.codeccontext import VideoCodecContext
    except ImportError as error:
        raise CodecError("reading this compact store needs the package av") from error
    try:
        context = VideoCodecContext.create("h264", "r")
        context.thread_count = 1  # the reader has its own threads, a clip each
        context.options = {"max_pixels": str(1 << 20)}  # 1024x1024: a damaged head must not fill the memory
        packets = context.parse(stream) + context.parse(None)
        found = [picture for packet in packets for picture in context.decode(packet)]
        return found + context.decode(None)
    except (av.FFmpegError, ValueError) as error:
        raise CodecError(f"{len(stream)} bytes of video cannot be decoded: {error}") from error


def planes_to_pixels(pictures: list[VideoFrame], resolution: int) -> NDArray[np.uint8]:
    """Pictures in planes of green, blue and red (gbrp) -> uint8 (T, R, R, 3)."""
    out = np.empty((len(pictures), resolution, resolution, 3), dtype=np.uint8)
    for pixels, picture in zip(out, pictures, strict=True):
        for channel, plane in zip((1, 2, 0), picture.planes, strict=True):
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
            pixels[:, :, channel] = rows[:, :resolution]
    return out
