"""Whether a store still holds the bytes that were written, and what is in it, in numbers for a person."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pvswgan.data.format import DataError
from pvswgan.data.store import ClipStore

_BLOCK = 1 << 22
PAPER = {"TrailerFaces, as the paper counts it": 10_900, "TrailerFaces, as the repository counts it": 200_000}
PAPER_FRAMES, PAPER_RESOLUTION = 32, 256


def verify(store: ClipStore, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Read every file of a store and compare it with its checksum; the sentences of what is wrong, none where all is.

    progress  called with (bytes read, bytes in all); an error raised in it cancels
    """
    files = {name: entry for shard in store.shards for name, entry in shard["files"].items()}
    total, done, wrong = sum(entry["bytes"] for entry in files.values()), 0, []
    for name, entry in files.items():
        digest = hashlib.sha256()
        try:
            with open(store.folder / name, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    done += len(block)
                    if progress:
                        progress(done, total)
        except OSError as error:
            wrong.append(f"{name} cannot be read: {error.strerror}")
            continue
        if digest.hexdigest() != entry["sha256"]:
            wrong.append(f"{name} is damaged: its bytes are not those that were written")
    return wrong


def summary(store: ClipStore) -> dict[str, Any]:
    """What is in a store, as plain values: for `data info` and the Data page."""
    sizes = store.bytes_on_disk()
    lengths = store.lengths
    return {
        "folder": str(store.folder), "clips": len(store), "resolution": store.resolution, "fps": store.fps,
        "frames": {"least": int(lengths.min()), "median": float(np.median(lengths)), "most": int(lengths.max()),
                   "all": int(lengths.sum())},
        "classes": dict(zip(store.classes, np.bincount(store.labels, minlength=len(store.classes)).tolist(),
                            strict=True)),
        "splits": dict(Counter(store.splits)),
        "usable": {frames: len(store.usable(frames)) for frames in (4, 8, 16, 32, 64)},
        "factors": list(store.factors), "compact": store.compact, "shards": len(store.shards),
        "bytes": sizes, "bytes_per_clip": {size: held / len(store) for size, held in sizes.items()},
        "skipped": len(store.skipped),
    }


def paper_bytes(store: ClipStore) -> dict[str, float]:
    """Bytes that the paper's set would take at 256x256x32, in the way this store is kept, by arithmetic.

    Where this store has no 256 pixels, its greatest resolution's bytes a pixel are taken for those above.
    """
    sizes, frames = store.bytes_on_disk(), int(store.lengths.sum())
    per_pixel = {size: held / (frames * size * size) for size, held in sizes.items()}
    most, size, one_clip = per_pixel[store.resolution], PAPER_RESOLUTION, 0.0
    while size >= 4:
        one_clip += per_pixel.get(size, most) * size * size * PAPER_FRAMES
        size //= 2
    return {name: one_clip * clips for name, clips in PAPER.items()}


def open_for_people(path: Path) -> ClipStore:
    """The store in `path`, or a sentence that also says what to do. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    return ClipStore.open(path)


def bytes_text(number: float) -> str:
    """1500000 -> '1.4 MiB'."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} TiB"
