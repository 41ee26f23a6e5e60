"""What the compact form of the store costs, beside other ways to keep clips: bytes, time and quality."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvswgan.data import codec

Clip = NDArray[np.uint8]  # (T, R, R, 3)


class _Way(NamedTuple):
    """One way to keep clips, in pieces of `frames` frames that are decodable alone (the last may be shorter)."""

    name: str
    frames: int
    encode: Callable[[Clip], list[bytes]]
    decode: Callable[[bytes, int, int], Clip]  # (piece, its frames, resolution)


def codec_table(clips: Sequence[Clip]) -> list[dict[str, Any]]:
    """One row for each resolution and codec, the store's own first. Needs PyAV and Pillow.

    clips: uint8 (T, R, R, 3), of one resolution or more.
    Rows: codec, resolution, clips; bytes of a clip, and how many times `smaller` than raw; encode_ms and decode_ms
    of a clip on one core; psnr in dB and ssim, means over the clips, with worst_psnr and worst_ssim (lossless: psnr
    is infinite); motion: the energy of the differences between frames, decoded over original.
    """
    sizes = sorted({clip.shape[1] for clip in clips}, reverse=True)
    return [_row(way, [clip for clip in clips if clip.shape[1] == size]) for size in sizes for way in _ways()]


def _ways() -> list[_Way]:
    return [
        _Way(f"{codec.NAME} of the store", codec.CHUNK, codec.encode, codec.decode),
        _video("h264 lossless", "libx264rgb", "rgb24", preset="veryfast", tune="fastdecode", qp="0"),
        _video("h264 4:2:0 crf 14", "libx264", "yuv420p", preset="faster", crf="14"),
        _image("webp lossless", "WEBP", lossless=True, method=0, quality=20),
        _image("jpeg 95 4:4:4", "JPEG", quality=95, subsampling=0),
    ]


def _row(way: _Way, clips: list[Clip]) -> dict[str, Any]:
    sizes, encoding, decoding, psnrs, ssims, motions = [], [], [], [], [], []
    for clip in clips:
        counts = [min(way.frames, len(clip) - first) for first in range(0, len(clip), way.frames)]
        began = time.process_time()
        pieces = way.encode(clip)
        encoded = time.process_time()
        parts = [way.decode(piece, count, clip.shape[1]) for piece, count in zip(pieces, counts, strict=True)]
        decoded = time.process_time()
        result = np.concatenate(parts)
        sizes.append(sum(map(len, pieces)))
        encoding.append(1000 * (encoded - began))
        decoding.append(1000 * (decoded - encoded))
        psnrs.append(psnr(clip, result))
        ssims.append(ssim(clip, result))
        motions.append(_motion(result) / max(_motion(clip), 1e-9))
    return {
        "codec": way.name, "resolution": clips[0].shape[1], "clips": len(clips),
        "bytes": round(float(np.mean(sizes))), "smaller": sum(clip.size for clip in clips) / sum(sizes),
        "encode_ms": float(np.median(encoding)), "decode_ms": float(np.median(decoding)),
        "psnr": float(np.mean(psnrs)), "worst_psnr": min(psnrs),
        "ssim": float(np.mean(ssims)), "worst_ssim": min(ssims), "motion": float(np.mean(motions)),
    }  # fmt: skip


def psnr(clip: Clip, other: Clip) -> float:
    """Peak signal to noise ratio in dB; infinite for equal clips."""
    error = float(np.mean((clip.astype(np.float32) - other) ** 2))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(clip: Clip, other: Clip) -> float:
    """Structural similarity, the mean over frames and colours, by FFmpeg's filter (8x8 windows)."""
    import av

    graph = av.filter.Graph()
    side = clip.shape[1]
    layout = av.VideoFormat("gbrp", side, side)
    compare, sink = graph.add("ssim"), graph.add("buffersink")
    inputs = [graph.add_buffer(width=side, height=side, format=layout, time_base=Fraction(1, 25)) for _ in range(2)]
    for port, source in enumerate(inputs):
        source.link_to(compare, 0, port)
    compare.link_to(sink)
    graph.configure()
    scores = []
    for at, pair in enumerate(zip(clip, other, strict=True)):
        for source, pixels in zip(inputs, pair, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(format="gbrp")
            frame.pts, frame.time_base = at, Fraction(1, 25)
            source.push(frame)
        scores.append(float(sink.pull().metadata["lavfi.ssim.All"]))
    return float(np.mean(scores))


def _motion(clip: Clip) -> float:
    return float(np.square(np.diff(clip.astype(np.float32), axis=0)).sum(dtype=np.float64))


def _video(name: str, encoder: str, layout: str, **options: str) -> _Way:
    """H.264 in chunks as long as the store's, full range BT.709 where it is not RGB."""
    colours: Any = {"src_colorspace": "ITU709", "dst_colorspace": "ITU709",
                    "src_color_range": "JPEG", "dst_color_range": "JPEG"}  # fmt: skip

    def encode(clip: Clip) -> list[bytes]:
        return [chunk(clip[first : first + codec.CHUNK]) for first in range(0, len(clip), codec.CHUNK)]

    def chunk(frames: Clip) -> bytes:
        from av import VideoFrame
        from av.video.codeccontext import VideoCodecContext

        context: Any = VideoCodecContext.create(encoder, "w")
        context.width, context.height, context.pix_fmt = frames.shape[2], frames.shape[1], layout
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.thread_count, context.options = 1, options
        packets = []
        for at, pixels in enumerate(frames):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame if layout == "rgb24" else frame.reformat(format=layout, **colours)
            frame.pts = at
            packets += context.encode(frame)
        return b"".join(map(bytes, packets + context.encode(None)))

    def decode(piece: bytes, frames: int, resolution: int) -> Clip:
        if layout == "rgb24":
            return codec.planes_to_pixels(codec.pictures(piece), resolution)
        return np.stack([p.reformat(format="rgb24", **colours).to_ndarray() for p in codec.pictures(piece)])

    return _Way(name, codec.CHUNK, encode, decode)


def _image(name: str, kind: str, **options: Any) -> _Way:
    def encode(clip: Clip) -> list[bytes]:
        from PIL import Image

        pieces = []
        for pixels in clip:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, kind, **options)
            pieces.append(file.getvalue())
        return pieces

    def decode(piece: bytes, frames: int, resolution: int) -> Clip:
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(piece)).convert("RGB"))[None]

    return _Way(name, 1, encode, decode)
