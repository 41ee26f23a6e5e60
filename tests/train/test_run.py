import json
import os
import subprocess
import sys

import pytest

from train.run import RunError, RunFolder, RunWriter, list_runs, replaced


@pytest.fixture
def writer(tmp_path):
    writer = RunWriter(tmp_path / "run")
    yield writer
    writer.close()


def test_status_is_read_back_and_says_when_its_process_is_gone(writer):
    run = RunFolder(writer.path)
    assert run.status() is None and not run.alive()
    writer.write_status(state="running", clips=5, loss=float("nan"))
    assert run.status()["clips"] == 5 and run.status()["loss"] is None
    assert run.alive() and run.state() == "running"
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    writer.write_status(pid=int(dead.stdout))
    assert run.state() == "stopped"
    writer.write_status(pid=os.getpid(), process_started=1.0)          # the number was given to another process
    assert run.state() == "stopped"
    writer.write_status(state="finished")
    assert run.state() == "finished"


def test_statistics_survive_a_cut_line_and_a_crash(writer):
    run = RunFolder(writer.path)
    for clips in (100, 200, 300):
        writer.append_stats({"clips": clips, "loss_G": float("inf") if clips == 200 else 0.5})
    with open(writer.path / "stats.jsonl", "a") as file:
        file.write('{"clips": 400, "los')                              # killed here
    assert [s["clips"] for s in run.stats()] == [100, 200, 300]
    writer.append_stats({"clips": 200, "event": "resumed"})            # from the checkpoint at 200
    writer.append_stats({"clips": 310})
    assert [s["clips"] for s in run.stats()] == [100, 200, 200, 310]
    assert run.stats()[1]["loss_G"] is None
    assert [s["clips"] for s in run.stats(since=200)] == [310]


def test_samples_in_order_and_strangers_passed_over(writer):
    for name in ("000000100-4x4.png", "000000050-4x4.png", "reals-8x8.png", "notes.txt", "12-4x4.png", "x-4x4.png"):
        (writer.path / "samples" / name).touch()
    samples = RunFolder(writer.path).samples()
    assert [(s.clips, s.frames, s.resolution) for s in samples] == [(-1, 8, 8), (50, 4, 4), (100, 4, 4)]


def test_requests_are_taken_once_and_a_stop_comes_last(writer):
    run = RunFolder(writer.path)
    for name in ("stop", "pause", "snapshot"):
        run.request(name)
    assert list(writer.take_requests()) == ["snapshot", "pause", "stop"]
    assert not list(writer.take_requests())
    run.request("pause")
    run.request("resume")                                              # before the pause was heard: the last counts
    assert list(writer.take_requests()) == ["resume"]
    with pytest.raises(RunError, match="request 'explode'; allowed: pause"):
        run.request("explode")


def test_one_trainer_a_folder(writer):
    with pytest.raises(RunError, match="another training is at work"):
        RunWriter(writer.path)
    writer.close()
    RunWriter(writer.path).close()


def test_broken_folders_are_empty_ones(tmp_path):
    run = RunFolder(tmp_path / "none")
    assert run.status() is None and run.config() == {} and run.stats() == [] and run.samples() == []
    assert run.log_tail() == "" and list_runs(tmp_path / "none") == []
    (tmp_path / "status.json").write_text("[1, 2")
    (tmp_path / "config.yaml").write_text("a: [")
    assert RunFolder(tmp_path).status() is None and RunFolder(tmp_path).config() == {}


def test_names_that_are_no_text_are_told(writer):
    name = os.fsdecode(b"caf\xe9.mp4")
    writer.write_status(message=f"reading {name}")
    writer.log(f"{name} cannot be decoded")
    run = RunFolder(writer.path)
    assert run.status()["message"] == "reading caf?.mp4" and r"caf\udce9.mp4 cannot be decoded" in run.log_tail()


def test_a_folder_is_replaced_whole_or_stays(tmp_path):
    out = tmp_path / "assets" / "model"
    for text in ("first", "second"):
        with replaced(out) as made:
            (made / "file").write_text(text)
        assert (out / "file").read_text() == text
    with pytest.raises(OSError, match="No space left"), replaced(out) as made:
        (made / "file").write_text("half")
        raise OSError(28, "No space left on device")
    assert (out / "file").read_text() == "second" and list(out.parent.iterdir()) == [out]
    assert out.stat().st_mode & 0o777 == out.parent.stat().st_mode & 0o777


def test_runs_newest_first(tmp_path):
    for age, name in ((300, "old"), (100, "new"), (200, "middle")):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "config.yaml"
        path.write_text(json.dumps({}))
        os.utime(path, (1e9 - age, 1e9 - age))
    (tmp_path / "no-run").mkdir()
    assert [r.name for r in list_runs(tmp_path)] == ["new", "middle", "old"]


def test_the_log_keeps_its_tail_short(writer):
    for i in range(50):
        writer.log(f"line {i}")
    tail = RunFolder(writer.path).log_tail(3).splitlines()
    assert len(tail) == 3 and tail[-1].endswith("line 49")
