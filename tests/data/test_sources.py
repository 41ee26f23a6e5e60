"""From a wish to a store: the cache, drawn sets, built stores, and impossible questions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import DataError, open_store, toyfaces
from pvswgan.data.build import Told
from pvswgan.data.sources import Wish, cache_folder, recipe
from tests.data.files import SHARED, needs, noise, pixels, write_strip


@pytest.mark.parametrize(
    ("source", "path", "words"),
    [
        ("movies", ".", "data source is 'movies'; allowed: auto, toyfaces, shapes, videos, ucf101, strips, frames"),
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
    with pytest.raises(DataError, match="frames is 257; allowed: 1 to 256"):
        Wish("videos", data, 8, frames=257)
    assert Wish("shapes", None, 8, frames=257)


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

    def progress(now: Told) -> None:
        calls.append((now.done, now.total, now.item))

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
    names = {entry.name for entry in first.folder.iterdir()} - {"journal.jsonl"}
    assert "meta.json" in names
    assert all((first.folder / name).read_bytes() == (second.folder / name).read_bytes() for name in names)


def test_a_damaged_store_is_built_anew(data: Path) -> None:
    write_strip(data / "0.png", noise(4, 8))
    first = open_store("auto", data, 8, frames=4)
    (first.folder / "shard-00000-004.u8").write_bytes(b"")
    assert len(open_store("auto", data, 8, frames=4)) == 1


def test_a_cancelled_build_is_no_store_and_goes_on_where_it_was(data: Path, cache: Path) -> None:
    for name in "abc":
        write_strip(data / f"{name}.png", noise(4, 8))
    begun: list[int] = []

    def cancel(now: Told) -> None:
        begun.append(now.done)
        if now.done == 2:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            open_store("auto", data, 8, frames=4, progress=cancel)
        assert [folder.name[:14] for folder in cache.iterdir()] == [".strips-data-8"]
    assert begun == [0, 1, 2, 2]
    assert len(open_store("auto", data, 8, frames=4)) == 3


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


def test_fewer_clips_than_there_are_come_from_every_file(data: Path) -> None:
    for name in ("a", "b"):
        write_strip(data / name / "0.png", noise(600, 4))
    assert open_store("auto", data, 4, frames=4, clips=4).sources == ["a/0.png"] * 2 + ["b/0.png"] * 2
    store = open_store("auto", data, 4, frames=4, clips=7)
    assert len(store) == 6 and store.sources == ["a/0.png"] * 3 + ["b/0.png"] * 3


def test_a_broken_file_gives_way_to_another(data: Path) -> None:
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        write_strip(data / name, noise(4, 8))
    (data / "a/0.png").write_bytes(b"no picture")
    store = open_store("strips", data, 8, frames=4, clips=2)
    assert store.sources == ["b/0.png", "a/1.png"] and [entry["file"] for entry in store.skipped] == ["a/0.png"]


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_fewer_clips_of_an_array_are_spread_over_it(data: Path, name: str) -> None:
    """The clips of a class lie together."""
    clips = np.arange(40, dtype=np.uint8)[:, None, None, None, None] * np.ones((1, 4, 4, 4, 3), np.uint8)
    if name == "a.npy":
        np.save(data / name, clips)
    else:
        np.savez(data / name, clips=clips, labels=np.arange(40) // 10)
    for count, wanted in ((4, [0, 10, 20, 30]), (3, [0, 13, 26]), (40, list(range(40))), (99, list(range(40)))):
        store = open_store("array", data, 4, frames=4, clips=count)
        assert [int(pixels(store, clip, 4).mean().round()) for clip in range(len(store))] == wanted
        assert store.labels.tolist() == ([value // 10 for value in wanted] if name == "a.npz" else [0] * len(wanted))


def test_long_clips_of_an_array_count_as_they_are_cut(data: Path) -> None:
    for name, count in (("a.npz", 6), ("b.npz", 1)):
        np.savez(data / name, clips=np.zeros((count, 300, 4, 4, 3), np.uint8))
    store = open_store("array", data, 4, frames=4, clips=7)
    assert len(store) == 7 and store.sources.count("b.npz") == 1


def test_a_recipe_says_what_it_makes(data: Path) -> None:
    for name in "ab":
        write_strip(data / f"{name}.png", noise(4, 8))
    assert recipe(Wish("auto", data, 8)).about == f"strips: {data}, 8 pixels"
    drawn = recipe(Wish("shapes", None, 32, 4, 2, seed=3))
    assert drawn.about == "shapes: 2 clips of 4 frames, seed 3, 32 pixels"


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
