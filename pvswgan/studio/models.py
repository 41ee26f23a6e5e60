"""The models a person can explore: found in assets and runs, opened by id, rendered under a lock, cached."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, Field

import pvswgan
from pvswgan import latents, video
from pvswgan.checkpoint import CheckpointError, network_checkpoints

SLIDERS = 8
Load = Callable[[Path], pvswgan.Model]


class UnknownModelError(KeyError):
    """An id that is in no listing. str() is a sentence for the page."""

    def __str__(self) -> str:
        return str(self.args[0])


class ClipRequest(BaseModel):
    """Which clip: a model, a seed, its truncation, and steps along the directions in standard deviations."""

    model: str = Field(max_length=300)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    truncation: float = Field(default=1.0, ge=0.0, le=1.0, allow_inf_nan=False)
    offsets: list[float] = Field(default_factory=list, max_length=SLIDERS)
    seq: int = Field(default=0, ge=0)

    def quantised(self) -> tuple[int, float, tuple[float, ...]]:
        """(seed, truncation, offsets) in steps of 1/1000: what is rendered, and the key of the cache."""
        offsets = [round(min(max(x, -6.0), 6.0), 3) + 0.0 for x in self.offsets]
        return self.seed, round(self.truncation, 3), tuple(offsets + [0.0] * (SLIDERS - len(offsets)))


@dataclass(frozen=True)
class Entry:
    """One checkpoint that can be opened. clips: how many it was trained on (None: only its file knows)."""

    id: str
    name: str
    kind: str  # "run" or "asset"
    path: Path
    clips: int | None = None


@dataclass
class Opened:
    """A loaded model. The directions are found at the first slider and kept."""

    entry: Entry
    model: pvswgan.Model
    key: Hashable
    _directions: latents.Directions | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def directions(self) -> latents.Directions:
        with self._lock:
            if self._directions is None:
                self._directions = latents.directions(self.model.generator, k=SLIDERS)
            return self._directions

    def latent(self, seed: int, offsets: tuple[float, ...]) -> torch.Tensor:
        """z (1, latent_dim): the seed's latent, moved along the directions."""
        z = latents.sample_latents(1, self.model.latent_dim, seed)
        if any(offsets):
            found = self.directions
            z = z + torch.tensor(offsets[: len(found.vectors)]) @ found.vectors
        return z


class Recent:
    """The most recently used values, up to a total weight. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit, self.weight = limit, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value put under this key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any, weight: int = 1) -> None:
        """Keeps the value; the least recently used ones go until the total weight fits again."""
        with self._lock:
            self.weight += weight - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, weight
            while self.weight > self.limit and len(self._values) > 1:
                self.weight -= self._values.popitem(last=False)[1][1]


class Models:
    """Every model of a studio. Ids: "asset:NAME", "run:NAME" (its newest checkpoint), "run:NAME@CLIPS".

    A page only ever names ids, and an id is looked up in what is on the disk: no path comes from outside.
    """

    def __init__(self, runs: Path, assets: Path, load: Load | None = None) -> None:
        self.runs, self.assets = Path(runs), Path(assets)
        self._load = load or pvswgan.load
        self._found: dict[str, Entry] = {}
        self._opened = Recent(4)  # models
        self._sheets = Recent(64 * 2**20)  # bytes
        self._opening = threading.Lock()
        # One render at a time, whichever model: two at once would only take each other's cores.
        self._rendering = threading.Lock()

    # ---- what there is ----

    def groups(self) -> list[list[Entry]]:
        """One list for each asset and each run with a checkpoint: its checkpoints, newest first."""
        groups = self._runs() + self._assets()
        self._found = {entry.id: entry for group in groups for entry in group}
        return groups

    def _assets(self) -> list[list[Entry]]:
        files = sorted(self.assets.glob("*.safetensors")) if self.assets.is_dir() else []
        return [[Entry(f"asset:{file.stem}", file.stem, "asset", file)] for file in files]

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
                    self._opened.put(key, opened)
        return opened

    def sheet(self, request: ClipRequest) -> tuple[bytes, int, int, float]:
        """(JPEG sprite sheet of one row, frames, resolution, milliseconds it took) by the quickest path."""
        began = time.perf_counter()
        opened = self.open(request.model)
        key = (opened.key, request.quantised())
        known = self._sheets.get(key)
        if known is None:
            clip = self._generate(opened, request, fast=True)
            known = video.encode_jpeg(video.sprite_sheet(clip)), clip.shape[1], clip.shape[2]
            self._sheets.put(key, known, weight=len(known[0]))
        return *known, 1000 * (time.perf_counter() - began)

    def warm(self) -> None:
        """Opens the model that the page will show first, so that the first person does not wait for it."""
        import sklearn.decomposition  # noqa: F401  a second or two

        with contextlib.suppress(UnknownModelError, CheckpointError, OSError):
            groups = self.groups()
            if groups:
                opened = self.open(groups[0][0].id)
                self._generate(opened, ClipRequest(model=opened.entry.id), fast=True)
                _ = opened.directions

    def clip(self, request: ClipRequest) -> np.ndarray:
        """The same clip in float32, for export: uint8 (T, H, W, 3)."""
        return self._generate(self.open(request.model), request, fast=False)[0]

    def _generate(self, opened: Opened, request: ClipRequest, fast: bool) -> np.ndarray:
        """uint8 (1, T, H, W, 3)."""
        seed, truncation, offsets = request.quantised()
        return self.draw(opened, opened.latent(seed, offsets), truncation, fast)

    def draw(self, opened: Opened, z: torch.Tensor, truncation: float = 1.0, fast: bool = True) -> np.ndarray:
        """The clips of latents z (N, latent_dim), uint8 (N, T, H, W, 3); one caller at a time."""
        with self._rendering:
            return video.to_uint8(opened.model.generate(z, truncation=truncation, fast=fast))


def _run_entry(name: str, path: Path) -> Entry:
    number = path.name.split("-")[0]
    return Entry(f"run:{name}@{number}", name, "run", path, int(number) if number.isdecimal() else None)


def _modified(path: Path) -> int:
    """mtime in ns; 0 for a file that went away since it was listed (opening it then says so)."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
