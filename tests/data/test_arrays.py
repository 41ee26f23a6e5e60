"""Arrays of clips, whatever the order of their axes, their numbers and their labels; and files that are none."""

from __future__ import annotations

import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from pvswgan.data import DataError, arrays, open_store
from pvswgan.data.pieces import BadFile
from tests.data.files import noise, pixels

CLIPS = np.stack([noise(5, 8, seed=n) for n in range(3)])  # (3, 5, 8, 8, 3)


@pytest.mark.parametrize(("order", "shape"), [
    ("NTHWC", (0, 1, 2, 3, 4)), ("NCTHW", (0, 4, 1, 2, 3)), ("NTCHW", (0, 1, 4, 2, 3)),
])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_every_order_of_axes_gives_the_same_clips(data: Path, name: str, order: str, shape: tuple[int, ...]) -> None:
    save = np.save if name.endswith("npy") else np.savez_compressed
    save(data / name, np.ascontiguousarray(CLIPS.transpose(shape)))
    assert arrays.look(data / name).order == order
    store = open_store("auto", data, 8, frames=5)
    assert store.lengths.tolist() == [5, 5, 5] and store.starts.tolist() == [0, 5, 10]
    for clip in range(3):
        assert np.abs(pixels(store, clip, 8) - CLIPS[clip]).max() < 1e-4


def test_grey_clips_and_single_ones(data: Path) -> None:
    np.save(data / "grey.npy", CLIPS[:2, ..., 0])
    np.save(data / "one.npy", CLIPS[0])
    np.save(data / "transparent.npy", np.concatenate([CLIPS, CLIPS[..., :1]], axis=4))
    store = open_store("array", data, 8, frames=5)
    assert store.sources == ["grey.npy"] * 2 + ["one.npy"] + ["transparent.npy"] * 3
    assert np.abs(pixels(store, 1, 8) - CLIPS[1, ..., :1]).max() < 1e-4
    assert np.abs(pixels(store, 2, 8) - CLIPS[0]).max() < 1e-4
    assert np.abs(pixels(store, 3, 8) - CLIPS[0]).max() < 1e-4


@pytest.mark.parametrize("change", [
    lambda x: (x / 255).astype(np.float32), lambda x: x / 127.5 - 1, lambda x: x.astype(np.int64),
    lambda x: x.astype(np.float64), lambda x: (x / 255).astype(np.float16),
])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_the_range_of_the_whole_file_says_what_black_and_white_are(data: Path, change: Any, suffix: str) -> None:
    dim = CLIPS.copy()
    dim[0] //= 4  # the first clip alone does not reach white: the range is not told from it
    (np.save if suffix == ".npy" else np.savez)(data / f"a{suffix}", change(dim))
    store = open_store("auto", data, 8, frames=5)
    tolerance = 0.51 if change(dim).dtype == np.float16 else 1e-4
    for clip in range(3):
        assert np.abs(pixels(store, clip, 8) - dim[clip]).max() <= tolerance


@pytest.mark.parametrize(("black", "white"), [(0, 1), (-1, 1), (0, 255)])
def test_floats_that_overstep_their_range_a_little_are_clipped(data: Path, black: float, white: float) -> None:
    """A mean over pixels, or half floats, may come out at 1.00001: that does not make it a number of 0 to 255."""
    floats = (CLIPS / 255) * (white - black) + black
    over = 0.009 * (white - black)
    floats[0, 0, 0, 0], floats[1, 0, 0, 0] = (white + over, white + 1e-5, white), (black - over, black - 1e-5, black)
    np.save(data / "a.npy", floats)
    want = CLIPS.copy()
    want[0, 0, 0, 0], want[1, 0, 0, 0] = 255, 0
    store = open_store("array", data, 8, frames=5)
    for clip in range(3):
        assert np.abs(pixels(store, clip, 8) - want[clip]).max() < 1e-4


@pytest.mark.parametrize(("least", "most"), [(0, 1.02), (0, 2), (-0.02, 1), (-0.4, 1), (-1, 1.03), (-3, 200), (0, 258)])
def test_floats_whose_range_is_not_clear_are_refused(data: Path, least: float, most: float) -> None:
    floats = np.full((1, 4, 8, 8, 3), 0.5)
    floats[0, 0, 0, 0, :2] = least, most
    np.save(data / "a.npy", floats)
    with pytest.raises(BadFile) as raised:
        arrays.look(data / "a.npy")
    assert str(raised.value) == (f"holds numbers from {least:g} to {most:g}; allowed: 0 to 1, -1 to 1 (some -0.5 or "
                                 "less), or 0 to 255 (some above 2), overstepped by 1% at most")


