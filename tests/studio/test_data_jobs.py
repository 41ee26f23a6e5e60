"""Imports as processes: they report, stop when they are asked, go on, and outlive the studio."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pvswgan.studio import data_jobs, processes
from tests.studio.test_processes import until

# Stands in for `python -m pvswgan data`, without its seconds of imports: data/jobs.py in small. The browser tests run
# the real one.
WORKER = """
import json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
folder = Path(words[words.index("--job") + 1])
if "die" in words:
    sys.exit("nothing works today")
def tell(state, **more):
    (folder / "aside").write_text(json.dumps({"state": state, "pid": os.getpid(), "error": None, **more}))
    (folder / "aside").replace(folder / "status.json")
time.sleep(0.3)
(folder / "cancel").unlink(missing_ok=True)
for step in range(int(words[1])):
    if (folder / "cancel").exists():
        sys.exit(tell("cancelled"))
    tell("running", done=step, total=int(words[1]))
    time.sleep(0.02)
tell("done", store="/cache/made")
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.setattr(data_jobs, "COMMAND", (sys.executable, str(tmp_path / "worker.py")))
    return tmp_path / "cache"


def state(id: str) -> str:
    return str(data_jobs.describe(data_jobs.find(id))["state"])


def past(id: str, **more: Any) -> None:
    """A job as another studio left it: no process of ours."""
    folder = data_jobs.root() / id
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"words": ["import", "/x"], "began": time.time(), "cancel": False}))
    if more:
        (folder / "status.json").write_text(json.dumps({"pid": 2**22 + 1, **more}))


def test_an_import_reports_and_is_done() -> None:
    id = data_jobs.start(["shapes", "200"])
    assert state(id) in ("starting", "running")
    child = data_jobs._children[data_jobs.root() / id]
    assert os.getsid(child.pid) == child.pid, "a closed terminal must not end it"
    assert psutil.Process(child.pid).nice() >= processes.NICENESS
    until(lambda: state(id) == "done")
    job = data_jobs.listed()[0]
    assert job["store"] == "/cache/made" and job["words"] == ["shapes", "200"] and job["error"] is None


def test_cancel_then_resume_then_cancel_again() -> None:
    id = data_jobs.start(["shapes", "100000"])
    data_jobs.cancel(id)  # at once: the process has not even begun, and takes an old `cancel` away when it does
    until(lambda: state(id) == "cancelled")
    with pytest.raises(data_jobs.JobError, match="nothing to cancel"):
        data_jobs.cancel(id)
    data_jobs.resume(id)
    until(lambda: state(id) == "running")
    assert not data_jobs.describe(data_jobs.find(id))["cancelling"]
    for refused in (data_jobs.resume, data_jobs.forget):
        with pytest.raises(data_jobs.JobError, match="running"):
            refused(id)
    data_jobs.cancel(id)
    until(lambda: state(id) == "cancelled")
    data_jobs.forget(id)
    with pytest.raises(data_jobs.UnknownJobError):
        data_jobs.find(id)


def test_an_import_whose_process_was_killed_is_interrupted_and_can_go_on() -> None:
    id = data_jobs.start(["shapes", "100000"])
    until(lambda: state(id) == "running")
    data_jobs._children[data_jobs.root() / id].kill()
    until(lambda: state(id) == "interrupted")
    data_jobs.resume(id)
    until(lambda: state(id) == "running")
    data_jobs.cancel(id)
    until(lambda: state(id) == "cancelled")


def test_another_studio_finds_the_imports_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    id = data_jobs.start(["shapes", "100000"])
    until(lambda: state(id) == "running")
    child = data_jobs._children[data_jobs.root() / id]
    monkeypatch.setattr(data_jobs, "_children", {})
    assert state(id) == "running", "known by its command line"
    data_jobs.cancel(id)
    until(lambda: state(id) == "cancelled")
    assert child.wait(10) == 0


def test_one_that_dies_at_birth_leaves_its_last_words() -> None:
    id = data_jobs.start(["die"])
    until(lambda: state(id) == "failed")
    assert "nothing works today" in data_jobs.listed()[0]["error"]


def test_the_pid_of_somebody_else_is_nobody() -> None:
    past("mine", state="running")
    past("theirs", state="running", total=3)
    folder = data_jobs.root() / "theirs"
    (folder / "status.json").write_text(json.dumps({"state": "running", "pid": os.getpid()}))
    past("fresh")
    (data_jobs.root() / "fresh" / "log.txt").touch()
    past("stale")
    states = {job["id"]: job["state"] for job in data_jobs.listed()}
    assert states == {"mine": "interrupted", "theirs": "interrupted", "fresh": "starting", "stale": "failed"}


@pytest.mark.parametrize("id", ["..", "../..", "/etc", "", ".", "nobody", "a\0"])
def test_an_id_is_looked_up_and_never_a_path(id: str, tmp_path: Path) -> None:
    past("one", state="failed")
    (tmp_path / "cache" / "job.json").write_text("{}")
    for call in (data_jobs.cancel, data_jobs.resume, data_jobs.forget):
        with pytest.raises(data_jobs.UnknownJobError):
            call(id)
    assert (tmp_path / "cache" / ".jobs" / "one").is_dir()


RUBBISH = ["", "[1]", "{", "[" * 100000, "\xff", '{"state": 7, "pid": "x"}', '{"pid": -1, "state": "running"}']


@pytest.mark.parametrize("text", RUBBISH)
def test_a_damaged_status_is_no_end_of_the_list(text: str) -> None:
    past("bad")
    (data_jobs.root() / "bad" / "status.json").write_text(text, encoding="latin-1")
    assert [job["id"] for job in data_jobs.listed()] == ["bad"]


def test_what_was_asked_and_cannot_be_read_is_told_and_nothing_is_lost() -> None:
    past("bad")
    folder = data_jobs.root() / "bad"
    (folder / "job.json").write_text("{}")
    (folder / "status.json").write_text(json.dumps({"state": "cancelled"}))
    with pytest.raises(data_jobs.JobError, match=r"job.json is damaged"):
        data_jobs.resume("bad")
    assert json.loads((folder / "status.json").read_text()) == {"state": "cancelled"}


def test_what_was_done_long_ago_is_forgotten_what_failed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for id in ("done", "failed"):
        past(id, state=id)
        job = json.loads((data_jobs.root() / id / "job.json").read_text())
        (data_jobs.root() / id / "job.json").write_text(json.dumps(job | {"began": 1}))
    new = data_jobs.start(["die"])
    assert {job["id"] for job in data_jobs.listed()} == {"failed", new}


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(data_jobs.JobError, match="cannot be kept"):
        data_jobs.start(["die"])
    assert data_jobs.listed() == []
