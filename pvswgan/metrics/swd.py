"""Sliced Wasserstein distance of space-time patches: how far generated clips are from real ones, without a trained
network. Karras et al. 2018, section 5, carried to video: a Laplacian pyramid in space and time, whose levels each hold
what the next coarser one does not, and the coarsest the clips as a whole.

    fake = Patches()
    fake.add(clips)                     # as they stream; what is kept are numbers of their patches
    distances(real, fake)                # {"16x32x32": 0.03, "8x16x16": ..., "4x8x8": ...}
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pvswgan.conv import enlarge, shrink

PATCH = (4, 8, 8)           # frames, rows, columns
PATCHES = 16                # of each clip, at each level, as long as they are no more than
MOST = 1 << 13              # of all clips: memory does not grow with their number
DIRECTIONS = 256


class Patches:
    """Patches of the levels of clips, cut at the same places of every clip, fewer of each where many are expected.

    Of a patch its projections on DIRECTIONS are kept, which are the same in every set. sizes: (T, H, W) of each level,
    finest first; clips: how many were added.
    """

    def __init__(self, expected: int = 1) -> None:
        self.clips, self.each = 0, max(1, min(PATCHES, MOST // expected))
        self.sizes: list[tuple[int, ...]] = []
        self._levels: list[_Level] = []

    @torch.no_grad()
    def add(self, clips: Tensor) -> None:
        """Take in clips (N, 3, T, H, W) in [-1, 1], all of one size. Raises ValueError for another than before."""
        levels = pyramid(clips)
        sizes = [tuple(level.shape[2:]) for level in levels]
        if self.sizes and sizes != self.sizes:
            raise ValueError(f"clips are {sizes[0]} (frames, rows, columns); those before were {self.sizes[0]}")
        self.sizes, self._levels = sizes, self._levels or [_Level() for _ in sizes]
        places = torch.Generator().manual_seed(0)
        for index, (kept, level) in enumerate(zip(self._levels, levels, strict=True)):
            kept.add(_cut(level, self.each, places), index)
        self.clips += len(clips)

    def tensors(self) -> dict[str, Tensor]:
        """All of it, to keep in a file."""
        found = {"clips": torch.tensor([self.clips, self.each]), "sizes": torch.tensor(self.sizes)}
        return found | {f"{i}.{name}": t for i, kept in enumerate(self._levels) for name, t in kept.tensors().items()}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Patches:
        """What `tensors` gave."""
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
        return float(max(squares / count - (total / count) ** 2, 1e-12) ** 0.5)


def pyramid(clips: Tensor) -> list[Tensor]:
    """The levels of clips (N, 3, T, H, W), finest first; enlarging and adding them up gives the clips."""
    levels: list[Tensor] = []
    while True:
        factors = tuple(2 if have > want else 1 for have, want in zip(clips.shape[2:], PATCH, strict=True))
        if factors == (1, 1, 1):
            return [*levels, clips]
        coarse = shrink(clips, factors)  # type: ignore[arg-type]
        levels.append(clips - enlarge(coarse, factors))  # type: ignore[arg-type]
        clips = coarse


def distances(real: Patches, fake: Patches) -> dict[str, float]:
    """The distance at each level, by its size "TxHxW"; 0 for the same clips. The unit is the standard deviation of the
    real patches, the directions are the same at each call, sets of different sizes are compared by quantiles.
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


def _cut(level: Tensor, each: int, generator: torch.Generator) -> Tensor:
    """(N * each, values): patches at places drawn once; whole clips where they are no larger than a patch."""
    size = level.shape[2:]
    cut = [min(have, want) for have, want in zip(size, PATCH, strict=True)]
    room = [have - want + 1 for have, want in zip(size, cut, strict=True)]
    places = {tuple(int(torch.randint(r, (), generator=generator)) for r in room) for _ in range(each)}
    return torch.cat([level[:, :, t:t + cut[0], i:i + cut[1], j:j + cut[2]].flatten(1) for t, i, j in sorted(places)])


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
