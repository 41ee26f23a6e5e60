"""The trash: stores and unfinished builds that were deleted on the Data page, until it is emptied.

CACHE/.trash/ID/NAME. Deleting renames a folder on its own disk: that is done at once, and can be undone. Nothing is
moved that somebody works with: an import, or a training that builds its store, holds the lock of the build; a training
that reads a store has mapped some of its files, and would not find the others.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from pvswgan.data.format import foreign_files
from pvswgan.data.growing import growing_folder
from pvswgan.data.sources import cache_folder
from pvswgan.studio import data_stores, train_watch
from pvswgan.studio.data_stores import UnknownStoreError, plain
from pvswgan.studio.trash import Trash, TrashError, bytes_held

_PROC = Path("/proc")
_changing = threading.Lock()


def root() -> Path:
    return cache_folder() / ".trash"


def _trash() -> Trash:
    return Trash(root())


def listed() -> list[dict[str, Any]]:
    """What is in the trash, newest first: [{"id", "name", "unfinished", "bytes"}]."""
    return [{"id": item.parent.name, "name": _name(item), "unfinished": item.name.startswith("."),
             "bytes": bytes_held(item)} for item in _trash().items()]


def discard_store(name: str, runs: Path) -> str:
    """Move a store of the cache into the trash; returns its id there.

    runs  folder of the trainings that are known by name
    Raises UnknownStoreError; TrashError where it is in use, or not for us to delete.
    """
    with _changing:
        folder = data_stores.find(name)
        if data_stores.is_added(name):
            raise TrashError(f"{folder} lies outside the folder of stores, and nothing is deleted there.")
        if foreign := foreign_files(folder):
            raise TrashError(f"The folder {folder} also holds {plain(foreign[0])!r}, which is no part of a store: move "
                             "that elsewhere first.")
        with _not_at_work(growing_folder(folder.resolve()), name):
            _check_unread(folder, name, runs)
            data_stores.release(folder)
            return _trash().put(folder)


def discard_build(name: str) -> str:
    """Move an unfinished build into the trash; returns its id there. Raises UnknownStoreError, TrashError."""
    with _changing:
        folder = data_stores.builds().get(name)
        if folder is None:
            raise UnknownStoreError(f"There is no unfinished store {name!r} in {cache_folder()}.")
        with _not_at_work(folder, name):
            return _trash().put(folder)


def restore(id: str) -> str:
    """Put something back where it was; returns the name of the store. Raises TrashError, OSError."""
    with _changing:
        item = _trash().find(id)
        name = _name(item)
        _trash().back(item, cache_folder() / item.name, name)
        return name


def empty(ids: Collection[str]) -> int:
    """Delete these things in the trash for good, as far as they are there; returns the bytes that they held.

    Raises OSError.
    """
    with _changing:
        return _trash().empty(ids)


def _name(item: Path) -> str:
    """Of the store that it was, or was to be."""
    name = item.name
    if name.startswith("."):
        name = name.removeprefix(".").removesuffix(data_stores.BUILDING)
    return str(plain(name))


# ---- who uses it ------------------------------------------------------------------------------------------------


@contextmanager
def _not_at_work(growing: Path, name: str) -> Iterator[None]:
    """Holds the lock of a build meanwhile: one that comes then waits, finds its folder gone, and makes another."""
    if not growing.is_dir():
        yield
        return
    descriptor = os.open(growing / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TrashError(f"{name} is being built just now, by an import or a training: stop that first.") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _check_unread(folder: Path, name: str, runs: Path) -> None:
    """Raise TrashError where a process has the store open, or a training is about to choose one."""
    trainings = {}
    for run in train_watch.runs(runs):
        if train_watch.state_of(run)[0] == "starting":
            raise TrashError(f"The training {run.name} is only starting, and which store it takes is not known yet: "
                             "try again in a moment.")
        trainings[(run.status() or {}).get("pid")] = run.name
    for pid in readers(folder):
        if pid in trainings:
            raise TrashError(f"The training {trainings[pid]} runs on {name}: stop it first.")
        raise TrashError(f"{name} is being read by process {pid}{_command(pid)}: end that first.")


def readers(folder: Path) -> list[int]:
    """Processes, but this one, that have mapped a file of the store. Linux tells; elsewhere none is found."""
    inside = os.fsencode(f"{os.path.realpath(folder)}/".replace("\n", "\\012"))  # as the kernel writes it
    found = []
    for maps in _PROC.glob("[0-9]*/maps"):
        with suppress(OSError):  # it has ended, or is another user's
            if int(maps.parent.name) != os.getpid() and inside in maps.read_bytes():
                found.append(int(maps.parent.name))
    return found


def _command(pid: int) -> str:
    """ " (its command)", so that a person knows what to end; "" where nobody may know."""
    try:
        words = " ".join(" ".join(psutil.Process(pid).cmdline()).split())
    except psutil.Error:
        return ""
    return plain(f" ({words[:80]}{'…' if len(words) > 80 else ''})") if words else ""
