"""Commands as processes that end with this one and cannot outlast their time."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POLL_S = 0.25
PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)      # Linux; looked up here, not between fork and exec


def start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """`python WORDS` in the repository's folder, what it prints in `log`."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
    with open(log, "wb") as file:
        return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                stdout=file, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent)


def _end_with_parent() -> None:
    """A visit or a study that is killed must not leave a training behind, which nobody would stop in its time."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def train_on(config: Path, run: Path, words: Sequence[str], threads: int | None,
             meanwhile: Callable[[], None] = lambda: None) -> int:
    """`python -m train` of a configuration with key=value `words`, or on with it where the run folder has one already;
    its own progress is shown. `meanwhile` is called again and again. Returns its exit status."""
    begun = (run / "config.yaml").is_file()
    how = ["--resume"] if begun else [str(config), *words]
    extra = [] if threads is None else ["--threads", str(threads)]
    child = subprocess.Popen([sys.executable, "-m", "train", *how, "--run-dir", str(run), *extra])
    try:
        watch(child, math.inf, meanwhile)
    except KeyboardInterrupt:                            # the terminal has told it too: it writes its checkpoint
        child.wait()
    return child.returncode


def watch(process: subprocess.Popen[bytes], until: float, meanwhile: Callable[[], None]) -> bool:
    """Call `meanwhile` again and again until the process ends, or time.monotonic() is `until`. Whether it ended."""
    while process.poll() is None:
        if time.monotonic() >= until:
            return False
        meanwhile()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def tail(log: Path, lines: int) -> str:
    """The last lines of what a process printed."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-lines:])
    return ""
