"""The real clips of an evaluation: what a model is measured against, and what it was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pvswgan.checkpoint import Model
from pvswgan.data.format import DataError
from pvswgan.data.hold_out import HELD_OUT, measured_split, training_split
from pvswgan.data.sampler import Draw
from pvswgan.data.store import ClipStore
from pvswgan.metrics.sets import Batches, Reals

LEAST = 16  # clips, below which nothing is said
SEARCHED = 10_000  # windows of training clips that samples are compared with one by one, at most


@dataclass(frozen=True)
class Against:
    """reals: what is measured against; others: what the floor is taken of; training: what copies are looked for among,
    as they lie in the store, not turned; searched: which windows of these. held_out: no clip of reals was trained on;
    then the others are those that were, else they are reals that come after. turns: the training turns clips."""

    store: ClipStore
    reals: Reals
    others: Reals
    training: Reals
    searched: Draw
    held_out: bool
    turns: bool

    @classmethod
    def of(cls, model: Model, store: ClipStore, seed: int, split: str | None = None, mirror: bool = True) -> Against:
        """split: of reals; None: what the training held out, else what it was trained on, else all. Which those are is
        told by the model's configuration, as far as the store has such splits; what a store holds out has been trained
        on by a model that comes from elsewhere. mirror: turn reals and others where the training turns clips. Raises
        DataError as Reals.of."""
        data, splits = model.config["data"], set(store.splits)
        wanted, path = data.get("split"), data.get("path")
        if not (data.get("hold_out") or (path and Path(path).name == store.folder.name)):
            splits -= {HELD_OUT}
        own = training_split(wanted, splits)
        own = own if own in splits else None
        as_told = {} if mirror else {"mirror": False}
        reals = Reals.of(model, store, seed, measured_split(wanted, splits) if split is None else split, **as_told)
        training = Reals.of(model, store, seed, own, mirror=False)
        held_out = not np.intersect1d(reals.sampler.usable, training.sampler.usable).size
        others = Reals.of(model, store, seed, own, **as_told) if held_out else reals
        turns = bool(data.get("mirror", True))
        return cls(store, reals, others, training, training.searched(SEARCHED), held_out, turns)

    def room(self) -> int:
        """How many clips of each kind there are. Raises DataError where that is too few."""
        if self.held_out:
            if min(len(self.reals), len(self.others)) < LEAST:
                raise DataError(f"{self.store.folder} has {len(self.reals)} clips that fit and were held out, and "
                                f"{len(self.others)} that were trained on; an evaluation compares as many of both, "
                                f"{LEAST} of each at least")
            return min(len(self.reals), len(self.others))
        if len(self.reals) < 2 * LEAST:
            raise DataError(f"{self.store.folder} has {len(self.reals)} clips that fit; an evaluation compares real "
                            f"ones with as many others, {2 * LEAST} in all at least")
        return len(self.reals) // 2

    def floor(self, count: int) -> Batches:
        """`count` other real clips than the first `count` of reals."""
        return self.others.batches(0 if self.held_out else count, count)

    def protocol(self) -> dict[str, Any]:
        """What says which clips these are: the store's contents, which of them are measured against and how they are
        read, and which ones were trained on, where they are others."""
        sampler, trained = self.reals.sampler, places_hash(self.training.sampler.usable)
        chosen = places_hash(sampler.usable)
        found: dict[str, Any] = {"searched": len(self.searched.clip), "reals": {
            "sha256": store_hash(self.store), "clips": len(self.store), "split": self.reals.split, "chosen": chosen,
            "window": sampler.frames, "stride": [int(s) for s in sampler.strides], "time": sampler.time,
            "mirror": sampler.mirror, "offset": sampler.offset, "reverse": sampler.reverse}}
        if trained != chosen:
            found["training"] = {"split": self.training.split, "chosen": trained, "held_out": self.held_out}
        return found

    def are_of(self, protocol: Mapping[str, Any]) -> bool:
        """Whether a result with this protocol was of these clips."""
        own = self.protocol()
        return all(protocol.get(part) == own.get(part) for part in ("reals", "training"))

    def close(self) -> None:
        for read in (self.reals, self.others, self.training):
            read.sampler.close()


def store_hash(store: ClipStore) -> str:
    """Of the contents of a store: its shards' checksums at its greatest resolution and where its clips lie in them."""
    parts = [sorted((name, file["sha256"]) for name, file in shard["files"].items()) for shard in store.shards]
    return hashlib.sha256(json.dumps([parts, store.lengths.tolist()]).encode()).hexdigest()[:16]


def places_hash(usable: np.ndarray[Any, Any]) -> str:
    """Of which clips of a store are used: a split's name does not say (two folds have the same clips)."""
    return hashlib.sha256(json.dumps(usable.tolist()).encode()).hexdigest()[:16]
