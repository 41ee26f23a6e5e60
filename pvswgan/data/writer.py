"""Building a clip store: never half a store in its place, and a killed build goes on where it was."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pvswgan.data.encode import Blobs, check_clip, encode
from pvswgan.data.format import (
    COLUMNS,
    RAW,
    VERSION,
    Array,
    DataError,
    Shards,
    compact_sizes,
    dump_meta,
    file_name,
    pyramid_sizes,
)
from pvswgan.data.growing import Growing, Journal, check_place, growing_folder, sync
from pvswgan.data.store import ClipStore

_SYNC_S = 2.0  # so much work a power cut may take
_POLL_S = 0.2


class StoreWriter:
    """Builds a store in a folder beside its place, `.NAME.building`, renamed at `commit`; a context manager.

        with StoreWriter(folder, 64, classes=["nod", "wave"]) as writer:
            writer.add(clip, source="wave/0.mp4", label=1)
            store = writer.commit()

    Leaving the block without a commit, by an error or Ctrl-C, removes what was written. With a `key`, which names all
    that the store is made from, it stays, and the next writer with the same key goes on: `items` of the source files
    (each ended by `item_done`) are in already. What was begun with another key is never touched, and neither is a
    store that was made of it: DataError, with what it is `about`. One writer a place: a second one waits (calling
    `waiting`, which may raise), or without `waiting` raises DataError. A full disk raises DataError.
    """

    def __init__(self, folder: str | Path, resolution: int, classes: Sequence[str] = ("all",), *,
                 compact: bool = False, key: str | None = None, about: str = "",
                 waiting: Callable[[], None] | None = None) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.resolution, self.compact = resolution, compact
        self.resolutions = pyramid_sizes(resolution)
        self.classes = list(classes)
        self.temporary = growing_folder(self.folder)
        self._journal = Journal(self.temporary)
        self._key, self._about, self._waiting = key, about, waiting
        self._ours = False  # whether what lies in the temporary folder may be changed
        self._committed = False
        self._clear()

    def _clear(self) -> None:
        self.more: list[bool] = []  # of each item that is in: whether it has more clips than were taken
        self._kept = 0  # clips of which the journal speaks: the next writer has them
        self.skipped: list[dict[str, Any]] = []
        self.prints: list[int] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._chunks: dict[int, list[list[int]]] = {size: [] for size in self._video()}
        self._factors: tuple[list[str], list[list[float]]] = ([], [])
        self._shards = Shards(self.resolution)
        self._closed: dict[str, dict[str, Any]] = {}  # {"bytes", "sha256"} of files that are full
        self._open: dict[int, Growing] = {}  # of the shard that grows
        self._item: list[dict[str, Any]] = []  # clips of the item that is being added
        self._item_skipped: list[dict[str, Any]] = []
        self._unsynced: list[dict[str, Any]] = []
        self._synced = time.monotonic()

    def _video(self) -> list[int]:
        return compact_sizes(self.resolution) if self.compact else []

    def __enter__(self) -> StoreWriter:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            check_place(self.folder)  # now, not after an hour of decoding
            self._lock = self._take_lock()
        except OSError as error:
            raise DataError(f"no store can be made in {self.folder.parent}: {error.strerror}") from error
        try:
            self._begin()
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, OSError):
                raise self.disk_error(error) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours and not self._committed:
            with suppress(DataError):
                self._sync()
        for growing in self._open.values():
            with suppress(OSError):  # closing flushes, which fails again on a full disk
                growing.file.close()
        if self._ours and not self._committed and not self._kept:  # nothing that is worth going on with
            shutil.rmtree(self.temporary, ignore_errors=True)
        os.close(self._lock)

    @property
    def items(self) -> int:
        """How many items are in."""
        return len(self.more)

    def __len__(self) -> int:
        return len(self._columns["lengths"])

    # ---- what was there before --------------------------------------------------------------------------------

    def existing(self) -> ClipStore | None:
        """The finished store in this place, where there is one (another process may have built it meanwhile).

        Raises DataError where that is made of something else.
        """
        try:
            store = ClipStore.open(self.folder)
        except DataError:
            return None
        if self._is_another(Journal(self.folder).head()):
            raise DataError(f"{self.folder} now holds another store, made of something else: choose another folder, or "
                            "remove that one")
        return store

    def _is_another(self, head: dict[str, Any]) -> bool:
        """Whether a journal is known to be of another store."""
        return self._key is not None and head.get("key") not in (None, self._key)

    def _take_lock(self) -> int:
        """Descriptor of the lock in the temporary folder, which is made for it. It goes when the process dies."""
        while True:
            self.temporary.mkdir(exist_ok=True)
            file = self.temporary / "lock"
            try:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
            except FileNotFoundError:  # the folder was renamed or removed just now
                continue
            kept = False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):  # else that lock was another's, and went with its folder
                    kept = os.stat(file).st_ino == os.fstat(descriptor).st_ino
                if kept:
                    return descriptor
            except BlockingIOError:
                if self._waiting is None:
                    raise DataError(f"the store {self.folder} is being built by another process") from None
                if self._is_another(head := self._journal.head()):
                    raise DataError(f"another process is making another store in {self.folder}{_of(head)}; choose "
                                    "another folder") from None
                self._waiting()
                time.sleep(_POLL_S)
            finally:
                if not kept:
                    os.close(descriptor)

    def _begin(self) -> None:
        """Take up what an earlier writer left, or begin. Raises DataError where it left items of another store."""
        head, lines = self._journal.head(), self._journal.read()
        if head.get("key") not in (None, self._key) and any("clips" in line for line in lines):
            raise DataError(f"{self.temporary} holds an unfinished import of something else{_of(head)}. Repeat that "
                            "import to finish it, or delete that folder")
        wanted = {"version": VERSION, "key": self._key}
        goes_on = self._key is not None and lines[:1] == [wanted] and self._replay(lines[1:])
        self._ours = True
        if goes_on:
            self._kept = len(self)
            return
        self._clear()
        for entry in self.temporary.iterdir():
            if entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._journal.begin([wanted, {"about": self._about}])

    def _replay(self, lines: list[dict[str, Any]]) -> bool:
        """Take the journal's clips as added; False where the files do not hold them."""
        try:
            for line in lines:
                self._closed |= line.get("closed", {})
                if "clips" in line:
                    for clip in line["clips"]:
                        self._record(clip)
                    self.skipped += line["skipped"]
                    self.more.append(line.get("more", False))
        except (KeyError, TypeError, ValueError):
            return False
        totals = self._totals()
        for name, wanted in totals.items():
            if (self.temporary / name).stat().st_size < wanted if (self.temporary / name).exists() else True:
                return False
        for entry in self.temporary.glob("shard-*"):
            if entry.name not in totals:
                entry.unlink()  # begun after the last line
        if self._shards.clips:
            last = len(self._shards.clips) - 1
            for size in self.resolutions:
                name = self._name(last, size)
                self._open[size] = Growing(self.temporary / name, totals[name])
        return all(name in self._closed or name in self._last_names() for name in totals)

    def _totals(self) -> dict[str, int]:
        """Bytes that each file must have by the columns."""
        totals: dict[str, int] = {}
        clip = 0
        for shard, count in enumerate(self._shards.clips):
            frames = sum(self._columns["lengths"][clip : clip + count])
            for size in self.resolutions:
                rows = self._chunks.get(size)
                video = sum(map(sum, rows[clip : clip + count])) if rows is not None else 0
                totals[self._name(shard, size)] = frames * size * size * 3 if rows is None else video
            clip += count
        return totals

    def _last_names(self) -> set[str]:
        return {growing.path.name for growing in self._open.values()}

    def _name(self, shard: int, size: int) -> str:
        return file_name(shard, size, _suffix() if size in self._chunks else RAW)

    # ---- adding -----------------------------------------------------------------------------------------------

    def add(self, clip: Array, source: str, label: int = 0, start: int = 0, fps: float = 25.0, *,
            stop: int | None = None, split: str = "", factors: Mapping[str, float] | None = None) -> None:
        """Append uint8 (T, R, R, 3), T at least 1, R the store's resolution, and where it is from.

        Raises ValueError for another shape, type or label, DataError when the disk is full.
        """
        check_clip(clip, self.resolution, source)
        if not 0 <= label < len(self.classes):
            raise ValueError(f"label of {source} is {label}; allowed: 0 to {len(self.classes) - 1}")
        chunks, blobs = encode(clip, self.compact)
        stop = start + len(clip) if stop is None else stop
        values = (len(clip), label, source, start, stop, fps, split)
        record = dict(zip(COLUMNS, values, strict=True)) | {"factors": dict(factors or {}), "chunks": chunks}
        self.append(record, blobs)

    def append(self, record: dict[str, Any], blobs: Blobs) -> None:
        """Append a clip that is encoded already: its columns, factors, chunks (filled once the blobs are taken) and,
        where look-alikes matter, its "print"."""
        try:
            shard = self._shards.place(record["lengths"])
            if shard and self._shards.clips[shard] == 1:
                self._close_shard()
            if not self._open:
                self._open = {size: Growing(self.temporary / self._name(shard, size)) for size in self.resolutions}
            for size, blob in blobs:
                self._open[size].write(blob)
        except OSError as error:
            raise self.disk_error(error) from error
        self._record(record, placed=True)
        self._item.append(record)

    def _record(self, record: dict[str, Any], placed: bool = False) -> None:
        if not placed:
            self._shards.place(record["lengths"])
        names = sorted(record["factors"])
        if len(self) and names != self._factors[0]:
            raise ValueError(f"factors of {record['sources']} are {names}; the others' are {self._factors[0]}")
        for name in COLUMNS:
            self._columns[name].append(record[name])
        for size, rows in self._chunks.items():
            rows.append(list(record["chunks"].get(size) or record["chunks"][str(size)]))
        self._factors = (names, self._factors[1])
        self._factors[1].append([float(record["factors"][name]) for name in names])
        if record.get("print") is not None:
            self.prints.append(record["print"])

    def skip(self, file: str, reason: str, start: int | None = None, stop: int | None = None) -> None:
        """Record a file, or frames of one, that could not be used."""
        part = {} if start is None else {"start": start, "stop": stop}
        self._item_skipped.append({"file": file, "reason": reason} | part)
        self.skipped.append(self._item_skipped[-1])

    def item_done(self, more: bool = False) -> None:
        """What is wanted of one more source file is in: what the next writer need not do again.

        more  whether the file has more clips; kept in `more`
        """
        self._unsynced.append({"clips": self._item, "skipped": self._item_skipped} | ({"more": True} if more else {}))
        self._item, self._item_skipped = [], []
        self.more.append(more)
        if time.monotonic() - self._synced > _SYNC_S:
            self._sync()

    def _sync(self) -> None:
        """First the clips, then the lines that speak of them: a journal never promises what a power cut took."""
        try:
            for growing in self._open.values():
                sync(growing.file)
            self._journal.append(self._unsynced)
        except OSError as error:
            raise self.disk_error(error) from error
        if self._key is not None:
            self._kept += sum(len(line.get("clips", ())) for line in self._unsynced)
        self._unsynced.clear()
        self._synced = time.monotonic()

    def _close_shard(self) -> None:
        for growing in self._open.values():
            sync(growing.file)
            growing.file.close()
            self._closed[growing.path.name] = growing.entry()
        self._unsynced.append({"closed": {growing.path.name: growing.entry() for growing in self._open.values()}})
        self._open = {}

    # ---- the end ----------------------------------------------------------------------------------------------

    def commit(self) -> ClipStore:
        """Finish the store and put it in its place.

        Where another process has put the same store there meanwhile, that one is kept and returned.
        Raises DataError when there is no clip, the disk is full, or another store has come there.
        """
        if not len(self):
            raise DataError(f"no clip to put into {self.folder}")
        try:
            self._close_shard()
            with open(self.temporary / "meta.json", "wb") as file:  # last: without it there is no store
                file.write(dump_meta(self._meta()))
                sync(file)
        except OSError as error:
            raise self.disk_error(error) from error
        store = self._rename()
        self._committed = True
        return store

    def _meta(self) -> dict[str, Any]:
        shards = [{"clips": count, "files": {}} for count in self._shards.clips]
        for shard, entry in enumerate(shards):
            names = (self._name(shard, size) for size in self.resolutions)
            entry["files"] = {name: self._closed[name] for name in names}
        head = {"version": VERSION, "resolution": self.resolution, "classes": self.classes,
                "compact": _suffix() if self.compact else None, "shards": shards}
        tail = {"chunks": {str(size): rows for size, rows in self._chunks.items()}, "skipped": self.skipped,
                "factors": {"names": self._factors[0], "rows": self._factors[1] if self._factors[0] else []}}
        return head | self._columns | tail

    def _rename(self) -> ClipStore:
        for _ in range(3):
            try:
                os.rename(self.temporary, self.folder)
            except OSError as error:
                if not self.folder.exists():
                    raise self.disk_error(error) from error
                if winner := self.existing():
                    shutil.rmtree(self.temporary, ignore_errors=True)
                    return winner
                check_place(self.folder)
                shutil.rmtree(self.folder, ignore_errors=True)  # a damaged store, or one of another version
                continue
            self._tidy()
            return ClipStore.open(self.folder)
        raise DataError(f"{self.folder} is in the way of the store and cannot be replaced")

    def _tidy(self) -> None:
        """Take away what an unfinished store has; of the journal stays what tells the next writer whose this is."""
        with suppress(OSError):
            (self.folder / "lock").unlink()
            Journal(self.folder).close(keep=self._key is not None)

    def disk_error(self, error: OSError) -> DataError:
        """The sentence for a write that failed: why, what is done, and what helps."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else f"writing failed ({error.strerror})"
        done = sum(self._columns["lengths"]) * sum(3 * size * size for size in self.resolutions)
        again = " and run the same again (it goes on from there)" if self._kept else ""
        return DataError(f"{what}: the store {self.folder} was left after {len(self)} clips ({done / 2**20:.0f} MiB). "
                         f"Free some room{again}, or set PVSWGAN_CACHE to a folder on a larger disk")


def _suffix() -> str:
    from pvswgan.data import codec

    return codec.NAME


def _of(head: dict[str, Any]) -> str:
    return f" ({head['about']})" if head.get("about") else ""
