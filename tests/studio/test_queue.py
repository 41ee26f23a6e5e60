"""The queue of trainings: one after the other, whatever happens to a run, to the studio, or by its side."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from pvswgan.studio import processes
from pvswgan.studio import queue as queue_module
from pvswgan.studio.processes import ProcessError
from pvswgan.studio.queue import LONGEST, Queue, QueueError
from tests.studio import fakerun


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """(run, text of its configuration, overrides) of each that was started: it runs in name only."""
    calls = []

    def begin(folder: Path, config: Path, overrides: dict[str, Any]) -> str:
        fakerun.FakeRun(folder, pid=os.getpid()).status("running")
        calls.append((folder.name, config.read_text(), dict(overrides)))  # last: whoever waits for it may end the run
        return folder.name

    monkeypatch.setattr(processes, "begin", begin)
    return calls


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    (tmp_path / "runs").mkdir()
    return Queue(tmp_path / "runs")


def add(queue: Queue, *names: str) -> list[str]:
    config = queue.root.parent / "some.yaml"
    config.write_text("seed: 3\n")
    ids = [queue.add(name, config, {"train.batch": 8}) for name in names]
    config.unlink()  # the queue has its own
    return ids


def end(queue: Queue, run: str, state: str = "finished") -> None:
    fakerun.FakeRun(queue.root / run, pid=os.getpid()).status(state)


def names(queue: Queue) -> list[str]:
    return [item["run"] or item["name"] for item in queue.listed()["items"]]


def test_one_after_the_other_whatever_became_of_the_last(queue: Queue, started: list[Any]) -> None:
    add(queue, "a", "b", "b")
    assert queue.tick() == "a" and queue.tick() is None
    assert started == [("a", "seed: 3\n", {"train.batch": 8})]
    assert queue.listed()["waits_for"] == "a" and names(queue) == ["a", "b", "b"]
    end(queue, "a", "failed")
    assert queue.tick() == "b" and names(queue) == ["b", "b"]
    end(queue, "b", "stopped")
    again = Queue(queue.root)  # the studio was started anew
    assert again.tick() == "b-2"
    end(queue, "b-2")
    assert again.tick() is None and names(again) == []
    assert not list((queue.folder / "queue").iterdir()), "no configuration is left behind"


def test_a_training_that_was_started_by_hand_is_waited_for(queue: Queue, started: list[Any]) -> None:
    end(queue, "mine", "paused")
    add(queue, "next")
    assert queue.tick() is None and queue.listed()["waits_for"] == "mine"
    end(queue, "mine")
    assert queue.tick() == "next"


def test_two_studios_start_an_item_once(queue: Queue, started: list[Any]) -> None:
    add(queue, "a", "b")
    gate = threading.Barrier(8)

    def studio() -> None:
        own = Queue(queue.root)
        gate.wait()
        own.tick()

    threads = [threading.Thread(target=studio) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run for run, _, _ in started] == ["a"] and names(queue) == ["a", "b"]


def test_order_removal_undo_and_hold(queue: Queue, started: list[Any]) -> None:
    a, b, c = add(queue, "a", "b", "c")
    queue.hold(True)
    assert queue.tick() is None and queue.listed()["held"]
    queue.move(c, -5)
    assert names(queue) == ["c", "a", "b"]
    queue.move(c, 1)
    queue.remove(a)
    assert names(queue) == ["c", "b"]
    queue.put_back(a)
    assert names(queue) == ["a", "c", "b"]
    queue.move(a, 10**20)
    assert names(queue) == ["c", "b", "a"]
    queue.move(a, -(10**20))
    queue.hold(False)
    assert queue.tick() == "a"
    queue.move(b, -9)
    assert names(queue) == ["a", "b", "c"], "what runs stays first"
    with pytest.raises(QueueError, match="stop the run a"):
        queue.remove(a)
    with pytest.raises(QueueError, match="not in the queue"):
        queue.move("nobody", 1)
    queue.remove(b)
    queue.remove(c)
    with pytest.raises(QueueError, match="too long ago"):
        queue.put_back(b)


def test_several_are_added_together_or_not_at_all(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    add(queue, *["x"] * (LONGEST - 1))
    config = queue.root.parent / "some.yaml"
    config.write_text("seed: 4\n")
    pair = [(name, config, {"seed": 5}) for name in ("a", "b")]
    with pytest.raises(QueueError, match=f"There are {LONGEST - 1} trainings in the queue, and room for {LONGEST}"):
        queue.add_all(pair)
    assert "a" not in names(queue) and copies(queue) == LONGEST - 1
    queue.remove(queue.listed()["items"][0]["id"])
    before = copies(queue)  # with that of the one that can be put back
    with pytest.raises(ProcessError, match="'b c'"):
        queue.add_all([pair[0], ("b c", config, {})])

    write, written = queue_module.write_text, list[Path]()

    def full(path: Path, text: str) -> None:
        written.append(path)
        if len(written) == fails_at:
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(queue_module, "write_text", full)
    for fails_at in (1, 2, 3):  # the first copy, the second one, the queue itself
        written.clear()
        with pytest.raises(OSError, match="No space left"):
            queue.add_all(pair)
        assert "a" not in names(queue) and copies(queue) == before, f"write {fails_at}"
    fails_at = 0
    assert len(queue.add_all(pair)) == 2 and names(queue)[-2:] == ["a", "b"] and copies(queue) == before + 2


def copies(queue: Queue) -> int:
    return len(list((queue.folder / "queue").iterdir()))


def test_what_cannot_be_started_says_why_and_holds_nothing_up(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "COMMAND", ("/nowhere/python",))
    first, _ = add(queue, "a", "b")
    assert queue.tick() is None
    item = queue.listed()["items"][0]
    assert item["state"] == "failed" and "could not be started" in item["note"] and not (queue.root / "a").exists()
    queue.tick()
    assert [item["state"] for item in queue.listed()["items"]] == ["failed", "failed"]
    queue.remove(first)
    assert names(queue) == ["b"]


def test_when_a_studio_dies_while_it_starts_one_the_next_studio_does(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> str:
        raise KeyboardInterrupt

    add(queue, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(processes, "begin", die)
        with pytest.raises(KeyboardInterrupt):
            queue.tick()
    begun = []
    monkeypatch.setattr(processes, "begin", lambda folder, *_: begun.append(folder.name))
    queue.tick()
    assert begun == ["a"] and names(queue) == ["a", "b"]


def test_bad_names_and_files_of_others(queue: Queue, started: list[Any]) -> None:
    with pytest.raises(ProcessError, match="allowed are"):
        add(queue, "../up")
    queue.folder.mkdir(exist_ok=True)
    (victim := queue.root.parent / "victim.yaml").write_text("not of the queue")
    add(queue, "a")
    sound = json.loads(queue.file.read_text())
    (item,) = sound["items"]
    up = {"place": 0, "item": item | {"id": "../../../victim"}}
    for other in ({"items": 3}, sound | {"items": [1]}, sound | {"items": [{"id": item["id"]}]},
                  sound | {"removed": up}, sound | {"items": [item | {"state": "running", "run": "../.."}]}):
        text = json.dumps(other)
        for broken in ("{", "[]", text):
            queue.file.write_text(broken)
            assert queue.listed()["items"] == [] and queue.tick() is None
        assert queue.file.read_text() == text, "whoever only looks changes nothing"
        queue.hold(True)
        assert (queue.folder / "queue.broken.json").read_text() == text and queue.listed()["held"]
    assert victim.is_file() and not started


def test_on_a_full_disk_no_run_folder_is_left(queue: Queue, started: list[Any],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    add(queue, "a")

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(queue_module, "write_text", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                queue.tick()
    assert not started and [path.name for path in queue.root.iterdir()] == [".studio"]
    assert queue.tick() == "a"


def test_the_watcher_starts_what_waits(queue: Queue, started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.studio.test_processes import until

    monkeypatch.setattr("pvswgan.studio.queue.LOOK_S", 0.02)
    add(queue, "a", "b")
    with queue.watched():
        until(lambda: len(started) == 1)
        end(queue, "a")
        until(lambda: len(started) == 2)
    assert not any(thread.name == "queue-of-trainings" for thread in threading.enumerate())
