"""From a path to a clip store: what lies there is found out, decoded once, and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from pvswgan.data.build import Progress, Rules, build
from pvswgan.data.format import VERSION, DataError, pyramid_sizes
from pvswgan.data.pieces import Item
from pvswgan.data.store import ClipStore

FILES = ("videos", "ucf101", "strips", "frames", "array")  # kinds of data that layouts.py finds in a folder
DRAWN = ("toyfaces", "shapes")  # sets that the program draws itself
SOURCES = ("auto", *DRAWN, *FILES)
DRAW = 2000  # drawn clips where nobody says how many
LEAST = 4  # frames: shorter clips are of use to no stage of a growth plan
_DRAWN_TOGETHER = 16  # clips of one item


@dataclass(frozen=True)
class Wish:
    """What a store is to be made of.

    source      one of SOURCES; auto: found from the layout of `path`
    path        a folder (or one file) of clips, or a built store; drawn sets need none
    resolution  pixels a side, a power of two; smaller ones come with it
    frames      of files: shorter clips are left out; of drawn sets: frames to draw
    clips       at most this many, spread evenly over the files; of drawn sets: how many to draw, default 2000
    seed        of drawn sets
    fps         frames a second that videos are brought to; None: each file's own
    fold        which of UCF-101's three train/test lists
    compact     keep the two greatest resolutions as video
    """

    source: str
    path: str | Path | None
    resolution: int
    frames: int = LEAST
    clips: int | None = None
    seed: int = 0
    fps: float | None = None
    fold: int = 1
    compact: bool = False

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise DataError(f"data source is {self.source!r}; allowed: {', '.join(SOURCES)}")
        for name, value in (("frames", self.frames), ("clips", 1 if self.clips is None else self.clips)):
            if value < 1:
                raise DataError(f"{name} is {value}; allowed: 1 and more")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise DataError(f"fps is {self.fps}; allowed: more than 0, up to 1000")
        pyramid_sizes(self.resolution)  # refuses what is not a power of two


@dataclass(frozen=True)
class Recipe:
    """All that a build needs: the items with their classes, the rules, what the store is called and identified by."""

    kind: str
    name: str
    items: list[Item]
    classes: list[str]
    rules: Rules
    key: str
    ignored: int = 0  # files of other kinds that lie between

    def build(self, place: Path, workers: int | None = None, progress: Progress | None = None) -> ClipStore:
        """The store at `place`, built or finished there. Raises DataError."""
        try:
            return build(place, self.items, self.classes, self.rules, key=self.key, workers=workers, progress=progress)
        except ImportError as error:
            raise DataError(f"building this store needs a package that is not installed: {error.name}") from error


def open_store(source: str, path: str | Path | None, resolution: int, *, frames: int, clips: int | None = None,
               seed: int = 0, fps: float | None = None, split: str | None = None, fold: int = 1, compact: bool = False,
               cache: str | Path | None = None, workers: int | None = None,
               progress: Progress | None = None) -> ClipStore:
    """The store of a data set, built at the first call and found in the cache from then on.

    frames    frames that a clip must have to be of use (drawn sets: frames to draw)
    split     the clips of use are those of this split; None: all
    cache     folder of stores; default: see cache_folder
    progress  called with a build.Told; an error raised in it cancels, and the next call goes on where it was
    The others are those of Wish. Raises DataError, with a sentence, where no clip of that length and size can be had.
    """
    drawn = source in DRAWN
    if frames < 1:
        raise DataError(f"frames is {frames}; allowed: 1 and more")
    wish = Wish(source, path, resolution, frames if drawn else LEAST, clips, seed, fps, fold, compact)
    if not drawn and is_store(path):
        store = _built(Path(str(path)), resolution)
    else:
        made = recipe(wish)
        place = cache_folder(cache) / made.name
        store = _cached(place) or made.build(place, workers, progress)
    if not len(store.usable(frames)):
        raise DataError(f"no clip of {path} has {frames} frames; the longest has {store.lengths.max()}")
    if not len(store.usable(frames, split=split)):
        known = ", ".join(sorted({name or "none" for name in store.splits}))
        raise DataError(f"no clip of {path} with {frames} frames is of the split {split!r}; its splits: {known}")
    return store


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where stores are kept: `cache`, else the environment's PVSWGAN_CACHE, else ~/.cache/pvswgan/stores."""
    return Path(cache or os.environ.get("PVSWGAN_CACHE") or "~/.cache/pvswgan/stores").expanduser()


