"""What the Data page is told of stores: which there are, and what is in one."""

from __future__ import annotations

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pvswgan.data import DataError
from pvswgan.data.pieces import Drop
from pvswgan.studio import data_faces, data_stores
from tests.studio import stores

pytestmark = pytest.mark.usefixtures("cache")


# ---- the list ---------------------------------------------------------------------------------------------------


def test_no_cache_is_an_empty_list(cache: Path) -> None:
    assert data_stores.listed() == data_stores.unfinished() == []


def test_the_newest_store_comes_first_and_a_damaged_one_says_why(cache: Path) -> None:
    for number, name in enumerate(("old", "new", "cut", "newer-version", "rubbish")):
        stores.make(cache / name)
        os.utime(cache / name / "meta.json", (number, number))
    (cache / "cut" / "shard-00000-016.u8").write_bytes(b"x")
    meta = json.loads((cache / "newer-version" / "meta.json").read_text())
    (cache / "newer-version" / "meta.json").write_text(json.dumps(meta | {"version": 99}))
    (cache / "rubbish" / "meta.json").write_text("{]")
    (cache / "somebody's own").mkdir()
    lines = {line["id"]: line for line in data_stores.listed()}
    assert set(lines) == {"old", "new", "cut", "newer-version", "rubbish"}
    assert list(lines).index("new") < list(lines).index("old")
    assert lines["new"]["clips"] == 6 and lines["new"]["classes"] == 3 and lines["new"]["problem"] is None
    assert "damaged" in lines["cut"]["problem"] and "damaged" in lines["rubbish"]["problem"]
    assert "version 99" in lines["newer-version"]["problem"]
    with pytest.raises(DataError, match="version 99"):
        data_stores.about("newer-version")


def test_a_store_that_is_built_anew_is_read_anew(cache: Path) -> None:
    stores.make(cache / "one")
    assert data_stores.about("one")["clips"] == 6
    shutil.rmtree(cache / "one")
    with pytest.raises(data_stores.UnknownStoreError, match="no store 'one'"):
        data_stores.about("one")
    assert data_stores.listed() == []
    stores.make(cache / "one", (4, 4))
    assert data_stores.about("one")["clips"] == data_stores.listed()[0]["clips"] == 2


def test_a_build_that_was_left_is_told_with_its_bytes(cache: Path) -> None:
    stores.make(cache / "done")
    for name in (".half.building", ".done.building"):
        (cache / name).mkdir()
        (cache / name / "journal.jsonl").write_bytes(b"12345")
    assert data_stores.unfinished() == [{"name": "half", "bytes": 5}]


@pytest.mark.parametrize("name", ["..", "../one", "/etc", ".", "", "one/", "one/../one", ".jobs", "One", "one\0"])
def test_a_name_is_looked_up_and_never_a_path(cache: Path, name: str) -> None:
    stores.make(cache / "one")
    stores.make(cache.parent / "outside")
    with pytest.raises(data_stores.UnknownStoreError):
        data_stores.opened(name)


def test_names_that_are_no_text_are_shown_and_found(cache: Path) -> None:
    name = os.fsdecode(b"a\xff<b>\"'")
    stores.make(cache / name, skipped=[(os.fsdecode(b"caf\xe9.mp4"), "has no video stream")])
    line = data_stores.listed()[0]
    json.dumps(line, ensure_ascii=False).encode()
    about = data_stores.about(line["id"])
    json.dumps(about, ensure_ascii=False).encode()
    assert line["id"] == "a?<b>\"'" and about["skipped"]["groups"][0]["entries"][0]["file"] == "caf?.mp4"


# ---- stores elsewhere -------------------------------------------------------------------------------------------


def test_a_store_elsewhere_is_listed_as_long_as_it_is_there(cache: Path, tmp_path: Path) -> None:
    stores.make(cache / "one")
    there = stores.make(tmp_path / "elsewhere" / "one", (4, 4)).folder
    (tmp_path / "link").symlink_to(there)
    name = data_stores.add(tmp_path / "link")
    assert name == str(there) == data_stores.add(there), "one store, whatever the way to it"
    lines = {line["id"]: line for line in data_stores.listed()}
    assert list(lines) == ["one", name] and lines[name]["added"] and not lines["one"]["added"]
    assert data_stores.about(name)["clips"] == 2 and data_stores.about(name)["folder"] == str(there)
    assert data_stores.add(cache / "one") == "one", "the cache's own needs no second line"
    data_stores.close(name)
    assert [line["id"] for line in data_stores.listed()] == ["one"] and (there / "meta.json").is_file()
    for other in (name, "one"):
        with pytest.raises(data_stores.UnknownStoreError):
            data_stores.close(other)
    data_stores.add(there)
    shutil.rmtree(there)
    assert [line["id"] for line in data_stores.listed()] == ["one"]
    with pytest.raises(data_stores.UnknownStoreError):
        data_stores.opened(name)


def test_only_a_whole_store_is_opened(tmp_path: Path) -> None:
    folder = stores.make(tmp_path / "cut").folder
    (folder / "shard-00000-016.u8").write_bytes(b"x")
    with pytest.raises(DataError, match="This store cannot be opened: .* damaged"):
        data_stores.add(folder)
    (folder / "meta.json").write_text('["of another program"]')
    with pytest.raises(DataError, match="This store cannot be opened: .* version None"):
        data_stores.add(folder)
    assert data_stores.folders() == {}


# ---- one store --------------------------------------------------------------------------------------------------


