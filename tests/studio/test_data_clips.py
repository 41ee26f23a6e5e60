"""What the Data page is told of a store's clips: pages, walls, pyramids."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pvswgan.data import DataError
from pvswgan.studio import data_clips
from pvswgan.video import split_sheet, to_uint8
from tests.studio import stores

pytestmark = pytest.mark.usefixtures("cache")


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# ---- walls ------------------------------------------------------------------------------------------------------


def test_clips_of_a_class_and_a_split_page_by_page(cache: Path) -> None:
    stores.make(cache / "many", [4] * 61)
    first, last = (data_clips.choose("many", None, None, page, None) for page in (0, 99))
    assert [line["clip"] for line in first["clips"]] == list(range(24)) and first["pages"] == 3
    assert [line["clip"] for line in last["clips"]] == list(range(48, 61)) and last["page"] == 2
    some = data_clips.choose("many", 1, "train", 0, None)
    assert [line["clip"] for line in some["clips"]] == [i for i in range(61) if i % 3 == 1 and i % 2 == 0]
    assert {line["class"] for line in some["clips"]} == {"run"}
    assert data_clips.choose("many", 1, "nonsense", 0, None)["clips"] == []
    mixed = [line["clip"] for page in range(3) for line in data_clips.choose("many", None, None, page, 7)["clips"]]
    assert mixed != sorted(mixed) and sorted(mixed) == list(range(61)), "a shuffled order still shows each clip once"


def test_the_wall_shows_these_clips_and_all_begin_together(cache: Path) -> None:
    stores.make(cache / "one")
    sheet = split_sheet(picture(data_clips.wall("one", [5, 0])), 12)
    assert sheet.shape == (2, 12, 16, 16, 3)
    red = sheet[..., 0].mean((2, 3))
    assert np.abs(red[0] - (15 * np.arange(12) + 20)).max() < 6, "its own frames, in order"
    assert np.abs(red[1] - (15 * (np.arange(12) * 4 // 12) + 20)).max() < 6, "4 frames over the time of 12"


def test_a_wall_of_larger_clips_has_fewer_of_them(cache: Path) -> None:
    stores.make(cache / "small")
    assert data_clips.walls("small") == [{"pixels": 16, "clips": 24}]
    store = stores.make(cache / "large", [32] * 10, resolution=256)
    assert data_clips.walls("large") == [{"pixels": 64, "clips": 24}, {"pixels": 128, "clips": 24},
                                         {"pixels": 256, "clips": 8}]
    assert all(4 * wall["clips"] * 32 * wall["pixels"] ** 2 <= data_clips.SHEET_BYTES
               for wall in data_clips.walls("large"))
    page = data_clips.choose("large", None, None, 1, None, 256)
    assert ([line["clip"] for line in page["clips"]], page["most"], page["resolution"]) == ([8, 9], 8, 256)
    sheet = split_sheet(picture(data_clips.wall("large", [9], 256)), 32)
    assert sheet.shape == (1, 32, 256, 256, 3)
    assert np.abs(sheet[0].astype(int) - store.pixels([9], [0], 32, 1, 256)[0]).mean() < 3, "its own pixels"
    with pytest.raises(DataError, match="allowed: 1 to 8"):
        data_clips.wall("large", list(range(9)), 256)


@pytest.mark.parametrize("size", [0, 32, 100, 256])
def test_a_size_that_a_store_has_no_wall_of_is_refused(cache: Path, size: int) -> None:
    stores.make(cache / "one", (4,), resolution=128)
    with pytest.raises(DataError, match=f"size is {size}; allowed in this store: 64, 128"):
        data_clips.wall("one", [0], size)


@pytest.mark.parametrize("clips", [[], [6], [-1], [0] * 25])
def test_a_wall_of_clips_that_are_not_there_is_refused(cache: Path, clips: list[int]) -> None:
    stores.make(cache / "one")
    with pytest.raises(DataError, match="allowed: 1 to 24|it has clips 0 to 5"):
        data_clips.wall("one", clips)


@pytest.mark.parametrize("time", ["average", "subsample", "window"])
def test_each_stage_is_what_the_training_reads(cache: Path, time: str) -> None:
    store = stores.make(cache / "one")
    plan = data_clips.pyramid("one", 4, "paper", 8, 3)
    assert plan["starts"] == 4 and [tuple(stage.values()) for stage in plan["stages"]] == [(4, 4), (8, 8), (8, 16)]
    for number, stage in enumerate(plan["stages"]):
        data, kind = data_clips.stage("one", 4, "paper", time, 8, 3, number)
        size = (stage["frames"], stage["resolution"])
        wanted = to_uint8(store.read([4], [3], 8, 1, size, time))
        assert kind == "image/png"
        np.testing.assert_array_equal(split_sheet(picture(data), size[0]), wanted)


def test_windows_and_stages_outside_a_clip_are_refused(cache: Path) -> None:
    stores.make(cache / "one")
    for frames, start, words in ((16, 0, "Frames is 16; allowed: 1 to 12"), (8, 5, "0 to 4 in this clip, not at 5")):
        with pytest.raises(DataError, match=words):
            data_clips.stage("one", 3, "paper", "average", frames, start, 0)
    with pytest.raises(DataError, match="no stage 9"):
        data_clips.stage("one", 3, "paper", "average", 8, 0, 9)


def test_a_sheet_is_never_wider_than_browsers_decode(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores.make(cache / "one")
    assert data_clips.facts("one", 3)["frames_choices"] == [1, 2, 4, 8]
    monkeypatch.setattr(data_clips, "WIDEST", 64)
    assert data_clips.facts("one", 3)["frames_choices"] == [1, 2, 4]
    with pytest.raises(DataError, match="allowed: 1 to 4"):
        data_clips.pyramid("one", 3, "paper", 8, 0)