def is_store(path: str | Path | None) -> bool:
    """Whether a built store lies there."""
    return bool(path) and (Path(str(path)).expanduser() / "meta.json").is_file()


def recipe(wish: Wish) -> Recipe:
    """What to build for a wish. Raises DataError where nothing that is known lies at its path."""
    try:
        return _drawn(wish) if wish.source in DRAWN else _files(wish)
    except ImportError as error:
        raise DataError(f"reading this data needs a package that is not installed: {error.name}") from error


def _files(wish: Wish) -> Recipe:
    from pvswgan.data import layouts

    path = _existing(wish.path)
    found = layouts.find(path, wish.source, resolution=wish.resolution, fps=wish.fps, clips=wish.clips, fold=wish.fold)
    rules = Rules(wish.resolution, wish.compact, wish.frames, wish.clips)
    inputs: list[object] = [str(path), found.key()]
    return Recipe(found.kind, _name(f"{found.kind}-{path.stem}", rules, inputs), found.items, found.classes, rules,
                  json.dumps(inputs), found.ignored)


def _drawn(wish: Wish) -> Recipe:
    """A set that is the same on every machine."""
    from pvswgan.data import shapes, toyfaces

    module: ModuleType = {"toyfaces": toyfaces, "shapes": shapes}[wish.source]
    resolution = max(wish.resolution, module.RESOLUTIONS[0])  # smaller ones come with the store
    settings = {"seed": wish.seed, "resolution": resolution, "frames": wish.frames}
    count = wish.clips or DRAW
    # The first clips are part of the name: a store from an older way of drawing is not taken for this one.
    first = b"".join(piece.frames.tobytes() for piece in module.clips(0, min(count, 8), **settings))
    inputs = [settings, count, hashlib.sha256(first).hexdigest()]
    classes = list(module.CLASSES)
    items = [Item(f"{wish.source}/{wish.seed}/{start}", partial(module.clips, start, stop, **settings))
             for start, stop in _ranges(count)]
    rules = Rules(resolution, wish.compact)
    return Recipe(wish.source, _name(wish.source, rules, inputs), items, classes, rules, json.dumps(inputs))


def _ranges(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + _DRAWN_TOGETHER, count)) for start in range(0, count, _DRAWN_TOGETHER)]


def _existing(path: str | Path | None) -> Path:
    if path is None or not str(path):
        raise DataError("no data path is given: a folder of clips (toyfaces and shapes alone need none)")
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise DataError(f"data path {found} does not exist")
    return found


def _built(path: Path, resolution: int) -> ClipStore:
    """A store that somebody built elsewhere (a machine for training may have no decoder)."""
    store = ClipStore.open(path.expanduser())
    if resolution not in store.resolutions:
        raise DataError(f"resolution is {resolution}; the store {path} has {store.resolutions}")
    return store


def _name(stem: str, rules: Rules, inputs: list[object]) -> str:
    """Name of a store: for people, and a hash of all that it is made from."""
    key = hashlib.sha256(json.dumps([VERSION, stem, vars(rules), inputs]).encode("ascii")).hexdigest()
    compact = "-compact" if rules.compact else ""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:60]}-{rules.resolution}{compact}-{key[:16]}"


def _cached(place: Path) -> ClipStore | None:
    try:
        return ClipStore.open(place)
    except DataError:  # not there, or damaged: built anew
        return None
