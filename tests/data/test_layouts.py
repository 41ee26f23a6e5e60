"""What lies in a folder is found out by its layout, and every file becomes an item with its class and split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import DataError, open_store
from pvswgan.data.layouts import find, kind_of, walk
from tests.data.files import blocks, noise, pixels, write_strip, write_video


def test_class_folders_are_the_labels_sorted(data: Path) -> None:
    for name in ("walk/1.png", "walk/0.png", "bend/deep/0.png", "0.png", ".hidden/0.png", "walk/.0.png"):
        write_strip(data / name, noise(4, 8))
    store = open_store("auto", data, 8, frames=4)
    assert store.classes == ["all", "bend", "walk"]
    assert store.sources == ["0.png", "bend/deep/0.png", "walk/0.png", "walk/1.png"]
    assert store.labels.tolist() == [0, 1, 2, 2]


def test_flat_files_are_one_class(data: Path) -> None:
    write_strip(data / "0.png", noise(4, 8))
    store = open_store("auto", data, 8, frames=4)
    assert store.classes == ["all"] and store.labels.tolist() == [0]


# --- finding out


def test_what_is_not_understood_is_refused_by_name(data: Path) -> None:
    (data / "notes.txt").write_text("x")
    write_strip(data / "photo.png", noise(1, 20, 30))
    with pytest.raises(DataError, match=f"no data is recognised in {data}.*mp4.*strips.*images.*npy"):
        open_store("auto", data, 8, frames=4)


def test_a_thumbnail_does_not_make_videos_strips(data: Path) -> None:
    write_video(data / "a.mp4", blocks(3, 16, 16))
    for name in "xyz":
        write_strip(data / f"{name}.png", noise(1, 20, 30))
    assert kind_of(data, walk(data)) == "videos"



@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_the_clips_in_arrays_are_counted_by_their_headers(data: Path, name: str) -> None:
    for at in range(3):
        write_video(data / f"{at}.mp4", blocks(4, 16, 16))
    (data / "broken.npy").write_text("no array")  # one, as a video that is broken
    assert kind_of(data, walk(data)) == "videos"
    (np.save if name.endswith("npy") else np.savez)(data / name, np.zeros((3, 4, 8, 8, 3), np.uint8))
    assert kind_of(data, walk(data)) == "array"


def test_files_are_listed_in_one_order_and_links_are_followed_once(data: Path, tmp_path: Path) -> None:
    for name in ("b/1.png", "a/0.png", "a/.hidden.png", "__MACOSX/a.png", ".git/0.png"):
        write_strip(data / name, noise(4, 8))
    (data / "c").symlink_to(tmp_path / "elsewhere")
    write_strip(tmp_path / "elsewhere" / "2.png", noise(4, 8))
    (tmp_path / "elsewhere" / "back").symlink_to(data)
    assert [file.relative_to(data).as_posix() for file in walk(data)] == ["a/0.png", "b/1.png", "c/2.png"]


@pytest.mark.parametrize(("kind", "make"), [
    ("strips", lambda folder: write_strip(folder / "0.png", noise(4, 8))),
    ("frames", lambda folder: [write_strip(folder / "clip" / f"{at}.png", noise(1, 8, 12)) for at in range(3)]),
    ("videos", lambda folder: write_video(folder / "0.mp4", blocks(4, 16, 16))),
    ("array", lambda folder: np.save(folder / "a.npy", noise(4, 8)[None])),
    ("ucf101", lambda folder: write_video(folder / "v_Bow_g01_c01.avi", blocks(4, 16, 16))),
])
def test_each_kind_is_found_by_its_layout(data: Path, kind: str, make) -> None:  # type: ignore[no-untyped-def]
    make(data)
    (data / "readme.txt").write_text("notes")
    found = find(data, "auto", resolution=8)
    assert found.kind == kind and len(found.items) == 1 and found.ignored == 1
    assert found.key() != find(data, kind, resolution=8, fps=5.0).key() or kind not in ("videos", "ucf101")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_strip_that_its_exif_turns_is_known(data: Path, suffix: str) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 8
    clip = blocks(4, 16, 16)
    lying = np.rot90(np.concatenate(list(clip), axis=1), -1)  # to be turned a quarter to the left
    Image.fromarray(lying).save(data / f"0.{suffix}", exif=exif, quality=100, subsampling=0)
    store = open_store("auto", data, 16, frames=4)
    assert store.lengths.tolist() == [4] and np.abs(pixels(store, 0, 16) - clip).mean() < 3


def test_wide_frames_are_no_strips(data: Path) -> None:
    for at in range(6):
        write_strip(data / "clip" / f"{at}.png", noise(1, 8, 16))      # as wide as two frames, as films are
    assert kind_of(data, walk(data)) == "frames"


# --- folders of numbered images


def write_images(folder: Path, clip: np.ndarray, numbers: list[int], stem: str = "", suffix: str = ".png") -> None:
    for frame, number in zip(clip, numbers, strict=True):
        write_strip(folder / f"{stem}{number}{suffix}", frame[None])


def test_numbered_images_come_in_the_order_of_their_numbers(data: Path) -> None:
    clip = noise(12, 8)
    write_images(data / "wave" / "one", clip, list(range(12)))              # 10 comes after 9, not after 1
    write_images(data / "jump" / "two", clip[:5], [1, 2, 3, 4, 5], stem="frame_00")
    store = open_store("auto", data, 8, frames=4)
    assert store.classes == ["jump", "wave"] and store.sources == ["jump/two", "wave/one"]
    assert np.abs(pixels(store, 1, 8) - clip).max() < 1e-4 and store.lengths.tolist() == [5, 12]


def test_a_gap_in_the_numbers_begins_another_clip(data: Path) -> None:
    clip = noise(13, 8)
    write_images(data / "a", clip, [0, 5, 10, 15, 20, 40, 45, 50, 55, 70, 75, 80, 85])   # every fifth frame was kept
    store = open_store("frames", data, 8, frames=4)
    assert store.lengths.tolist() == [5, 4, 4] and store.starts.tolist() == [0, 5, 9]
    assert np.abs(pixels(store, 1, 8) - clip[5:9]).max() < 1e-4


def test_two_series_in_a_folder_are_two_clips_and_a_single_picture_is_none(data: Path) -> None:
    write_images(data / "a", noise(4, 8), [1, 2, 3, 4], stem="left_")
    write_images(data / "a", noise(4, 8, seed=1), [1, 2, 3, 4], stem="right_")
    write_images(data / "b", noise(1, 8), [1])
    (data / "a" / "poster.png").write_bytes((data / "b" / "1.png").read_bytes())
    found = find(data, "frames", resolution=8)
    assert [item.name for item in found.items] == ["a/left", "a/right"] and found.ignored == 2


def test_the_same_numbers_with_two_suffixes_are_two_clips(data: Path) -> None:
    clip = noise(8, 8)
    write_images(data / "a", clip, list(range(8)))
    write_images(data / "a", noise(8, 8, seed=1), list(range(8)), suffix=".jpg")
    write_images(data / "b", clip, list(range(8)))
    write_images(data / "b", clip[:1], [3], suffix=".jpg")  # a preview: alone it is no clip
    write_images(data / "c", clip[:4], [0, 1, 2, 3])
    write_images(data / "c", clip[4:], [4, 5, 6, 7], suffix=".jpg")  # nothing is twice: one clip
    store = open_store("frames", data, 8, frames=8)
    assert store.sources == ["a/images.jpg", "a/images.png", "b", "c"] and store.lengths.tolist() == [8, 8, 8, 8]
    assert not store.skipped and np.abs(pixels(store, 1, 8) - clip).max() < 1e-4


def test_the_folder_of_one_clip_is_a_path_too(data: Path) -> None:
    write_images(data, noise(4, 8), [1, 2, 3, 4], stem="img")
    store = open_store("auto", data, 8, frames=4)
    assert store.sources == ["img"] and store.classes == ["all"]


def test_images_that_are_broken_or_change_size_name_the_image(data: Path) -> None:
    for name in ("size", "broken", "empty"):
        write_images(data / name, noise(5, 8), [1, 2, 3, 4, 5])
    write_images(data / "size", noise(1, 16), [3])
    (data / "broken" / "4.png").write_bytes(b"no picture")
    (data / "empty" / "2.png").write_bytes(b"")
    write_images(data / "good", noise(5, 8), [1, 2, 3, 4, 5])
    store = open_store("frames", data, 8, frames=4)
    assert store.sources == ["good"]
    assert {entry["file"]: entry["reason"] for entry in store.skipped} == {
        "size": "changes its size at 3.png: 16x16 after 8x8 pixels",
        "broken": "4.png cannot be decoded: cannot identify image file '4.png'",
        "empty": "2.png is empty (0 bytes)",
    }


# --- UCF-101


def ucf(folder: Path, names: list[str]) -> None:
    for name in names:
        write_video(folder / name.split("_")[1] / name, blocks(4, 16, 24))


def ucf_lists(folder: Path, train: list[str], test: list[str], classes: list[str], fold: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classInd.txt").write_text("".join(f"{at} {name}\n" for at, name in enumerate(classes, 1)))
    numbers = {name: at for at, name in enumerate(classes, 1)}
    told = "".join(f"{n.split('_')[1]}/{n} {numbers[n.split('_')[1]]}\r\n" for n in train)
    (folder / f"trainlist{fold:02d}.txt").write_bytes(told.encode() + b"\r\n")
    (folder / f"testlist{fold:02d}.txt").write_text("".join(f"{n.split('_')[1]}/{n}\n" for n in test))


BOW, DIVE, DIVE2 = "v_Bow_g01_c01.avi", "v_Dive_g02_c01.avi", "v_Dive_g25_c03.avi"


@pytest.mark.parametrize("where", ["UCF-101/ucfTrainTestlist", "ucfTrainTestlist", "UCF-101"])
def test_ucf101_has_its_classes_and_splits(data: Path, where: str) -> None:
    ucf(data / "UCF-101", [BOW, DIVE, DIVE2])
    ucf_lists(data / where, [BOW, DIVE], [DIVE2], ["Apply", "Bow", "Dive"])
    store = open_store("auto", data / "UCF-101", 16, frames=4)
    assert store.classes == ["Apply", "Bow", "Dive"] and store.labels.tolist() == [1, 2, 2]
    assert store.sources == [f"Bow/{BOW}", f"Dive/{DIVE}", f"Dive/{DIVE2}"]
    assert store.splits == ["train", "train", "test"] and not store.skipped
    assert len(open_store("ucf101", data / "UCF-101", 16, frames=4, split="test").usable(4, split="test")) == 1
    with pytest.raises(DataError, match="is of the split 'val'; its splits: test, train"):
        open_store("ucf101", data / "UCF-101", 16, frames=4, split="val")


def test_the_three_folds_of_ucf101_differ(data: Path) -> None:
    ucf(data, [BOW, DIVE, DIVE2])
    ucf_lists(data / "lists", [BOW, DIVE], [DIVE2], ["Bow", "Dive"])
    ucf_lists(data / "lists", [BOW, DIVE2], [DIVE], ["Bow", "Dive"], fold=2)
    assert open_store("auto", data, 16, frames=4, fold=2).splits == ["train", "test", "train"]
    assert open_store("auto", data, 16, frames=4, fold=1).splits == ["train", "train", "test"]
    with pytest.raises(DataError, match="fold is 3, and .*trainlist03.txt does not exist; the lists there: testlist01"):
        open_store("auto", data, 16, frames=4, fold=3)


def test_files_that_the_lists_promise_and_that_are_not_there_are_named(data: Path) -> None:
    ucf(data, [BOW, DIVE])
    ucf_lists(data / "lists", [BOW, DIVE, "v_Apply_g01_c01.avi"], [DIVE2], ["Apply", "Bow", "Dive"])
    store = open_store("ucf101", data, 16, frames=4)
    # not those of a class of which there is none at all
    assert store.skipped == [{"file": DIVE2, "reason": "is named in the train and test lists, and is not there"}]


def test_ucf101_without_lists_or_with_broken_ones(data: Path) -> None:
    ucf(data, [BOW, DIVE])
    store = open_store("auto", data, 16, frames=4)
    assert store.classes == ["Bow", "Dive"] and set(store.splits) == {""}
    ucf_lists(data / "lists", [BOW], [DIVE], ["Bow", "Dive"])
    (data / "lists" / "testlist01.txt").write_text("what is this?\n")
    with pytest.raises(DataError, match="line 1 of .*testlist01.txt is 'what is this.'; that is no line of a UCF-101"):
        open_store("auto", data, 16, frames=4)
