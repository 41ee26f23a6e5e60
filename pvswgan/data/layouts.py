"""What lies in a folder: videos, UCF-101, strips, numbered images or arrays; and the items that a build makes of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pvswgan.data import arrays, decode, ucf101
from pvswgan.data.format import DataError
from pvswgan.data.pieces import BadFile, Drop, Item, Piece
from pvswgan.data.pixels import upright_size

T = TypeVar("T")
Reader = Callable[[], Iterator[Piece | Drop]]
FLAT = "all"  # the class of files that lie in no class folder
LEAST_STRIP = 4  # frames side by side; a picture that is less wide for its height is a photograph or a frame
_TRIED = 16  # pictures that are opened to see whether they are strips
_TOGETHER = 16  # clips of an array that make one item
_NUMBER = re.compile(r"(.*?)(\d+)")

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".wmv", ".flv"})
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
ARRAYS = frozenset({".npy", ".npz"})
MEANINGS = {
    "videos": "video files (" + ", ".join(sorted(suffix[1:] for suffix in VIDEOS)) + ")",
    "ucf101": "UCF-101 (v_Class_g01_c01.avi, with its train and test lists where they are there)",
    "strips": "strips (pictures that show the square frames of a clip side by side, four at least)",
    "frames": "folders of numbered images, a folder a clip",
    "array": "arrays (.npy or .npz)",
}


@dataclass(frozen=True)
class Found:
    """The clips of a folder, as items for a build.

    kind     "videos", "ucf101", "strips", "frames" or "array";  root: the folder that names are relative to
    missing  items of files that a list promises and that are not there;  ignored: files of other kinds in between
    files    what the items are made of, and how: any change of them makes another store
    """

    kind: str
    root: Path
    items: list[Item]
    classes: list[str]
    files: list[Path]
    how: list[object] = field(default_factory=list)
    missing: list[Item] = field(default_factory=list)
    ignored: int = 0

    def key(self) -> str:
        """A hash that names the files with their sizes and dates, and how they are read."""
        stamps = [(os.path.relpath(file, self.root), *_stamp(file)) for file in self.files]
        return hashlib.sha256(json.dumps([stamps, self.how]).encode("ascii")).hexdigest()


def find(path: Path, source: str, *, resolution: int, fps: float | None = None, fold: int = 1) -> Found:
    """The items in `path`, a folder or one file, of the kind `source`; "auto": of the kind that most clips are of.

    resolution, fps  of the clips to be made;  fold: of UCF-101's lists
    Raises DataError where there is none.
    """
    every = walk(path)
    kind = kind_of(path, every) if source == "auto" else source
    make: dict[str, Callable[[Path, Sequence[Path], int], Found]] = {
        "videos": partial(_videos, fps=fps), "ucf101": partial(_ucf101, fps=fps, fold=fold), "strips": _strips,
        "frames": _frames, "array": _array}
    root = path if path.is_dir() else path.parent
    found = make[kind](root, every, resolution)
    if not found.items:
        raise DataError(f"{path} has no {MEANINGS[kind]}")
    used = set(found.files)
    return replace(found, items=found.items + found.missing, ignored=sum(file not in used for file in every))


def kind_of(path: Path, every: Sequence[Path]) -> str:
    """What kind of data lies in `path`: the kind with most clips. Raises DataError for none that is known."""
    videos, images, tables = (_of(every, suffixes) for suffixes in (VIDEOS, IMAGES, ARRAYS))
    tried = spread(images, _TRIED)
    strips = images if sum(map(_is_strip, tried)) * 2 >= len(tried) else []
    counts = {"ucf101" if ucf101.looks_like_it(videos) else "videos": len(videos), "strips": len(strips),
              "frames": 0 if strips else len(_series(images)), "array": sum(map(arrays.count, tables))}
    kind = max(counts, key=lambda name: counts[name])
    if not counts[kind]:
        understood = "; ".join(MEANINGS.values())
        raise DataError(f"no data is recognised in {path}. Understood, in class folders or not: {understood}")
    return kind


def walk(path: Path) -> list[Path]:
    """All files in `path` and below (links are followed), hidden ones left out, in one order on every machine."""
    if path.is_file():
        return [path]
    files, seen = [], set()
    for folder, inner, names in os.walk(path, followlinks=True):
        here = os.path.realpath(folder)
        if here in seen:  # a link that leads back
            inner.clear()
            continue
        seen.add(here)
        inner[:] = sorted(name for name in inner if not name.startswith((".", "__MACOSX")))
        here_too = (Path(folder, name) for name in names if not name.startswith("."))
        files += [file for file in here_too if file.is_file() or file.is_symlink()]  # a link to nothing is told of
    return sorted(files, key=lambda file: file.relative_to(path).parts)


def spread(items: Sequence[T], count: int) -> list[T]:
    """`count` items at even distances, so that every class folder has its share."""
    return [items[i * len(items) // count] for i in range(count)] if count < len(items) else list(items)


# ---- the kinds ------------------------------------------------------------------------------------------------


def _videos(root: Path, every: Sequence[Path], resolution: int, fps: float | None) -> Found:
    files = _of(every, VIDEOS)
    items, classes = _classified(root, files, [partial(decode.read_video, file, resolution, fps) for file in files])
    return Found("videos", root, items, classes, files, [fps])


def _ucf101(root: Path, every: Sequence[Path], resolution: int, fps: float | None, fold: int) -> Found:
    files = _of(every, VIDEOS)
    told = ucf101.lists(root, fold)
    there = {file.name: ucf101.class_of(file) for file in files}
    known = sorted(set(there.values()))
    # With UCF-101's own numbers where all classes are known, whether or not each has a clip here.
    classes = told.classes if set(known) <= set(told.classes) else known
    items = [Item(_relative(file, root), partial(decode.read_video, file, resolution, fps),
                  classes.index(there[file.name]), told.splits.get(file.name, "")) for file in files]
    # Somebody who has a few of the classes only does not want to hear of the others.
    absent = [name for name in told.splits if name not in there and ucf101.class_of(Path(name)) in known]
    reason = "is named in the train and test lists, and is not there"
    missing = [Item(name, partial(_fails, reason), split=told.splits[name]) for name in absent]
    return Found("ucf101", root, items, classes, files + told.files, [fps, fold], missing)


def _strips(root: Path, every: Sequence[Path], resolution: int) -> Found:
    files = _of(every, IMAGES)
    items, classes = _classified(root, files, [partial(decode.read_strip, file, resolution) for file in files])
    return Found("strips", root, items, classes, files)


def _frames(root: Path, every: Sequence[Path], resolution: int) -> Found:
    series = _series(_of(every, IMAGES))
    names, readers = [], []
    alone = Counter(folder for folder, _, _ in series)
    for (folder, stem, suffix), numbered in series.items():
        inside = folder / ((stem.rstrip("-_. ") or "images") + suffix)
        names.append(folder if alone[folder] == 1 and folder != root else inside)
        files = [file for _, file in numbered]
        readers.append(partial(decode.read_images, files, [number for number, _ in numbered], resolution))
    items, classes = _classified(root, names, readers)
    return Found("frames", root, items, classes, [file for numbered in series.values() for _, file in numbered])


def _array(root: Path, every: Sequence[Path], resolution: int) -> Found:
    files = _of(every, ARRAYS)
    items: list[Item] = []
    held: list[tuple[Path, arrays.Layout]] = []
    for file in files:
        try:
            held.append((file, arrays.look(file)))
        except BadFile as error:
            items.append(Item(_relative(file, root), partial(_fails, str(error))))
    classes = arrays.label_classes([layout for _, layout in held])
    folders, names = _folders(root, [file for file, _ in held])
    for (file, layout), label in zip(held, folders, strict=True):
        # The pages of an .npz file are packed one behind the other: read once, from its start.
        together = layout.clips if layout.member else _TOGETHER
        for first in range(0, layout.clips, together):
            last = min(first + together, layout.clips)
            read = partial(arrays.read_array, file, layout, first, last, resolution)
            part = f"[{first}:{last}]" if layout.clips > together else ""
            items.append(Item(_relative(file, root) + part, read, 0 if classes else label))
    return Found("array", root, items, classes or names, files)


def _fails(reason: str) -> Iterator[Piece | Drop]:
    """The reader of an item that is known to hold nothing."""
    raise BadFile(reason)


# ---- parts ----------------------------------------------------------------------------------------------------


def _of(files: Sequence[Path], suffixes: frozenset[str]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in suffixes]


def _stamp(file: Path) -> tuple[int, int]:
    """Size and date; of a link to nothing, or a file that was taken away, none: reading it will tell why."""
    try:
        status = file.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _folders(root: Path, files: Sequence[Path]) -> tuple[list[int], list[str]]:
    """(class of each file, names of the classes): the first folder below the root."""
    names = [parts[0] if len(parts := file.relative_to(root).parts) > 1 else FLAT for file in files]
    classes = sorted(set(names)) or [FLAT]
    places = {name: at for at, name in enumerate(classes)}
    return [places[name] for name in names], classes


def _classified(root: Path, files: Sequence[Path], readers: Sequence[Reader]) -> tuple[list[Item], list[str]]:
    labels, classes = _folders(root, files)
    return [Item(_relative(file, root), read, label) for file, read, label in zip(files, readers, labels, strict=True)
            ], classes


def _series(images: Sequence[Path]) -> dict[tuple[Path, str, str], list[tuple[int, Path]]]:
    """Numbered images, two at least, by folder, what stands before the number, and suffix; in the order of the numbers.

    The suffix is "" where every number comes once: 0.png and 1.jpg are of one series, 0.png and 0.jpg of two.
    """
    found: dict[tuple[Path, str], list[tuple[int, Path]]] = defaultdict(list)
    for file in images:
        if numbered := _NUMBER.fullmatch(file.stem):
            found[file.parent, numbered[1]].append((int(numbered[2]), file))
    series: dict[tuple[Path, str, str], list[tuple[int, Path]]] = defaultdict(list)
    for key, files in found.items():
        twice = len({number for number, _ in files}) < len(files)
        for number, file in files:
            series[*key, file.suffix if twice else ""].append((number, file))
    return {key: sorted(files) for key, files in sorted(series.items()) if len(files) > 1}


def _is_strip(file: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = upright_size(image)
    except Exception:  # Pillow raises nearly anything for a broken file, which is then no strip
        return False
    return width % height == 0 and width >= LEAST_STRIP * height
