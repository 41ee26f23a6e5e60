"""Sliced Wasserstein distance of space-time patches: how far generated clips are from real ones, without a trained
network. Karras et al. 2018, section 5, carried to video: a Laplacian pyramid in space, and of each of its levels one in
time. A level holds what the next coarser one does not, so that detail that is wrong and movement that is wrong show on
lines of their own: 16x32x32 is quick change of fine detail, 16x8x8 of large areas (flicker), 4x32x32 slow change of
detail, and 4x8x8 the clips as a whole.

    fake = Patches()
    fake.add(clips)                     # as they stream; what is kept are numbers of their patches
    distances(real, fake)                # {"16x32x32": 0.03, "8x32x32": ..., "4x8x8": ...}
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pvswgan.conv import Triple, enlarge, shrink

PATCH = (4, 8, 8)           # frames, rows, columns
PATCHES = 16                # of each clip, at each level, as long as they are no more than
MOST = 1 << 12              # of all clips: memory does not grow with their number; of more clips not all are cut
DIRECTIONS = 256
ROUNDING = 2 / 255 / 12 ** 0.5  # the deviation of what rounding to 8 bits adds to a clip in [-1, 1]
VERSION = 3                 # of the measures, since which the distance is what it is
ALL = 1 << 30               # frames, rows or columns: an axis that is not halved


class Patches:
    """Patches of the levels of clips, cut at places of every clip's own, fewer of each where many are expected.

    The n-th clip's places are the same in every set. Of a patch its projections on DIRECTIONS are kept, which are the
    same in every set too. sizes: (T, H, W) of each level, finest first; clips: how many were added.
    """

    def __init__(self, expected: int = 1) -> None:
        self.clips, self.each = 0, max(1, min(PATCHES, MOST // expected))
        self._every = -(-expected // MOST)
        self.sizes: list[tuple[int, ...]] = []
        self._levels: list[_Level] = []
        self._places: list[np.random.Generator] = []

    @torch.no_grad()
    def add(self, clips: Tensor) -> None:
        """Take in clips (N, 3, T, H, W) in [-1, 1], all of one size. Raises ValueError for another than before."""
        levels = pyramid(clips)
        sizes = [tuple(level.shape[2:]) for level in levels]
        if self.sizes and sizes != self.sizes:
            raise ValueError(f"clips are {sizes[0]} (frames, rows, columns); those before were {self.sizes[0]}")
        if not self.sizes:
            self.sizes, self._levels = sizes, [_Level() for _ in sizes]
            self._places = [np.random.default_rng(index) for index in range(len(sizes))]
        for index, level in enumerate(levels):
            cut = level[-self.clips % self._every::self._every]   # whatever batches they come in
            self._levels[index].add(_cut(cut, self.each, self._places[index]), index)
        self.clips += len(clips)

    def tensors(self) -> dict[str, Tensor]:
        """All of it, to keep in a file."""
        found = {"clips": torch.tensor([self.clips, self.each]), "sizes": torch.tensor(self.sizes)}
        return found | {f"{i}.{name}": t for i, kept in enumerate(self._levels) for name, t in kept.tensors().items()}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Patches:
        """What `tensors` gave: to compare, not to add to."""
        patches = cls()
        patches.clips, patches.each = tensors["clips"].tolist()
        patches.sizes = [tuple(size) for size in tensors["sizes"].tolist()]
        patches._levels = [_Level([tensors[f"{i}.values"]], tensors[f"{i}.sums"]) for i in range(len(patches.sizes))]
        return patches


class _Level:
    """values: projections (patches, DIRECTIONS), in parts; sums: of the patches' numbers how many, sum and squares."""

    def __init__(self, values: list[Tensor] | None = None, sums: Tensor | None = None) -> None:
        self.values = values or []
        self.sums = torch.zeros(3, dtype=torch.float64) if sums is None else sums

    def add(self, patches: Tensor, level: int) -> None:
        directions = unit_directions(patches.shape[1], DIRECTIONS, torch.Generator().manual_seed(level + 1))
        self.values.append((patches @ directions.to(patches)).cpu())
        wide = patches.double()
        self.sums += torch.stack([wide.new_tensor(wide.numel()), wide.sum(), wide.square().sum()]).cpu()

    def tensors(self) -> dict[str, Tensor]:
        self.values = [torch.cat(self.values)]
        return {"values": self.values[0], "sums": self.sums}

    def deviation(self) -> float:
        count, total, squares = self.sums.tolist()
        return float(max(squares / count - (total / count) ** 2, ROUNDING ** 2) ** 0.5)


