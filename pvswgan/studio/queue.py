"""A queue of trainings, one after the other, that survives a restart of the studio.

RUNS/.studio/queue.json holds it, RUNS/.studio/queue/ID.yaml the configuration of each item as it was when it was added.
Every studio over that folder has a watcher that looks once a second: whether the training that was started last has
ended, and the next may begin. Whoever reads to change holds the lock file meanwhile, so that two studios never start
the same item. A training that was started by hand is waited for too; one that fails does not hold up the next.
"""

from __future__ import annotations

import fcntl
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from pvswgan.files import write_text
from pvswgan.studio import processes, train_watch
from train.run import ACTIVE

LOOK_S = 1.0
LONGEST = 100
RunName = Annotated[str, AfterValidator(processes.check_name)]
_log = logging.getLogger(__name__)


class QueueError(RuntimeError):
    """The queue cannot be changed so; the message is a sentence."""


class Item(BaseModel):
    """config: what it was made from. state: waiting; running, then `run` is its run folder's name; or failed: it could
    not be started, and `note` says why."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]  # names a file
    name: RunName
    config: str
    overrides: dict[str, Any]
    added: float
    state: Literal["waiting", "running", "failed"]
    run: RunName | None
    note: str


class Removed(BaseModel):
    """The last item that was taken out, and its place."""

    place: Annotated[int, Field(ge=0, le=LONGEST)]
    item: Item


class QueueFile(BaseModel):
    """It is read as it was written by us or not at all: what it names is started, and cleared away."""

    held: bool
    items: list[Item]
    removed: Removed | None


class Queue:
    """The queue of the runs folder `root`. An item whose training has ended leaves it, however that ended: the run
    itself tells."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".studio"
        self.file = self.folder / "queue.json"

    # ---- what a person does -----------------------------------------------------------------------------------

    def add(self, name: str, config: Path, overrides: Mapping[str, Any]) -> str:
        """Add a training at the end; returns the item's id.

        name       of the run, as for processes.start
        config     YAML file; it is copied, and may change or go afterwards
        overrides  {key: value}
        Raises ProcessError (a bad name), QueueError, OSError.
        """
        return self.add_all([(name, config, overrides)])[0]

    def add_all(self, runs: Sequence[tuple[str, Path, Mapping[str, Any]]]) -> list[str]:
        """Add several trainings at the end, (name, configuration, overrides) each as for `add`, or none of them."""
        items, texts = [], []
        for name, config, overrides in runs:
            items.append({"id": secrets.token_hex(6), "name": processes.check_name(name), "config": config.stem,
                          "overrides": dict(overrides), "added": time.time(), "state": "waiting", "run": None,
                          "note": ""})
            texts.append(config.read_text(encoding="utf-8"))
        try:
            with self._changing() as queue:
                if len(queue["items"]) + len(items) > LONGEST:
                    raise QueueError(_full(len(queue["items"]), len(items)))
                for item, text in zip(items, texts, strict=True):
                    self._copy(item).parent.mkdir(exist_ok=True)
                    write_text(self._copy(item), text)
                queue["items"] += items
        except (QueueError, OSError):
            for item in items:  # the queue's file has none of them
                self._copy(item).unlink(missing_ok=True)
            raise
        return [str(item["id"]) for item in items]

    def move(self, id: str, by: int) -> None:
        """Move an item `by` places towards the end (negative: the front), as far as there are waiting ones."""
        with self._changing() as queue:
            items, place = queue["items"], self._place(queue, id, "waiting")
            least = sum(item["state"] == "running" for item in items)
            items.insert(min(max(least, place + by), len(items)), items.pop(place))

    def remove(self, id: str) -> None:
        """Take an item out that has not begun. The last one taken out can be put back. Raises QueueError."""
        with self._changing() as queue:
            place = self._place(queue, id, "waiting", "failed")
            if queue["removed"]:
                self._copy(queue["removed"]["item"]).unlink(missing_ok=True)
            queue["removed"] = {"place": place, "item": queue["items"].pop(place)}

    def put_back(self, id: str) -> None:
        """Undo the last removal, where that was of this item. Raises QueueError."""
        with self._changing() as queue:
            removed = queue["removed"]
            if not removed or removed["item"]["id"] != id:
                raise QueueError("That was removed too long ago to be put back: add it again.")
            queue["items"].insert(removed["place"], removed["item"])
            queue["removed"] = None

    def hold(self, held: bool) -> None:
        """Start nothing more (True), until told to go on (False). What runs goes on."""
        with self._changing() as queue:
            queue["held"] = held

    def listed(self) -> dict[str, Any]:
        """{"held", "waits_for": name of the run that the next item waits for or None, "items"}, for the page."""
        queue = self._read()
        waiting = any(item["state"] == "waiting" for item in queue["items"])
        shown = ("id", "name", "config", "state", "run", "note")
        return {"held": queue["held"], "waits_for": train_watch.in_training(self.root) if waiting else None,
                "items": [{key: item[key] for key in shown} for item in queue["items"]]}

    # ---- what the watcher does ----------------------------------------------------------------------------------

    def tick(self) -> str | None:
        """Let go what has ended, and start the next item if nothing runs; returns the name of a run started."""
        if not self._read()["items"]:
            return None
        with self._changing() as queue:
            queue["items"] = [item for item in queue["items"] if not self._over(item)]
            following = next((item for item in queue["items"] if item["state"] == "waiting"), None)
            if following is None or queue["held"] or train_watch.in_training(self.root):
                return None
            return self._start(queue, following)

    def _start(self, queue: dict[str, Any], item: dict[str, Any]) -> str | None:
        try:
            folder = processes.new_folder(self.root.resolve(), item["name"])
            item.update(state="running", run=folder.name)
            try:
                self._write(queue)  # before the start: should this process die now, the item is not started twice
            except OSError:
                folder.rmdir()  # the next look will try again
                raise
            return processes.begin(folder, self._copy(item), item["overrides"])
        except processes.ProcessError as error:
            item.update(state="failed", run=None, note=str(error))
            return None

    def _over(self, item: dict[str, Any]) -> bool:
        """Whether an item's training has ended; its copy of the configuration goes with it."""
        if item["state"] != "running":
            return False
        run = train_watch.known(self.root, item["run"])
        if run is not None and train_watch.state_of(run)[0] in ACTIVE:
            return False
        with suppress(OSError):
            (self.root / item["run"]).rmdir()  # empty: the studio that made it died before it started anything there
            item.update(state="waiting", run=None)
            return False
        self._copy(item).unlink(missing_ok=True)
        return True

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A thread looks after the queue meanwhile."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_S):
                try:
                    self.tick()
                except Exception:  # the queue must go on when the disk is full, or a folder was not to be read
                    _log.exception("the queue of trainings in %s", self.root)

        thread = threading.Thread(target=watch, name="queue-of-trainings", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(5)

    # ---- the file -------------------------------------------------------------------------------------------------

    def _copy(self, item: Mapping[str, Any]) -> Path:
        return self.folder / "queue" / f"{item['id']}.yaml"

    def _place(self, queue: dict[str, Any], id: str, *states: str) -> int:
        for place, item in enumerate(queue["items"]):
            if item["id"] == id:
                if item["state"] in states:
                    return place
                raise QueueError(f"{item['name']} is being trained; to end it, stop the run {item['run']}.")
        raise QueueError("That is not in the queue any more: it has begun, or was removed.")

    def _read(self, keep: bool = False) -> dict[str, Any]:
        """keep: a file that is not of ours is about to be written over, and is put aside for whoever has written it."""
        try:
            return QueueFile.model_validate_json(self.file.read_bytes()).model_dump()
        except FileNotFoundError:
            pass
        except (ValueError, processes.ProcessError):
            if keep:
                self.file.replace(self.file.with_name("queue.broken.json"))
        return {"held": False, "items": [], "removed": None}

    def _write(self, queue: Mapping[str, Any]) -> None:
        write_text(self.file, json.dumps(queue, indent=1))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The queue, to be changed: nobody else, in no process, does so meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "queue.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            queue = self._read(keep=True)
            before = json.dumps(queue)
            yield queue
            if json.dumps(queue) != before:
                self._write(queue)


def _full(there: int, more: int) -> str:
    """The sentence when a queue has no room for `more` trainings."""
    if more == 1:
        return f"There are {LONGEST} trainings in the queue already; remove some first."
    return (f"There are {there} trainings in the queue, and room for {LONGEST}: not all of these {more} would fit, so "
            "none was added. Remove some first.")
