"""From items to a store: worker processes decode, this one puts their clips in order.

A worker writes the clips of one item into a file of its own, a part; parts are appended in the order of the items. So
the store has the same bytes for any number of workers, no clip ever crosses between processes, and a build that was
killed goes on after its last whole item.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pvswgan.data.encode import Blobs, check_clip, encode
from pvswgan.data.format import COLUMNS, SHARD_BYTES, DataError
from pvswgan.data.pieces import BadFile, Drop, Item, Piece, TooSmall, greatest_resolution
from pvswgan.data.store import ClipStore
from pvswgan.data.writer import StoreWriter

PATIENCE_S = 1.0  # small sets are done before worker processes would have started
_AHEAD = 2  # items that wait for each worker: bounds what lies on the disk twice
_BLOCK = 1 << 22
_POLL_S = 0.5


@dataclass(frozen=True)
class Told:
    """What a build tells while it works: items done of `total`, the next one's name, clips and skips so far, seconds
    since it began, and seconds that are left (None at first)."""

    done: int
    total: int
    item: str
    clips: int = 0
    skipped: int = 0
    seconds: float = 0.0
    eta_s: float | None = None


Progress = Callable[[Told], None]  # an error raised in it cancels; what is done stays for the next time


@dataclass(frozen=True)
class Rules:
    """What is made of the items' clips.

    resolution  pixels a side, a power of two;  compact: the two greatest resolutions as video
    frames      shorter clips are dropped;  clips: at most so many in all; None: no limit
    distinct    a clip is dropped whose fingerprint differs from an earlier clip's in at most so many of 64 bits;
                None: look-alikes stay
    """

    resolution: int
    compact: bool = False
    frames: int = 1
    clips: int | None = None
    distinct: int | None = None


@dataclass
class Part:
    """What a worker made of an item: its clips' columns (their bytes lie in the part's file), or why there are none."""

    clips: list[dict[str, Any]] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    more: bool = False  # the item has more clips than were wanted
    failed: str | None = None
    side: int | None = None  # of frames that are too small
    unwritten: OSError | None = None  # what the disk said to the part's file


def build(place: Path, items: Sequence[Item], classes: Sequence[str], rules: Rules, *, share: int | None = None,
          key: str = "", about: str = "", workers: int | None = None, progress: Progress | None = None) -> ClipStore:
    """Make a store at `place` of the clips of `items`, or finish one that was begun.

    share    clips of each item, at most, while others have some too; None: all
    key      names what the items' names do not: sizes and dates of files, seeds. A build that was begun goes on only
             where it, the items and the rules are the same
    about    the same for people, told to whoever wants this place for another store
    workers  processes that decode; default: one a processor
    Raises DataError where no clip can be had, the disk is full, a package is missing, or the place is another store's;
    whatever `progress` raises.
    """
    tell = progress or (lambda told: None)
    names = [[item.name, item.label, item.split] for item in items]
    inputs = [key, names, list(classes), vars(rules), SHARD_BYTES] + ([] if share is None else [share])
    digest = hashlib.sha256(json.dumps(inputs).encode("ascii")).hexdigest()

    def waiting() -> None:
        tell(Told(0, len(items), "waiting for another process that builds the same store"))

    with StoreWriter(place, rules.resolution, classes, compact=rules.compact, key=digest, about=about,
                     waiting=waiting) as writer:
        if (found := writer.existing()) is not None:
            return found
        teller = _Teller(writer, tell)
        failures = _collect(writer, items, rules, share, workers, teller)
        if not len(writer):
            raise DataError(_none_usable(rules.resolution, writer.skipped, failures))
        teller(writer.items, "writing the store")
        return writer.commit()


class _Teller:
    """Tells how far a build is, and how long the rest takes."""

    def __init__(self, writer: StoreWriter, tell: Progress) -> None:
        self._writer, self._tell = writer, tell
        self._began, self._first = time.monotonic(), writer.items

    def __call__(self, total: int, item: str) -> None:
        done = self._writer.items
        seconds, made = time.monotonic() - self._began, done - self._first
        eta = seconds / made * (total - done) if made and seconds > 0.5 else None
        self._tell(Told(done, total, item, len(self._writer), len(self._writer.skipped), seconds, eta))


def _collect(writer: StoreWriter, items: Sequence[Item], rules: Rules, share: int | None, workers: int | None,
             tell: _Teller) -> list[Part]:
    """Put the clips of the items into the store, in their order; returns the parts of items that failed.

    Where all have given their share and more clips are wanted, those that have more give twice as many again, and so
    on. An item is read from its start in each of these rounds: doubling bounds how often.
    """
    failures: list[Part] = []
    limit = sys.maxsize if rules.clips is None else rules.clips
    todo, before = items, 0  # of this round, and how many items all rounds before it had
    skip, most = 0, share or limit  # clips of each item that earlier rounds had, and that this one takes
    while todo:
        make = partial(make_part, rules=rules, skip=skip, most=most)
        with _Workers(writer.temporary, todo, make, workers) as parts:
            for at in range(max(0, writer.items - before), len(todo)):
                if len(writer) >= limit:
                    return failures
                soonest = len(todo) if share is None else at + math.ceil((limit - len(writer)) / most)
                end = min(len(todo), soonest)
                alive = partial(tell, before + end, todo[at].name)
                alive()
                part, file = parts.take(at, end, alive)
                if part.failed:
                    failures.append(part)
                _adopt(writer, todo[at], part, file, rules)
                writer.item_done(part.more)
        more = writer.more[before : before + len(todo)]
        before += len(todo)
        todo = [item for item, has_more in zip(todo, more, strict=True) if has_more]
        skip, most = skip + most, 2 * most
    return failures


def _adopt(writer: StoreWriter, item: Item, part: Part, file: Path, rules: Rules) -> None:
    """Append a part's clips in their order, without those that are not wanted; the part's file goes."""
    if part.failed:
        writer.skip(item.name, part.failed)
    for drop in part.drops:
        writer.skip(item.name, drop.reason, drop.start, drop.stop)
    try:
        if part.unwritten:
            raise part.unwritten
        if part.clips:
            with open(file, "rb") as data:
                _append(writer, item, part, data, rules)
        file.unlink(missing_ok=True)
    except OSError as error:
        raise writer.disk_error(error) from error


def _append(writer: StoreWriter, item: Item, part: Part, data: BinaryIO, rules: Rules) -> None:
    for clip in part.clips:
        segments = clip.pop("segments")
        end = data.tell() + sum(size for _, size in segments)
        if rules.clips is not None and len(writer) >= rules.clips:
            return
        if (reason := _look_alike(writer.prints, clip["print"], rules.distinct)) is not None:
            writer.skip(item.name, reason, clip["starts"], clip["stops"])
        else:
            writer.append(clip, _copied(data, segments))
        data.seek(end)


def _copied(data: BinaryIO, segments: list[tuple[int, int]]) -> Blobs:
    for resolution, size in segments:
        while size:
            block = data.read(min(size, _BLOCK))
            if not block:
                raise OSError("a part's file is shorter than its list")
            size -= len(block)
            yield resolution, block


def _look_alike(prints: list[int], mine: int | None, most: int | None) -> str | None:
    if most is None or mine is None or not prints:
        return None
    bits = np.bitwise_count(np.array(prints, dtype=np.uint64) ^ np.uint64(mine))
    nearest = int(bits.argmin())
    if bits[nearest] > most:
        return None
    return f"looks like an earlier clip: {bits[nearest]} of 64 bits differ; allowed: {most + 1} and more"


# ---- in a worker ----------------------------------------------------------------------------------------------


def make_part(item: Item, file: Path, rules: Rules, skip: int, most: int) -> Part:
    """Decode an item into a part's file. Whatever is wrong with the item, or with the file, is told in the part.

    skip  clips that earlier parts of this item had;  most: clips of this part at most
    """
    part, clips = Part(), 0
    try:
        with open(file, "wb") as out:
            for piece in _long_enough(_pieces(item), rules.frames):
                if isinstance(piece, Drop):
                    if clips > skip or not skip:  # else told already: each part reads on to the clip after its last
                        part.drops.append(piece)
                    continue
                clips += 1
                if clips > skip + most:
                    part.more = True
                    break
                if clips > skip:
                    part.clips.append(_write(item, piece, out, rules))
    except TooSmall as error:
        return Part(failed=str(error), side=error.side)
    except BadFile as error:
        return Part(failed=str(error))
    except OSError as error:  # the part's file: those of an item's reader are a BadFile
        return Part(unwritten=error)
    if not part.clips and not part.drops and not skip:
        return Part(failed="holds no clip")
    return part


def _pieces(item: Item) -> Iterator[Piece | Drop]:
    try:
        yield from item.read()
    except (BadFile, MemoryError, ImportError):
        raise
    except Exception as error:  # decoders raise nearly anything for files that are not what they say
        raise BadFile(f"cannot be decoded: {error or type(error).__name__}") from error


def _long_enough(pieces: Iterator[Piece | Drop], least: int) -> Iterator[Piece | Drop]:
    """The same, with a drop for each clip of fewer frames."""
    for piece in pieces:
        if isinstance(piece, Piece) and len(piece.frames) < least:
            frames = "frame" if len(piece.frames) == 1 else "frames"
            yield Drop(piece.start, piece.stop, f"has {len(piece.frames)} {frames}, fewer than {least}")
        else:
            yield piece


def _write(item: Item, piece: Piece, out: BinaryIO, rules: Rules) -> dict[str, Any]:
    """Put a clip's bytes into the part; returns its columns, and which bytes are of which resolution."""
    check_clip(piece.frames, rules.resolution, item.name)
    chunks, blobs = encode(piece.frames, rules.compact)
    segments: list[tuple[int, int]] = []
    for resolution, blob in blobs:
        out.write(blob)
        segments.append((resolution, len(blob)))
    start, stop, fps = int(piece.start), int(piece.stop), float(piece.fps)
    label = item.label if piece.label is None else int(piece.label)
    values = (len(piece.frames), label, item.name, start, stop, fps, item.split)
    more = {"factors": dict(piece.factors or {}), "print": piece.fingerprint, "chunks": chunks, "segments": segments}
    return dict(zip(COLUMNS, values, strict=True)) | more


