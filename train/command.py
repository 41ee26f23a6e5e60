"""How the commands that make what is in the box, and train.agreement, end where a person can mend what is wrong: with a
sentence, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pvswgan.checkpoint import CheckpointError
from pvswgan.data.format import DataError
from train.config import ConfigError
from train.run import RunError


@contextmanager
def one_sentence() -> Iterator[None]:
    """Around what a command does."""
    try:
        yield
    except (CheckpointError, ConfigError, DataError, RunError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
