"""What a clip store looks like on the disk: names, meta.json, the pyramid of resolutions, how clips fall into shards.

    meta.json              version, resolution, classes, shards with checksums, what was skipped, and one entry a clip
                           in each of the columns
    shard-00000-064.u8     raw bytes (frames, 64, 64, 3): the frames of the shard's clips, one clip after another
    shard-00000-032.u8     the same frames as 2x2 box means, and so on down to shard-00000-004.u8
    shard-00000-256.h264   in a compact store, the two greatest resolutions: chunks of video, as codec.py makes them
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvswgan.data import codec

VERSION = 2
LOWEST = 4  # pixels a side where every growth plan begins
HIGHEST = 1024  # up to here a box mean of bytes is still exact in float32, whatever the number of halvings
COMPACT = 2  # so many of the greatest resolutions are video in a compact store
SHARD_BYTES = 1 << 30  # raw bytes of a shard at the greatest resolution, at most (one clip always fits)
RAW = "u8"
COLUMNS = ("lengths", "labels", "sources", "starts", "stops", "fps", "splits")  # lists with one entry a clip
ASIDE = ("lock", "journal.jsonl", "report.json", "contact-sheet.jpg")  # what else a store's folder may hold

Array = NDArray[Any]
_FILE = re.compile(r"shard-\d{5,}-\d{3,4}\.[a-z0-9]+")


class DataError(ValueError):
    """Data that cannot be used; the message is a sentence for a person."""


def pyramid_sizes(resolution: int) -> list[int]:
    """Resolutions of a store, greatest first: 64 -> [64, 32, 16, 8, 4].

    Raises DataError where `resolution` is not a power of two from 4 to 1024.
    """
    if not LOWEST <= resolution <= HIGHEST or resolution & (resolution - 1):
        raise DataError(f"resolution is {resolution}; allowed: a power of two from {LOWEST} to {HIGHEST}")
    return [resolution >> step for step in range((resolution // LOWEST).bit_length())]


def pyramid(frames: Array) -> Iterator[Array]:
    """uint8 (T, R, R, 3) -> uint8 (T, r, r, 3) for r = R, R/2, ..., 4.

    Each is the 2x2 box mean of the unrounded one above and is rounded once, so that a small frame is
    the mean of the pixels it covers to half a grey level.
    """
    yield frames
    exact = frames
    while exact.shape[1] > LOWEST:
        rows = np.add(exact[:, 0::2], exact[:, 1::2], dtype=np.float32)
        exact = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
        yield np.rint(exact).astype(np.uint8)


def compact_sizes(resolution: int) -> list[int]:
    """The resolutions that a compact store of `resolution` keeps as video."""
    return pyramid_sizes(resolution)[:COMPACT]


def file_name(shard: int, resolution: int, suffix: str = RAW) -> str:
    """Name of the file of one shard at one resolution in a store's folder."""
    return f"shard-{shard:05d}-{resolution:03d}.{suffix}"


def foreign_files(folder: Path) -> list[str]:
    """Names in `folder` that no store has: somebody's own files."""
    names = (entry.name for entry in folder.iterdir())
    return sorted(n for n in names if n != "meta.json" and n not in ASIDE and not _FILE.fullmatch(n))


class Shards:
    """Which shard the next clip belongs to: a rule on lengths alone, so that every build agrees."""

    def __init__(self, resolution: int) -> None:
        self.clips: list[int] = []  # clips of each shard
        self._most = max(1, SHARD_BYTES // (resolution * resolution * 3))
        self._frames = 0

    def place(self, length: int) -> int:
        """The shard (numbered from 0) of the next clip, of `length` frames."""
        if not self.clips or self._frames + length > self._most:
            self.clips.append(0)
            self._frames = 0
        self.clips[-1] += 1
        self._frames += length
        return len(self.clips) - 1


def dump_meta(meta: dict[str, Any]) -> bytes:
    """JSON with one key a line, the same bytes for the same values (file names may hold any bytes: ASCII)."""
    meta = meta | {"checksum": _checksum(meta)}
    lines = (f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in meta.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _checksum(meta: dict[str, Any]) -> str:
    text = json.dumps({key: value for key, value in meta.items() if key != "checksum"}, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_meta(folder: Path) -> dict[str, Any]:
    """meta.json of a store, checked. Raises DataError."""
    file = folder / "meta.json"
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{folder} is not a clip store: {file} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is damaged: {error}") from error
    version = meta.get("version") if isinstance(meta, dict) else None
    if version != VERSION:
        raise DataError(f"{file} has version {version}; this program reads version {VERSION}: import the data again")
    if meta.get("checksum") != _checksum(meta):
        raise DataError(f"{file} is damaged: its checksum is not that of its contents")
    names = {"resolution", "classes", "skipped", "shards", "compact", "chunks", "factors", *COLUMNS}
    if names - meta.keys():
        raise DataError(f"{file} is damaged: {', '.join(sorted(names - meta.keys()))} missing")
    columns = [meta[name] for name in COLUMNS]
    if not all(isinstance(column, list) and 0 < len(column) == len(columns[0]) for column in columns):
        raise DataError(f"{file} is damaged: {', '.join(COLUMNS)} must be equally long and not empty")
    if meta["compact"] not in (None, codec.NAME):             # also the suffix of files
        raise DataError(f"{file} is damaged: compact is {meta['compact']!r:.100}; allowed: null, {codec.NAME!r}")
    try:                                                      # they are opened: no way out of the folder
        strange = [name for shard in meta["shards"] for name in shard["files"] if not _FILE.fullmatch(name)]
    except (KeyError, TypeError) as error:
        raise DataError(f"{file} is damaged: its shards are none ({error})") from error
    if strange:
        raise DataError(f"{file} is damaged: a shard's file is called {strange[0]!r:.100}")
    return meta