def pyramid(clips: Tensor) -> list[Tensor]:
    """The levels of clips (N, 3, T, H, W), of each level of space, finest first, those of time; enlarged in time, added
    up, enlarged in space and added up they give the clips."""
    return [level for detail in _halved(clips, (ALL, *PATCH[1:])) for level in _halved(detail, (PATCH[0], ALL, ALL))]


def _halved(clips: Tensor, least: Triple) -> list[Tensor]:
    """What each halving of those axes that are longer than `least` takes away, and what is left."""
    levels: list[Tensor] = []
    while True:
        t, h, w = (2 if have > want else 1 for have, want in zip(clips.shape[2:], least, strict=True))
        if (t, h, w) == (1, 1, 1):
            return [*levels, clips]
        coarse = shrink(clips, (t, h, w))
        levels.append(clips - enlarge(coarse, (t, h, w)))
        clips = coarse


def distances(real: Patches, fake: Patches) -> dict[str, float]:
    """The distance at each level, by its size "TxHxW"; 0 for the same clips. The unit is the standard deviation of the
    real patches (that of rounding, where they have less), the directions are the same at each call, sets of different
    sizes are compared by quantiles.
    """
    if real.sizes != fake.sizes:
        raise ValueError(f"clips of {fake.sizes} cannot be compared with clips of {real.sizes} (frames, rows, columns)")
    found = {}
    for size, a, b in zip(real.sizes, real._levels, fake._levels, strict=True):
        found["x".join(map(str, size))] = _between(a.tensors()["values"], b.tensors()["values"]) / a.deviation()
    return found


def patch_swd(real: Tensor, fake: Tensor) -> float:
    """The mean of `distances` over the levels, of clips (N, 3, T, H, W) in [-1, 1]."""
    sets = Patches(), Patches()
    for patches, clips in zip(sets, (real, fake), strict=True):
        patches.add(clips)
    found = distances(*sets)
    return sum(found.values()) / len(found)


def _cut(level: Tensor, each: int, places: np.random.Generator) -> Tensor:
    """(N * each, values): patches at random places; whole clips, once, where they are no larger than a patch. Places
    that would reach over an edge lie at it: else the first and the last frame would be seen least of all."""
    size = np.array(level.shape[2:])
    cut = np.minimum(size, PATCH)
    each = min(each, int((size - cut + 1).prod()))
    drawn = (places.random((len(level), each, 3)) * (size + cut - 1)).astype(np.int64) - (cut - 1)
    at = torch.from_numpy(drawn.clip(0, size - cut)).to(level.device).flatten(0, 1)
    clip = torch.arange(len(level), device=level.device).repeat_interleave(each)
    windows = level
    for axis, length in enumerate(cut.tolist(), start=2):
        windows = windows.unfold(axis, length, 1)
    return windows[clip, :, at[:, 0], at[:, 1], at[:, 2]].flatten(1)


def _between(a: Tensor, b: Tensor) -> float:
    """The mean over the columns of (N, K) and (M, K) of their 1-D Wasserstein-1 distance."""
    total = 0.0
    for x, y in zip(a.split(32, 1), b.split(32, 1), strict=True):
        x, y = x.sort(dim=0).values, y.sort(dim=0).values
        total += float((x - _stretched(y, len(x))).abs().mean(0).sum())
    return total / a.shape[1]


def unit_directions(values: int, count: int, generator: torch.Generator) -> Tensor:
    """Random unit vectors, (values, count)."""
    directions = torch.randn(values, count, generator=generator)
    return directions / directions.norm(dim=0)


def _stretched(ordered: Tensor, count: int) -> Tensor:
    """Sorted columns (M, K) as `count` rows, by their quantiles."""
    if len(ordered) == count:
        return ordered
    places = (torch.arange(count, device=ordered.device) + 0.5) * len(ordered) / count
    return ordered[places.long().clamp_max(len(ordered) - 1)]
