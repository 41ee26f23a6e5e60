"""UCF-101's own layout: v_<Class>_g<group>_c<clip>.avi, and the lists that say which file trains and which tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pvswgan.data.format import DataError

FILE = re.compile(r"v_([A-Za-z0-9]+)_g(\d{2})_c(\d{2})\.avi")
SPLITS = {"trainlist": "train", "testlist": "test"}


@dataclass(frozen=True)
class Lists:
    """What the list files say: class names in their order (without classInd.txt: none), the split of each file name."""

    classes: list[str] = field(default_factory=list)
    splits: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def looks_like_it(files: Sequence[Path]) -> bool:
    """Whether nearly all of these names are UCF-101's."""
    return bool(files) and sum(bool(FILE.fullmatch(file.name)) for file in files) >= 0.9 * len(files)


def class_of(file: Path) -> str:
    """The class that a file's name tells; where it has another name, its folder's."""
    found = FILE.fullmatch(file.name)
    return found[1] if found else file.parent.name


def lists(root: Path, fold: int) -> Lists:
    """The lists of a fold, 1 to 3, searched for in `root`, in the folders in it and beside it. Raises DataError.

    Where there are none at all the result is empty: the clips then have no split.
    """
    folder = _folder(root)
    if folder is None:
        return Lists()
    made = Lists()
    names = folder / "classInd.txt"
    if names.is_file():
        made.files.append(names)
        made.classes.extend(line.split()[-1] for line in _lines(names, r"\d+\s+\w+"))
    for stem, split in SPLITS.items():
        file = folder / f"{stem}{fold:02d}.txt"
        if not file.is_file():
            there = ", ".join(sorted(path.name for path in folder.glob("*list0*.txt")))
            raise DataError(f"fold is {fold}, and {file} does not exist; the lists there: {there}")
        made.files.append(file)
        for line in _lines(file, r"(?:.*/)?v_\w+\.avi(?:\s+\d+)?"):
            made.splits[line.split()[0].rsplit("/", 1)[-1]] = split
    return made


def _folder(root: Path) -> Path | None:
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir()), root.parent / "ucfTrainTestlist"]
    return next((place for place in places if any(place.glob("trainlist0*.txt"))), None)


def _lines(file: Path, pattern: str) -> list[str]:
    """The lines of a list that are not empty. Raises DataError for one that is not what it should be."""
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        line = line.strip()
        if line and not re.fullmatch(pattern, line):
            raise DataError(f"line {number} of {file} is {line[:60]!r}; that is no line of a UCF-101 list")
        if line:
            found.append(line)
    return found
