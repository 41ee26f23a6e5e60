"""Which clip stores the Data page shows, and what is in one: the list, numbers, what was skipped.

A page names a store of the cache by the name of its folder, and one that lies elsewhere by its path; both are looked up
in the list. Into the list a path comes by `add` alone, which takes nothing but a store.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pvswgan.data.format import DataError
from pvswgan.data.sources import cache_folder
from pvswgan.data.store import ClipStore
from pvswgan.data.verify import summary
from pvswgan.studio import data_faces
from pvswgan.studio.trash import bytes_held
from pvswgan.studio.turns import Recent

BARS = 40  # of a histogram of lengths, at most
SKIPPED, GROUPS = 300, 40  # files that are named, and kinds of reasons that are told apart, at most
BUILDING = ".building"  # ends the name of a folder in which a store grows (data/growing.py)

_stores = Recent(6)
_lines = Recent(256)  # of the list
_added: dict[str, Path] = {}  # stores elsewhere that were opened by their paths, until the studio ends


class UnknownStoreError(KeyError):
    """There is no store of that name; str() is a sentence."""

    def __str__(self) -> str:
        return str(self.args[0])


def plain(value: Any) -> Any:
    """A copy that JSON in UTF-8 can carry: the names of files may hold bytes that are no text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


# ---- the list -------------------------------------------------------------------------------------------------


def folders() -> dict[str, Path]:
    """{id: folder}: the stores of the cache, newest first, then those elsewhere that were added and are still there."""
    found = []
    try:
        for folder in cache_folder().iterdir():
            if not folder.name.startswith(".") and (folder / "meta.json").is_file():
                found.append((-(folder / "meta.json").stat().st_mtime_ns, folder.name, folder))
    except OSError:
        pass  # no cache yet, or a store that is being removed
    listed: dict[str, Path] = {}
    for *_, folder in sorted(found):
        listed.setdefault(plain(folder.name), folder)
    return listed | {name: folder for name, folder in _added.items() if _is_there(folder)}


def find(name: str) -> Path:
    """The folder of that id in the list. Raises UnknownStoreError."""
    folder = folders().get(name)
    if folder is None:
        raise UnknownStoreError(f"There is no store {name!r} in {cache_folder()}.")
    return folder


def add(folder: Path) -> str:
    """Put a store that lies anywhere on this machine into the list, to be looked at; returns its id.

    Raises DataError where it is none, or a damaged one.
    """
    try:
        store = ClipStore.open(folder.resolve())
    except DataError as error:
        raise DataError(f"This store cannot be opened: {error}.") from error
    for name, known in folders().items():
        if known.resolve() == store.folder:
            return name
    _added[plain(str(store.folder))] = store.folder
    return str(plain(str(store.folder)))


def is_added(name: str) -> bool:
    """Whether that store lies outside the cache: it is looked at, and nothing of it is changed."""
    return name in _added


def close(name: str) -> None:
    """Take a store that was added off the list; it stays where it is. Raises UnknownStoreError."""
    if _added.pop(name, None) is None:
        raise UnknownStoreError(f"There is no store {name!r} that was opened by its path.")


def opened(name: str) -> ClipStore:
    """The store of that name, kept open while it is the same. Raises UnknownStoreError, DataError."""
    folder = find(name)
    key = (str(folder), _stamp(folder))
    store = _stores.get(key)
    if store is None:
        store = ClipStore.open(folder)
        _stores.put(key, store)
    return store


def listed() -> list[dict[str, Any]]:
    """A line for each store; "problem" is a sentence where it cannot be opened."""
    lines = []
    for name, folder in folders().items():
        try:
            key = (name, str(folder), _stamp(folder))
        except OSError:
            continue  # removed meanwhile
        line = _lines.get(key)
        if line is None:
            line = _line(name, folder)
            _lines.put(key, line)
        lines.append(line)
    return lines


def builds() -> dict[str, Path]:
    """{name of the store that it was to be: folder}: what somebody builds, or once began to."""
    try:
        found = [folder for folder in sorted(cache_folder().glob(f".*{BUILDING}")) if folder.is_dir()]
    except OSError:
        return {}
    names = {plain(folder.name.removeprefix(".").removesuffix(BUILDING)): folder for folder in found}
    stores = folders()
    return {name: folder for name, folder in names.items() if name not in stores}  # else finished just now


def unfinished() -> list[dict[str, Any]]:
    """Stores that somebody builds, or once began to: [{"name", "bytes"}]."""
    return [{"name": name, "bytes": bytes_held(folder)} for name, folder in builds().items()]


