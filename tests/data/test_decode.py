"""From one file to clips: strips, images, videos, their timing, and files that are broken in every way."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvswgan.data import open_store
from pvswgan.data.decode import read_images, read_strip, read_video, timing_of
from pvswgan.data.pieces import BadFile, Drop, Piece
from pvswgan.data.pixels import area_mean
from tests.data.files import blocks, noise, pixels, write_film, write_strip, write_timed, write_video

# --- strips


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_strips_come_through_pixel_for_pixel(data: Path, mode: str) -> None:
    clip = noise(6, 16)
    write_strip(data / "wave" / "0.png", clip, mode)
    store = open_store("auto", data, 16, frames=6)
    assert store.classes == ["wave"] and store.sources == ["wave/0.png"]
    assert np.abs(pixels(store, 0, 16) - clip).max() < 1e-4


@pytest.mark.parametrize("name", ["0.png", "0.PNG", "0.jpg", "0.jpeg"])
def test_grey_strips_and_every_suffix(data: Path, name: str) -> None:
    write_strip(data / name, blocks(4, 16, 16), "L")
    found = pixels(open_store("auto", data, 16, frames=4), 0, 16)
    assert np.ptp(found, axis=-1).max() < 1e-4


def test_a_whole_factor_is_one_box_mean(data: Path) -> None:
    clip = noise(4, 32)
    write_strip(data / "0.png", clip)
    found = pixels(open_store("strips", data, 8, frames=4), 0, 8)
    assert np.abs(found - clip.reshape(4, 8, 4, 8, 4, 3).mean(axis=(2, 4))).max() <= 0.5 + 1e-4


def test_any_factor_keeps_the_frame_and_its_mean(data: Path) -> None:
    clip = noise(4, 25)
    write_strip(data / "0.png", clip)
    found = pixels(open_store("strips", data, 16, frames=4), 0, 16)
    assert (
        np.abs(found.mean(axis=(1, 2)) - clip.mean(axis=(1, 2))).max() < 0.1
    )  # no neighbouring frame leaks in


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_area_mean_is_the_mean_of_the_area(first: int, second: int) -> None:
    resolution, side = sorted((first, second))
    picture = noise(1, side, seed=side)[0]
    fine = picture.repeat(resolution, axis=0).repeat(resolution, axis=1)  # every border lies between pixels
    want = fine.reshape(resolution, side, resolution, side, 3).mean(axis=(1, 3))
    assert np.abs(area_mean(picture, resolution) - want).max() <= 0.5 + 1e-9


# --- videos


@pytest.mark.parametrize("name", ["v.mp4", "v.avi", "v.mkv", "v.mov", "v.m4v", "v.MP4"])
def test_videos_are_cropped_to_the_centre_square(data: Path, name: str) -> None:
    clip = blocks(12, 32, 64)
    write_video(data / name, clip, rate=10)
    store = open_store("auto", data, 32, frames=12)
    assert store.lengths.tolist() == [12] and store.fps == pytest.approx(10.0)
    assert np.abs(pixels(store, 0, 32) - clip[:, :, 16:48]).mean() < 4


def test_upright_videos_are_cropped_too(data: Path) -> None:
    clip = blocks(8, 96, 64)
    write_video(data / "v.mp4", clip)
    found = pixels(open_store("videos", data, 32, frames=8), 0, 32)
    square = clip[:, 16:80].reshape(8, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(found - square).mean() < 4


def test_gif_and_webm(data: Path) -> None:
    clip = blocks(5, 32, 32)
    write_video(data / "a.gif", clip, codec="gif")
    write_video(data / "b.webm", clip, codec="libvpx-vp9")
    store = open_store("auto", data, 32, frames=5)
    assert store.lengths.tolist() == [5, 5]
    assert np.abs(pixels(store, 1, 32) - clip).mean() < 6


def test_sound_is_left_out(data: Path) -> None:
    write_video(data / "v.mp4", blocks(6, 32, 32), sound=True)
    assert open_store("auto", data, 32, frames=6).lengths.tolist() == [6]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotation_is_honoured(data: Path, tmp_path: Path, quarters: int) -> None:
    """A phone stores a turned picture, and how far to turn it clockwise in the track header's matrix."""
    flat = write_video(tmp_path / "flat.mp4", blocks(4, 32, 48))
    cosine, sine = ((0, 1), (-1, 0), (0, -1))[quarters - 1]
    matrix = struct.pack(">9i", *(v << 16 for v in (cosine, sine, 0, -sine, cosine, 0, 0, 0)), 1 << 30)
    header = bytearray(flat.read_bytes())
    at = header.index(b"tkhd") + 44
    header[at : at + 36] = matrix
    (data / "turned.mp4").write_bytes(header)
    upright = pixels(open_store("videos", data, 32, frames=4), 0, 32)
    stored = pixels(open_store("videos", flat, 32, frames=4), 0, 32)
    assert np.array_equal(upright, np.rot90(stored, -quarters, axes=(1, 2)))


