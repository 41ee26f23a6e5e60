"""The folder in which a store grows until it is renamed: where it is, its files, the journal of what is in them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from pvswgan.data.format import DataError, foreign_files


def growing_folder(folder: Path) -> Path:
    """Where the store `folder` grows: beside its place, so that it can be renamed."""
    return folder.parent / f".{folder.name}.building"


def check_place(folder: str | Path) -> Path:
    """The place of a store that is to be called `folder`: links are followed.

    Raises DataError where what is there is not ours to replace, or cannot be replaced.
    """
    place = Path(os.path.realpath(folder))
    if os.path.ismount(place):
        raise DataError(f"{place} is a mount point, which no store can replace; name a folder in it")
    if place.is_dir():
        if foreign := foreign_files(place):
            raise DataError(f"{place} is no clip store (it holds {foreign[0]}) and will not be replaced")
        if os.path.samefile(place, os.curdir):  # whoever works there would be left in a folder that is gone
            raise DataError(f"{place} is the folder that this runs in and will not be replaced; name a folder in it")
    elif os.path.lexists(place):
        what = "a link that leads nowhere" if place.is_symlink() else "a file"
        raise DataError(f"{place} is {what}; a clip store is a folder")
    return place


class Growing:
    """A file that only grows, with its checksum; taken up at `size` bytes where it is there already. Raises OSError."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.file: BinaryIO = open(path, "r+b" if size else "wb")  # noqa: SIM115
        self.sum = hashlib.sha256()
        self.bytes = size
        while size and (block := self.file.read(min(size, 1 << 22))):
            self.sum.update(block)
            size -= len(block)
        self.file.truncate(self.bytes)
        self.file.seek(self.bytes)

    def write(self, blob: bytes | memoryview) -> None:
        self.file.write(blob)
        self.sum.update(blob)
        self.bytes += len(blob)

    def entry(self) -> dict[str, Any]:
        """What meta.json says of it."""
        return {"bytes": self.bytes, "sha256": self.sum.hexdigest()}


class Journal:
    """A file of JSON lines. What a kill, or a full disk, cut is not read, and goes when the next lines come.

        {"version", "key"}              a hash of what the store is made of; it stays with the finished store
        {"about"}                       the same for people
        {"clips", "skipped", "more"}    an item: its clips' columns
        {"closed"}                      {name: checksum} of files that are full
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "journal.jsonl"
        self._bytes = 0  # of its whole lines

    def head(self) -> dict[str, Any]:
        """The "key" and, of an unfinished store, "about"; empty where there is no journal."""
        head: dict[str, Any] = {}
        with suppress(OSError, ValueError, TypeError), open(self._file, "rb") as file:
            for _ in range(2):
                head |= json.loads(file.readline())
        return head

    def read(self) -> list[dict[str, Any]]:
        """Its lines; none where there is no journal. Raises OSError."""
        lines, self._bytes = [], 0
        with suppress(FileNotFoundError, ValueError):
            for line in self._file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    lines.append(json.loads(line))
                    self._bytes += len(line)
        return lines

    def begin(self, lines: Sequence[dict[str, Any]]) -> None:
        """Another journal, in place of one that is there. Raises OSError."""
        self._bytes = self._file.write_bytes(_text(lines))

    def append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Add lines, onto the disk. Raises OSError, and then they are not in."""
        text = _text(lines)
        with open(self._file, "r+b") as file:
            file.truncate(self._bytes)
            file.seek(self._bytes)
            file.write(text)
            sync(file)
        self._bytes += len(text)

    def close(self, keep: bool) -> None:
        """Of a finished store: keep the first line (where its clips lay on this machine is nobody's business), or none.

        Raises OSError.
        """
        if not keep:
            self._file.unlink()
            return
        with open(self._file, "r+b") as file:
            file.truncate(len(file.readline()))


def sync(file: BinaryIO) -> None:
    """Onto the disk, where a power cut does not take it. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def _text(lines: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode("ascii")