def release(folder: Path) -> None:
    """Let go of a store's files: what this process has mapped takes its room on the disk even when it is deleted."""
    _stores.put((str(folder), _stamp(folder)), None)


def contact_sheet(name: str) -> bytes:
    """The contact sheet (JPEG) of a store of faces. Raises UnknownStoreError."""
    picture = data_faces.sheet(find(name))
    if picture is None:
        raise UnknownStoreError(f"The store {name!r} has no contact sheet: only those made from trailers have one.")
    return picture


def _is_there(folder: Path) -> bool:
    try:
        return (folder / "meta.json").is_file()
    except OSError:
        return False


def _stamp(folder: Path) -> tuple[int, int]:
    status = (folder / "meta.json").stat()
    return status.st_mtime_ns, status.st_size


def _line(name: str, folder: Path) -> dict[str, Any]:
    line: dict[str, Any] = {"id": name, "added": is_added(name), "modified": _stamp(folder)[0] / 1e9, "problem": None}
    try:
        store = opened(name)
    except (DataError, UnknownStoreError, OSError) as error:
        return plain(line | {"problem": str(error)})
    held = sum(store.bytes_on_disk().values())
    line |= {"clips": len(store), "resolution": store.resolution, "classes": len(store.classes), "bytes": held}
    return plain(line | {"compact": bool(store.compact), "skipped": len(store.skipped)})


# ---- one store ------------------------------------------------------------------------------------------------


def about(name: str) -> dict[str, Any]:
    """All of a store but its pixels: numbers, classes, lengths, splits, bytes, what was skipped and why."""
    store = opened(name)
    facts = summary(store) | {"id": name, "added": is_added(name), "folder": str(store.folder.resolve())}
    facts["faces"] = data_faces.report(store.folder)
    counts = np.bincount(store.labels, minlength=len(store.classes)).tolist()
    facts["classes"] = [{"name": kind, "clips": held} for kind, held in zip(store.classes, counts, strict=True)]
    facts["splits"] = [{"name": kind, "clips": held} for kind, held in sorted(facts["splits"].items())]
    facts["sizes"] = [{"resolution": size, "bytes": held, "per_clip": held / len(store), "video": size in store.compact}
                      for size, held in store.bytes_on_disk().items()]
    facts["lengths"] = lengths(store.lengths)
    facts["skipped"] = skipped(store.skipped)
    return plain(facts)


def lengths(values: np.ndarray) -> list[dict[str, int]]:
    """A histogram: [{"least", "most", "clips"}], one bar a length while there are not too many."""
    known, counts = np.unique(values, return_counts=True)
    if len(known) > BARS:
        width = -(-(int(known[-1]) - int(known[0]) + 1) // BARS)
        places = (known - known[0]) // width
        firsts = known[0] + np.arange(places[-1] + 1) * width
        sums = np.bincount(places, weights=counts).astype(int)
        bars = zip(firsts.tolist(), (firsts + width - 1).tolist(), sums.tolist(), strict=True)
    else:
        bars = zip(known.tolist(), known.tolist(), counts.tolist(), strict=True)
    return [{"least": least, "most": most, "clips": held} for least, most, held in bars]


def skipped(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What did not become clips, by kind of reason, the most frequent first.

    {"files", "parts": how many in all, "groups": [{"reason", "count", "entries": [{"file", "reason", "start", "stop"}],
    the first of them}]}
    """
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[kind(entry["reason"])].append(entry)
    ordered = sorted(groups.values(), key=len, reverse=True)
    if len(ordered) > GROUPS:
        ordered = [*ordered[: GROUPS - 1], [entry for group in ordered[GROUPS - 1 :] for entry in group]]
    each = max(5, SKIPPED // max(1, len(ordered)))
    parts = sum("start" in entry for entry in entries)
    return {"files": len(entries) - parts, "parts": parts,
            "groups": [{"reason": _title(group), "count": len(group), "entries": group[:each]} for group in ordered]}


def kind(reason: str) -> str:
    """A reason without what differs from file to file: "has 3 frames, fewer than 4" -> "has … frames, fewer than …"."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S+|\d+(?:[.x]\d+)*", "…", reason)


def _title(group: list[dict[str, Any]]) -> str:
    reasons, kinds = {entry["reason"] for entry in group}, {kind(entry["reason"]) for entry in group}
    return next(iter(reasons)) if len(reasons) == 1 else next(iter(kinds)) if len(kinds) == 1 else "for other reasons"