@pytest.mark.parametrize(("shape", "aspect", "box"), [
    ((64, 48), Fraction(2), (slice(None), slice(8, 40))),  # shown 96x64
    ((64, 96), Fraction(1, 2), (slice(8, 56), slice(None))),  # shown 48x64
    ((64, 96), Fraction(100), (slice(None), slice(16, 80))),  # no pixel is like that
])
def test_pixels_that_are_not_square_are_honoured(data: Path, shape: tuple[int, int], aspect: Fraction,
                                                 box: tuple[slice, slice]) -> None:
    clip = blocks(4, *shape)
    file = write_film(data / "v.mkv", clip, aspect=aspect)
    [piece] = read_video(file, 32)
    square = clip[:, *box]
    want = np.stack([area_mean(frame, 32) for frame in square])
    assert piece.frames.shape == (4, 32, 32, 3) and np.abs(piece.frames.astype(int) - want).mean() < 4
    if aspect == 2:
        with pytest.raises(BadFile, match="has frames of 32x64 pixels, fewer than the resolution 64; .* 32"):
            list(read_video(file, 64))


def test_a_long_video_becomes_clips_of_at_most_256_frames(data: Path) -> None:
    write_video(data / "v.avi", blocks(600, 16, 16), codec="mpeg4")
    store = open_store("auto", data, 8, frames=16)
    assert store.lengths.tolist() == [256, 256, 88]
    assert store.starts.tolist() == [0, 256, 512] and store.sources == ["v.avi"] * 3


def test_a_long_strip_is_cut_too(data: Path) -> None:
    clip = noise(300, 4)
    write_strip(data / "0.png", clip)
    store = open_store("auto", data, 4, frames=16)
    assert store.lengths.tolist() == [256, 44]
    assert np.abs(pixels(store, 1, 4) - clip[256:]).max() < 1e-4


# --- images one by one, and the shapes that pictures come in


def test_sixteen_bit_greys_keep_their_high_byte(data: Path) -> None:
    from PIL import Image

    grey = np.arange(4 * 8 * 8, dtype=np.uint16).reshape(4, 8, 8) * 250
    Image.fromarray(np.concatenate(list(grey), axis=1)).save(data / "0.png")
    found = pixels(open_store("strips", data, 8, frames=4), 0, 8)
    assert np.abs(found - (grey >> 8)[..., None]).max() < 1e-4


def test_images_one_after_another_are_cut_at_256(data: Path) -> None:
    files = [write_strip(data / f"{at}.png", noise(1, 4, seed=at)) for at in range(260)]
    pieces = list(read_images(files, range(260), 4))
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 256), (256, 260)]
    assert np.array_equal(pieces[1].frames[3], noise(1, 4, seed=259)[0])


