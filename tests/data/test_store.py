"""The clip store: what goes in comes out, at every resolution, and nothing half-built is ever opened."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pvswgan.data import ClipStore, DataError, format
from pvswgan.data import store as store_module
from pvswgan.data.format import dump_meta, pyramid, pyramid_sizes
from pvswgan.data.store import TIMES
from tests.data.conftest import LENGTHS
from tests.data.files import build, noise


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, clips: list[np.ndarray]) -> ClipStore:
    return build(tmp_path_factory.mktemp("stores") / "store", clips)


def box(clip: np.ndarray, resolution: int) -> np.ndarray:
    """float64 mean over squares of pixels, made in one go: the definition that the pyramid must meet."""
    factor = clip.shape[1] // resolution
    return clip.reshape(len(clip), resolution, factor, resolution, factor, 3).mean(
        axis=(2, 4), dtype=np.float64
    )


def test_a_store_says_what_is_in_it(store: ClipStore) -> None:
    assert len(store) == 3 and store.resolution == 16 and store.resolutions == [16, 8, 4]
    assert store.lengths.tolist() == list(LENGTHS) and store.labels.tolist() == [0, 1, 0]
    assert store.classes == ["a", "b"] and store.sources == ["0.png", "1.png", "2.png"]
    assert store.fps == 11.0 and store.clip_fps.tolist() == [10.0, 11.0, 12.0]
    assert store.skipped == [{"file": "bad.png", "reason": "is empty (0 bytes)"}]
    assert store.splits == ["train", "test", "train"] and store.factors == {} and store.compact == []
    assert store.starts.tolist() == [0, 100, 200] and store.stops.tolist() == [9, 116, 240]
    assert store.bytes_on_disk() == {size: 65 * size * size * 3 for size in (16, 8, 4)}


def test_usable_counts_the_stride(store: ClipStore) -> None:
    assert store.usable(9, 1).tolist() == [0, 1, 2]
    assert store.usable(8, 2).tolist() == [1, 2]  # needs 15 frames
    assert store.usable(8, 3).tolist() == [2]  # needs 22
    assert store.usable(41).tolist() == []
    assert store.usable(9, 1, "train").tolist() == [0, 2] and store.usable(17, 1, "test").tolist() == []


@pytest.mark.parametrize("resolution", [16, 8, 4])
def test_every_resolution_is_the_box_mean_rounded_once(
    store: ClipStore, clips: list[np.ndarray], resolution: int
) -> None:
    read = store.read([2], [0], 40, 1, (40, resolution))
    pixels = (read[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5
    assert np.abs(pixels - np.rint(box(clips[2], resolution))).max() < 1e-4


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_pyramid_never_drifts_from_the_pixels_it_covers(power: int, seed: int) -> None:
    clip = noise(1, 1 << power, seed=seed)
    for small in pyramid(clip):
        assert small.dtype == np.uint8
        assert np.abs(small - box(clip, small.shape[1])).max() <= 0.5


def expected(
    clip: np.ndarray, start: int, frames: int, stride: int, length: int, time: str, backwards: bool = False
) -> np.ndarray:
    window = clip[start:][::stride][:frames].astype(np.float64)
    group = frames // length
    if time == "average":
        window = window.reshape(length, group, *window.shape[1:]).mean(axis=1)
    window = window[::group] if time == "subsample" else window
    window = window[:length]
    return (window[::-1] if backwards else window) / 127.5 - 1


def test_each_clip_may_have_a_stride_of_its_own(store: ClipStore, clips: list[np.ndarray]) -> None:
    read = store.read([1, 2, 2], [0, 3, 1], 4, [5, 2, 9], (4, 16))
    for clip, i, start, stride in zip(read, (1, 2, 2), (0, 3, 1), (5, 2, 9), strict=True):
        assert np.abs(clip.permute(1, 2, 3, 0).numpy() - expected(clips[i], start, 4, stride, 4, "window")).max() < 1e-6


def test_pixels_are_the_stored_bytes(store: ClipStore, clips: list[np.ndarray]) -> None:
    found = store.pixels([2, 0], [5, 1], 3, 2, 16)
    assert found.dtype == np.uint8 and found.flags.owndata
    assert np.array_equal(found[0], clips[2][5:11:2]) and np.array_equal(found[1], clips[0][1:7:2])


def test_large_windows_are_read_side_by_side(tmp_path: Path) -> None:
    clips = [noise(30, 128, seed=seed) for seed in range(3)]
    store = build(tmp_path, clips)
    order, starts, steps = [2, 0, 1, 2, 0], [1, 0, 3, 7, 5], [1, 1, 1, 1, 1]
    found = store.pixels(order, starts, 23, steps, 128)
    assert found[0].nbytes >= store_module._LARGE
    for row, clip, start in zip(found, order, starts, strict=True):
        assert np.array_equal(row, clips[clip][start:start + 23])
    assert store._readers is not None, "by threads"



@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_read_is_the_window_that_was_asked_for(
    store: ClipStore, clips: list[np.ndarray], data: st.DataObject
) -> None:
    time = data.draw(st.sampled_from(TIMES))
    length, group = data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from([1, 2, 4]))
    stride = data.draw(st.integers(1, 2))
    frames = length * group
    span = (frames - 1) * stride + 1
    usable = store.usable(frames, stride).tolist()
    index = data.draw(st.lists(st.sampled_from(usable), min_size=1, max_size=5))
    start = [data.draw(st.integers(0, LENGTHS[i] - span)) for i in index]
    mirror = [data.draw(st.booleans()) for _ in index]
    reverse = [data.draw(st.booleans()) for _ in index]

    read = store.read(np.array(index), np.array(start), frames, stride, (length, 16), time, np.array(mirror),
                      np.array(reverse))
    assert read.shape == (len(index), 3, length, 16, 16)
    for clip, i, s, turned, backwards in zip(read, index, start, mirror, reverse, strict=True):
        want = expected(clips[i], s, frames, stride, length, time, backwards)
        want = want[:, :, ::-1] if turned else want
        assert np.abs(clip.permute(1, 2, 3, 0).numpy() - want).max() < 1e-6


def test_read_gives_floats_in_channels_last_memory_without_a_copy(store: ClipStore) -> None:
    read = store.read(torch.tensor([0, 1]), torch.tensor([0, 3]), 8, 1, (4, 8))
    assert read.dtype == torch.float32
    assert read.is_contiguous(memory_format=torch.channels_last_3d)
    assert read._base is not None and read._base.is_contiguous()  # a view of (B, T, H, W, C)


def test_black_is_minus_one_and_white_is_one_exactly(tmp_path: Path) -> None:
    clip = np.zeros((32, 4, 4, 3), dtype=np.uint8)
    clip[:, :, 2:] = 255
    made = build(tmp_path / "s", [clip])
    for time in TIMES:
        for length in (32, 8, 1):
            read = made.read([0], [0], 32, 1, (length, 4), time)
            assert read[..., :2].unique().tolist() == [-1.0] and read[..., 2:].unique().tolist() == [1.0]


def test_averages_keep_what_a_byte_would_round_away(tmp_path: Path) -> None:
    clip = np.zeros((4, 4, 4, 3), dtype=np.uint8)
    clip[1] = 1
    read = build(tmp_path / "s", [clip]).read([0], [0], 4, 1, (1, 4))
    assert read.unique().tolist() == pytest.approx([0.25 / 127.5 - 1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": [3]}, "index from 3 to 3; allowed: 0 to 2"),
        ({"index": [-1]}, "allowed: 0 to 2"),
        ({"start": [2]}, "clip 0 has 9 frames; a window of 8 frames cannot start at 2"),
        ({"start": [-1]}, "cannot start at -1"),
        ({"start": [0, 0]}, "must be"),
        ({"stride": 2}, "a window of 15 frames"),
        ({"stride": 0}, "stride 0"),
        ({"size": (3, 16)}, "divisor of the window's 8 frames"),
        ({"size": (16, 16)}, "divisor"),
        ({"size": (16, 16), "time": "window"}, "a window of 8 frames has no more"),
        ({"size": (8, 32)}, r"resolution 32 is not in the store; it has \[16, 8, 4\]"),
        ({"time": "mean"}, "allowed: average, subsample, window"),
    ],
)
def test_read_refuses_what_the_store_does_not_hold(
    store: ClipStore, change: dict[str, object], words: str
) -> None:
    asked = {"index": [0], "start": [0], "frames": 8, "stride": 1, "size": (8, 16)} | change
    with pytest.raises(ValueError, match=words):
        store.read(**asked)  # type: ignore[arg-type]


def test_a_pickled_store_opens_the_files_again(store: ClipStore) -> None:
    store.read([0], [0], 1, 1, (1, 16))  # a file is mapped
    data = pickle.dumps(store)
    assert len(data) < 1000
    assert torch.equal(pickle.loads(data).read([1], [2], 8, 1, (8, 16)), store.read([1], [2], 8, 1, (8, 16)))


@pytest.mark.parametrize("resolution", [0, 2, 3, 48, 2048, -4])
def test_only_powers_of_two_are_resolutions(resolution: int) -> None:
    with pytest.raises(
        DataError, match=f"resolution is {resolution}; allowed: a power of two from 4 to 1024"
    ):
        pyramid_sizes(resolution)


# --- opening what is no store


def test_open_refuses_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a clip store"):
        ClipStore.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is damaged"),
        ("[" * 100000, "is damaged"),
        ("[]", "version None"),
        ('{"version": 1}', "version 1; this program reads version 2: import the data again"),
        ('{"version": 2}', "its checksum is not that"),
    ],
)
def test_open_refuses_a_damaged_meta(tmp_path: Path, clips: list[np.ndarray], text: str, words: str) -> None:
    made = build(tmp_path / "s", clips)
    (made.folder / "meta.json").write_text(text)
    with pytest.raises(DataError, match=words):
        ClipStore.open(made.folder)


@pytest.mark.parametrize(
    "change",
    [{"lengths": []}, {"lengths": [1]}, {"lengths": ["x", 1, 2]}, {"resolution": "a"}, {"fps": 3}, {"shards": []},
     {"shards": [{"clips": 2}, {"clips": 0}]}, {"classes": 3, "chunks": 3, "compact": "h264"}],
)
def test_open_refuses_values_that_do_not_fit(
    tmp_path: Path, clips: list[np.ndarray], change: dict[str, object]
) -> None:
    file = build(tmp_path / "s", clips).folder / "meta.json"
    file.write_bytes(dump_meta(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match="damaged"):
        ClipStore.open(file.parent)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "shard-00000-016.u8/../../x", 5])
def test_open_refuses_files_that_no_store_has(tmp_path: Path, clips: list[np.ndarray], name: str | int) -> None:
    file = build(tmp_path / "s", clips).folder / "meta.json"
    meta = json.loads(file.read_text())
    meta["shards"][0]["files"] = [*meta["shards"][0]["files"], name]
    file.write_bytes(dump_meta(meta))
    with pytest.raises(DataError, match=r"damaged: (a shard's file is called|its shards are none)"):
        ClipStore.open(file.parent)


@pytest.mark.parametrize("compact", ["h265", "h264/../x", "", True, ["h264"]])
def test_open_refuses_a_compact_form_that_nobody_knows(
    tmp_path: Path, clips: list[np.ndarray], compact: object
) -> None:
    file = build(tmp_path / "s", clips).folder / "meta.json"
    file.write_bytes(dump_meta(json.loads(file.read_text()) | {"compact": compact}))
    with pytest.raises(DataError, match="damaged: compact is .*; allowed: null, 'h264'"):
        ClipStore.open(file.parent)


def test_open_refuses_a_single_changed_label(tmp_path: Path, clips: list[np.ndarray]) -> None:
    file = build(tmp_path / "s", clips).folder / "meta.json"
    file.write_text(file.read_text().replace('"labels": [0, 1, 0]', '"labels": [0, 0, 0]'))
    with pytest.raises(DataError, match="its checksum is not that of its contents"):
        ClipStore.open(file.parent)


def test_open_refuses_a_cut_or_missing_file(tmp_path: Path, clips: list[np.ndarray]) -> None:
    file = build(tmp_path / "s", clips).folder / "shard-00000-008.u8"
    os.truncate(file, 100)
    with pytest.raises(DataError, match="shard-00000-008.u8 has 100 bytes, 12480 expected"):
        ClipStore.open(file.parent)
    file.unlink()
    with pytest.raises(DataError, match="shard-00000-008.u8 is missing"):
        ClipStore.open(file.parent)


# --- shards


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SHARD_BYTES", 20 * 16 * 16 * 3)  # 20 frames at 16 pixels


@pytest.mark.usefixtures("small_shards")
def test_clips_fall_into_shards_and_are_read_across_them(tmp_path: Path) -> None:
    many = [noise(length, 16, seed=length) for length in (12, 8, 3, 40, 1, 19)]
    made = build(tmp_path / "s", many)
    assert [shard["clips"] for shard in made.shards] == [2, 1, 1, 2]  # a clip longer than a shard has one of its own
    order = np.array([5, 0, 3, 2, 4, 1])
    for resolution in (16, 4):
        for i in order:
            found = made.pixels([i], [0], len(many[i]), 1, resolution)[0]
            assert np.abs(found - box(many[i], resolution)).max() <= 0.5
    together = made.pixels(order, [0] * 6, 1, 1, 16)
    assert np.array_equal(together[:, 0], np.stack([many[i][0] for i in order]))


def test_shard_files_carry_the_checksum_of_their_bytes(store: ClipStore) -> None:
    for shard in store.shards:
        for name, entry in shard["files"].items():
            data = (store.folder / name).read_bytes()
            assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
