"""Trainings as processes of their own: the page starts them, then only leaves requests in the run folder.

A started process is in a session of its own, so that closing the studio (or its terminal) leaves it running,
and it is asked to pause or stop by a file, never by a signal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from train.run import ACTIVE, REQUESTS, RunFolder

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "train")
LAUNCH_LOG = "launch.log"  # what the process printed: the only witness of one that died before its own log
NICENESS = 10
ENDING_S = 10
LOADING_S = 60  # a training has written its first status by then, or it never will
LONGEST_NAME = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
changing = threading.Lock()  # held while a run that rests is resumed, renamed or deleted: one of these at a time
_children: dict[Path, subprocess.Popen[bytes]] = {}  # by run folder: those that this studio started


class ProcessError(RuntimeError):
    """A training could not be started or asked; the message is a sentence for the person at the page."""


class RunNameError(ProcessError):
    """A run cannot have that name."""


def check_name(name: str) -> str:
    """The name of a new run, trimmed; raises RunNameError unless it is safe as the name of one folder."""
    name = name.strip()
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise RunNameError(
            f"The name {name!r} cannot be used for a run: allowed are up to {LONGEST_NAME} "
            "letters, digits, dots, dashes and underscores, beginning with a letter or a digit."
        )
    return name


def new_folder(root: Path, name: str) -> Path:
    """Make and return root/NAME, or root/NAME-2, -3, ... where that is taken. mkdir decides, so two tabs
    that press Start at once get two folders."""
    name = check_name(name)
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise ProcessError(f"The run folder {folder} cannot be made: {error.strerror}.") from error
        return folder
    raise ProcessError(f"There are too many runs named {name} already; choose another name.")


def override(key: str, value: Any) -> str:
    """key=value for the command line, the value as JSON: a path with a colon or a hash stays one string."""
    text = json.dumps(value)
    if yaml.safe_load(text) != value:  # JSON's 1e-05 is a word in YAML, whose floats have a dot
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
    return f"{key}={text}"


def command(config: Path, folder: Path, overrides: Mapping[str, Any]) -> list[str]:
    """The argument list of a new training (no shell ever sees it)."""
    return [*COMMAND, str(config), "--run-dir", str(folder), *(override(k, v) for k, v in overrides.items())]


def start(root: Path, name: str, config: Path, overrides: Mapping[str, Any]) -> str:
    """Start a training in a new run folder under `root`; returns the folder's name (the run's id)."""
    return begin(new_folder(root.resolve(), name), config, overrides)


def begin(folder: Path, config: Path, overrides: Mapping[str, Any]) -> str:
    """Start a training in an empty folder, which goes again where that fails; returns its name."""
    try:
        _launch(command(config, folder, overrides), folder)
    except ProcessError:
        (folder / LAUNCH_LOG).unlink(missing_ok=True)
        folder.rmdir()
        raise
    return folder.name


def start_all(root: Path, runs: Sequence[tuple[str, Path, Mapping[str, Any]]]) -> list[str]:
    """Start several trainings, (name, configuration, overrides) each, or none of them; returns the runs' ids."""
    begun: list[str] = []
    for name, config, overrides in runs:
        try:
            begun.append(start(root, name, config, overrides))
        except (ProcessError, OSError) as error:
            for id in begun:
                _take_back(root.resolve() / id)
            raise ProcessError(f"None of the {len(runs)} trainings was started: {name} failed. {error}") from error
    return begun


def _take_back(folder: Path) -> None:
    """End a training that this studio started a moment ago, before it has done anything, and forget its folder."""
    child = _children.pop(folder)
    child.kill()
    child.wait()
    shutil.rmtree(folder, ignore_errors=True)


def resume(run: RunFolder) -> None:
    """Go on with a run whose process is gone, from its newest training checkpoint, in a new process."""
    folder = run.path.resolve()
    with changing:  # two tabs may press Resume at once
        if run.state() in ACTIVE or loading(folder, run.status()) or not _ended(run):
            raise ProcessError(f"The run {run.path.name} is still running.")
        _launch([*COMMAND, "--resume", "--run-dir", str(folder)], folder)


def request(run: RunFolder, name: str) -> None:
    """Leave a request for a running training; raises ProcessError when nobody is there to take it."""
    if name not in REQUESTS:
        raise ProcessError(f"There is no request {name!r}; allowed: {', '.join(REQUESTS)}.")
    if not run.alive():
        raise ProcessError(f"The run {run.path.name} has no running process, so nobody would take it.")
    try:
        run.request(name)
    except OSError as error:
        raise ProcessError(f"The request could not be left in {run.path}: {error.strerror}.") from error


def _ended(run: RunFolder) -> bool:
    """Whether a process that has written its last status is gone; it is given a moment to go."""
    until = time.monotonic() + ENDING_S
    while run.alive():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def loading(folder: Path, status: dict[str, Any] | None) -> bool:
    """Whether a process was started for this folder that has not written its first status yet.

    For our own child we know. After a restart of the studio a fresh launch log without a status has to do.
    """
    child = _children.get(folder.resolve())
    if child is not None:
        return child.poll() is None and (status or {}).get("pid") != child.pid
    try:
        return status is None and time.time() - (folder / LAUNCH_LOG).stat().st_mtime < LOADING_S
    except OSError:
        return False


def launch_log(folder: Path, lines: int = 20) -> list[str]:
    """The last lines that the process itself printed (a traceback, when it died before its own log began)."""
    try:
        text = (folder / LAUNCH_LOG).read_text(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def _launch(arguments: list[str], folder: Path) -> None:
    """Start a training's process, in the background."""
    try:
        _children[folder] = in_background(arguments, folder / LAUNCH_LOG, environment())
    except OSError as error:
        raise ProcessError(f"The training could not be started: {error}.") from error


def in_background(command: Sequence[str], log: Path, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one: own session, what it prints at the log's end, no input, low priority.
    Raises OSError."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    lower_priority(process.pid)
    # Somebody must wait for a child, or it stays behind as a zombie that looks alive.
    threading.Thread(target=process.wait, name=f"process-{process.pid}", daemon=True).start()
    return process


def environment() -> dict[str, str]:
    """This environment with one thread fewer than processors, so that the page stays quick meanwhile."""
    threads = max(1, (os.cpu_count() or 2) - 1)
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("OMP_WAIT_POLICY", None)          # app.py's choice for one clip; a training is faster without
    return environment


def lower_priority(pid: int) -> None:
    import psutil

    try:
        process = psutil.Process(pid)
        process.nice(max(NICENESS, process.nice()))
    except psutil.Error:
        pass  # it has ended already, and its log says why
