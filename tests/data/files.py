"""Small data files made on the spot, and the real ones beside the repository."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pvswgan.data import ClipStore, StoreWriter

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where the real data `name` is missing."""
    return pytest.mark.skipif(not (SHARED / name).is_dir(), reason=f"real data {SHARED / name} is missing")


def noise(frames: int, height: int, width: int | None = None, seed: int = 0) -> np.ndarray:
    """uint8 (T, H, W, 3), every byte random."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width or height, 3), dtype=np.uint8)


def build(folder: Path, clips: list[np.ndarray]) -> ClipStore:
    """A store of these clips, two classes and splits in turn, and of one file that was skipped."""
    with StoreWriter(folder, clips[0].shape[1], ["a", "b"]) as writer:
        for number, clip in enumerate(clips):
            writer.add(clip, f"{number}.png", label=number % 2, start=100 * number, fps=10.0 + number,
                       split=("train", "test")[number % 2])
        writer.skip("bad.png", "is empty (0 bytes)")
        return writer.commit()


def blocks(frames: int, height: int, width: int) -> np.ndarray:
    """uint8 (T, H, W, 3) that survives a codec: red rises to the right, green downwards, blue with time."""
    clip = np.zeros((frames, height, width, 3), dtype=np.uint8)
    clip[..., 0] = np.linspace(20, 235, width)
    clip[..., 1] = np.linspace(20, 235, height)[:, None]
    clip[..., 2] = (40 + 6 * np.arange(frames) % 160)[:, None, None]
    return clip


def write_strip(path: Path, clip: np.ndarray, mode: str = "RGB") -> Path:
    """Frames side by side, as a png or jpg."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(clip), axis=1)).convert(mode).save(path)
    return path


def write_video(
    path: Path, clip: np.ndarray | None, rate: int = 10, codec: str = "mpeg4", sound: bool = False
) -> Path:
    """A video file; clip None and sound: one that holds sound only."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        if clip is not None:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.height, stream.width = clip.shape[1:3]
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            stream.bit_rate = 4_000_000
            stream.codec_context.thread_count = 1  # the same bytes however busy the machine is
            for pixels in clip:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode(None))
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            silence.sample_rate = 8000
            container.mux(audio.encode(silence))
            container.mux(audio.encode(None))
    return path


def write_timed(path: Path, clip: np.ndarray, times: list[float], codec: str = "libx264", unit: int = 1000) -> Path:
    """A video whose frames are shown at these times, in seconds, kept in steps of 1/unit."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=unit)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, unit)
        for pixels, time in zip(clip, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(time * unit), Fraction(1, unit)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_film(path: Path, clip: np.ndarray, aspect: Fraction = Fraction(1), lost: range = range(0),
               sound_s: int = 0) -> Path:
    """A film of 10 frames a second, a key frame every 10; aspect: of its pixels; lost: packets that are not there."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "bf": "0"})
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound_s else None
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt, stream.codec_context.sample_aspect_ratio = "yuv420p", aspect
        packets = [packet for picture in clip
                   for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))]
        for at, packet in enumerate([*packets, *stream.encode(None)]):
            if at not in lost:
                container.mux(packet)
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * sound_s), np.int16), format="s16", layout="mono")
            silence.sample_rate = 8000
            container.mux([*sound.encode(silence), *sound.encode(None)])
    return path


def pixels(store: ClipStore, clip: int, resolution: int) -> np.ndarray:
    """float (T, R, R, 3), 0 to 255: all of one clip."""
    length = int(store.lengths[clip])
    read = store.read([clip], [0], length, 1, (length, resolution))
    return (read[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5
