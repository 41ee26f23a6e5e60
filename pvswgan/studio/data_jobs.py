"""Imports as processes of their own: `python -m pvswgan data ... --job FOLDER`, started, asked and told of.

A job is a folder CACHE/.jobs/ID with job.json (the command), status.json (the process writes it, see data/jobs.py) and
log.txt. A studio that is closed leaves its imports at work and finds them again.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pvswgan.data.sources import cache_folder
from pvswgan.files import write_text
from pvswgan.studio.processes import ENDING_S, in_background

COMMAND = (sys.executable, "-m", "pvswgan", "data")
LOG = "log.txt"
STARTING_S = 60  # a process has written its first status by then, or it never will
KEPT_S = 24 * 3600  # a job that is done is forgotten after a day
_changing = threading.Lock()
_children: dict[Path, subprocess.Popen[bytes]] = {}


class JobError(RuntimeError):
    """An import could not be started or asked; the message is a sentence."""


class UnknownJobError(JobError):
    """There is no such import."""


def root() -> Path:
    return cache_folder() / ".jobs"


def start(words: list[str]) -> str:
    """Start an import (words: what follows `python -m pvswgan data`); returns the job's id."""
    _forget_old()
    folder = root() / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    try:
        folder.mkdir(parents=True)
        _write(folder, {"words": words, "began": time.time(), "cancel": False})
    except OSError as error:
        raise JobError(f"An import cannot be kept in {root()}: {error.strerror}.") from error
    try:
        _launch(folder, words)
    except JobError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder.name


def listed() -> list[dict[str, Any]]:
    """Every job, newest first, as `describe` tells it."""
    try:
        found = sorted((folder for folder in root().iterdir() if (folder / "job.json").is_file()), reverse=True)
    except OSError:
        return []
    return [describe(folder) for folder in found]


def find(id: str) -> Path:
    """The folder of a job in the list. Raises UnknownJobError."""
    for line in listed():
        if line["id"] == id:
            return root() / id
    raise UnknownJobError(f"There is no import {id!r}.")


def describe(folder: Path) -> dict[str, Any]:
    """What a job is doing: its status with "id", "words", "state" as it really is, "cancelling" and "error".

    state: starting, running, interrupted (its process is gone), cancelled, failed, done.
    """
    job, status = _read(folder / "job.json"), _read(folder / "status.json")
    alive = _alive(folder, status)
    state = str(status.get("state", "starting"))
    error = status.get("error")
    if not alive and state == "running":
        state = "interrupted"
    elif not alive and state == "starting" and not _is_fresh(folder):
        state, error = "failed", _last_words(folder)
    asked = bool(job.get("cancel"))
    if asked and alive and state in ("starting", "running"):
        with suppress(OSError):
            (folder / "cancel").touch()  # once more: a process that began meanwhile takes an old one away
    return {**status, "id": folder.name, "words": job.get("words", []), "began": job.get("began"), "state": state,
            "cancelling": asked and state in ("starting", "running"), "error": error}


def cancel(id: str) -> None:
    """Ask an import to stop; what it has done stays. Raises JobError."""
    folder = find(id)
    with _changing:
        if describe(folder)["state"] not in ("starting", "running"):
            raise JobError("This import is not running, so there is nothing to cancel.")
        _write(folder, _read(folder / "job.json") | {"cancel": True})
        try:
            (folder / "cancel").touch()
        except OSError as error:
            raise JobError(f"The cancel cannot be left in {folder}: {error.strerror}.") from error


def resume(id: str) -> None:
    """The same command again: it goes on after the last file that was done. Raises JobError."""
    folder = find(id)
    with _changing:
        if describe(folder)["state"] not in ("interrupted", "cancelled", "failed"):
            raise JobError("This import needs no resume: it is running, or done.")
        _wait_for_end(folder)
        job = _read(folder / "job.json")
        if not isinstance(job.get("words"), list):
            raise JobError(f"{folder / 'job.json'} is damaged: nobody knows what was to be imported. Start it anew.")
        _write(folder, job | {"cancel": False, "began": time.time()})
        (folder / "cancel").unlink(missing_ok=True)
        (folder / "status.json").unlink(missing_ok=True)
        _launch(folder, job["words"])


def forget(id: str) -> None:
    """Take a job that is over off the list; the store, or what there is of it, stays. Raises JobError."""
    folder = find(id)
    with _changing:
        if describe(folder)["state"] in ("starting", "running"):
            raise JobError("This import is running; cancel it first.")
        shutil.rmtree(folder, ignore_errors=True)


def _forget_old() -> None:
    for line in listed():
        if line["state"] == "done" and time.time() - float(line["began"] or 0) > KEPT_S:
            with suppress(JobError):
                forget(line["id"])


def _launch(folder: Path, words: list[str]) -> None:
    """Start the process, in the background."""
    try:
        (folder / LOG).write_bytes(b"")
        _children[folder] = in_background([*COMMAND, *words, "--job", str(folder.resolve())], folder / LOG, None)
    except OSError as error:
        raise JobError(f"The import could not be started: {error}.") from error


def _wait_for_end(folder: Path) -> None:
    """A process that has written its last status is given a moment to go."""
    until = time.monotonic() + ENDING_S
    while _alive(folder, _read(folder / "status.json")):
        if time.monotonic() > until:
            raise JobError("The import's process has not ended yet; try again in a moment.")
        time.sleep(0.05)


def _alive(folder: Path, status: dict[str, Any]) -> bool:
    """Whether a process works on this job. For our own child we know; another studio's is known by its command."""
    child = _children.get(folder)
    if child is not None and child.poll() is None:
        return True
    pid = status.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(folder.resolve()) in process.cmdline()
    except (psutil.Error, ValueError, OverflowError):
        return False


def _is_fresh(folder: Path) -> bool:
    """Whether a job without a status may still be one that another studio starts just now."""
    return folder not in _children and time.time() - _changed(folder / LOG) < STARTING_S


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _last_words(folder: Path) -> str:
    try:
        text = re.sub(r"[│╭╮╰╯─]+", " ", (folder / LOG).read_text(errors="replace"))
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"The import ended before it began: {' '.join(lines[-3:]) or 'it left no word'}"


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing, half-written or something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(folder: Path, job: dict[str, Any]) -> None:
    write_text(folder / "job.json", json.dumps(job))
