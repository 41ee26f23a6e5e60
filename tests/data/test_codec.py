"""The compact form: as good as it promises, each chunk alone, always the same, and never fooled by damage."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import codec
from pvswgan.data.codec import CHUNK, CodecError
from pvswgan.data.toyfaces import draw
from tests.data.files import SHARED, needs, noise
from train.benchmark.codec import codec_table, psnr

pytest.importorskip("av")

Clip = np.ndarray


def decoded(chunks: list[bytes], length: int, resolution: int) -> Clip:
    counts = [min(CHUNK, length - first) for first in range(0, length, CHUNK)]
    return np.concatenate([codec.decode(c, n, resolution) for c, n in zip(chunks, counts, strict=True)])


def round_trip(clip: Clip) -> Clip:
    return decoded(codec.encode(clip), len(clip), clip.shape[1])


def motion(clip: Clip) -> float:
    return float(np.square(np.diff(clip.astype(np.float64), axis=0)).sum())


def halved(clip: Clip) -> Clip:
    t, r = clip.shape[:2]
    return np.rint(clip.reshape(t, r // 2, 2, r // 2, 2, 3).mean(axis=(2, 4))).astype(np.uint8)


def real_clip(file: Path) -> Clip:
    import av

    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])[:32]


@pytest.fixture(scope="module")
def face() -> Clip:
    return draw(3, seed=1, resolution=64, frames=40)  # two and a half chunks


@pytest.fixture(scope="module")
def chunks(face: Clip) -> list[bytes]:
    return codec.encode(face)


# ---- quality ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs("trailerfaces")
@pytest.mark.parametrize("name", ["face01", "face14", "face21"])
def test_real_faces_are_near_to_the_pixels(name: str) -> None:
    whole = real_clip(SHARED / "trailerfaces" / f"{name}.mp4")
    for clip in (whole, halved(whole)):
        result = round_trip(clip)
        assert psnr(clip, result) > 51  # measured on all 21: 52.7 and 51.5 at least
        assert 0.99 < motion(result) / motion(clip) < 1.01
        assert np.abs((result.astype(float) - clip).mean(axis=(0, 1, 2))).max() < 0.2  # no colour shift


@needs("actions")
def test_grainy_footage_keeps_its_grain() -> None:
    from PIL import Image

    strip = np.asarray(Image.open(SHARED / "actions" / "0" / "00000002.png").convert("RGB"))
    clip = strip.reshape(64, -1, 64, 3).swapaxes(0, 1)[:32]
    result = round_trip(clip)
    assert psnr(clip, result) > 49.5  # measured: 50.2
    assert 0.975 < motion(result) / motion(clip) < 1.02  # 0.983


def test_drawn_faces_and_pure_noise() -> None:
    clip = draw(0, seed=0, resolution=256, frames=16)
    assert psnr(clip, round_trip(clip)) > 54  # measured: 54.9 at least
    assert psnr(noise(17, 64), round_trip(noise(17, 64))) > 50.5  # measured: 51.5


def test_flat_colours_come_back_exactly() -> None:
    for colour in (*product((0, 255), repeat=3), (128, 128, 128), (7, 200, 90), (254, 1, 127)):
        clip = np.broadcast_to(np.array(colour, dtype=np.uint8), (3, 64, 64, 3))
        assert np.array_equal(round_trip(clip), clip), colour


def test_every_colour_keeps_its_mean() -> None:
    """Patches of saturated colours beside each other, moving: no patch shifts by half a grey level."""
    steps = np.array(list(product((0, 85, 170, 255), repeat=3)), dtype=np.uint8).reshape(8, 8, 3)
    still = steps.repeat(32, axis=0).repeat(32, axis=1)
    clip = np.stack([np.roll(still, (2 * t, t), axis=(0, 1)) for t in range(8)])
    error = np.stack([np.roll(frame, (-2 * t, -t), axis=(0, 1)) for t, frame in
                      enumerate(round_trip(clip).astype(float) - clip)])  # fmt: skip
    assert np.abs(error.reshape(8, 8, 32, 8, 32, 3).mean(axis=(0, 2, 4))).max() < 0.5


# ---- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "side"), [(1, 64), (15, 64), (16, 64), (17, 64), (256, 64), (3, 128), (17, 512),
                                              (1, 1024), (2, 32), (17, 16), (3, 8), (2, 4)])  # fmt: skip
def test_any_length_and_size(length: int, side: int) -> None:
    clip = np.zeros((length, side, side, 3), dtype=np.uint8)
    clip[:, : side // 2] = (200, 30, 60)
    clip[:, :, : side // 4] += (np.arange(length) * 5 % 50).astype(np.uint8)[:, None, None, None]  # a flicker
    chunks = codec.encode(clip)
    assert len(chunks) == -(-length // CHUNK) and all(isinstance(chunk, bytes) for chunk in chunks)
    result = decoded(chunks, length, side)
    assert result.shape == clip.shape and result.dtype == np.uint8
    assert np.abs(result.astype(int) - clip).max() <= 4


def test_black_is_black_and_takes_nothing() -> None:
    black = np.zeros((32, 256, 256, 3), dtype=np.uint8)
    chunks = codec.encode(black)
    assert not decoded(chunks, 32, 256).any() and sum(map(len, chunks)) < 1200


@pytest.mark.parametrize("clip", [np.zeros((2, 8, 4, 3), np.uint8), np.zeros((2, 8, 8, 4), np.uint8),
                                  np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8),
                                  np.zeros((2, 8, 8, 3), np.float32)])  # fmt: skip
def test_what_is_no_clip_is_refused(clip: Clip) -> None:
    with pytest.raises(ValueError, match=rf"frames are .*{clip.shape[0]}.*allowed: "):
        codec.encode(clip)


# ---- chunks -------------------------------------------------------------------------------------------------------


def test_each_chunk_stands_alone(face: Clip, chunks: list[bytes]) -> None:
    assert len(chunks) == 3
    alone = codec.decode(chunks[1], CHUNK, 64)
    assert np.array_equal(alone, decoded(chunks, 40, 64)[16:32])
    assert psnr(face[16:32], alone) > 50
    other = face.copy()
    other[:16] = 255 - other[:16]
    assert codec.encode(other)[1:] == chunks[1:]  # nothing of a chunk depends on its neighbours
    assert np.array_equal(codec.decode(memoryview(chunks[2]), 8, 64), codec.decode(chunks[2], 8, 64))


@pytest.mark.slow
def test_the_same_frames_give_the_same_bytes(face: Clip, chunks: list[bytes]) -> None:
    assert codec.encode(face) == chunks
    mirrored = face[:, :, ::-1]  # not contiguous
    assert codec.encode(mirrored) == codec.encode(mirrored.copy())
    script = (
        "import sys, hashlib; from pvswgan.data import codec; from pvswgan.data.toyfaces import draw\n"
        "print(hashlib.sha256(b''.join(codec.encode(draw(3, seed=1, resolution=64, frames=40)))).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_many_threads_at_once(face: Clip, chunks: list[bytes]) -> None:
    whole = decoded(chunks, 40, 64)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(decoded, chunks, 40, 64) for _ in range(40)]
        encoding = [pool.submit(codec.encode, face) for _ in range(4)]
        assert all(np.array_equal(job.result(), whole) for job in jobs)
        assert all(job.result() == chunks for job in encoding)


def test_players_read_the_files_of_a_store(chunks: list[bytes]) -> None:
    import av

    with av.open(io.BytesIO(b"".join(chunks)), format="h264") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.array_equal(np.stack(frames), decoded(chunks, 40, 64))


# ---- damage -------------------------------------------------------------------------------------------------------


def resealed(stream: bytes) -> bytes:
    """With the checksum of what is there: as damage looks that no checksum sees."""
    return stream + codec._CHECK + b"%08x" % zlib.crc32(stream)


def test_damage_is_told(chunks: list[bytes]) -> None:
    chunk, rng = chunks[0], np.random.default_rng(0)
    for position in [*rng.integers(0, len(chunk), 50), 0, len(chunk) - 1, len(chunk) - 10]:
        broken = bytearray(chunk)
        broken[position] ^= 1 << int(rng.integers(8))
        with pytest.raises(CodecError, match="damaged: its checksum"):
            codec.decode(bytes(broken), CHUNK, 64)
    for length in (0, 1, 11, 12, 13, len(chunk) // 2, len(chunk) - 1):
        with pytest.raises(CodecError, match=f"a chunk of {length} bytes is damaged"):
            codec.decode(chunk[:length], CHUNK, 64)
    with pytest.raises(CodecError, match="damaged"):
        codec.decode(chunk + b"\0", CHUNK, 64)


def test_damage_behind_the_checksum_never_crashes(chunks: list[bytes]) -> None:
    """Wrong pixels or a sentence; run in this process, so a crash of the decoder would be seen."""
    stream, rng = chunks[0][: -codec._CHECK_BYTES], np.random.default_rng(1)
    told = 0
    for trial in range(150):
        broken = bytearray(stream)
        if trial % 3 == 0:
            del broken[int(rng.integers(len(broken))) :]
        for position in rng.integers(0, max(1, len(broken)), 1 + trial % 5):
            if position < len(broken):
                broken[position] ^= 1 << int(rng.integers(8))
        try:
            frames = codec.decode(resealed(bytes(broken)), CHUNK, 64)
            assert frames.shape == (CHUNK, 64, 64, 3)
        except CodecError:
            told += 1
    assert told > 30  # those that were cut at least


@pytest.mark.parametrize("stream", [b"", b"not a video", bytes(1000), b"\0\0\0\1" * 50, b"\xff" * 1000])
def test_what_is_no_video_is_told(stream: bytes) -> None:
    with pytest.raises(CodecError, match=r"cannot be decoded|holds 0 frames"):
        codec.decode(resealed(stream), CHUNK, 64)


def test_other_frames_than_expected_are_told(chunks: list[bytes]) -> None:
    with pytest.raises(CodecError, match=r"holds 16 frames .*64.*; 15 of 64x64 gbrp expected"):
        codec.decode(chunks[0], 15, 64)
    with pytest.raises(CodecError, match="16 of 128x128 gbrp expected"):
        codec.decode(chunks[0], CHUNK, 128)


# ---- without PyAV -------------------------------------------------------------------------------------------------


def test_missing_library_is_named(face: Clip, chunks: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(CodecError, match="^reading this compact store needs the package av$"):
        codec.decode(chunks[0], CHUNK, 64)
    with pytest.raises(CodecError, match="^making a compact store needs the package av with the encoder libx264rgb$"):
        codec.encode(face)


@pytest.mark.slow
def test_nothing_is_imported_before_it_is_needed() -> None:
    script = "import sys, train.benchmark.codec; print(sorted({'av', 'PIL'} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


# ---- the table of `python -m train.benchmark` ---------------------------------------------------------------------


@pytest.mark.slow
def test_the_table_of_codecs(face: Clip) -> None:
    rows = codec_table([face, halved(face), face[:, :, ::-1]])
    assert [row["resolution"] for row in rows] == [64] * 5 + [32] * 5 and [row["clips"] for row in rows[::5]] == [2, 1]
    ours, lossless, files, webp, jpeg = rows[:5]
    assert ours["codec"] == "h264 of the store" and ours["psnr"] > 50 and 0.99 < ours["worst_ssim"] <= ours["ssim"] < 1
    for row in (lossless, webp):
        assert row["psnr"] == row["worst_psnr"] == float("inf") and row["ssim"] == row["motion"] == 1
    assert files["bytes"] < ours["bytes"] < lossless["bytes"] < face.nbytes  # and the fewer, the worse:
    assert files["psnr"] < jpeg["psnr"] < ours["psnr"]
    assert ours["smaller"] == pytest.approx(face.nbytes / ours["bytes"], rel=0.01)
    assert all(row["encode_ms"] > 0 and row["decode_ms"] > 0 for row in rows)
