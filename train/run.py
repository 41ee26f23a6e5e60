"""A run folder: what the trainer writes and anyone may read, and the requests that anyone may leave.

Reading needs neither torch nor the trainer: either side can die and the other goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import yaml

from pvswgan.files import write_bytes

# What yaml.safe_load raises, by its constructors too: seed: 2024-13-45, !!bool maybe, !!timestamp x, !!int "".
YAML_ERRORS = (yaml.YAMLError, ValueError, LookupError, ArithmeticError, AttributeError, TypeError, RecursionError)
REQUESTS = ("pause", "resume", "stop", "snapshot")
OPPOSITE = {"pause": "resume", "resume": "pause"}
ACTIVE = ("starting", "running", "paused")
SAMPLE = re.compile(r"^(?P<clips>\d{9}|reals)-(?P<frames>\d+)x(?P<resolution>\d+)\.png$")


class RunError(RuntimeError):
    """A run folder that cannot be used; the message says why."""


@dataclass(frozen=True)
class Sample:
    """A sprite sheet of the fixed latents after `clips` clips (-1: reals). Rows are clips, columns frames."""

    clips: int
    frames: int
    resolution: int
    path: Path


class RunFolder:
    """The read side of runs/NAME, and its requests."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def name(self) -> str:
        return self.path.name

    def status(self) -> dict[str, Any] | None:
        """status.json, or None where there is none (yet)."""
        try:
            data = json.loads((self.path / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None

    def alive(self) -> bool:
        """Whether the process that wrote the status still runs (its number alone may have been given anew)."""
        status = self.status() or {}
        try:
            process = psutil.Process(int(status["pid"]))
            if process.status() == psutil.STATUS_ZOMBIE:     # ended, and its parent has not looked yet
                return False
            born = process.create_time()
            return abs(born - float(status.get("process_started", born))) < 2
        except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
            return False

    def state(self) -> str:
        """The state to show: what the status says, but 'stopped' where it says active and the process is gone."""
        state = str((self.status() or {}).get("state", "starting"))
        return "stopped" if state in ACTIVE and not self.alive() else state

    def config(self) -> dict[str, Any]:
        """config.yaml as a mapping; empty where it is missing or broken."""
        try:
            data = yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, *YAML_ERRORS):
            return {}
        return data if isinstance(data, dict) else {}

    def stats(self, since: int = -1) -> list[dict[str, Any]]:
        """The lines of stats.jsonl with more than `since` clips, oldest first; a half-written line is left out.

        After a crash a run resumes from its last checkpoint: lines of the lost stretch are dropped here.
        """
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(OSError):
            for text in (self.path / "stats.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    line = json.loads(text)
                    clips = int(line["clips"])
                except (ValueError, KeyError, TypeError):
                    continue
                if line.get("event") == "resumed":
                    while lines and lines[-1]["clips"] > clips:
                        lines.pop()
                lines.append(line)
        return [line for line in lines if line["clips"] > since]

    def samples(self) -> list[Sample]:
        """Sprite sheets of the fixed latents, oldest first, reals (clips -1) before all."""
        found = []
        for path in (self.path / "samples").glob("*.png"):
            if match := SAMPLE.match(path.name):
                clips = -1 if match["clips"] == "reals" else int(match["clips"])
                found.append(Sample(clips, int(match["frames"]), int(match["resolution"]), path))
        return sorted(found, key=lambda s: (s.clips, s.resolution, s.frames))

    def log_tail(self, lines: int = 100) -> str:
        """The last lines of log.txt."""
        try:
            with open(self.path / "log.txt", "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 200 * lines))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""

    def request(self, name: str) -> None:
        """Leave a request for the trainer. Raises RunError for another name."""
        if name not in REQUESTS:
            raise RunError(f"request {name!r}; allowed: {', '.join(REQUESTS)}")
        folder = self.path / "requests"
        folder.mkdir(parents=True, exist_ok=True)
        if name in OPPOSITE:                                 # the last word counts, also before the first was heard
            (folder / OPPOSITE[name]).unlink(missing_ok=True)
        (folder / name).touch()


def list_runs(root: str | Path) -> list[RunFolder]:
    """The run folders in `root`, newest first."""
    try:
        found = [RunFolder(p) for p in Path(root).iterdir() if (p / "config.yaml").is_file()]
    except OSError:
        return []
    return sorted(found, key=lambda run: _modified(run.path / "config.yaml"), reverse=True)


def _modified(path: Path) -> float:
    """When, in seconds; 0 of what has gone meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


class RunWriter:
    """The trainer's side of a run folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        for part in ("samples", "checkpoints", "requests"):
            (self.path / part).mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        for leftover in [*self.path.glob(".*.tmp"), *self.path.glob("*/.*.tmp")]:      # of a process that was killed
            leftover.unlink(missing_ok=True)
        me = psutil.Process()
        self._status: dict[str, Any] = {"state": "starting", "pid": me.pid, "process_started": me.create_time(),
                                        "started": time.time(), "error": None, "message": ""}

    def _take_lock(self) -> IO[str]:
        """One trainer a folder: the lock goes with the process, however it ends."""
        lock = open(self.path / ".lock", "w", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise RunError(f"another training is at work in {self.path}; stop it first, or choose another "
                           "folder") from None
        return lock

    def close(self) -> None:
        self._lock.close()

    @property
    def status(self) -> dict[str, Any]:
        """The status as last written."""
        return dict(self._status)

    def write_status(self, **changes: Any) -> None:
        """Change some of the status; the file is replaced whole. Names of files in it may be bytes that are no text."""
        self._status |= changes
        self._status["updated"] = time.time()
        text = json.dumps(finite(self._status), indent=1, ensure_ascii=False)
        write_bytes(self.path / "status.json", text.encode("utf-8", "replace"))

    def append_stats(self, line: dict[str, Any]) -> None:
        with open(self.path / "stats.jsonl", "a+b") as file:
            if file.tell() and _last_byte(file) != b"\n":      # a line cut off by a kill
                file.write(b"\n")
            file.write(json.dumps(finite(line)).encode() + b"\n")

    def log(self, text: str) -> None:
        with contextlib.suppress(OSError), open(self.path / "log.txt", "a", encoding="utf-8",
                                                errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def take_requests(self) -> Iterator[str]:
        """The requests left since the last call, each taken away, in a fixed order: a stop outranks a pause."""
        for name in ("snapshot", "resume", "pause", "stop"):
            path = self.path / "requests" / name
            if path.exists():
                path.unlink(missing_ok=True)
                yield name

    def asked(self, name: str) -> bool:
        """Whether that request lies there; it stays."""
        return (self.path / "requests" / name).exists()

    def clear_requests(self) -> None:
        """Forget what was asked of the process before."""
        for _ in self.take_requests():
            pass


class SilentWriter(RunWriter):
    """For a process that trains with others, of which the first one writes: nothing is written, nothing asked."""

    def __init__(self) -> None:
        self._status: dict[str, Any] = {"message": ""}

    def close(self) -> None:
        pass

    def write_status(self, **changes: Any) -> None:
        self._status |= changes

    def append_stats(self, line: dict[str, Any]) -> None:
        pass

    def log(self, text: str) -> None:
        pass

    def take_requests(self) -> Iterator[str]:
        return iter(())

    def asked(self, name: str) -> bool:
        return False


def _last_byte(file: IO[bytes]) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


@contextlib.contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes OUT's place once all of it is there: whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as place:
        made, before = Path(place) / "made", Path(place) / "before"
        made.mkdir()
        yield made
        if out.exists():
            out.rename(before)
        try:
            made.rename(out)
        except OSError:
            if before.exists():
                before.rename(out)
            raise


def folder_bytes(folder: Path) -> int:
    """Of all files in it."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def finite(value: Any) -> Any:
    """NaN and infinity as null: JSON has no word for them."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
