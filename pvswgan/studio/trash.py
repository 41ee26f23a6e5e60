"""A trash: folders that were deleted on a page, until it is emptied.

ROOT/ID/NAME. Deleting renames a folder on its own disk: that is done at once, and can be undone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection
from pathlib import Path

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


class TrashError(RuntimeError):
    """Something cannot be deleted, or put back; the message is a sentence."""


class UnknownItemError(TrashError):
    """There is no such thing in the trash."""


class Trash:
    """The trash in the folder `root`, which is made when first needed. Its callers take turns, by a lock of theirs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def items(self) -> list[Path]:
        """Folders in the trash, newest first; the id of one is its parent's name. Only what `put` has put there: a
        link, or somebody's own, is left alone."""
        if self.root.is_symlink():
            return []
        try:
            places = [place for place in self.root.iterdir() if _ID.fullmatch(place.name) and not place.is_symlink()]
            found = [(place, list(place.iterdir())) for place in places if place.is_dir()]
        except OSError:
            return []  # nothing was deleted yet, or it is being emptied
        return [inside[0] for _, inside in sorted(found, reverse=True) if len(inside) == 1]

    def find(self, id: str) -> Path:
        """The item of that id. Raises UnknownItemError."""
        for item in self.items():
            if item.parent.name == id:
                return item
        raise UnknownItemError(f"There is nothing {id!r} in the trash.")

    def put(self, folder: Path) -> str:
        """Move a folder into the trash; returns its id there. Raises TrashError, OSError."""
        if self.root.is_symlink():
            raise TrashError(f"{self.root} is a link; nothing is deleted there. Remove it first.")
        place = self.root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        place.mkdir(parents=True)
        try:
            os.rename(folder, place / folder.name)
        except OSError:
            place.rmdir()
            raise
        return place.name

    def back(self, item: Path, place: Path, name: str) -> None:
        """Move an item to where it was; `name` is what people call it. Raises TrashError where that is taken."""
        if os.path.lexists(place):
            raise TrashError(f"{name} cannot be put back: there is another one of that name again.")
        os.rename(item, place)
        item.parent.rmdir()

    def empty(self, ids: Collection[str]) -> int:
        """Delete these for good, as far as they are there; returns the bytes that they held. Raises OSError."""
        freed = 0
        for item in [item for item in self.items() if item.parent.name in ids]:
            held = bytes_held(item)
            shutil.rmtree(item.parent)
            freed += held
        return freed


def bytes_held(folder: Path) -> int:
    """Bytes of all files below a folder; of a link to one none, as they lie elsewhere."""
    total = 0
    for where, _, files in os.walk(folder) if not folder.is_symlink() else ():
        for file in files:
            try:
                total += os.lstat(os.path.join(where, file)).st_size
            except OSError:
                continue  # it goes just now
    return total
