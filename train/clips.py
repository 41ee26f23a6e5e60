"""The clips that a configuration asks for: its store, and how it is read."""

from __future__ import annotations

from pvswgan.data.build import Progress
from pvswgan.data.hold_out import training_split
from pvswgan.data.sampler import Sampler
from pvswgan.data.sources import open_store
from pvswgan.data.store import ClipStore
from train.config import Config


def store_of(config: Config, progress: Progress | None = None) -> ClipStore:
    """The store of the configuration's clips, built where it is not there yet. Raises DataError, and what `progress`
    raises."""
    data, sizes = config.data, config.plan().sizes
    return open_store(data.source, data.path, max(r for _, r in sizes),
                      frames=(sizes[-1][0] - 1) * data.strides()[0] + 1, split=data.split, fps=data.fps,
                      fold=data.fold, compact=data.compact, hold_out=data.hold_out,
                      clips=data.clips if data.drawn() else None, progress=progress)


def sampler_of(config: Config, store: ClipStore, rank: int = 0, world: int = 1, raw: bool = False) -> Sampler:
    """Reads the store as the configuration says; `rank` of `world` processes reads its share; `raw`: as bytes, for a
    GPU. Raises DataError."""
    data = config.data
    return Sampler(store, frames=config.plan().sizes[-1][0], stride=data.strides(), time=data.time, mirror=data.mirror,
                   offset=data.offset, reverse=data.reverse, split=training_split(data.split, store.splits),
                   seed=config.seed, rank=rank, world=world, raw=raw)
