"""The real clips that a model was trained on, for the Latents page: as its critic saw them, and with their factors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import ValidationError

from pvswgan.checkpoint import Model
from pvswgan.data.build import Told
from pvswgan.data.format import DataError
from pvswgan.data.sampler import Sampler
from pvswgan.data.store import ClipStore
from pvswgan.studio.jobs import Progress
from train.clips import sampler_of, store_of
from train.config import Config

_opening = threading.Lock()


@dataclass(frozen=True)
class Reals:
    """A model's clips. Their numbers are places in the order of its training, so 0 is the first that it saw."""

    store: ClipStore
    sampler: Sampler
    size: tuple[int, int]  # (T, R) of the model's stage
    frames: int  # of the window that becomes T

    def as_trained(self, first: int, count: int) -> torch.Tensor:
        """Clips first .. first + count - 1 as the training reads them, (count, 3, T, R, R) in [-1, 1]."""
        return self.sampler.read(first, count, self.size)


def source_of(model: Model) -> str | None:
    """data.source of the model's configuration."""
    return (model.config.get("data") or {}).get("source")


def reals_of(model: Model, tell: Progress) -> Reals:
    """The clips of a model, found where its training found them; drawn sets are drawn where they are not there yet.

    Raises DataError, a sentence, where they cannot be had here, and what `tell` raises.
    """
    try:
        config = Config.model_validate({key: model.config[key] for key in Config.model_fields if key in model.config})
    except ValidationError as error:
        raise DataError("What this model was trained on cannot be told: its file's configuration is of another "
                        f"version ({error.errors()[0]['msg']}).") from error
    if not config.data.drawn():
        _ready(config)

    def told(now: Told) -> None:
        tell("Preparing the real clips", now.done, now.total)

    with _opening:
        store = store_of(config, told)
    return Reals(store, sampler_of(config, store), (model.frames, model.resolution), config.plan().sizes[-1][0])


def _ready(config: Config) -> None:
    """Raise DataError where the clips would first have to be imported: that may take hours, and has its own page."""
    from pvswgan.data.sources import Wish, cache_folder, is_store, recipe

    data, sizes = config.data, config.plan().sizes
    if is_store(data.path):
        return
    wish = Wish(data.source, data.path, max(r for _, r in sizes), fps=data.fps, fold=data.fold, compact=data.compact,
                hold_out=data.hold_out)
    if not (cache_folder() / recipe(wish).name / "meta.json").is_file():
        raise DataError(f"The clips of {data.path} are not prepared on this machine. Import them on the Data tab.")


class Opened:
    """reals_of, remembered for the last few models."""

    def __init__(self, find: Callable[[Model, Progress], Reals] = reals_of) -> None:
        self._find, self._known = find, dict[object, Reals]()

    def get(self, key: object, model: Model, tell: Progress) -> Reals:
        """The clips of the model with this key. Raises DataError."""
        if key not in self._known:
            self._known[key] = self._find(model, tell)
            while len(self._known) > 4:
                self._known.pop(next(iter(self._known))).sampler.close()
        return self._known[key]