def _start_deaf() -> None:
    """Start the process that forks the workers with Ctrl-C held back, as all its children then have it: a terminal's
    reaches every process, also one that is still beginning, and it is for us to end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """A worker whose main process was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# ---- around the workers ---------------------------------------------------------------------------------------


class _Workers:
    """Parts of items in their order, made ahead by processes once the first second shows that there is much to do.

    An item that kills its worker (a decoder's own crash) is found by running it alone, and told as skipped.
    """

    def __init__(self, folder: Path, items: Sequence[Item], make: Callable[[Item, Path], Part],
                 workers: int | None) -> None:
        self._folder, self._items, self._make = folder, items, make
        self._workers = workers or len(os.sched_getaffinity(0))
        self._patience = PATIENCE_S if workers is None else 0.0
        self._waiting: deque[tuple[int, Future[Part]]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        self._began = time.monotonic()
        self._before: set[Any] = set()  # children that are not ours

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        for file in self._folder.glob("part-*"):  # made ahead, and not wanted any more
            file.unlink(missing_ok=True)

    def take(self, index: int, end: int, alive: Callable[[], None]) -> tuple[Part, Path]:
        """The part of an item, and its file. Items are taken one after another; `alive` is called while it waits.

        end  items before this one are made ahead
        """
        file = self._file(index)
        if self._workers == 1 or (self._pool is None and time.monotonic() - self._began < self._patience):
            return self._make(self._items[index], file), file
        try:
            return self._made(index, min(end, index + self._workers * _AHEAD), alive), file
        except BrokenProcessPool:
            self._stop(broken=True)
        try:
            return self._made(index, index + 1, alive), file
        except BrokenProcessPool:
            self._stop(broken=True)
            return Part(failed="makes its decoder crash"), file

    def _made(self, index: int, end: int, alive: Callable[[], None]) -> Part:
        self._fill(index, end)
        at, future = self._waiting[0]  # stays there while it is made: `_stop` must know that somebody is at work
        assert at == index
        while not future.done():
            wait([future], _POLL_S)
            alive()
        self._waiting.popleft()
        return future.result()

    def _fill(self, index: int, end: int) -> None:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            _start_deaf()
            self._before = set(multiprocessing.active_children())
            self._pool = ProcessPoolExecutor(self._workers, context, _end_with_parent)
        following = self._waiting[-1][0] + 1 if self._waiting else index
        for at in range(following, end):
            future = self._pool.submit(self._make, self._items[at], self._file(at))
            self._waiting.append((at, future))

    def _stop(self, broken: bool = False) -> None:
        """End the processes, at once where they are at work. A broken pool may have begun one more while it was ending
        the others: it would wait for that one, and that one for work, for ever."""
        if self._pool is not None:
            busy = broken or any(not future.done() for _, future in self._waiting)
            for process in set(multiprocessing.active_children()) - self._before if busy else ():
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
        self._waiting.clear()

    def _file(self, index: int) -> Path:
        return self._folder / f"part-{index:07d}"


def _none_usable(resolution: int, skipped: list[dict[str, Any]], failures: list[Part]) -> str:
    sides = [part.side for part in failures if part.side is not None]
    if sides and len(sides) == len(skipped):
        return (f"resolution is {resolution}, and the largest frames of these files have {max(sides)} pixels a side; "
                f"greatest allowed: {greatest_resolution(max(sides))}")
    first = "; ".join(f"{entry['file']} {entry['reason']}" for entry in skipped[:3])
    more = " ..." if len(skipped) > 3 else ""
    files = len({entry["file"] for entry in skipped})
    return f"{f'none of the {files} files can be used' if files > 1 else 'no clip can be had'}: {first}{more}"
