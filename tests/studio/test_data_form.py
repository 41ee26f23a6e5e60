"""The form of an import: each field against nonsense, and the command that it makes."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pvswgan.data import commands
from pvswgan.studio import data_form
from pvswgan.studio.data_form import KINDS, Wish, words
from tests.studio import stores


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    return tmp_path / "cache"


def problems(**wish: Any) -> dict[str, str]:
    return words(Wish(**wish))[1]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_makes_a_command_that_the_program_takes(tmp_path: Path, kind: str) -> None:
    everything = {"path": str(tmp_path / "videos"), "resolution": "32", "frames": "8", "fps": "12.5", "clips": "9",
                  "hold_out": "0.2"}
    command, wrong = words(Wish(source=kind, compact=True, **everything))
    assert not wrong and command[-1] == "--compact" and {"--resolution", "--frames"} <= set(command)
    assert (str(tmp_path / "videos") in command) == ("path" in KINDS[kind].fields)
    assert ("--fps" in command) == ("fps" in KINDS[kind].fields)
    assert ("--hold-out" in command) == ("hold_out" in KINDS[kind].fields) == (kind != "faces")
    told = CliRunner().invoke(commands.app, [command[0], "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert told.exit_code == 0 and all(word in told.output for word in command if word.startswith("--"))


def test_empty_fields_are_left_to_the_program(tmp_path: Path) -> None:
    folder = str(tmp_path / "videos")
    assert words(Wish(path=f"  {folder} ")) == (["import", folder, "--resolution", "64"], {})
    assert words(Wish(source="strips", path=folder, resolution="128"))[0] == [
        "import", folder, "--source", "strips", "--resolution", "128"]
    assert words(Wish(source="faces", path=folder)) == (["faces", folder, "--resolution", "256"], {})
    assert words(Wish(source="toyfaces", path="/nowhere", fps="x"))[0] == ["toyfaces", "--resolution", "64"]


NONSENSE = ["0", "-1", "1.5", "many", "²", "1e3", "0x10", "1,5", "1 2", "9" * 5000, "--out", "\n7\n8", "NaN"]


@pytest.mark.parametrize("text", NONSENSE)
@pytest.mark.parametrize("field", ["frames", "clips", "resolution"])
def test_a_number_that_is_none_is_named_with_what_is_allowed(tmp_path: Path, field: str, text: str) -> None:
    wrong = problems(path=str(tmp_path / "videos"), **{field: text})
    assert set(wrong) == {field} and repr(text.strip()[:9])[1:-1] in wrong[field] and "allowed: " in wrong[field]
    assert len(wrong[field]) < 200


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "fast", "1001", "1" * 400, "1_0", "24fps", "1e", "--"])
def test_a_rate_that_is_none(tmp_path: Path, text: str) -> None:
    wrong = problems(path=str(tmp_path / "videos"), fps=text)
    assert set(wrong) == {"fps"} and "more than 0, up to 1000" in wrong["fps"]


@pytest.mark.parametrize("text", ["0", "-0.1", "0.51", "20%", "half", "nan"])
def test_a_share_that_cannot_be_held_out(tmp_path: Path, text: str) -> None:
    wrong = problems(path=str(tmp_path / "videos"), hold_out=text)
    assert set(wrong) == {"hold_out"} and "more than 0, up to 0.5" in wrong["hold_out"]
    assert problems(path=str(tmp_path / "videos"), hold_out=".25") == {}


@pytest.mark.parametrize("text", ["25", "29.97", "1e2", ".5", "1000"])
def test_a_rate_that_is_one(tmp_path: Path, text: str) -> None:
    assert problems(path=str(tmp_path / "videos"), fps=text) == {}


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = problems(path="", frames="x", fps="y", clips="z", resolution="33")
    assert list(wrong) == ["path", "resolution", "frames", "fps", "clips"]
    wrong = problems(source="webcam")
    assert "'webcam'" in wrong["source"] and all(kind in wrong["source"] for kind in KINDS)
    assert words(Wish(source="webcam"))[0] == [] and data_form.shown([]) == ""


def test_where_nothing_can_be_imported_from(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    store = stores.make(tmp_path / "store").folder
    for path, said in (("", "Write the path"), ("/no/such", "There is no folder or file /no/such"),
                       (str(tmp_path / "empty"), "is empty"), (str(store), "is a clip store already"),
                       ("~nobody-of-that-name/x", "cannot be read"), ("/a" + "b" * 9999, "cannot be read"),
                       ("/a\0b", "There is no folder")):
        wrong = problems(path=path)
        assert set(wrong) == {"path"} and said in wrong["path"] and len(wrong["path"]) < 500, path
    assert problems(path=str(tmp_path / "videos" / "a.mp4")) == {}, "one file will do"


def test_a_store_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stores.make(tmp_path / "my store").folder
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (str(folder), f"  {folder}/ ", "~/my store"):
        assert data_form.store_path(path) == folder
    for path, said in (("", "Write the path"), ("/no/such", "There is no folder /no/such"), ("/a\0b", "There is no"),
                       (str(tmp_path / "videos"), "is no clip store"), (str(folder / "meta.json"), "is no clip store"),
                       ("~nobody-of-that-name/x", "cannot be read"), ("/a" + "b" * 9999, "cannot be read")):
        with pytest.raises(ValueError) as refusal:
            data_form.store_path(path)
        assert said in str(refusal.value) and len(str(refusal.value)) < 500, path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "videos").chmod(0)
    assert "cannot be read" in problems(path=str(tmp_path / "videos"))["path"]
    (tmp_path / "videos").chmod(0o700)


def test_names_stay_one_word_for_a_shell_and_are_no_option(tmp_path: Path) -> None:
    folder = tmp_path / "--out $(rm) 'x' \"y\""
    folder.mkdir()
    (folder / "a.mp4").touch()
    command, wrong = words(Wish(path=str(folder)))
    assert not wrong and command[1] == str(folder) and command[1].startswith("/")
    assert shlex.split(data_form.shown(command))[5] == str(folder)


def test_the_room_on_the_disk_is_told_before_and_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    wish = Wish(source="shapes", clips="10", frames="8", resolution="16")
    assert data_form.size(wish) == 10 * 8 * 3 * (16 * 16 + 8 * 8 + 4 * 4)
    assert data_form.size(Wish(source="auto")) is None
    assert data_form.free() > 0, "though the folder is not there yet"
    monkeypatch.setattr(data_form, "free", lambda: 1 << 20)
    assert problems(source="shapes", clips="10", frames="8", resolution="16") == {}
    wrong = problems(source="toyfaces", clips="2000", resolution="64")
    assert "2000" in wrong["clips"] and "only 1.0 MiB are free" in wrong["clips"]


def test_a_read_only_studio_does_not_tell_which_folders_there_are() -> None:
    assert words(Wish(path="/no/such/folder"), look=False)[1] == {}
    assert set(words(Wish(path="/etc", frames="x"), look=False)[1]) == {"frames"}
