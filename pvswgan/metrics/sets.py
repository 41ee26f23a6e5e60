"""A set of clips as the metrics see it: described batch by batch, so that no more than a batch's pixels are held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from pvswgan.checkpoint import CheckpointError, Model, read_tensors, save_tensors
from pvswgan.data.format import DataError
from pvswgan.data.sampler import Draw, Sampler, join
from pvswgan.data.sources import cache_folder
from pvswgan.data.store import ClipStore
from pvswgan.metrics.diversity import ms_ssim, scales
from pvswgan.metrics.extractors import Extractor
from pvswgan.metrics.motion import Motion
from pvswgan.metrics.swd import Patches

BATCH = 32
KEPT = 24  # files of measured real clips and noise, some 30 MB each; four seeds by C3D are 20 of them
MOTION = tuple(field.name for field in fields(Motion))
Batches = Iterator[Tensor]
Tell = Callable[[str, int, int], None]  # what, done, of; an error raised in it cancels


@dataclass(frozen=True)
class Set:
    """features (M, D) and logits (M, K) or None of the extractor; seen (N, 128), clipnet's features; patches; motion,
    or None of one frame; similarity, the mean MS-SSIM of two of its clips, or None where they are too small; turned,
    as seen, of the clips turned left to right, where that was asked for."""

    features: Tensor
    logits: Tensor | None
    seen: Tensor
    patches: Patches
    motion: Motion | None
    similarity: float | None
    turned: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """All of it, to keep in a file."""
        found = {"features": self.features, "seen": self.seen}
        found |= {f"patches.{name}": t for name, t in self.patches.tensors().items()}
        if self.logits is not None:
            found["logits"] = self.logits
        if self.motion is not None:
            found |= {f"motion.{name}": torch.from_numpy(getattr(self.motion, name)) for name in MOTION}
        if self.turned is not None:
            found["turned"] = self.turned
        if self.similarity is not None:
            found["similarity"] = torch.tensor(self.similarity, dtype=torch.float64)
        return found

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Set:
        """What `tensors` gave. Raises KeyError, ValueError where something lacks."""
        def under(name: str) -> dict[str, Tensor]:
            return {key.removeprefix(name): t for key, t in tensors.items() if key.startswith(name)}

        motion = under("motion.")
        return cls(tensors["features"], tensors.get("logits"), tensors["seen"], Patches.of_tensors(under("patches.")),
                   Motion(*(motion[name].numpy() for name in MOTION)) if motion else None,
                   float(tensors["similarity"]) if "similarity" in tensors else None, tensors.get("turned"))


@dataclass(frozen=True)
class Library:
    """Training clips, to find samples' nearest in: seen (M, 128), clipnet's features, not turned; clip (M,): which one
    of the store each was cut from, at first each once; turned (K, 128), of the first K turned left to right, or None
    where the training does not turn clips."""

    seen: Tensor
    clip: Tensor
    turned: Tensor | None

    def tensors(self) -> dict[str, Tensor]:
        """All of it, to keep in a file."""
        return {"seen": self.seen, "clip": self.clip} | ({} if self.turned is None else {"turned": self.turned})

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Library:
        """What `tensors` gave. Raises KeyError."""
        return cls(tensors["seen"], tensors["clip"], tensors.get("turned"))


class Keepable(Protocol):
    """What can be kept in a file of tensors."""

    def tensors(self) -> dict[str, Tensor]: ...
    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Self: ...


K = TypeVar("K", bound=Keepable)


def kept(kind: type[K], key: str, make: Callable[[], K], folder: Path | None = None) -> K:
    """What `make` gives, a `kind`, kept in `folder` (default: beside the cached stores) under a key that says all it
    depends on.

    The newest KEPT files stay. A file that cannot be read is made again; one that cannot be written is done without.
    """
    folder = folder or cache_folder() / ".metrics"
    path = folder / f"{key}.safetensors"
    with suppress(CheckpointError, KeyError, ValueError, TypeError):
        found = kind.of_tensors(read_tensors(path)[0])
        with suppress(OSError):
            path.touch()
        return found
    made = make()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(path, made.tensors(), {"kind": "measured clips"})
        files = sorted(folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)
    return made


def describe(batches: Batches, count: int, extractor: Extractor, eyes: Extractor, tell: Callable[[int], None],
             turn: bool = False) -> Set:
    """Of batches of clips (n, 3, T, H, W) in [-1, 1], `count` in all; eyes: clipnet, which `extractor` may be too.
    tell: the clips done so far. turn: also look at them turned left to right."""
    features, logits, seen, motion, alike, turned = [], [], [], [], [], []
    patches, done = Patches(count), 0
    for clips in batches:
        clips = as_bytes(clips)
        found, classes = extractor.describe(clips)
        features.append(found)
        if classes is not None:
            logits.append(classes)
        seen.append(found if eyes is extractor else eyes.describe(clips)[0])
        if turn:
            turned.append(eyes.describe(clips.flip(4))[0])
        patches.add(clips)
        if clips.shape[2] > 1:
            motion.append(Motion.of(clips))
        if scales(min(clips.shape[3:])) and len(clips) > 1:
            even = len(clips) - len(clips) % 2
            alike.append(ms_ssim(clips[:even:2], clips[1:even:2]))  # each with its neighbour
        done += len(clips)
        tell(done)
    return Set(torch.cat(features), torch.cat(logits) if logits else None, torch.cat(seen), patches,
               Motion.join(motion) if motion else None, float(torch.cat(alike).mean()) if alike else None,
               torch.cat(turned) if turned else None)


def with_logits(of: Set, batches: Batches, extractor: Extractor, tell: Callable[[int], None]) -> Set:
    """The set, with more clips' logits: for the Inception Score alone."""
    logits, done = [of.logits], 0
    for clips in batches:
        logits.append(extractor.describe(as_bytes(clips))[1])
        done += len(clips)
        tell(done)
    return replace(of, logits=torch.cat([part for part in logits if part is not None]))


