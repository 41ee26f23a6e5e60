"""What the face builder left in a store's folder beside the clips: its contact sheet, and its report."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SHEET, REPORT = "contact-sheet.jpg", "report.json"
MOST_BYTES = 64 << 20  # of either file; greater ones are none that the builder wrote
TRAILERS = 200  # that are listed one by one


def sheet(folder: Path) -> bytes | None:
    """The contact sheet of this store; None where there is none."""
    data = _read(folder / SHEET)
    return data if data is not None and data.startswith(b"\xff\xd8\xff") else None


def report(folder: Path) -> dict[str, Any] | None:
    """{"sheet": whether there is one, "trailers", "dropped": [{"kind", "count"}], "by_trailer": [{"file", "clips",
    "dropped", "problem"}]}, most clips first; None where the face builder did not make this store.

    The file is read as a stranger's: what is not as the builder writes it is left out.
    """
    try:
        found = json.loads(_read(folder / REPORT) or b"null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    dropped = sorted(_counts(found.get("dropped")).items(), key=lambda pair: -pair[1])
    failed = {name: str(why) for name, why in _entries(found.get("failed"))}
    films = [(name, one) for name, one in _entries(found.get("by_trailer"))
             if isinstance(one, dict) and isinstance(one.get("clips"), int)]
    films.sort(key=lambda film: -film[1]["clips"])
    lines = [{"file": name, "clips": one["clips"], "dropped": sum(_counts(one.get("dropped")).values()),
              "problem": failed.get(name, "")} for name, one in films[:TRAILERS]]
    return {"sheet": sheet(folder) is not None, "trailers": len(films),
            "dropped": [{"kind": kind, "count": count} for kind, count in dropped],
            "by_trailer": lines}


def _entries(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _counts(value: Any) -> dict[str, int]:
    return {name: count for name, count in _entries(value) if isinstance(count, int)}


def _read(file: Path) -> bytes | None:
    """A plain file's bytes. A link is not followed: it could lead anywhere, and the builder makes none."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MOST_BYTES else None