def write_turned(path: Path, pixels: np.ndarray, orientation: int) -> Path:
    """An image that EXIF says to turn, from one that is upright."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    stored = {1: pixels, 3: np.rot90(pixels, 2), 6: np.rot90(pixels), 8: np.rot90(pixels, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_images_are_turned_as_their_exif_says(data: Path, suffix: str) -> None:
    clip = blocks(4, 24, 32)
    files = [write_turned(data / f"{at}{suffix}", frame, turn)
             for at, (frame, turn) in enumerate(zip(clip, (1, 6, 3, 8), strict=True))]
    [piece] = read_images(files, range(4), 16)  # of one size, turned
    want = np.stack([area_mean(frame[:, 4:28], 16) for frame in clip])
    assert np.abs(piece.frames.astype(int) - want).mean() < (4 if suffix == ".webp" else 0.1)


def test_an_exif_that_is_broken_leaves_the_picture(data: Path) -> None:
    from PIL import Image

    Image.fromarray(blocks(1, 16, 16)[0]).save(data / "0.jpg", exif=b"Exif\0\0no exif at all")
    assert len(next(iter(read_images([data / "0.jpg"], [0], 16))).frames) == 1


def test_a_strip_that_is_broken_says_so(data: Path) -> None:
    file = write_strip(data / "a.png", noise(1, 8, 20))
    with pytest.raises(BadFile, match="is 20x8 pixels; the width of a strip is a multiple of its height"):
        list(read_strip(file, 8))


# --- the time of a video's frames


@pytest.mark.parametrize("fps", [None, 5, 20])
def test_a_jump_in_time_ends_a_clip_and_is_told(data: Path, fps: float | None) -> None:
    """Packets are lost, as where a cluster of an mkv is damaged: nothing says so but the time."""
    before, gap, after = read_video(write_film(data / "v.mkv", numbered(34), lost=range(8, 20)), 32, fps)
    assert isinstance(before, Piece) and isinstance(after, Piece)
    assert gap == Drop(8, 8, "shows nothing new for 1.3 s")
    shown = [number for number in (*range(8), *range(20, 34)) if fps != 5 or number % 2 == 0]
    assert levels(np.concatenate([before.frames, after.frames])) == list(np.repeat(shown, 2 if fps == 20 else 1))
    assert after.start == 8 and after.stop == (21 if fps == 5 else 22)


@pytest.mark.parametrize(("usual", "longest"), [(0.1, 0.9), (0.2, 1.5)])
def test_long_frames_of_a_variable_rate_are_no_jump(data: Path, usual: float, longest: float) -> None:
    """Up to a second, or eight times the usual."""
    times = [*np.arange(8) * usual, *(7 * usual + longest + np.arange(8) * usual)]
    [piece] = read_video(write_timed(data / "v.mp4", numbered(16), times), 32)
    assert isinstance(piece, Piece) and len(set(levels(piece.frames))) == 16


def test_an_mkv_that_is_cut_off_tells_how_much_is_left(data: Path) -> None:
    whole = write_film(data / "v.mkv", noise(60, 32)).read_bytes()
    (data / "v.mkv").write_bytes(whole[: len(whole) // 2])
    piece, rest = read_video(data / "v.mkv", 32)
    assert isinstance(piece, Piece) and isinstance(rest, Drop) and 20 < len(piece.frames) < 40
    ends = len(piece.frames) / 10
    assert (rest.start, rest.stop, rest.reason) == (piece.stop, 60, f"ends at {ends:.1f} of 6.0 s")


def test_sound_that_goes_on_is_no_film_that_is_cut_off(data: Path) -> None:
    [piece] = read_video(write_film(data / "v.mkv", numbered(10), sound_s=5), 32)
    assert isinstance(piece, Piece) and len(piece.frames) == 10


def levels(frames: np.ndarray) -> list[int]:
    """The number of the source frame that each frame shows: its blue level tells."""
    return [round((float(blue) - 40) / 6) for blue in frames[..., 2].mean(axis=(1, 2))]


def numbered(frames: int) -> np.ndarray:
    """uint8 (T, 32, 32, 3): frame n is grey, with level 40 + 6 n; at most 34 frames."""
    clip = np.zeros((frames, 32, 32, 3), np.uint8)
    clip[...] = (40 + 6 * np.arange(frames))[:, None, None, None]
    return clip


@pytest.mark.parametrize(("own", "wanted", "shown"), [
    (30, 15, range(0, 30, 2)),
    (15, 30, np.repeat(range(30), 2)),
    (30, 10, range(0, 30, 3)),
    (24, 24, range(30)),
    (30, 24, [int(np.floor(k * 30 / 24 + 0.25)) for k in range(24)]),
])
def test_a_video_is_brought_to_a_rate_by_time(data: Path, own: int, wanted: int, shown) -> None:  # type: ignore[no-untyped-def]
    file = write_video(data / "v.mp4", numbered(30), rate=own)
    [piece] = read_video(file, 32, wanted)
    assert piece.fps == wanted and levels(piece.frames) == list(shown)
    assert (piece.start, piece.stop) == (0, max(shown) + 1)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_rounded_time_stamps_are_a_constant_rate(data: Path, suffix: str) -> None:
    """29.97 a second in whole milliseconds: 33, 34, 33 ... no frame may be doubled or lost."""
    file = write_timed(data / f"v{suffix}", numbered(34), [n * 1001 / 30000 for n in range(34)])
    timing = timing_of(file)
    assert timing.even and timing.fps == pytest.approx(29.97, abs=0.05)
    [piece] = read_video(file, 32)
    assert levels(piece.frames) == list(range(34))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_variable_rate_is_made_constant_by_time(data: Path, suffix: str) -> None:
    """Eight frames at 10 a second, four that each stand twice as long, then eight at 10 again."""
    times = [*np.arange(8) * 0.1, *(0.8 + np.arange(4) * 0.2), *(1.6 + np.arange(8) * 0.1)]
    [piece] = read_video(write_timed(data / f"v{suffix}", numbered(20), times), 32)
    assert piece.fps == pytest.approx(10.0)
    assert levels(piece.frames) == [*range(8), *np.repeat(range(8, 12), 2), *range(12, 20)]


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg4", ".avi")])
@pytest.mark.parametrize("fps", [None, 5])
def test_damaged_frames_are_cut_out_up_to_the_next_that_stands_alone(
    data: Path, codec: str, suffix: str, fps: float | None
) -> None:
    file = write_video(data / f"v{suffix}", noise(60, 32), codec=codec)
    held, rng = bytearray(file.read_bytes()), np.random.default_rng(1)
    for at in rng.integers(len(held) // 3, len(held) // 2, 30):
        held[at] ^= 0xFF
    file.write_bytes(held)
    before, drop, *after = read_video(file, 32, fps)
    assert isinstance(before, Piece) and isinstance(drop, Drop) and "is damaged" in drop.reason
    assert 10 < before.stop <= drop.start < drop.stop <= 60 and before.start == 0
    assert not any(isinstance(piece, Drop) or piece.start < drop.stop for piece in after)
    whole = noise(60, 32)[: drop.start]
    shown = whole[:: 1 if fps is None else 2]
    assert len(shown) == len(before.frames) and np.abs(before.frames.astype(int) - shown).mean() < 60


def test_a_variable_rate_is_seen_where_the_clock_ticks_with_the_frames(data: Path) -> None:
    times = [*np.arange(6) * 0.2, *(1.2 + np.arange(20) * 0.1)]  # in steps of 1/10: none of the errors is a rounding
    file = write_timed(data / "v.mp4", numbered(26), times, unit=10)
    [piece] = read_video(file, 32)
    assert piece.fps == pytest.approx(10.0) and levels(piece.frames) == [*np.repeat(range(6), 2), *range(6, 26)]


def test_a_film_that_breaks_off_keeps_what_is_before(data: Path) -> None:
    """Its list of frames is in front, as films for the web have it: the frames at the end are named, and not there."""
    import av

    file = data / "v.mp4"
    with av.open(str(file), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.height = stream.width = 32
        stream.pix_fmt = "yuv420p"
        for picture in noise(60, 32):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
    before, drop = read_video(file, 32)
    assert isinstance(before, Piece) and 25 < len(before.frames) < 45 and before.start == 0
    assert isinstance(drop, Drop) and "is damaged" in drop.reason and drop.start >= len(before.frames)


def test_a_frame_that_stands_for_seconds_ends_its_clip(data: Path) -> None:
    times = [*np.arange(6) * 0.1, *(9.0 + np.arange(8) * 0.1)]
    first, gap, second = read_video(write_timed(data / "v.mkv", numbered(14), times), 32)
    assert isinstance(first, Piece) and isinstance(second, Piece) and gap == Drop(6, 6, "shows nothing new for 8.5 s")
    assert levels(first.frames) == list(range(6)) and levels(second.frames) == list(range(6, 14))
    assert (first.start, first.stop, second.start, second.stop) == (0, 6, 6, 14)


def test_slow_films_are_not_cut_at_every_frame(data: Path) -> None:
    [piece] = read_video(write_timed(data / "v.mkv", numbered(6), [3.0 * n for n in range(6)]), 32)
    assert levels(piece.frames) == list(range(6)) and piece.fps == pytest.approx(1 / 3)