def test_all_numbers_of_a_store(cache: Path) -> None:
    store = stores.make(cache / "one")
    about = data_stores.about("one")
    assert about["folder"] == str(cache / "one") and about["resolution"] == 16 and about["fps"] == 12
    assert [(one["name"], one["clips"]) for one in about["classes"]] == [(name, 2) for name in stores.CLASSES]
    assert about["splits"] == [{"name": "test", "clips": 3}, {"name": "train", "clips": 3}]
    assert about["lengths"] == [{"least": n, "most": n, "clips": held} for n, held in ((4, 1), (8, 2), (12, 3))]
    assert [size["resolution"] for size in about["sizes"]] == [16, 8, 4]
    assert about["sizes"][0]["bytes"] == 56 * 16 * 16 * 3 == store.bytes_on_disk()[16]
    assert about["skipped"] == {"files": 0, "parts": 0, "groups": []} and about["faces"] is None


def test_a_histogram_of_many_lengths_counts_each_clip_once() -> None:
    lengths = np.random.default_rng(0).integers(5, 256, 5000)
    bars = data_stores.lengths(lengths)
    assert 20 <= len(bars) <= data_stores.BARS and sum(bar["clips"] for bar in bars) == 5000
    for bar, after in pairwise(bars):
        assert after["least"] == bar["most"] + 1
    for bar in bars:
        assert bar["clips"] == ((lengths >= bar["least"]) & (lengths <= bar["most"])).sum()
    assert data_stores.lengths(np.array([7, 7])) == [{"least": 7, "most": 7, "clips": 2}]


def test_what_was_skipped_is_grouped_by_what_was_wrong(cache: Path) -> None:
    reasons = [(f"{i}.mp4", f"has {i} frames, fewer than 4") for i in range(1, 4)]
    stores.make(cache / "one", skipped=[*reasons, ("a.txt", "has no video stream"), ("b.txt", "has no video stream")],
                drops=[Drop(3, 9, "is blurred: 0.01, less than 0.02")])
    told = data_stores.about("one")["skipped"]
    assert (told["files"], told["parts"]) == (5, 1)
    assert [(group["reason"], group["count"]) for group in told["groups"]] == [
        ("has … frames, fewer than …", 3), ("has no video stream", 2), ("is blurred: 0.01, less than 0.02", 1)]
    assert told["groups"][2]["entries"] == [{"file": "walk/0.mp4", "reason": "is blurred: 0.01, less than 0.02",
                                             "start": 3, "stop": 9}]


def test_of_thousands_of_skipped_files_the_first_are_named_and_all_are_counted() -> None:
    reasons = [f"{a}{b} is wrong" for a in "abcdefghij" for b in "abcdefghij"]
    entries = [{"file": f"{i}.mp4", "reason": reasons[i % 100]} for i in range(9000)]
    told = data_stores.skipped(entries)
    assert sum(group["count"] for group in told["groups"]) == told["files"] == 9000
    assert len(told["groups"]) == data_stores.GROUPS and told["groups"][-1]["reason"] == "for other reasons"
    assert sum(len(group["entries"]) for group in told["groups"]) <= data_stores.SKIPPED


# ---- faces ------------------------------------------------------------------------------------------------------


def test_the_report_of_the_face_builder(cache: Path) -> None:
    folder = stores.make(cache / "faces").folder
    assert data_faces.report(folder) is None and data_faces.sheet(folder) is None
    Image.new("RGB", (96, 96)).save(folder / "contact-sheet.jpg")
    film = {"clips": 2, "frames_kept": 64, "dropped": {"blurred": 3}, "drops": []}
    report = {"clips": 6, "trailers": 3, "dropped": {"blurred": 3, "still": 9}, "failed": {"c": "is empty"},
              "by_trailer": {"a": film, "b": film | {"clips": 4}, "c": film | {"clips": 0, "dropped": {}}}}
    (folder / "report.json").write_text(json.dumps(report))
    told = data_stores.about("faces")["faces"]
    assert told["sheet"] and told["trailers"] == 3
    assert told["dropped"] == [{"kind": "still", "count": 9}, {"kind": "blurred", "count": 3}]
    assert [line["file"] for line in told["by_trailer"]] == ["b", "a", "c"]
    assert told["by_trailer"][2] == {"file": "c", "clips": 0, "dropped": 0, "problem": "is empty"}


RUBBISH = ["", "[]", "{", "null", '{"by_trailer": [1], "dropped": 7}', '{"by_trailer": {"a": 1}}', "[" * 100_000]


@pytest.mark.parametrize("text", RUBBISH)
def test_a_report_of_another_kind_harms_nothing(cache: Path, text: str) -> None:
    folder = stores.make(cache / "faces").folder
    (folder / "report.json").write_text(text)
    told = data_stores.about("faces")["faces"]
    assert told is None or (told["trailers"] == 0 and told["dropped"] == [] and not told["sheet"])


def test_a_contact_sheet_is_no_way_out_of_the_store(cache: Path) -> None:
    folder = stores.make(cache / "faces").folder
    secret = cache.parent / "secret.jpg"
    Image.new("RGB", (8, 8)).save(secret)
    (folder / "contact-sheet.jpg").symlink_to(secret)
    assert data_faces.sheet(folder) is None
    (folder / "contact-sheet.jpg").unlink()
    (folder / "contact-sheet.jpg").write_text("<script>alert(1)</script>")
    with pytest.raises(data_stores.UnknownStoreError, match="no contact sheet"):
        data_stores.contact_sheet("faces")
