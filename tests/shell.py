"""A command as from a shell, in this process: what it imports takes seconds, and is here already.

Typer's CliRunner calls an app; what `python -m` does around it (a fault is a sentence, and exit code 2) is tested here.
"""

import contextlib
import io
import runpy
import sys
from subprocess import CompletedProcess
from unittest import mock


def command(module: str, *words: object) -> CompletedProcess[str]:
    """python -m MODULE WORD ..."""
    line, out, error, code = [module, *map(str, words)], io.StringIO(), io.StringIO(), 0
    imported = sys.modules.pop(f"{module}.__main__", None)     # by another test: runpy would warn of two
    with (mock.patch.object(sys, "argv", line), contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)):
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            if imported is not None:
                sys.modules[imported.__name__] = imported
    return CompletedProcess(line, code, out.getvalue(), error.getvalue())
