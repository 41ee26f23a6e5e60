"""Runs that rest can be renamed, and deleted to a trash from which they come back until it is emptied.

The trash is RUNS/.studio/trash (trash.py says how it works). Nothing is moved that a training works in: its process
holds the lock of its run folder, and so does whoever moves that folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from pvswgan.studio import processes, train_watch
from pvswgan.studio.answers import asked
from pvswgan.studio.kept import Kept
from pvswgan.studio.trash import Trash, TrashError, bytes_held
from train.run import ACTIVE, RunFolder

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio


class NewName(BaseModel):
    """The body of POST /api/runs/{run}/rename."""

    name: str


class Thrown(BaseModel):
    """Runs in the trash, by their ids there: those that the person was asked about."""

    ids: list[str]


def router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """Rename, delete, and the trash (which is listed with the runs); the configuration of a run, for a clone of it."""
    api = APIRouter(prefix="/api", dependencies=[Depends(guard)])
    root, writes = studio.settings.runs, [Depends(studio.guard_write)]

    @api.get("/runs/{run}/config")
    def config(run: str) -> dict[str, str]:
        try:
            return {"name": run, "yaml": (train_watch.find(root, run).path / "config.yaml").read_text("utf-8")}
        except (OSError, UnicodeDecodeError) as error:
            raise HTTPException(409, f"The run {run} has no configuration to start from yet.") from error

    @api.post("/runs/{run}/rename", dependencies=writes)
    def new_name(run: str, wish: NewName) -> dict[str, str]:
        return {"id": asked(rename, train_watch.find(root, run), wish.name, studio.kept)}

    @api.post("/runs/{run}/delete", dependencies=writes)
    def throw(run: str) -> dict[str, str]:
        return {"id": asked(delete, root, train_watch.find(root, run))}

    @api.post("/train/trash/restore", dependencies=writes)
    def put_back(wish: Thrown) -> dict[str, list[str]]:
        return {"runs": [asked(restore, root, id) for id in wish.ids]}

    @api.post("/train/trash/empty", dependencies=writes)
    def wipe(wish: Thrown) -> dict[str, int]:
        return {"bytes": asked(empty, root, wish.ids)}

    return api


def rename(run: RunFolder, name: str, kept: Kept) -> str:
    """Give a run that rests another name; returns it. What people kept for its models goes with it.

    Raises RunNameError, ProcessError (it does not rest), TrashError (the name is taken), KeptError, OSError.
    """
    name = processes.check_name(name)
    with _resting(run):
        if name != run.name:
            place = run.path.with_name(name)
            if os.path.lexists(place):
                raise TrashError(f"There is a run {name} already; choose another name.")
            kept.move(f"run:{run.name}", f"run:{name}")
            try:
                os.rename(run.path, place)
            except OSError:
                kept.move(f"run:{name}", f"run:{run.name}")
                raise
    return name


def delete(root: Path, run: RunFolder) -> str:
    """Move a run that rests into the trash; returns its id there. Raises ProcessError, TrashError, OSError."""
    with _resting(run):
        return _trash(root).put(run.path)


def thrown(root: Path) -> list[dict[str, Any]]:
    """What is in the trash, newest first: [{"id", "name", "bytes"}]."""
    return [{"id": item.parent.name, "name": item.name, "bytes": _held_once(item)} for item in _trash(root).items()]


def restore(root: Path, id: str) -> str:
    """Put a run back where it was; returns its name. Raises TrashError, OSError."""
    with processes.changing:
        item = _trash(root).find(id)
        _trash(root).back(item, root / item.name, item.name)
        return item.name


def empty(root: Path, ids: Collection[str]) -> int:
    """Delete these runs in the trash for good; returns the bytes that they held. Raises OSError."""
    with processes.changing:
        return _trash(root).empty(ids)


_held_once = lru_cache(maxsize=256)(bytes_held)  # the list is asked for all the time, and nothing there changes


def _trash(root: Path) -> Trash:
    return Trash(root / ".studio" / "trash")


@contextmanager
def _resting(run: RunFolder) -> Iterator[None]:
    """Raises ProcessError where a training works in the folder; meanwhile none can begin there."""
    with processes.changing:
        state, _ = train_watch.state_of(run)
        if state in ACTIVE or run.alive():
            doing = state if state in ACTIVE else "still ending"
            raise processes.ProcessError(f"The run {run.name} is {doing}: stop it first.")
        with open(run.path / ".lock", "a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise processes.ProcessError(f"A training is at work in {run.path}: stop it first.") from None
            yield
