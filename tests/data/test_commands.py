"""The command line for data: what it builds, what it says, how it stops; and the status that a page reads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pvswgan.data import ClipStore, DataError, commands
from pvswgan.data.build import Told
from pvswgan.data.commands import app
from pvswgan.data.jobs import Cancelled, Job
from tests.data.files import noise, write_strip, write_video
from tests.data.test_trailers import FakeYuNet

ROOT = Path(__file__).resolve().parents[2]


def run(*words: object) -> str:
    """What a command prints, without line breaks; its errors are raised."""
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False, env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def only_store(cache: Path) -> ClipStore:
    (place,) = (entry for entry in cache.iterdir() if not entry.name.startswith("."))
    return ClipStore.open(place)


# ---- every command works --------------------------------------------------------------------------------------


def test_import_says_what_it_made_and_what_it_skipped(data: Path, cache: Path) -> None:
    for name in ("walk/a.png", "run/b.png"):
        write_strip(data / name, noise(8, 32))
    (data / "run/c.png").write_bytes(b"no picture")
    said = run("import", data, "--resolution", 16)
    store = only_store(cache)
    assert store.classes == ["run", "walk"] and len(store) == 2 and store.resolution == 16
    assert f"{store.folder}: 2 clips of 16 pixels" in said and "1 skipped" in said and "run/c.png" in said


@pytest.mark.parametrize("kind", ["toyfaces", "shapes"])
def test_drawn_sets_verify_and_info(cache: Path, kind: str) -> None:
    assert "3 clips of 32 pixels" in run(kind, "--resolution", 32, "--frames", 8, "--clips", 3)
    store = only_store(cache)
    assert "3 clips" in (said := run("verify", store.folder)) and "all as written" in said
    assert "3 clips, 8 to 8 frames" in (said := run("info", store.folder)) and "factors:" in said
    assert store.folder.name[:20] in run("info")
    damaged = store.folder / "shard-00000-008.u8"
    damaged.write_bytes(bytes(len(damaged.read_bytes())))
    result = CliRunner().invoke(app, ["verify", str(store.folder)])
    assert result.exit_code == 1 and "shard-00000-008.u8 is damaged" in result.output


def test_a_store_is_not_built_over(tmp_path: Path) -> None:
    words = ("shapes", "--out", tmp_path / "s", "--resolution", 32, "--frames", 4, "--clips", 2)
    run(*words)
    with pytest.raises(DataError, match=r"s holds a store already; choose another folder, or remove it$"):
        run(*words)


@pytest.mark.parametrize(("words", "sentence"), [
    (["import", ""], "no data path is given"),
    (["faces", ""], "the path of a trailer is empty"),
    (["import", "x", "--out", "."], "is the folder that this runs in"),
    (["import", "x", "--frames", "257"], "frames is 257; allowed: 1 to 256"),
])
def test_what_cannot_be_is_refused_before_anything_is_looked_at(
    data: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(data)
    with pytest.raises(DataError, match=sentence):
        run(*words)
    assert not list(data.iterdir())


def test_names_of_any_bytes_are_shown_in_one_line(data: Path) -> None:
    write_strip(data / "good.png", noise(8, 32))
    for name in (b"caf\xe9.png", b"two\nlines.png", b"\x1b[2Jred.png"):
        (data / os.fsdecode(name)).write_bytes(b"no picture")
    said = run("import", data, "--source", "strips", "--resolution", 16)
    for name in ("caf\\udce9.png cannot", "two\\nlines.png cannot", "\\x1b[2Jred.png cannot"):
        assert name in said


def test_fewer_clips_than_asked_for_are_told(data: Path) -> None:
    write_strip(data / "good.png", noise(8, 32))
    assert "5 clips were asked for; 1 were found" in run("import", data, "--resolution", 16, "--clips", 5)


def test_without_a_terminal_a_line_now_and_then_tells_how_far_it_is(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_strip(data / f"{name}.png", noise(8, 32))
    words = ["import", str(data), "--resolution", "16", "--workers", "1"]
    monkeypatch.setattr(commands, "LINE_S", 0)
    result = CliRunner().invoke(app, words)
    assert re.search(r"^importing: 2 of 3 \(c\.png\), 2 clips, 0 skipped.*, [0-9.]+ clips/s$", result.stderr, re.M)
    assert "importing" not in result.stdout


def test_many_skips_are_named_by_a_command_that_works(data: Path, cache: Path) -> None:
    write_strip(data / "good.png", noise(8, 32))
    for name in ("torn", "wet", "burnt", "lost", "eaten", "bent", "faded", "odd"):
        (data / f"{name}.png").write_bytes(b"no picture")
    said = run("import", data, "--source", "strips", "--resolution", 16)
    assert "lost.png" in said and "wet.png" not in said
    found = re.search(r"3 more; all: python -m pvswgan data (info .* --skipped 8)", said)
    assert found and "wet.png" in run(*found.group(1).split())


# ---- faces ----------------------------------------------------------------------------------------------------


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shots that move; a made-up YuNet sees a face in each, the second is too short. `yunet.onnx` lies beside."""
    monkeypatch.setattr(cv2, "FaceDetectorYN", FakeYuNet)
    monkeypatch.setattr(FakeYuNet, "rows", [[100, 50, 100, 100]])
    scenes = []
    for seed, frames in enumerate((70, 20)):
        large = cv2.GaussianBlur(noise(1, 200, 500, seed)[0], (0, 0), 3).astype(np.float32)
        large = np.clip(128 + (large - large.mean()) * 45 / large.std(), 0, 255).astype(np.uint8)
        large[..., seed] //= 8  # another colour: without doubt another shot
        scenes += [large[:, 2 * at:2 * at + 320] for at in range(frames)]
    (tmp_path / "yunet.onnx").write_bytes(b"a model")
    return write_video(tmp_path / "My film.mp4", np.stack(scenes), rate=25)


