"""From folders to stores: layouts, decoding, broken files, the cache."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvswgan.data import ClipStore, DataError, decode, open_store, toyfaces
from pvswgan.data.sources import SOURCES, cache_folder, find_source, list_files
from tests.data.files import SHARED, blocks, needs, noise, write_strip, write_video


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pixels(store: ClipStore, clip: int, resolution: int) -> np.ndarray:
    """float (T, R, R, 3), 0 to 255: all of one clip."""
    length = int(store.lengths[clip])
    read = store.read([clip], [0], length, 1, (length, resolution))
    return (read[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5


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
    clip = noise(3, 32)
    write_strip(data / "0.png", clip)
    found = pixels(open_store("strips", data, 8, frames=3), 0, 8)
    assert np.abs(found - clip.reshape(3, 8, 4, 8, 4, 3).mean(axis=(2, 4))).max() <= 0.5 + 1e-4


def test_any_factor_keeps_the_frame_and_its_mean(data: Path) -> None:
    clip = noise(3, 25)
    write_strip(data / "0.png", clip)
    found = pixels(open_store("strips", data, 16, frames=3), 0, 16)
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
    assert np.abs(decode.area_mean(picture, resolution) - want).max() <= 0.5 + 1e-9


def test_class_folders_are_the_labels_sorted(data: Path) -> None:
    for name in ("walk/1.png", "walk/0.png", "bend/deep/0.png", "0.png", ".hidden/0.png", "walk/.0.png"):
        write_strip(data / name, noise(3, 8))
    store = open_store("auto", data, 8, frames=3)
    assert store.classes == ["all", "bend", "walk"]
    assert store.sources == ["0.png", "bend/deep/0.png", "walk/0.png", "walk/1.png"]
    assert store.labels.tolist() == [0, 1, 2, 2]


def test_flat_files_are_one_class(data: Path) -> None:
    write_strip(data / "0.png", noise(3, 8))
    store = open_store("auto", data, 8, frames=3)
    assert store.classes == ["all"] and store.labels.tolist() == [0]


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


# --- broken files


def break_files(folder: Path) -> dict[str, str]:
    """One file of each kind that is no use, and words of the reason that is to be given."""
    folder.mkdir(exist_ok=True)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no film\n" * 200)
    whole = write_video(folder / "cut.mp4", noise(40, 64)).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    write_video(folder / "sound.mp4", None, sound=True)
    write_video(folder / "small.mp4", blocks(4, 16, 24))
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    return {
        "empty.mp4": "is empty",
        "text.mp4": "cannot be decoded: Invalid data",
        "cut.mp4": "cannot be decoded",
        "sound.mp4": "has no video stream",
        "small.mp4": "24x16 pixels, fewer than the resolution 32; greatest allowed: 16",
        "list.mp4": "cannot be decoded",
    }


def test_broken_videos_are_named_and_skipped(data: Path) -> None:
    reasons = break_files(data)
    write_video(data / "good.mp4", blocks(8, 32, 32))
    store = open_store("auto", data, 32, frames=8)
    assert store.sources == ["good.mp4"]
    assert {entry["file"] for entry in store.skipped} == set(reasons)
    for entry in store.skipped:
        assert reasons[entry["file"]] in entry["reason"], entry
        assert str(data) not in entry["reason"]


def test_nothing_but_broken_files_is_an_error_that_says_why(data: Path, cache: Path) -> None:
    break_files(data)
    with pytest.raises(
        DataError, match="none of the 6 files in .* can be used: cut.mp4 cannot be decoded.* [.][.][.]"
    ):
        open_store("videos", data, 32, frames=8)
    assert not list(cache.iterdir())


def test_broken_strips_are_named_and_skipped(data: Path) -> None:
    write_strip(data / "good.png", noise(8, 16))
    write_strip(data / "small.png", noise(8, 8))
    write_strip(data / "uneven.png", noise(1, 16, 50))
    (data / "empty.png").write_bytes(b"")
    (data / "text.png").write_text("hello")
    (data / "cut.png").write_bytes((data / "good.png").read_bytes()[:3000])
    store = open_store("auto", data, 16, frames=8)
    assert store.sources == ["good.png"]
    reasons = {entry["file"]: entry["reason"] for entry in store.skipped}
    assert reasons["small.png"] == (
        "has frames of 8x8 pixels, fewer than the resolution 16; greatest allowed: 8"
    )
    assert reasons["uneven.png"] == "is 50x16 pixels; the width of a strip is a multiple of its height"
    assert reasons["empty.png"] == "is empty (0 bytes)"
    assert reasons["text.png"].startswith("cannot be decoded: cannot identify image file")
    assert reasons["cut.png"].startswith("cannot be decoded")


def test_a_file_that_breaks_late_leaves_none_of_its_clips(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write_strip(data / name, noise(4, 8))

    def breaks(path: Path, resolution: int):  # type: ignore[no-untyped-def]
        yield from decode.decode_strip(path, resolution)
        if path.name == "b.png":
            raise OSError(5, "Input/output error")

    source = SOURCES["strips"]
    monkeypatch.setitem(SOURCES, "strips", type(source)(source.name, source.suffixes, source.meaning, breaks))
    store = open_store("strips", data, 8, frames=4)
    assert store.sources == ["a.png", "c.png"]
    assert store.skipped == [{"file": "b.png", "reason": "cannot be decoded: Input/output error"}]


def test_too_great_a_resolution_is_refused_with_the_greatest_allowed(data: Path) -> None:
    write_strip(data / "0.png", noise(4, 16))
    write_strip(data / "1.png", noise(4, 40))
    with pytest.raises(DataError, match="resolution is 64, .* 40 pixels a side; greatest allowed: 32"):
        open_store("auto", data, 64, frames=4)


def test_too_many_frames_are_refused_with_the_longest(data: Path) -> None:
    write_strip(data / "0.png", noise(4, 8))
    write_strip(data / "1.png", noise(7, 8))
    with pytest.raises(DataError, match="has 8 frames; the longest has 7"):
        open_store("auto", data, 8, frames=8)


# --- finding out


def test_what_is_not_understood_is_refused_by_name(data: Path) -> None:
    (data / "notes.txt").write_text("x")
    write_strip(data / "photo.png", noise(1, 20, 30))
    with pytest.raises(DataError, match=f"no data is recognised in {data}.*strips.*mp4"):
        open_store("auto", data, 8, frames=4)


def test_a_thumbnail_does_not_make_videos_strips(data: Path) -> None:
    write_video(data / "a.mp4", blocks(3, 16, 16))
    for name in "xyz":
        write_strip(data / f"{name}.png", noise(1, 20, 30))
    assert find_source(data).name == "videos"


@pytest.mark.parametrize(
    ("source", "path", "words"),
    [
        ("movies", ".", "data source is 'movies'; allowed: auto, toyfaces, strips, videos"),
        ("auto", None, "no data path is given"),
        ("strips", "", "no data path is given"),
        ("auto", "/no/such/folder", "data path /no/such/folder does not exist"),
    ],
)
def test_impossible_questions_are_answered_with_a_sentence(source: str, path: str | None, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_store(source, path, 8, frames=4)


def test_a_folder_without_such_files_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match="has no video files"):
        open_store("videos", data, 8, frames=4)


def test_impossible_numbers_are_refused(data: Path) -> None:
    for wrong in ({"resolution": 12}, {"frames": 0}, {"clips": 0}):
        asked = {"resolution": 8, "frames": 4} | wrong
        with pytest.raises(DataError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}; allowed"):
            open_store("auto", data, **asked)  # type: ignore[arg-type]


def test_one_file_and_a_built_store_are_paths_too(data: Path) -> None:
    file = write_strip(data / "0.png", noise(4, 16))
    store = open_store("auto", file, 16, frames=4)
    assert store.sources == ["0.png"] and store.classes == ["all"]
    assert open_store("auto", store.folder, 8, frames=4).folder == store.folder
    with pytest.raises(DataError, match=r"resolution is 32; the store .* has \[16, 8, 4\]"):
        open_store("auto", store.folder, 32, frames=4)


# --- the cache


def test_a_store_is_built_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_strip(data / "0.png", noise(4, 8))
    calls: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, what: str) -> None:
        calls.append((done, total, what))

    first = open_store("auto", data, 8, frames=4, progress=progress)
    assert calls == [(0, 1, "0.png"), (1, 1, "writing the store")]
    calls.clear()
    assert open_store("strips", data, 8, frames=2, progress=progress).folder == first.folder
    assert not calls
    assert open_store("auto", data, 4, frames=4).folder != first.folder


def test_a_changed_file_makes_another_store(data: Path) -> None:
    file = write_strip(data / "0.png", noise(4, 8))
    first = open_store("auto", data, 8, frames=4)
    os.utime(file, ns=(1, 1))
    second = open_store("auto", data, 8, frames=4)
    assert second.folder != first.folder
    names = sorted(entry.name for entry in first.folder.iterdir())
    assert all((first.folder / name).read_bytes() == (second.folder / name).read_bytes() for name in names)


def test_a_damaged_store_is_built_anew(data: Path) -> None:
    write_strip(data / "0.png", noise(4, 8))
    first = open_store("auto", data, 8, frames=4)
    (first.folder / "clips-004.u8").write_bytes(b"")
    assert len(open_store("auto", data, 8, frames=4)) == 1


def test_a_cancelled_build_leaves_nothing(data: Path, cache: Path) -> None:
    for name in "ab":
        write_strip(data / f"{name}.png", noise(4, 8))

    def cancel(done: int, total: int, what: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store("auto", data, 8, frames=4, progress=cancel)
    assert not list(cache.iterdir())


def test_the_cache_is_where_one_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder("/a/b") == Path("/a/b")
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("PVSWGAN_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "pvswgan" / "stores"


def test_fewer_clips_come_from_all_classes(data: Path) -> None:
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        write_strip(data / name, noise(4, 8))
    assert open_store("auto", data, 8, frames=4, clips=2).sources == ["a/0.png", "b/0.png"]
    assert len(open_store("auto", data, 8, frames=4, clips=9)) == 4


def test_fewer_clips_stop_inside_a_long_file(data: Path) -> None:
    write_strip(data / "0.png", noise(600, 4))
    assert open_store("auto", data, 4, frames=4, clips=2).lengths.tolist() == [256, 256]


# --- drawn faces (the drawing itself has its own tests)


def test_toyfaces_are_drawn_into_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(index: int, seed: int = 0, resolution: int = 64, frames: int = 32) -> np.ndarray:
        return np.full((frames, resolution, resolution, 3), index + 100 * seed, dtype=np.uint8)

    monkeypatch.setattr(toyfaces, "draw", draw, raising=False)
    store = open_store("toyfaces", None, 8, frames=4, clips=12, seed=1)
    assert store.lengths.tolist() == [4] * 12 and store.classes == ["all"]
    assert pixels(store, 3, 8).mean() == pytest.approx(103)
    assert open_store("toyfaces", None, 8, frames=4, clips=12, seed=1).folder == store.folder
    for clips, seed, frames in ((12, 2, 4), (13, 1, 4), (12, 1, 5)):
        assert open_store("toyfaces", None, 8, frames=frames, clips=clips, seed=seed).folder != store.folder


# --- real data


@needs("actions")
def test_real_strips() -> None:
    store = open_store("auto", SHARED / "actions", 64, frames=32)
    assert len(store) == 60 and store.lengths.min() == 51 and store.lengths.max() == 146
    assert store.classes == ["0", "1", "3", "4"] and not store.skipped
    assert len(set(store.labels.tolist())) == 4


@needs("shapes")
def test_real_shapes() -> None:
    store = open_store("auto", SHARED / "shapes", 16, frames=32, clips=40)
    assert len(store) == 40 and set(store.lengths.tolist()) == {32} and set(store.labels.tolist()) == {0, 1}


@needs("trailerfaces")
def test_real_videos() -> None:
    store = open_store("auto", SHARED / "trailerfaces", 64, frames=32, clips=4)
    assert len(store) == 4 and store.lengths.tolist() == [32] * 4 and store.fps == 25.0
    assert pixels(store, 0, 64).std() > 10


@needs("actions")
def test_files_are_listed_in_one_order() -> None:
    files = list_files(SHARED / "actions", SOURCES["strips"])
    assert files == sorted(files) and len(files) == 60