def joined_logits(of: Set, other: Set, most: int) -> Set:
    """The set, with another one's logits besides, `most` in all."""
    logits = [part.logits for part in (of, other) if part.logits is not None]
    return replace(of, logits=torch.cat(logits)[:most] if logits else None)


def library(reals: Reals, searched: Draw, turned: int, eyes: Extractor, tell: Callable[[int], None]) -> Library:
    """Those clips of `reals`, which must not turn them by itself; and the first `turned` of them turned."""
    seen, other = [], []
    for done in range(0, len(searched.clip), BATCH):
        clips = as_bytes(reals.read(searched, slice(done, done + BATCH)))
        seen.append(eyes.describe(clips)[0])
        if done < turned:
            other.append(eyes.describe(clips[:turned - done].flip(4))[0])
        tell(done + len(clips))
    clip = torch.from_numpy(searched.clip.astype(np.int64))
    return Library(torch.cat(seen), clip, torch.cat(other) if other else None)


def as_bytes(clips: Tensor) -> Tensor:
    """Rounded to the 256 levels of a file, in [-1, 1]: samples and real clips alike."""
    return ((clips.float() + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1


def samples(model: Model, latents: Tensor) -> Batches:
    """Their clips, without truncation."""
    for z in latents.split(BATCH):
        yield model.generate(z)


def noise(shape: tuple[int, int, int, int], count: int, seed: int) -> Batches:
    """Clips of uniform noise, shape (3, T, H, W): what no model is worse than."""
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, count, BATCH):
        yield torch.rand(min(BATCH, count - first), *shape, generator=generator) * 2 - 1


@dataclass(frozen=True)
class Reals:
    """Real clips, as the model's training reads them, in an order drawn from the seed: each clip of the store once."""

    sampler: Sampler
    size: tuple[int, int]  # (T, R)
    split: str | None = None  # of the store's; None: all

    @classmethod
    def of(cls, model: Model, store: ClipStore, seed: int, split: str | None = None, **changes: Any) -> Reals:
        """`changes`: of how the training reads them. Raises DataError where the store has no clip of the model's size
        or length, or no such split."""
        if model.resolution not in store.resolutions:
            raise DataError(f"{store.folder} has clips of {store.resolution} pixels at most; the model's have "
                            f"{model.resolution}")
        data = model.config["data"]
        read = {key: data[key] for key in ("stride", "time", "mirror", "offset", "reverse") if key in data}
        read |= changes
        return cls(Sampler(store, frames=model.sizes[-1][0], split=split, seed=seed, **read),
                   (model.frames, model.resolution), split)

    def __len__(self) -> int:
        return len(self.sampler.usable)

    def searched(self, most: int) -> Draw:
        """What a copy is looked for in: each clip once, in the order of `batches`, then its other windows; where there
        are more than `most` windows, as many as are drawn at random, epoch by epoch."""
        if (many := self.sampler.many()) > most or many == len(self):
            return self.sampler.draw(0, min(many, most))
        once, every = self.sampler.draw(0, len(self)), self.sampler.every()
        first = set(zip(*(column.tolist() for column in once), strict=True))
        others = [place for place, window in enumerate(zip(*(column.tolist() for column in every), strict=True))
                  if window not in first]
        return join([once, Draw(*(column[others] for column in every))])

    def read(self, drawn: Draw, rows: slice) -> Tensor:
        """Some of them."""
        return self.sampler.windows(Draw(*(column[rows] for column in drawn)), self.size)

    def batches(self, first: int, count: int) -> Batches:
        """Clips first .. first + count - 1."""
        for begin in range(first, first + count, BATCH):
            yield self.sampler.read(begin, min(BATCH, first + count - begin), self.size)
