"""What the Data page shows of clip stores: the list, what is in one, its clips, sheets of them, a clip's pyramid.

A page names a store by the name of its folder in the cache, and that name is looked up in the list: no path comes
from outside.
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
from pvswgan.growth import GrowthPlan, make_plan
from pvswgan.studio import data_faces
from pvswgan.studio.models import Recent
from pvswgan.video import encode_jpeg, png_bytes, sprite_sheet, to_uint8

PAGE = 24  # clips of a wall
WALL_FRAMES, WALL_PIXELS = 32, 64
FRAMES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # of a last stage
WIDEST = 16384  # pixels of a sheet: wider pictures are not decoded by every browser
BARS = 40  # of a histogram of lengths, at most
SKIPPED, GROUPS = 300, 40  # files that are named, and kinds of reasons that are told apart, at most
_LOSSLESS = 32  # pixels up to which a stage is sent as PNG: JPEG would smear 4 x 4 pixels into each other

_stores = Recent(6)
_lines = Recent(256)  # of the list


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


def folders() -> list[Path]:
    """Folders of the stores in the cache, newest first."""
    found = []
    try:
        for folder in cache_folder().iterdir():
            if not folder.name.startswith(".") and (folder / "meta.json").is_file():
                found.append((-(folder / "meta.json").stat().st_mtime_ns, folder.name, folder))
    except OSError:
        pass  # no cache yet, or a store that is being removed
    return [folder for *_, folder in sorted(found)]


def find(name: str) -> Path:
    """The folder of that name in the list. Raises UnknownStoreError."""
    for folder in folders():
        if plain(folder.name) == name:
            return folder
    raise UnknownStoreError(f"There is no store {name!r} in {cache_folder()}.")


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
    for folder in folders():
        try:
            key = (str(folder), _stamp(folder))
        except OSError:
            continue  # removed meanwhile
        line = _lines.get(key)
        if line is None:
            line = _line(folder)
            _lines.put(key, line)
        lines.append(line)
    return lines


def unfinished() -> list[dict[str, Any]]:
    """Stores that somebody builds, or once began to: [{"name", "bytes"}]."""
    found = []
    try:
        for folder in sorted(cache_folder().glob(".*.building")):
            name = folder.name.removeprefix(".").removesuffix(".building")
            held = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
            if not (cache_folder() / name / "meta.json").is_file():
                found.append({"name": name, "bytes": held})
    except OSError:
        pass  # one that was finished just now
    return plain(found)


def contact_sheet(name: str) -> bytes:
    """The contact sheet (JPEG) of a store of faces. Raises UnknownStoreError."""
    picture = data_faces.sheet(find(name))
    if picture is None:
        raise UnknownStoreError(f"The store {name!r} has no contact sheet: only those made from trailers have one.")
    return picture


def _stamp(folder: Path) -> tuple[int, int]:
    status = (folder / "meta.json").stat()
    return status.st_mtime_ns, status.st_size


def _line(folder: Path) -> dict[str, Any]:
    line: dict[str, Any] = {"id": folder.name, "modified": _stamp(folder)[0] / 1e9, "problem": None}
    try:
        store = opened(plain(folder.name))
    except (DataError, UnknownStoreError, OSError) as error:
        return plain(line | {"problem": str(error)})
    held = sum(store.bytes_on_disk().values())
    line |= {"clips": len(store), "resolution": store.resolution, "classes": len(store.classes), "bytes": held}
    return plain(line | {"compact": bool(store.compact), "skipped": len(store.skipped)})


# ---- one store ------------------------------------------------------------------------------------------------


def about(name: str) -> dict[str, Any]:
    """All of a store but its pixels: numbers, classes, lengths, splits, bytes, what was skipped and why."""
    store = opened(name)
    facts = summary(store) | {"id": name, "folder": str(store.folder.resolve())}
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


# ---- its clips ------------------------------------------------------------------------------------------------


def choose(name: str, label: int | None, split: str | None, page: int, seed: int | None) -> dict[str, Any]:
    """A page of the clips of one class and split: {"total", "pages", "page", "clips": [{"clip", "class", ...}]}.

    "most" clips are on a page; "resolution" and "frames" are those of each in their sheet (see `wall`).
    seed  of the order; None: as they lie in the store
    """
    store = opened(name)
    wanted = np.ones(len(store), dtype=bool)
    if label is not None:
        wanted &= store.labels == label
    if split is not None:
        wanted &= np.array(plain(store.splits)) == split
    found = np.flatnonzero(wanted)
    if seed is not None:
        found = np.random.default_rng(seed).permutation(found)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 0), pages - 1)
    clips = found[page * PAGE : (page + 1) * PAGE].tolist()
    resolution, frames = _wall_size(store, clips) if clips else (0, 0)
    lines = [{"clip": clip, "class": store.classes[store.labels[clip]], "length": int(store.lengths[clip])}
             for clip in clips]
    return plain({"total": len(found), "pages": pages, "page": page, "most": PAGE, "resolution": resolution,
                  "frames": frames, "clips": lines})


def wall(name: str, clips: list[int]) -> bytes:
    """These clips as a sprite sheet (JPEG), at most 64 pixels and 32 frames each.

    From longer clips come 32 frames of the middle at their own speed; a shorter one is spread over the time of the
    longest, so that all begin together.
    """
    store = opened(name)
    check(store, clips)
    resolution, frames = _wall_size(store, clips)
    rows = []
    for clip in clips:
        length = int(store.lengths[clip])
        taken = min(length, frames)
        row = store.pixels([clip], [(length - taken) // 2], taken, 1, resolution)[0]
        rows.append(row[np.arange(frames) * taken // frames])
    return encode_jpeg(sprite_sheet(np.stack(rows)), quality=88)


def _wall_size(store: ClipStore, clips: list[int]) -> tuple[int, int]:
    """(pixels, frames) of a sheet of these clips."""
    resolution = next(size for size in store.resolutions if size <= WALL_PIXELS)
    return resolution, min(int(store.lengths[clips].max()), WALL_FRAMES)


def check(store: ClipStore, clips: list[int]) -> None:
    """Raise DataError unless these are clips of the store, and not more than a page of them."""
    if not 1 <= len(clips) <= PAGE:
        raise DataError(f"{len(clips)} clips are asked for at once; allowed: 1 to {PAGE}")
    for clip in clips:
        if not 0 <= clip < len(store):
            raise DataError(f"There is no clip {clip} in this store; it has clips 0 to {len(store) - 1}.")


def facts(name: str, clip: int) -> dict[str, Any]:
    """Where a clip comes from and what is known of it."""
    store = opened(name)
    check(store, [clip])
    return plain({
        "clip": clip, "source": store.sources[clip], "start": int(store.starts[clip]), "stop": int(store.stops[clip]),
        "class": store.classes[store.labels[clip]], "label": int(store.labels[clip]), "split": store.splits[clip],
        "fps": float(store.clip_fps[clip]), "length": int(store.lengths[clip]), "resolution": store.resolution,
        "factors": {factor: float(values[clip]) for factor, values in store.factors.items()},
        "frames_choices": [frames for frames in FRAMES if frames <= min(int(store.lengths[clip]), _most_frames(store))],
    })


def _most_frames(store: ClipStore) -> int:
    """Frames of the greatest stage that still fit into one row of a sheet which browsers decode."""
    return max(1, WIDEST // store.resolution)


# ---- a clip at every stage of a growth plan ----------------------------------------------------------------------


def plan(store: ClipStore, order: str, frames: int) -> GrowthPlan:
    """The stages up to the store's resolution. Raises PlanError."""
    most = 256 if order == "paper" else 1024  # where the paper's order ends
    return make_plan(order=order, resolution=min(store.resolution, most), frames=frames, fade_kimg=1, stable_kimg=1)


