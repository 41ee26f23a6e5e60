"""Trainings are started, asked and resumed as processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pvswgan.studio import processes
from tests.studio import fakerun
from train.run import RunFolder


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "/abs", ".hidden", "-rf", "a b", "é", "x" * 65, "con;rm"]
)
def test_a_name_that_is_no_plain_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(processes.ProcessError, match="allowed are"):
        processes.new_folder(tmp_path / "runs", name)
    assert not (tmp_path / "runs").exists()


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    assert [processes.new_folder(tmp_path, "faces").name for _ in range(3)] == ["faces", "faces-2", "faces-3"]


def test_values_reach_the_trainer_as_typed(tmp_path: Path) -> None:
    command = processes.command(Path("c.yaml"), tmp_path, {"data.path": "/a b/#c: d", "train.batch": [8, 4]})
    assert command[-2:] == ['data.path="/a b/#c: d"', "train.batch=[8, 4]"]


@pytest.mark.slow
def test_a_training_lives_on_its_own_and_obeys_requests(tmp_path: Path, configs: Path) -> None:
    root = tmp_path / "runs"
    run = RunFolder(root / processes.start(root, "one", configs / "tiny.yaml", {"seed": 7}))
    assert processes.loading(run.path, run.status())
    until(lambda: run.status() is not None)
    status = run.status() or {}
    child = psutil.Process(status["pid"])
    assert os.getsid(child.pid) == child.pid != os.getsid(0), "a closed terminal must not end it"
    assert child.nice() >= processes.NICENESS
    assert run.config()["seed"] == 7

    processes.request(run, "pause")
    until(lambda: run.state() == "paused")
    with pytest.raises(processes.ProcessError, match="still running"):
        processes.resume(run)
    processes.request(run, "stop")
    until(lambda: not run.alive())
    assert run.state() == "stopped"
    with pytest.raises(processes.ProcessError, match="no running process"):
        processes.request(run, "pause")

    processes.resume(run)
    assert processes.loading(run.path, run.status())
    until(lambda: run.state() == "running")
    processes.request(run, "stop")
    until(lambda: not run.alive())


def test_only_the_four_requests(tmp_path: Path) -> None:
    run = fakerun.make(tmp_path / "r", 500, "running", pid=os.getpid())
    with pytest.raises(processes.ProcessError, match="allowed: pause"):
        processes.request(RunFolder(run.folder), "../../x")


def test_of_several_all_start_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "command", lambda *_: ["sleep", "60"])
    runs = [("one", tmp_path / "c.yaml", {}), ("one", tmp_path / "c.yaml", {}), ("../x", tmp_path / "c.yaml", {})]
    with pytest.raises(processes.ProcessError, match="None of the 3 trainings was started: ../x failed. The name"):
        processes.start_all(tmp_path / "runs", runs)
    assert not list((tmp_path / "runs").iterdir())
    assert not [child for child in psutil.Process().children() if child.cmdline() == ["sleep", "60"]]


def test_a_command_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "COMMAND", ("/nowhere/python",))
    with pytest.raises(processes.ProcessError, match="could not be started"):
        processes.start(tmp_path, "one", tmp_path / "c.yaml", {})
    assert not (tmp_path / "one").exists()
