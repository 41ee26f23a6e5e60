"""The models a person can explore: found in assets and runs, opened by id, rendered under a lock, cached."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import pvswgan
from pvswgan import directions, video
from pvswgan.checkpoint import CheckpointError, network_checkpoints
from pvswgan.directions import Directions
from pvswgan.latents import sample_latents, walk
from pvswgan.studio.kept import Kept, KeptError, UnknownKeptError
from pvswgan.studio.points import ClipRequest, Place, Point, RowsRequest, WalkRequest
from pvswgan.studio.turns import Recent, Turns

FOUND = 16  # directions of a kind
TOGETHER = 2**15  # voxels that are drawn in one turn: no slider of another tab waits longer than for these
LARGEST_SHEET = 2**25  # pixels
Load = Callable[[Path], pvswgan.Model]
PART = "pca-"  # and a part of the latent: the directions that change it alone


class UnknownModelError(KeyError):
    """An id that is in no listing. str() is a sentence for the page."""

    def __str__(self) -> str:
        return str(self.args[0])


class TooMuchError(ValueError):
    """A picture larger than one answer may be. str() is a sentence for the page."""


@dataclass(frozen=True)
class Entry:
    """One checkpoint that can be opened. clips: how many it was trained on (None: only its file knows)."""

    id: str
    name: str
    kind: str  # "run", "asset" or "file"
    path: Path
    clips: int | None = None


OPEN_BYTES = 2**30  # of the models that stay open: four of the greatest, hundreds of a laptop's


@dataclass
class Opened:
    """A loaded model. key: of its file as it is on the disk."""

    entry: Entry
    model: pvswgan.Model
    key: Hashable
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Sheet:
    """Clips as a JPEG sprite sheet: a row for each clip."""

    jpeg: bytes
    rows: int
    frames: int
    resolution: int


class Models:
    """Every model of a studio. Ids: "asset:NAME", "file:NAME" (NAME.safetensors in the runs folder), "run:NAME" (its
    newest checkpoint), "run:NAME@CLIPS".

    A page only ever names ids, and an id is looked up in what is on the disk: no path comes from outside.
    """

    def __init__(self, runs: Path, assets: Path, load: Load | None = None) -> None:
        self.runs, self.assets = Path(runs), Path(assets)
        self.kept = Kept(self.runs)
        self.drawn_at = 0.0  # time.monotonic() when somebody last waited for a clip
        self._load = load or pvswgan.load
        self._found: dict[str, Entry] = {}
        self._opened = Recent(OPEN_BYTES)
        self._directions = Recent(256)  # two a model or more that somebody has explored
        self._sheets = Recent(64 * 2**20)  # bytes
        self._opening = threading.Lock()
        # One render at a time, whichever model: two at once would only take each other's cores.
        self._rendering = Turns()

    # ---- what there is ----

    def groups(self) -> list[list[Entry]]:
        """One list for each asset and each run with a checkpoint: its checkpoints, newest first."""
        groups = self._runs() + _files(self.runs, "file") + _files(self.assets, "asset")
        self._found = {entry.id: entry for group in groups for entry in group}
        return groups

    def _runs(self) -> list[list[Entry]]:
        folders = [f for f in self.runs.iterdir() if f.is_dir()] if self.runs.is_dir() else []
        found = [(folder.name, network_checkpoints(folder)) for folder in folders]
        entries = [[_run_entry(name, path) for path in reversed(paths)] for name, paths in found if paths]
        return sorted(entries, key=lambda group: _modified(group[0].path), reverse=True)

    def find(self, id: str) -> Entry:
        """The checkpoint with this id; "run:NAME" is the newest of that run. Raises UnknownModelError."""
        # A slider asks many times a second: the folders are read again only for an id that is not known yet.
        known = self._found.get(id)
        if known is not None and known.path.exists():
            return known
        for group in self.groups():
            if group[0].kind == "run" and id == f"run:{group[0].name}":
                return group[0]
            for entry in group:
                if entry.id == id:
                    return entry
        raise UnknownModelError(
            f"There is no model {id!r} here any more. It may have been moved, or cleared away by its "
            "training, which keeps only some checkpoints. Refresh the list and choose another."
        )

    # ---- one model ----

    def open(self, id: str) -> Opened:
        """The model with this id, loaded once. Raises UnknownModelError, CheckpointError for a bad file."""
        entry = self.find(id)
        key = (str(entry.path), _modified(entry.path))
        opened = self._opened.get(key)
        if opened is None:
            with self._opening:
                opened = self._opened.get(key)
                if opened is None:
                    opened = Opened(entry, self._load(entry.path), key)
                    self._opened.put(key, opened, _bytes(opened.model.generator))
        return opened

    def warm(self) -> None:
        """Opens the model that the page will show first, so that the first person does not wait for it."""
        import sklearn.decomposition  # noqa: F401  a second or two

        with contextlib.suppress(UnknownModelError, CheckpointError, OSError):
            groups = self.groups()
            if groups:
                opened = self.open(groups[0][0].id)
                self.sheet(ClipRequest(model=opened.entry.id))
                self.directions(opened, "pca")

    # ---- places in its latent space ----

    def kinds(self, opened: Opened) -> list[str]:
        """Of the model's own directions: "pca", then "pca-PART" for each part of its latents, then "sefa"."""
        return ["pca", *(PART + name for name in opened.model.parts), "sefa"]

    def directions(self, opened: Opened, kind: str) -> Directions:
        """The model's directions of a kind, one of `kinds`: found once (PCA's take a second)."""
        key = opened.key, kind
        found = self._directions.get(key)
        if found is None:
            with opened.lock:
                found = self._directions.get(key)
                if found is None:
                    model = opened.model
                    part = model.parts.get(kind.removeprefix(PART))
                    found = (directions.sefa(model.generator, FOUND) if kind == "sefa"
                             else directions.pca(model.generator, FOUND, part=part))
                    self._directions.put(key, found)
        return found

    def direction(self, opened: Opened, id: str) -> torch.Tensor:
        """The vector (latent_dim,) of "pca:0", "pca-content:1", "sefa:3" or "own:...". Raises KeptError."""
        kind, _, rest = id.partition(":")
        if kind == "own":
            vector = self.kept.direction(opened.entry.id, id)
            return _fitting(vector, opened, f"The direction {id!r}")
        if kind not in self.kinds(opened):
            raise UnknownKeptError(f"This model has no direction {id!r}: its latents have no part of that name.")
        vectors = self.directions(opened, kind).vectors
        if int(rest) >= len(vectors):
            raise UnknownKeptError(f"This model has no direction {id!r}; it has {kind}:0 to {kind}:{len(vectors) - 1}.")
        return vectors[int(rest)]

    def latents(self, opened: Opened, points: Sequence[Point]) -> torch.Tensor:
        """z (n, latent_dim) of these points. Raises KeptError for a latent or direction that is not there."""
        return torch.cat([self._latent(opened, point.quantised()) for point in points])

    def _latent(self, opened: Opened, place: Place) -> torch.Tensor:
        seed, latent, _, moves, of, parts = place
        if latent is None:
            z = sample_latents(1, opened.model.latent_dim, seed)
        else:
            z = _fitting(self.kept.latent(latent), opened, f"The latent {latent!r}")[None]
        try:
            z = opened.model.with_parts(z, dict(parts))
        except ValueError as error:
            raise KeptError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
        guide = opened if of is None else self.open(of)
        for id, steps in moves:
            z = z + steps * _fitting(self.direction(guide, id), opened, f"The direction {id!r}")
        return z

    def place(self, opened: Opened, request: ClipRequest) -> tuple[torch.Tensor, float]:
        """(z (1, latent_dim), truncation) of a request."""
        place = request.quantised()
        return self._latent(opened, place), place[2]

    def walk(self, opened: Opened, keyframes: Sequence[Point], at: Sequence[float]) -> tuple[torch.Tensor, list[float]]:
        """(z (len(at), latent_dim), truncations) on the looping walk through keyframes."""
        cut = [point.quantised()[2] for point in keyframes]
        ends = [(cut[int(u) % len(cut)], cut[(int(u) + 1) % len(cut)], u % 1) for u in at]
        return walk(self.latents(opened, keyframes), at), [round(a + t * (b - a), 3) for a, b, t in ends]

    # ---- clips ----

    def sheet(self, request: ClipRequest) -> Sheet:
        """Sprite sheet of one row."""
        opened = self.open(request.model)
        return self._sheet((opened.key, request.quantised()),
                           lambda: self.draw(opened, *self.place(opened, request)))

    def rows(self, request: RowsRequest) -> Sheet:
        """Sprite sheet of a row for each point. Raises TooMuchError."""
        opened = self.open(request.model)
        places = tuple(point.quantised() for point in request.points)
        check_size(opened, len(places))
        return self._sheet((opened.key, places), lambda: self.draw_all(
            opened, self.latents(opened, request.points), [place[2] for place in places]))

    def walked(self, request: WalkRequest) -> Sheet:
        """Sprite sheet of a row for each place on the walk. Raises TooMuchError."""
        opened = self.open(request.model)
        check_size(opened, len(request.at))
        key = opened.key, tuple(point.quantised() for point in request.keyframes), tuple(request.at)
        return self._sheet(key, lambda: self.draw_all(opened, *self.walk(opened, request.keyframes, request.at)))

    def _sheet(self, key: Hashable, draw: Callable[[], np.ndarray]) -> Sheet:
        known: Sheet | None = self._sheets.get(key)
        if known is None:
            clips = draw()
            known = Sheet(video.encode_jpeg(video.sprite_sheet(clips)), *clips.shape[:3])
            self._sheets.put(key, known, weight=len(known.jpeg))
        return known

    def draw_all(self, opened: Opened, z: torch.Tensor, truncations: Sequence[float], fast: bool = True) -> np.ndarray:
        """draw, with a truncation for each latent."""
        model = opened.model
        clips = np.empty((len(z), model.frames, model.resolution, model.resolution, 3), np.uint8)
        for truncation in sorted(set(truncations)):
            rows = [i for i, this in enumerate(truncations) if this == truncation]
            clips[rows] = self.draw(opened, z[rows], truncation, fast)
        return clips

    def draw(self, opened: Opened, z: torch.Tensor, truncation: float = 1.0, fast: bool = True) -> np.ndarray:
        """The clips of latents z (N, latent_dim), uint8 (N, T, H, W, 3); fast: by the quickest path, as the page shows
        them, else in float32, for files. One caller at a time, and each no longer than
        for a few clips: then whoever waits longest has the next turn."""
        model, parts = opened.model, []
        for part in z.split(max(1, TOGETHER // (model.frames * model.resolution**2))):
            with self._rendering.turn():
                self.drawn_at = time.monotonic()
                parts.append(video.to_uint8(model.generate(part, truncation=truncation, fast=fast)))
        return np.concatenate(parts)


def check_size(opened: Opened, rows: int) -> None:
    """Raises TooMuchError where so many clips of this model are too much for one sheet."""
    model = opened.model
    most = max(1, LARGEST_SHEET // (model.frames * model.resolution**2))
    if rows > most:
        raise TooMuchError(f"{rows} clips are too many for one picture of this model; allowed: up to {most}.")


def _fitting(vector: torch.Tensor, opened: Opened, what: str) -> torch.Tensor:
    if len(vector) != opened.model.latent_dim:
        raise KeptError(f"{what} has {len(vector)} numbers, the latents of this model {opened.model.latent_dim}: it "
                        "was made with another model.")
    return vector


def _files(folder: Path, kind: str) -> list[list[Entry]]:
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return [[Entry(f"{kind}:{file.stem}", file.stem, kind, file)] for file in files]


def _run_entry(name: str, path: Path) -> Entry:
    number = path.name.split("-")[0]
    return Entry(f"run:{name}@{number}", name, "run", path, int(number) if number.isdecimal() else None)


def _modified(path: Path) -> int:
    """mtime in ns; 0 for a file that went away since it was listed (opening it then says so)."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _bytes(generator: torch.nn.Module) -> int:
    """What an open model holds: its weights, and once more in the format that clips are drawn in."""
    return 2 * sum(p.numel() * p.element_size() for p in generator.parameters())