def test_faces_says_where_everything_lies_and_what_was_dropped(film: Path, cache: Path) -> None:
    job = film.parent / "job"
    words = ("faces", film, "--detector", film.parent / "yunet.onnx", "--resolution", 32, "--workers", 1)
    said = run(*words, "--job", job)
    store = only_store(cache)
    assert re.fullmatch(r"faces-My_film-32-[0-9a-f]{16}", store.folder.name)
    assert len(store) == 2 and store.lengths.tolist() == [32, 32] and store.classes == ["face"]
    assert f"{store.folder}: 2 clips of 32 pixels" in said and "dropped: short shot 1" in said
    for name in ("contact-sheet.jpg", "report.json"):
        assert str(store.folder / name) in said and (store.folder / name).is_file()
    status = json.loads((job / "status.json").read_text())
    assert status["state"] == "done" and status["store"] == str(store.folder) and status["clips"] == 2
    assert status["resolution"] == 32 and status["path"] == str(film)
    # The same once more finds it, and makes anew what somebody has taken away.
    (store.folder / "report.json").unlink()
    before = (store.folder / "meta.json").stat().st_mtime_ns
    run(*words)
    assert (store.folder / "meta.json").stat().st_mtime_ns == before and (store.folder / "report.json").is_file()


def test_options_win_over_the_settings_file(film: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "faces.yaml"
    wanted.write_text(f"detector: {film.parent / 'yunet.onnx'}\nresolution: 64\nframes: 16\nmargin: 0.5\n")
    run("faces", film, "--settings", wanted, "--frames", 20, "--margin", 0, "--out", tmp_path / "s", "--compact",
        "--workers", 1)
    store = ClipStore.open(tmp_path / "s")
    assert set(store.lengths.tolist()) == {20} and store.resolution == 64 and store.compact
    told = json.loads((tmp_path / "s/report.json").read_text())["settings"]
    assert (told["frames"], told["resolution"], told["margin"]) == (20, 64, 0)


@pytest.mark.parametrize(("words", "sentence"), [
    (["--margin", "3"], "margin is 3.0; allowed: a number from 0 to 2"),
    (["--frames", "0"], "frames is 0; allowed: a whole number from 1 to 256"),
    (["--resolution", "100"], "resolution is 100; allowed: a power of two"),
    (["--detector", "haar"], "detector is 'haar'; allowed: 'cascade'"),
    (["--settings", "nowhere.yaml"], "face settings nowhere.yaml cannot be read: No such file or directory"),
])
def test_faces_refuses_what_cannot_be_and_tells_its_job(tmp_path: Path, words: list[str], sentence: str) -> None:
    with pytest.raises(DataError) as raised:
        run("faces", tmp_path, "--job", tmp_path / "job", *words)
    assert str(raised.value).startswith(sentence)
    status = json.loads((tmp_path / "job/status.json").read_text())
    assert status["state"] == "failed" and status["error"] == str(raised.value)


def test_a_film_without_a_face_is_an_error_that_says_so(tmp_path: Path, cache: Path) -> None:
    film = write_video(tmp_path / "v.mp4", noise(1, 90, 160).repeat(40, axis=0), rate=25)
    with pytest.raises(DataError, match=r"v\.mp4 shows no face"):
        run("faces", film, "--workers", 1)
    assert not cache.exists() or not any(cache.iterdir())


# ---- jobs -----------------------------------------------------------------------------------------------------


def test_a_job_is_cancelled_by_a_file_and_goes_on_later(tmp_path: Path, cache: Path) -> None:
    job = Job(tmp_path / "job", path="x")
    job.tell(Told(1, 9, "a"))
    (tmp_path / "job/cancel").touch()
    with pytest.raises(Cancelled):
        job.tell(Told(2, 9, "b"))
    job.end("cancelled")
    held = json.loads((tmp_path / "job/status.json").read_text())
    assert held["state"] == "cancelled" and held["path"] == "x" and held["done"] == 1 and held["pid"] == os.getpid()
    Job(tmp_path / "job")
    assert not (tmp_path / "job/cancel").exists()
    assert [file.name for file in (tmp_path / "job").iterdir()] == ["status.json"]


def test_a_status_that_cannot_be_written_is_named_and_hides_nothing(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="the import's status cannot be kept in .*file/job: Not a directory"):
        run("import", data, "--job", tmp_path / "file/job")
    job = Job(tmp_path / "job")
    (tmp_path / "job/status.json").unlink()
    (tmp_path / "job").rmdir()
    with pytest.raises(DataError, match="the import's status cannot be kept in .*job: No such file"):
        job.end("done")


# ---- from a shell ---------------------------------------------------------------------------------------------


def _shell(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pvswgan", "data", *map(str, words)]
    # Heard although these tests may run in the background of a shell, where Ctrl-C is ignored from the start.
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


@pytest.mark.slow
def test_errors_are_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    process = _shell("faces", tmp_path / "nowhere.mp4")
    out, error = process.communicate(timeout=120)
    assert process.returncode == 2 and out == "" and error == f"trailer {tmp_path}/nowhere.mp4 does not exist\n"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path, workers: int) -> None:
    words = ("toyfaces", "--resolution", 64, "--clips", 500, "--out", tmp_path / "s", "--workers", workers)
    process, status = _shell(*words, "--job", tmp_path / "job"), tmp_path / "job/status.json"
    until = time.monotonic() + 120
    while not (status.exists() and json.loads(status.read_text())["done"] >= 2):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: all processes of the command hear it
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped; the same command goes on from here" in out
    assert "Traceback" not in out + error
    assert json.loads(status.read_text())["state"] == "cancelled" and (tmp_path / ".s.building").is_dir()
    again = _shell(*words, "--job", tmp_path / "job2")
    out, error = again.communicate(timeout=240)
    assert again.returncode == 0 and "500 clips" in out, error
