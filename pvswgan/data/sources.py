"""From a path to a clip store: what lies there is found out, decoded once, and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType

from pvswgan.data.build import Progress, Rules, build
from pvswgan.data.format import VERSION, DataError, pyramid_sizes
from pvswgan.data.hold_out import check as check_share
from pvswgan.data.hold_out import hold_out
from pvswgan.data.pieces import LONGEST, Drop, Item, Piece
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
    clips       at most this many, spread evenly over the files (arrays: over their clips); of drawn sets: how many to
                draw, default 2000
    seed        of drawn sets
    fps         frames a second that videos are brought to; None: each file's own
    fold        which of UCF-101's three train/test lists
    compact     keep the two greatest resolutions as video
    hold_out    this share of the files (of drawn sets and .npy arrays: of runs of 16 clips) has the split "held-out",
                the others "train"; 0: no splits but those that the data has
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
    hold_out: float = 0.0

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise DataError(f"data source is {self.source!r}; allowed: {', '.join(SOURCES)}")
        for name, value in (("frames", self.frames), ("clips", 1 if self.clips is None else self.clips)):
            if value < 1:
                raise DataError(f"{name} is {value}; allowed: 1 and more")
        if self.frames > LONGEST and self.source not in DRAWN:
            raise DataError(f"frames is {self.frames}; allowed: 1 to {LONGEST} (longer files become several clips)")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise DataError(f"fps is {self.fps}; allowed: more than 0, up to 1000")
        check_share(self.hold_out)
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
    share: int | None = None  # see build
    origin: str = ""  # for people: where the clips are from; "": the items' names tell

    @property
    def about(self) -> str:
        """What is made, for people: "videos: /home/me/films, 64 pixels"."""
        more = f" and {len(self.items) - 1} more" if len(self.items) > 1 else ""
        return f"{self.kind}: {self.origin or self.items[0].name + more}, {self.rules.resolution} pixels"

    def build(self, place: Path, workers: int | None = None, progress: Progress | None = None) -> ClipStore:
        """The store at `place`, built or finished there. Raises DataError."""
        try:
            return build(place, self.items, self.classes, self.rules, share=self.share, key=self.key, about=self.about,
                         workers=workers, progress=progress)
        except ImportError as error:
            raise DataError(f"building this store needs a package that is not installed: {error.name}") from error


def open_store(source: str, path: str | Path | None, resolution: int, *, frames: int, clips: int | None = None,
               seed: int = 0, fps: float | None = None, split: str | None = None, fold: int = 1, compact: bool = False,
               hold_out: float = 0.0, cache: str | Path | None = None, workers: int | None = None,
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
    wish = Wish(source, path, resolution, frames if drawn else LEAST, clips, seed, fps, fold, compact, hold_out)
    if not drawn and is_store(path):
        if hold_out:
            raise DataError(f"hold_out is {hold_out:g}; allowed: 0, as {path} is a store already: import its clips "
                            "with --hold-out")
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
    found = layouts.find(path, wish.source, resolution=wish.resolution, fps=wish.fps, fold=wish.fold)
    rules = Rules(wish.resolution, wish.compact, wish.frames, wish.clips)
    items, share = found.items, None
    inputs: list[object] = [str(path), found.key()]
    if wish.clips is not None:
        there = items[: len(items) - len(found.missing)]  # a sample of what is missing is of no use
        if found.kind == "array":
            items = _thinned(there, wish.clips)
        else:
            items, share = _spread(there, wish.clips), math.ceil(wish.clips / len(there))
        inputs.append("spread")  # older stores of the same name had all clips of the first items
    items = hold_out(items, wish.hold_out, wish.clips)
    if wish.hold_out:
        inputs.append({"hold_out": wish.hold_out})
    return Recipe(found.kind, _name(f"{found.kind}-{path.stem}", rules, inputs), items, found.classes, rules,
                  json.dumps(inputs), found.ignored, share, str(path))


def _spread(items: list[Item], clips: int) -> list[Item]:
    """So many items at even distances, so that every class has its share; then the others, should these be too few."""
    from pvswgan.data import layouts

    chosen = layouts.spread(range(len(items)), clips)
    others = sorted(set(range(len(items))) - set(chosen))
    return [items[at] for at in (*chosen, *others)]


def _thinned(items: list[Item], clips: int) -> list[Item]:
    """Items that give so many clips of arrays at even distances: those of one class often lie together."""
    from pvswgan.data import layouts

    places = [(at, number) for at, item in enumerate(items) for number in range(_held(item))]
    wanted: dict[int, list[int]] = {}
    for at, number in layouts.spread(places, clips):
        wanted.setdefault(at, []).append(number)
    return [replace(items[at], read=partial(_only, items[at].read, numbers)) for at, numbers in wanted.items()]


def _held(item: Item) -> int:
    """Clips of an item of an array; 1 of a file that is known to be broken."""
    from pvswgan.data import arrays

    if not isinstance(item.read, partial) or item.read.func is not arrays.read_array:
        return 1
    _, layout, first, last = item.read.args[:4]
    return int(last - first) * math.ceil(layout.shape[layout.order.index("T")] / LONGEST)


def _only(read: Callable[[], Iterator[Piece | Drop]], numbers: list[int]) -> Iterator[Piece | Drop]:
    """The clips of these numbers, which ascend."""
    wanted = set(numbers)
    for number, piece in enumerate(read()):
        if number in wanted:
            yield piece
        if number == numbers[-1]:
            return


def _drawn(wish: Wish) -> Recipe:
    """A set that is the same on every machine."""
    from pvswgan.data import drawing, shapes, toyfaces

    module: ModuleType = {"toyfaces": toyfaces, "shapes": shapes}[wish.source]
    resolution = max(wish.resolution, module.RESOLUTIONS[0])  # smaller ones come with the store
    settings = {"seed": wish.seed, "resolution": resolution, "frames": wish.frames}
    count = wish.clips or DRAW
    # The first clips are part of the name: a store from an older way of drawing is not taken for this one, though
    # somebody forgot to count DRAWING up.
    first = b"".join(piece.frames.tobytes() for piece in module.clips(0, min(count, 8), **settings))
    inputs = [drawing.DRAWING, settings, count, hashlib.sha256(first).hexdigest()]
    classes = list(module.CLASSES)
    items = [Item(f"{wish.source}/{wish.seed}/{start}", partial(module.clips, start, stop, **settings))
             for start, stop in _ranges(count)]
    items = hold_out(items, wish.hold_out)
    if wish.hold_out:
        inputs.append({"hold_out": wish.hold_out})
    rules = Rules(resolution, wish.compact)
    return Recipe(wish.source, _name(wish.source, rules, inputs), items, classes, rules, json.dumps(inputs),
                  origin=f"{count} clips of {wish.frames} frames, seed {wish.seed}")


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
