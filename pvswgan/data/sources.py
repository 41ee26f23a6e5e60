"""From a path to a clip store: finds out what lies there, decodes it once, keeps the store in a cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pvswgan.data.decode import (
    BadFile,
    Decoder,
    TooSmall,
    decode,
    decode_strip,
    decode_video,
    greatest_resolution,
)
from pvswgan.data.store import VERSION, Array, ClipStore, DataError, pyramid_sizes
from pvswgan.data.writer import StoreWriter

Progress = Callable[[int, int, str], None]  # (done, total, what is next); an error raised in it cancels

TOYFACES = 2000  # drawn clips where the configuration does not say how many
FLAT = "all"  # the class of files that lie in no class folder


@dataclass(frozen=True)
class Source:
    """One kind of data folder: how its files end, what it is in words, and what decodes one file."""

    name: str
    suffixes: frozenset[str]
    meaning: str
    decoder: Decoder


SOURCES = {
    source.name: source
    for source in (
        Source(
            "strips",
            frozenset({".png", ".jpg", ".jpeg"}),
            "png or jpg strips of square frames side by side (the width a multiple of the height)",
            decode_strip,
        ),
        Source(
            "videos",
            frozenset({".mp4", ".avi", ".webm", ".mkv", ".gif", ".mov", ".m4v"}),
            "video files (mp4, avi, webm, mkv, gif, mov, m4v)",
            decode_video,
        ),
    )
}


def open_store(
    source: str,
    path: str | Path | None,
    resolution: int,
    *,
    frames: int,
    clips: int | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> ClipStore:
    """The store of a data set, built at the first call and found in the cache from then on.

    source      "strips", "videos", "toyfaces", or "auto": found from the layout of `path`
    path        folder of files, or of class folders with files (or one file, or a built store);
                not used by toyfaces
    resolution  pixels a side, a power of two; smaller ones come with it
    frames      frames that a clip must have to be of use (toyfaces: frames to draw)
    clips       at most this many, spread evenly over the files (toyfaces: how many to draw, default 2000)
    seed        of toyfaces
    cache       folder of stores; default: the environment's PVSWGAN_CACHE, else ~/.cache/pvswgan/stores
    progress    called with (files done, files in all, name of the next)
    Raises DataError, with a sentence, where no clip of that length and size can be had.
    """
    if source not in {"auto", "toyfaces", *SOURCES}:
        raise DataError(f"data source is {source!r}; allowed: auto, toyfaces, {', '.join(SOURCES)}")
    for name, value in (("frames", frames), ("clips", 1 if clips is None else clips)):
        if value < 1:
            raise DataError(f"{name} is {value}; allowed: 1 and more")
    pyramid_sizes(resolution)  # refuses what is not a power of two
    folder = cache_folder(cache)
    try:
        if source == "toyfaces":
            store = _toyfaces(folder, resolution, frames, clips or TOYFACES, seed, progress)
        else:
            store = _files(folder, source, _existing(path), resolution, clips, progress)
    except ImportError as error:
        raise DataError(f"building this store needs a package that is not installed: {error.name}") from error
    if not len(store.usable(frames)):
        raise DataError(f"no clip of {path} has {frames} frames; the longest has {store.lengths.max()}")
    return store


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where stores are kept."""
    return Path(cache or os.environ.get("PVSWGAN_CACHE") or "~/.cache/pvswgan/stores").expanduser()


def find_source(path: Path) -> Source:
    """What kind of data lies in `path`: the kind with more files. Raises DataError for none that is known."""
    found = {name: list_files(path, source) for name, source in SOURCES.items()}
    if found["strips"] and not any(map(_is_strip, _spread(found["strips"], 16))):
        found["strips"] = []  # photographs, thumbnails
    name = max(found, key=lambda name: len(found[name]))
    if not found[name]:
        understood = "; ".join(source.meaning for source in SOURCES.values())
        raise DataError(f"no data is recognised in {path}. Understood, in class folders or not: {understood}")
    return SOURCES[name]


def list_files(path: Path, source: Source) -> list[Path]:
    """Files of one source under `path`, hidden ones left out, in the same order on every machine."""
    if path.is_file():
        return [path] if path.suffix.lower() in source.suffixes else []
    files = []
    for folder, inner, names in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith((".", "__MACOSX"))]
        found = (Path(folder, name) for name in names if not name.startswith("."))
        files += [file for file in found if file.suffix.lower() in source.suffixes and file.is_file()]
    return sorted(files, key=lambda file: file.relative_to(path).parts)


def _existing(path: str | Path | None) -> Path:
    if path is None or not str(path):
        raise DataError("no data path is given: a folder of strips or videos (toyfaces alone needs none)")
    found = Path(path).expanduser().resolve()
    if not found.exists():
        raise DataError(f"data path {found} does not exist")
    return found


