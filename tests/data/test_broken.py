"""Files that are broken in every way: each is named with its reason, and none ends an import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import DataError, open_store
from tests.data.files import blocks, noise, write_film, write_strip, write_video

DAMAGED = "is damaged: these frames cannot be put together"
# file -> what the report says of it, and the lengths of the clips that it gives all the same
BROKEN: dict[str, tuple[str, list[int]]] = {
    "empty.mp4": ("is empty (0 bytes)", []),
    "text.mp4": ("cannot be decoded: Invalid data", []),
    "zeros.mp4": ("cannot be decoded: Invalid data", []),
    "random.mp4": ("cannot be decoded: Invalid data", []),
    "cut.mp4": ("cannot be decoded: Invalid data", []),  # its list of frames is at its end
    "cut.avi": (DAMAGED, [19]),
    "flipped.avi": (DAMAGED, [12, 19]),
    "cut.mkv": ("ends at 1.9 of 4.0 s", [19]),
    "lost.mkv": ("shows nothing new for 1.1 s", [10, 20]),  # a stretch without packets
    "hollow.mp4": ("cannot be decoded: Invalid data", []),  # whole heads, and zeros for frames
    "sound.mp4": ("has no video stream", []),
    "small.mp4": ("has frames of 24x16 pixels, fewer than the resolution 32; greatest allowed: 16", []),
    "short.mp4": ("has 3 frames, fewer than 4", []),
    "picture.mp4": ("has 1 frame, fewer than 4", []),  # a photograph that calls itself a film
    "gone.mp4": ("cannot be decoded: No such file or directory", []),  # a link to nothing
    "list.mp4": ("cannot be decoded", []),  # a playlist that names an address
    "passwords.mp4": ("cannot be decoded: Operation not permitted", []),  # one that names another file
}


def break_files(folder: Path) -> None:
    """One file of each kind."""
    whole = write_video(folder / "cut.mp4", noise(40, 64)).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    hollow = bytearray(whole)
    first, last = hollow.index(b"mdat") + 4, hollow.index(b"moov") - 4
    hollow[first:last] = bytes(last - first)
    (folder / "hollow.mp4").write_bytes(hollow)
    avi = write_video(folder / "cut.avi", noise(40, 64)).read_bytes()
    (folder / "cut.avi").write_bytes(avi[: len(avi) // 2])
    flipped = bytearray(avi)
    for at in np.random.default_rng(1).integers(len(avi) // 3, len(avi) // 2, 30):
        flipped[at] ^= 0xFF
    (folder / "flipped.avi").write_bytes(flipped)
    matroska = write_film(folder / "cut.mkv", noise(40, 64)).read_bytes()
    (folder / "cut.mkv").write_bytes(matroska[: len(matroska) // 2])
    write_film(folder / "lost.mkv", noise(40, 64), lost=range(10, 20))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no film\n" * 200)
    (folder / "zeros.mp4").write_bytes(bytes(20_000))
    (folder / "random.mp4").write_bytes(noise(10, 30).tobytes())
    write_video(folder / "sound.mp4", None, sound=True)
    write_video(folder / "small.mp4", blocks(4, 16, 24))
    write_video(folder / "short.mp4", blocks(3, 64, 64))
    write_strip(folder / "picture.png", noise(1, 64)).rename(folder / "picture.mp4")
    (folder / "gone.mp4").symlink_to(folder / "nowhere")
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    (folder / "passwords.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def test_broken_videos_are_named_and_skipped(data: Path) -> None:
    break_files(data)
    write_video(data / "good.mp4", blocks(8, 32, 32))
    store = open_store("auto", data, 32, frames=4)
    wanted = [name for name, (_, lengths) in sorted((BROKEN | {"good.mp4": ("", [8])}).items()) for _ in lengths]
    assert store.sources == wanted
    assert {entry["file"] for entry in store.skipped} == set(BROKEN)
    for entry in store.skipped:
        words, _ = BROKEN[entry["file"]]
        assert entry["reason"].startswith(words), entry
        assert str(data) not in entry["reason"]
    for name, (_, lengths) in BROKEN.items():
        assert [int(n) for n, source in zip(store.lengths, store.sources, strict=True) if source == name] == lengths


def test_nothing_but_broken_files_is_an_error_that_says_why(data: Path, cache: Path) -> None:
    break_files(data)
    for name in ("cut.avi", "flipped.avi", "cut.mkv", "lost.mkv"):  # of which something is left
        (data / name).unlink()
    with pytest.raises(DataError, match="none of the 13 files can be used: cut.mp4 cannot be decoded.* [.][.][.]"):
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