@pytest.mark.parametrize("shape", [(3, 6, 8, 8), (6, 3, 8, 8)])  # (C, T, H, W) and (T, C, H, W), as torch has a clip
def test_one_clip_with_its_colours_in_front_is_not_taken_for_grey_clips(data: Path, shape: tuple[int, ...]) -> None:
    np.save(data / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(BadFile) as raised:
        arrays.look(data / "a.npy")
    assert str(raised.value) == (f"is {shape}: grey clips (N, T, H, W), or one in three colours; allowed: "
                                 "(N, T, H, W, 1), or (T, H, W, 3), (1, 3, T, H, W), (1, T, 3, H, W)")


@pytest.mark.parametrize("name", ["label", "labels", "y", "Y", "class", "classes", "target", "targets"])
def test_labels_are_known_by_their_name(data: Path, name: str) -> None:
    np.savez(data / "a.npz", index=np.arange(3), clips=CLIPS, **{name: np.array([4, 0, 4])})
    assert arrays.look(data / "a.npz").labels == (4, 0, 4)
    np.savez(data / "b.npz", index=np.arange(3), clips=CLIPS)
    assert arrays.look(data / "b.npz").labels == ()


@pytest.mark.parametrize(("labels", "words"), [
    ([0, -1, 2], "from -1 to 2"), ([0, 10_000, 2], "from 0 to 10000"), ([0, 1], "that are int64 (2,)"),
    ([0.0, 1.0, 2.0], "that are float64 (3,)"), ([[1, 0], [0, 1], [0, 1]], "that are int64 (3, 2)"),
])
def test_labels_that_are_none_are_refused(data: Path, labels: list[Any], words: str) -> None:
    np.savez(data / "a.npz", clips=CLIPS, y=np.array(labels))
    np.save(data / "good.npy", CLIPS)
    [entry] = open_store("array", data, 8, frames=5).skipped
    assert entry == {"file": "a.npz", "reason": f"has labels (y) {words}; allowed: (3,) of whole numbers from 0 to "
                                                "9999, one for each clip"}


def test_labels_beside_the_clips_are_their_classes(data: Path) -> None:
    np.savez(data / "a.npz", clips=CLIPS, y=np.array([2, 0, 2]), other=np.arange(7))
    store = open_store("auto", data, 8, frames=5)
    assert store.classes == ["0", "1", "2"] and store.labels.tolist() == [2, 0, 2]
    np.save(data / "b.npy", CLIPS)
    with pytest.raises(DataError, match="some of the arrays have labels and some have none"):
        open_store("auto", data, 8, frames=5)


def test_folders_are_the_classes_of_arrays_without_labels(data: Path) -> None:
    for name in ("jump", "wave"):
        (data / name).mkdir()
        np.save(data / name / "a.npy", CLIPS)
    store = open_store("auto", data, 8, frames=5)
    assert store.classes == ["jump", "wave"] and store.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_large_array_is_many_items_and_never_whole_in_memory(data: Path) -> None:
    large = np.lib.format.open_memmap(data / "a.npy", "w+", np.uint8, (300, 16, 64, 64, 3))
    for clip in range(300):
        large[clip] = clip % 256
    large.flush()
    np.savez(data.parent / "b.npz", large)
    for file in (data / "a.npy", data.parent / "b.npz"):
        layout = arrays.look(file)
        tracemalloc.start()
        seen = [int(piece.frames[0, 0, 0, 0]) for piece in arrays.read_array(file, layout, 280, 300, 32)]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seen == [clip % 256 for clip in range(280, 300)]
        assert most < 20 * 16 * 64 * 64 * 3  # bytes of 20 clips, of 300
    from pvswgan.data.layouts import find

    names = [item.name for item in find(data, "array", resolution=32).items]
    assert len(names) == 19 and names[0] == "a.npy[0:16]" and names[-1] == "a.npy[288:300]"


@pytest.mark.parametrize(("made", "words"), [
    (np.zeros((3, 4)), r"is \(3, 4\); allowed: \(N, T, H, W, C\)"),
    (np.zeros((2, 5, 7, 8, 9)), r"is \(2, 5, 7, 8, 9\); allowed"),
    (np.zeros((0, 5, 8, 8, 3)), r"is .*: it holds no pixel"),
    (np.full((1, 4, 8, 8, 3), np.nan), "holds numbers that are not finite"),
    (np.stack([np.zeros((4, 8, 8, 3)), np.full((4, 8, 8, 3), np.nan)]), "holds numbers that are not finite"),
    (np.full((1, 4, 8, 8, 3), 300.0), "holds numbers from 300 to 300; allowed: 0 to 1, -1 to 1"),
    (np.full((1, 4, 8, 8, 3), -7), "holds whole numbers from -7 to -7; allowed: 0 to 255"),
    (np.zeros((1, 4, 8, 8, 3), complex), "holds complex128; allowed: bytes, whole numbers, or floats"),
    (np.zeros((1, 4, 8, 8, 3), "U3"), "holds <U3; allowed"),
])
def test_what_is_no_array_of_clips_is_named(data: Path, made: np.ndarray, words: str) -> None:
    np.save(data / "a.npy", made)
    with pytest.raises(DataError, match=f"no clip can be had: a.npy {words}"):
        open_store("array", data, 8, frames=4)


def test_python_objects_are_never_read(data: Path) -> None:
    np.save(data / "a.npy", np.array([{"a": 1}] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(BadFile, match="holds Python objects, which are not read: they could run any code"):
        arrays.look(data / "a.npy")


def claim(shape: tuple[int, ...], kind: str) -> bytes:
    """The header of an array, without its numbers."""
    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": shape})
    return header.getvalue()


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_no_room_is_made_for_what_a_header_only_claims(data: Path, suffix: str) -> None:
    """A file of some hundred bytes; its labels would take 728 TiB."""
    many, file = 10**14, data / f"a.{suffix}"
    if suffix == "npy":
        file.write_bytes(claim((many, 4, 8, 8, 3), "|u1"))
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("clips.npy", claim((many, 1, 1, 1, 1), "|u1"))
            archive.writestr("labels.npy", claim((many,), "<i8"))
    with pytest.raises(BadFile, match="ends before its last clip"):
        arrays.look(file)


def test_no_room_is_made_for_what_an_archives_directory_only_claims(data: Path) -> None:
    """The directory says 2 GB of each member; its labels would take 1.6 GB."""
    many, file = 2 * 10**8, data / "a.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("clips.npy", claim((many, 1, 1, 1, 1), "|u1"))
        archive.writestr("labels.npy", claim((many,), "<i8"))
        for entry in archive.filelist:
            entry.file_size = 2 * 10**9
    tracemalloc.start()
    with pytest.raises(BadFile):
        arrays.look(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10**8


def test_a_side_below_nothing_is_no_clip(data: Path) -> None:
    (data / "a.npy").write_bytes(claim((-1, 4, 8, 8, 3), "|u1") + bytes(1000))
    with pytest.raises(BadFile, match=r"is \(-1, 4, 8, 8, 3\): it holds no pixel"):
        arrays.look(data / "a.npy")
    assert arrays.count(data / "a.npy") == 1


def test_broken_files_are_named_beside_good_ones(data: Path) -> None:
    np.save(data / "good.npy", CLIPS)
    (data / "text.npy").write_text("no array")
    (data / "empty.npy").write_bytes(b"")
    (data / "cut.npy").write_bytes((data / "good.npy").read_bytes()[:2000])
    np.savez(data / "cut.npz", CLIPS)
    (data / "cut.npz").write_bytes((data / "cut.npz").read_bytes()[:2000])
    np.savez(data / "two.npz", a=CLIPS, b=CLIPS)
    np.savez(data / "none.npz", a=np.arange(3))
    np.savez(data / "fortran.npz", a=np.asfortranarray(CLIPS))
    with zipfile.ZipFile(data / "short.npz", "w") as archive:
        archive.writestr("a.npy", (data / "good.npy").read_bytes()[:1000])
    store = open_store("array", data, 8, frames=5)
    assert store.sources == ["good.npy"] * 3
    reasons = {entry["file"]: entry["reason"] for entry in store.skipped}
    assert reasons["text.npy"].startswith("cannot be decoded") and reasons["cut.npz"].startswith("cannot be decoded")
    assert reasons["empty.npy"] == "is empty (0 bytes)"
    ends = "ends before its last clip: uint8 (3, 5, 8, 8, 3) takes more than "
    assert reasons["cut.npy"] == f"{ends}2000 bytes" and reasons["short.npz"] == f"{ends}1000 bytes"
    assert reasons["two.npz"] == "holds 2 arrays of clips (a, b); one is wanted, (N, T, H, W, C) or alike"
    assert reasons["none.npz"].startswith("holds 0 arrays of clips (none)")
    assert "numpy.ascontiguousarray" in reasons["fortran.npz"]