def _is_strip(file: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
    except Exception:  # Pillow raises nearly anything for a broken file, which is then no strip
        return False
    return width > height and width % height == 0


def _spread(items: list[Path], count: int) -> list[Path]:
    """`count` items at even distances, so that every class folder has its share."""
    return [items[i * len(items) // count] for i in range(count)] if count < len(items) else items


def _files(
    folder: Path, kind: str, path: Path, resolution: int, clips: int | None, progress: Progress | None
) -> ClipStore:
    """Store of the files under `path`, from the cache or built."""
    if kind == "auto" and (path / "meta.json").is_file():
        return _built(path, resolution)
    source = find_source(path) if kind == "auto" else SOURCES[kind]
    found = list_files(path, source)
    if not found:
        raise DataError(f"{path} has no {source.meaning}")
    if clips:
        found = _spread(found, clips)
    root = path if path.is_dir() else path.parent
    names = [file.relative_to(root).as_posix() for file in found]
    stats = [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, found)]
    place = folder / _place(f"{source.name}-{path.stem}", resolution, str(root), names, stats, clips)
    return _cached(place) or _build(place, source, root, names, resolution, clips, progress)


def _built(path: Path, resolution: int) -> ClipStore:
    """A store that somebody built elsewhere (a machine for training may have no decoder)."""
    store = ClipStore.open(path)
    if resolution not in store.resolutions:
        raise DataError(f"resolution is {resolution}; the store {path} has {store.resolutions}")
    return store


def _place(stem: str, resolution: int, *inputs: object) -> str:
    """Name of a store: for people, and a hash of all that it is made from."""
    key = hashlib.sha256(json.dumps([VERSION, stem, resolution, *inputs]).encode("ascii")).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:60]}-{resolution}-{key[:16]}"


def _cached(place: Path) -> ClipStore | None:
    try:
        return ClipStore.open(place)
    except DataError:  # not there, or damaged: built anew
        return None


def _build(
    place: Path,
    source: Source,
    root: Path,
    names: list[str],
    resolution: int,
    clips: int | None,
    progress: Progress | None,
) -> ClipStore:
    """Decode the files `names` under `root` into a store. Raises DataError where none can be used."""
    folders = [name.split("/")[0] if "/" in name else FLAT for name in names]
    classes = sorted(set(folders))
    failures: list[BadFile] = []
    with StoreWriter(place, resolution, classes) as writer:
        for done, (name, label) in enumerate(zip(names, folders, strict=True)):
            if len(writer) == clips:
                break
            if progress:
                progress(done, len(names), name)
            before = len(writer)
            try:
                for piece in decode(source.decoder, root / name, resolution):
                    writer.add(piece.frames, name, classes.index(label), piece.start, piece.fps)
                    if len(writer) == clips:
                        break
            except BadFile as error:
                writer.rollback(before)
                writer.skip(name, str(error))
                failures.append(error)
        if not len(writer):
            raise DataError(_all_failed(root, resolution, writer.skipped, failures))
        if progress:
            progress(len(names), len(names), "writing the store")
        return writer.commit()


def _all_failed(root: Path, resolution: int, skipped: list[dict[str, str]], failures: list[BadFile]) -> str:
    sides = [error.side for error in failures if isinstance(error, TooSmall)]
    if len(sides) == len(failures):
        return (
            f"resolution is {resolution}, and the largest frames in {root} have {max(sides)} pixels a side; "
            f"greatest allowed: {greatest_resolution(max(sides))}"
        )
    first = "; ".join(f"{entry['file']} {entry['reason']}" for entry in skipped[:3])
    more = " ..." if len(skipped) > 3 else ""
    return f"none of the {len(skipped)} files in {root} can be used: {first}{more}"


def _toyfaces(
    folder: Path, resolution: int, frames: int, clips: int, seed: int, progress: Progress | None
) -> ClipStore:
    """Store of drawn faces, the same on every machine."""
    from pvswgan.data import toyfaces

    resolution = max(resolution, toyfaces.RESOLUTIONS[0])  # smaller ones come with the store

    def drawn(index: int) -> Array:
        return toyfaces.draw(index, seed=seed, resolution=resolution, frames=frames)

    # The first faces are part of the name: a store from an older way of drawing is not taken for this one.
    look = hashlib.sha256(b"".join(drawn(index).tobytes() for index in range(min(clips, 8)))).hexdigest()
    place = folder / _place("toyfaces", resolution, frames, clips, seed, look)
    return _cached(place) or _draw(place, drawn, resolution, clips, seed, progress)


def _draw(
    place: Path,
    drawn: Callable[[int], Array],
    resolution: int,
    clips: int,
    seed: int,
    progress: Progress | None,
) -> ClipStore:
    with StoreWriter(place, resolution) as writer:
        for index in range(clips):
            if progress:
                progress(index, clips, f"toyfaces {index}")
            writer.add(drawn(index), f"toyfaces/{seed}/{index}")
        if progress:
            progress(clips, clips, "writing the store")
        return writer.commit()
