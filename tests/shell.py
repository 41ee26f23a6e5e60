"""A command as from a shell, in this process: what it imports takes seconds, and is here already."""

import contextlib
import io
import runpy
import sys
from dataclasses import dataclass
from unittest import mock


@dataclass
class Done:
    """What subprocess.run tells."""

    returncode: int
    stdout: str
    stderr: str


def command(module: str, *words: object) -> Done:
    """python -m MODULE WORD ..."""
    out, error, code = io.StringIO(), io.StringIO(), 0
    with (mock.patch.object(sys, "argv", [module, *map(str, words)]), contextlib.redirect_stdout(out),
          contextlib.redirect_stderr(error)):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), error.getvalue())
