"""A store of face clips from trailers, with its contact sheet and the report of what was dropped."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvswgan.data.build import Progress, Rules
from pvswgan.data.format import VERSION, DataError
from pvswgan.data.pieces import Item
from pvswgan.data.sources import Recipe
from pvswgan.data.store import ClipStore
from pvswgan.data.trailers.detect import detector
from pvswgan.data.trailers.filters import KINDS, kind
from pvswgan.data.trailers.scan import faces
from pvswgan.data.trailers.settings import CASCADE, FaceSettings
from pvswgan.data.trailers.sheet import SIDE, contact_sheet, shown
from pvswgan.data.trailers.video import VIDEOS
from pvswgan.files import write_text

SHEET = "contact-sheet.jpg"
REPORT = "report.json"
CLASS = "face"


@dataclass(frozen=True)
class FaceRecipe(Recipe):
    """A store of faces: what `build` needs, and the settings that the report repeats."""

    settings: FaceSettings = field(default_factory=FaceSettings)

    def build(self, place: Path, workers: int | None = None, progress: Progress | None = None) -> ClipStore:
        """The store at `place`, built, finished or found there, with its contact sheet and its report.

        Raises DataError where no trailer shows a face of use, or a package is missing.
        """
        # A trailer takes a minute: in a process of its own from the first, or a cancel would not be heard meanwhile.
        store = super().build(place, workers or len(os.sched_getaffinity(0)), progress)
        if not (store.folder / SHEET).exists():
            contact_sheet(_thumbnails(store), store.folder / SHEET)
        if not (store.folder / REPORT).exists():
            text = json.dumps(report(store, self.settings), indent=1)
            write_text(store.folder / REPORT, text + "\n")
        return store


def faces_recipe(trailers: Sequence[Path], settings: FaceSettings, *, compact: bool = False) -> FaceRecipe:
    """What to build of the faces in trailers; files, or folders that are searched for videos.

    Raises DataError where there is no trailer, or a package or the model is missing.
    """
    files = trailer_files(trailers)
    try:
        detector(settings)  # better refused now than once for each trailer
    except ImportError as error:
        raise DataError(f"finding faces needs a package that is not installed: {error.name}") from error
    rules = Rules(settings.resolution, compact, settings.frames, distinct=settings.duplicates)
    key = _key(files, settings)
    digest = hashlib.sha256(json.dumps([VERSION, vars(rules), key]).encode("ascii")).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(trailers[0]).expanduser().resolve().stem)[:60]
    name = f"faces-{stem}-{settings.resolution}{'-compact' if compact else ''}-{digest[:16]}"
    items = [Item(name, partial(faces, path, settings)) for name, path in files.items()]
    return FaceRecipe("faces", name, items, [CLASS], rules, key, settings=settings)


def faces_store(trailers: Sequence[Path], out: Path, settings: FaceSettings, workers: int | None = None,
                progress: Progress | None = None, *, compact: bool = False) -> ClipStore:
    """Build the store `out` of the faces in trailers, with contact-sheet.jpg and report.json in it.

    The same call goes on with a build that was stopped; a store that is there already stays. Raises DataError.
    """
    return faces_recipe(trailers, settings, compact=compact).build(out, workers, progress)


def trailer_files(trailers: Sequence[Path]) -> dict[str, Path]:
    """{name in the store: file}, sorted within each folder; a folder gives the videos in it and below.

    Raises DataError where there is none. Names are the paths below the folder; of two that are the same,
    the second gets "-2" before its ending.
    """
    found: dict[str, Path] = {}
    for place in trailers:
        path = Path(place).expanduser().resolve()
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in VIDEOS and file.is_file())
            named = [(file.relative_to(path).as_posix(), file) for file in inside]
        elif path.exists():
            named = [(path.name, path)]
        else:
            raise DataError(f"trailer {path} does not exist")
        for name, file in named:
            if file not in found.values():
                found[_unused(name, found)] = file
    if not found:
        places = ", ".join(str(place) for place in trailers) or "an empty list of trailers"
        raise DataError(f"no video lies in {places}; looked for {', '.join(VIDEOS)}")
    return found


def _unused(name: str, names: dict[str, Path]) -> str:
    path, number = Path(name), 2
    while name in names:
        name = path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix()
        number += 1
    return name


def _key(files: dict[str, Path], settings: FaceSettings) -> str:
    """Names the inputs: a build that was stopped goes on only where they are the same."""
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files.values()]
    model = None
    if settings.detector != CASCADE:
        held = Path(settings.detector).expanduser().stat()
        model = (held.st_size, held.st_mtime_ns)
    return json.dumps([stamps, settings.as_dict(), model])


def _thumbnails(store: ClipStore) -> Iterator[NDArray[np.uint8]]:
    size = min((size for size in store.resolutions if size >= SIDE), default=store.resolution)
    for clip in shown(len(store)):
        yield store.pixels(clip, int(store.lengths[clip]) // 2, 1, 1, size)[0, 0]


def report(store: ClipStore, settings: FaceSettings) -> dict[str, Any]:
    """What was kept and what was dropped, trailer by trailer and in all.

    {"clips", "trailers", "dropped": {kind: count}, "failed": {file: reason}, "settings": {...},
     "by_trailer": {file: {"clips", "frames_kept", "dropped": {kind: count},
                           "drops": [{"start", "stop", "kind", "reason"}]}}}; kinds are those of filters.KINDS.
    """
    kept = Counter(store.sources)
    frames: Counter[str] = Counter()
    for name, length in zip(store.sources, store.lengths.tolist(), strict=True):
        frames[name] += length
    drops: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    for entry in store.skipped:
        if "start" in entry:
            told = {"start": entry["start"], "stop": entry["stop"], "kind": kind(entry["reason"]),
                    "reason": entry["reason"]}
            drops.setdefault(entry["file"], []).append(told)
        else:
            failed[entry["file"]] = entry["reason"]
    names = sorted({*kept, *drops, *failed})
    return {
        "clips": len(store),
        "trailers": len(names),
        "dropped": _counted([drop for of_one in drops.values() for drop in of_one]),
        "failed": failed,
        "settings": settings.as_dict(),
        "by_trailer": {name: {"clips": kept[name], "frames_kept": frames[name],
                              "dropped": _counted(drops.get(name, [])), "drops": drops.get(name, [])}
                       for name in names},
    }


def _counted(drops: list[dict[str, Any]]) -> dict[str, int]:
    """{kind: count}, kinds in the order in which the builder looks for them."""
    counts = Counter(drop["kind"] for drop in drops)
    return {name: counts[name] for name in (*KINDS, "other") if counts[name]}
