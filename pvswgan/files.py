"""Files that are complete or not there: written aside, then renamed."""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one go. Raises OSError, and leaves nothing half-written behind."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one go. Raises OSError."""
    write_bytes(path, text.encode())
