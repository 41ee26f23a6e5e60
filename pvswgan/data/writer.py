"""Building a clip store: one clip in memory at a time, and never half a store in its place."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import psutil

from pvswgan.data.store import (
    COLUMNS,
    VERSION,
    Array,
    ClipStore,
    DataError,
    file_name,
    pyramid,
    pyramid_sizes,
)

_FRAMES_AT_ONCE = 16  # frames whose pyramid is made together: bounds the memory that a clip's floats take


class StoreWriter:
    """Builds a store, one clip in memory at a time; a context manager.

        with StoreWriter(folder, 64, classes=["nod", "wave"]) as writer:
            writer.add(clip, source="wave/0.mp4", label=1)
            store = writer.commit()

    It writes to a temporary folder beside `folder` and renames that at `commit`. Leaving the block without
    a commit, by an error or Ctrl-C, removes it; what a killed process left is removed by the next writer.
    A full disk raises DataError.
    """

    def __init__(self, folder: str | Path, resolution: int, classes: Sequence[str] = ("all",)) -> None:
        self.folder = Path(folder)
        self.resolutions = pyramid_sizes(resolution)
        self.classes = list(classes)
        self.skipped: list[dict[str, str]] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._files: dict[int, BinaryIO] = {}
        self._committed = False
        self._temporary = _temporary_name(self.folder)

    def __enter__(self) -> StoreWriter:
        try:
            self._open()
        except OSError as error:
            self._abandon()
            raise DataError(f"no store can be made in {self.folder.parent}: {error.strerror}") from error
        except BaseException:
            self._abandon()
            raise
        return self

    def _open(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(self.folder.parent)
        _refuse_foreign(self.folder)  # now, not after an hour of decoding
        self._temporary.mkdir()
        for size in self.resolutions:
            self._files[size] = open(self._temporary / file_name(size), "wb")  # noqa: SIM115

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._committed:
            self._abandon()

    def __len__(self) -> int:
        return len(self._columns["lengths"])

    def add(self, clip: Array, source: str, label: int = 0, start: int = 0, fps: float = 25.0) -> None:
        """Append uint8 (T, R, R, 3), T at least 1, R the store's resolution, and where it is from.

        Raises ValueError for another shape, type or label, DataError when the disk is full.
        """
        resolution = self.resolutions[0]
        square = (resolution, resolution, 3)
        if clip.ndim != 4 or clip.shape[1:] != square or not len(clip) or clip.dtype != np.uint8:
            allowed = f"allowed: uint8 (T, {resolution}, {resolution}, 3)"
            raise ValueError(f"clip of {source} is {clip.dtype} {clip.shape}; {allowed}")
        if not 0 <= label < len(self.classes):
            raise ValueError(f"label of {source} is {label}; allowed: 0 to {len(self.classes) - 1}")
        try:
            for first in range(0, len(clip), _FRAMES_AT_ONCE):
                for small in pyramid(clip[first : first + _FRAMES_AT_ONCE]):
                    self._files[small.shape[1]].write(np.ascontiguousarray(small).data)
        except OSError as error:
            raise self._disk_error(error) from error
        for name, value in zip(COLUMNS, (len(clip), label, source, start, fps), strict=True):
            self._columns[name].append(value)

    def skip(self, file: str, reason: str) -> None:
        """Record a file that could not be used."""
        self.skipped.append({"file": file, "reason": reason})

    def rollback(self, count: int) -> None:
        """Forget all clips after the first `count`: a long file may turn out broken when half of it is in."""
        for column in self._columns.values():
            del column[count:]
        total = sum(self._columns["lengths"])
        try:
            for size, file in self._files.items():
                file.truncate(total * size * size * 3)
                file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._disk_error(error) from error

    def commit(self) -> ClipStore:
        """Finish the store and put it in its place.

        Where another process has put the same store there meanwhile, that one is kept and returned.
        Raises DataError when there is no clip or the disk is full.
        """
        if not len(self):
            raise DataError(f"no clip to put into {self.folder}")
        meta = {"version": VERSION, "resolution": self.resolutions[0], "classes": self.classes}
        meta |= self._columns | {"skipped": self.skipped}
        try:
            for file in self._files.values():
                _sync(file)
                file.close()
            with open(self._temporary / "meta.json", "wb") as file:  # last: without it there is no store
                file.write(_dump_meta(meta))
                _sync(file)
        except OSError as error:
            raise self._disk_error(error) from error
        store = self._rename()
        self._committed = True
        return store

    def _rename(self) -> ClipStore:
        for _ in range(3):
            try:
                os.rename(self._temporary, self.folder)
            except OSError as error:
                if not self.folder.exists():
                    raise self._disk_error(error) from error
                try:
                    winner = ClipStore.open(self.folder)
                except DataError:
                    _refuse_foreign(self.folder)
                    _discard(self.folder)  # a damaged store, or one of another version
                    continue
                shutil.rmtree(self._temporary, ignore_errors=True)
                return winner
            return ClipStore.open(self.folder)
        raise DataError(f"{self.folder} is in the way of the store and cannot be replaced")

    def _disk_error(self, error: OSError) -> DataError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else f"writing failed ({error.strerror})"
        done = sum(self._columns["lengths"]) * sum(3 * size * size for size in self.resolutions)
        return DataError(
            f"{what}: the store {self.folder} was given up after {len(self)} clips ({done / 2**20:.0f} MiB). "
            f"Free some room, or set PVSWGAN_CACHE to a folder on a larger disk"
        )

    def _abandon(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # closing flushes, which fails again on a full disk; the file goes anyway
                file.close()
        shutil.rmtree(self._temporary, ignore_errors=True)


def _dump_meta(meta: dict[str, Any]) -> bytes:
    """JSON with one key a line, the same bytes for the same values (file names may hold any bytes: ASCII)."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in meta.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _temporary_name(folder: Path) -> Path:
    """A new name beside `folder` that says which process builds there: .NAME.building.HOST.PID.RANDOM"""
    host = socket.gethostname().replace(".", "-")
    return folder.parent / f".{folder.name}.building.{host}.{os.getpid()}.{secrets.token_hex(4)}"


def _refuse_foreign(folder: Path) -> None:
    """Raise DataError where `folder` holds anything but a store's files: then it is not ours to replace."""
    if folder.is_dir():
        foreign = sorted(e.name for e in folder.iterdir() if e.name != "meta.json" and e.suffix != ".u8")
        if foreign:
            raise DataError(f"{folder} is no clip store (it holds {foreign[0]}) and will not be replaced")
    elif folder.exists():
        raise DataError(f"{folder} is a file; a clip store is a folder")


def _discard(folder: Path) -> None:
    """Remove a folder that another process may be removing too: rename first, so that only one does it."""
    aside = _temporary_name(folder)
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def remove_stale(parent: Path) -> None:
    """Remove the temporary folders in `parent` whose process, on this machine, is gone."""
    host = socket.gethostname().replace(".", "-")
    for folder in parent.glob(f".*.building.{host}.*"):
        pid = folder.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