def pyramid(name: str, clip: int, order: str, frames: int, start: int) -> dict[str, Any]:
    """The sizes at which the trainer would show this clip: {"frames", "starts", "stages": [{"frames", "resolution"}]}.

    Raises PlanError; DataError for a window that is not in the clip.
    """
    store = opened(name)
    starts = _window(store, clip, frames, start)
    stages = [{"frames": t, "resolution": r} for t, r in plan(store, order, frames).sizes]
    return {"frames": frames, "start": start, "starts": starts, "stages": stages}


def stage(name: str, clip: int, order: str, time: str, frames: int, start: int, number: int) -> tuple[bytes, str]:
    """(picture, its media type): one stage of the pyramid as a sprite sheet of one row, as the trainer gets it."""
    store = opened(name)
    _window(store, clip, frames, start)
    sizes = plan(store, order, frames).sizes
    if not 0 <= number < len(sizes):
        raise DataError(f"There is no stage {number}; this plan has stages 0 to {len(sizes) - 1}.")
    size = sizes[number]
    sheet = sprite_sheet(to_uint8(store.read([clip], [start], frames, 1, size, time)))
    if size[1] <= _LOSSLESS:
        return png_bytes(sheet), "image/png"
    return encode_jpeg(sheet, quality=92), "image/jpeg"


def _window(store: ClipStore, clip: int, frames: int, start: int) -> int:
    """The last frame where a window can begin; raises DataError where this one does not fit."""
    check(store, [clip])
    length = int(store.lengths[clip])
    most = min(length, _most_frames(store))
    if not 1 <= frames <= most:
        why = f"as this clip has {length} frames of {store.resolution} pixels"
        raise DataError(f"Frames is {frames}; allowed: 1 to {most}, {why}.")
    if not 0 <= start <= length - frames:
        raise DataError(f"A window of {frames} frames begins at 0 to {length - frames} in this clip, not at {start}.")
    return length - frames
