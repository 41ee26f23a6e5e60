"""How a video GAN grows: the sizes, their order, and where a number of clips lies in the plan.

A *stage* is one size (T, H, W). A stage begins by fading in its new layers (alpha goes 0 -> 1 over `fade`
clips) and then trains on for `stable` clips. The paper grows "space and time alone or jointly"; its released
code has one fixed order, which is `paper` here. Everything is counted in clips, as integers, so that a position
is exact however far the training has gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Phase = Literal["fade", "stable", "done"]
ORDERS = ("paper", "joint", "space-first", "time-first")
BASE = 4  # pixels and frames of the first stage in every named order

# Frames at each resolution in the released code, for the full 256x256x32.
PAPER_FRAMES = {4: 4, 8: 8, 16: 8, 32: 16, 64: 16, 128: 32, 256: 32}


class PlanError(ValueError):
    """A growth plan that cannot be trained; the message names the step."""


@dataclass(frozen=True)
class Stage:
    """One size of the plan: `frames` x `resolution` x `resolution`, `fade` and `stable` in clips."""

    frames: int
    resolution: int
    fade: int
    stable: int

    @property
    def size(self) -> tuple[int, int, int]:
        """(T, H, W)."""
        return self.frames, self.resolution, self.resolution

    @property
    def name(self) -> str:
        return f"{self.frames}x{self.resolution}x{self.resolution}"


@dataclass(frozen=True)
class Position:
    """Where a clip count lies: stage number, how far it has faded in (0..1), and which phase that is."""

    stage: int
    alpha: float
    phase: Phase


@dataclass(frozen=True)
class GrowthPlan:
    """The stages in their order. Raises PlanError where a size does not follow from the one before."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        check_sizes([(s.frames, s.resolution) for s in self.stages])
        for number, stage in enumerate(self.stages):
            if stage.fade < 0 or stage.stable < 0:
                raise PlanError(f"stage {number} ({stage.name}): fade and stable must not be negative, got "
                                f"{stage.fade} and {stage.stable} clips")
        if self.stages[0].fade:
            raise PlanError(f"stage 0 ({self.stages[0].name}) has nothing to fade in from: fade must be 0, "
                            f"got {self.stages[0].fade} clips")
        if self.total <= 0:
            raise PlanError("the plan is empty: fade_kimg and stable_kimg give 0 clips in all")

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(frames, resolution) of each stage."""
        return [(s.frames, s.resolution) for s in self.stages]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Clips shown when each stage begins, and, last, when the plan ends."""
        edges = [0]
        for stage in self.stages:
            edges.append(edges[-1] + stage.fade + stage.stable)
        return tuple(edges)

    def start(self, stage: int) -> int:
        """Clips shown when `stage` begins."""
        return self.starts[stage]

    @property
    def total(self) -> int:
        """Clips in the whole plan."""
        return self.starts[-1]

    def at(self, clips: int) -> Position:
        """The position after `clips` clips (>= 0). Past the end: the last stage, alpha 1, phase 'done'."""
        if clips < 0:
            raise PlanError(f"clips must not be negative, got {clips}")
        if clips >= self.total:
            return Position(len(self.stages) - 1, 1.0, "done")
        number = max(i for i in range(len(self.stages)) if self.starts[i] <= clips)
        stage, into = self.stages[number], clips - self.starts[number]
        if into < stage.fade:
            return Position(number, into / stage.fade, "fade")
        return Position(number, 1.0, "stable")

    def next_edge(self, clips: int) -> int:
        """Clips at which the phase after `clips` begins (a fade ends, or a stage does): Adam starts anew there."""
        edges = sorted({e for n, s in enumerate(self.stages) for e in (self.starts[n], self.starts[n] + s.fade)}
                       | {self.total})
        return next((e for e in edges if e > clips), self.total)

    def table(self) -> str:
        """The plan as text, a line a stage."""
        lines = [f"{'stage':>5} {'frames':>6} {'pixels':>9} {'grows':>12} {'fade kimg':>10} {'stable kimg':>11} "
                 f"{'from kimg':>10} {'to kimg':>9}"]
        for n, s in enumerate(self.stages):
            grows = "-" if n == 0 else grown_axes(self.sizes[n - 1], self.sizes[n])
            lines.append(f"{n:>5} {s.frames:>6} {f'{s.resolution}x{s.resolution}':>9} {grows:>12} "
                         f"{s.fade / 1000:>10g} {s.stable / 1000:>11g} {self.starts[n] / 1000:>10g} "
                         f"{self.starts[n + 1] / 1000:>9g}")
        return "\n".join(lines)


def factors(before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int, int]:
    """By how much (T, H, W) grow from one (frames, resolution) to the next: ones and twos."""
    return after[0] // before[0], after[1] // before[1], after[1] // before[1]


def grown_axes(before: tuple[int, int], after: tuple[int, int]) -> str:
    """'space', 'time' or 'space, time'."""
    t, h, _ = factors(before, after)
    return ", ".join(name for name, f in (("space", h), ("time", t)) if f > 1)


def check_sizes(sizes: Sequence[tuple[int, int]]) -> None:
    """Raise PlanError, naming the step, unless each (frames, resolution) follows from the one before."""
    if not sizes:
        raise PlanError("a plan needs at least one stage, got none")
    for number, (frames, resolution) in enumerate(sizes):
        here = f"stage {number} ({frames} frames, {resolution} pixels)"
        if not _is_power_of_two(frames) or not _is_power_of_two(resolution) or resolution < BASE:
            raise PlanError(f"{here}: frames must be a power of two and pixels a power of two of at least {BASE}")
        if number == 0:
            continue
        before = sizes[number - 1]
        step = f"{here} after {before[0]} frames, {before[1]} pixels"
        if frames < before[0]:
            raise PlanError(f"{step}: time must not shrink")
        if resolution < before[1]:
            raise PlanError(f"{step}: space must not shrink")
        if (frames, resolution) == tuple(before):
            raise PlanError(f"{step}: nothing grows; frames, pixels or both must double")
        if frames not in (before[0], 2 * before[0]):
            raise PlanError(f"{step}: frames may stay or double, allowed: {before[0]} or {2 * before[0]}")
        if resolution not in (before[1], 2 * before[1]):
            raise PlanError(f"{step}: pixels may stay or double, allowed: {before[1]} or {2 * before[1]}")


def ordered_sizes(order: str, resolution: int, frames: int) -> list[tuple[int, int]]:
    """(frames, resolution) of each stage of a named order, from 4x4x4 (or fewer frames) to the given size.

    `paper`: the released code's frames at each resolution, never more than `frames`; where they end below
    `frames` the last stages grow time alone. `joint`: both at each stage until one is full. `space-first`,
    `time-first`: one after the other.
    """
    if order not in ORDERS:
        raise PlanError(f"growth.order is {order!r}; allowed: {', '.join(ORDERS)}")
    for name, value, least in (("resolution", resolution, BASE), ("frames", frames, 1)):
        if not _is_power_of_two(value) or value < least:
            raise PlanError(f"growth.{name} is {value}; it must be a power of two of at least {least}")
    if resolution > max(PAPER_FRAMES) and order == "paper":
        raise PlanError(f"growth.resolution is {resolution}; the paper's order ends at {max(PAPER_FRAMES)}")
    first = min(BASE, frames)
    space = _doublings(BASE, resolution)
    time = _doublings(first, frames)
    if order == "paper":
        sizes = [(min(PAPER_FRAMES[r], frames), r) for r in space]
        return sizes + [(t, resolution) for t in time if t > sizes[-1][0]]
    if order == "joint":
        n = max(len(space), len(time))
        return [(time[min(i, len(time) - 1)], space[min(i, len(space) - 1)]) for i in range(n)]
    if order == "space-first":
        return [(first, r) for r in space] + [(t, resolution) for t in time[1:]]
    return [(t, BASE) for t in time] + [(frames, r) for r in space[1:]]


def make_plan(
    *,
    order: str | None = "paper",
    stages: Sequence[Sequence[int]] | None = None,
    resolution: int = 256,
    frames: int = 32,
    fade_kimg: float | Sequence[float] = 600,
    stable_kimg: float | Sequence[float] = 600,
    total_kimg: float | None = None,
) -> GrowthPlan:
    """A plan from a named order, or from explicit stages [[T, H], ...], which then win over `order`.

    fade_kimg, stable_kimg: thousands of clips for every stage, or a list with one value a stage.
    total_kimg: where it is more than the stages ask for, the last stage trains on (the released schedule:
    12,000); less than is needed to fade in the last stage is refused.
    """
    if stages is not None:
        sizes = [_pair(n, s) for n, s in enumerate(stages)]
    else:
        sizes = ordered_sizes(order or "paper", resolution, frames)
    check_sizes(sizes)
    fades = _per_stage("growth.fade_kimg", fade_kimg, len(sizes))
    stables = _per_stage("growth.stable_kimg", stable_kimg, len(sizes))
    fades[0] = 0
    if total_kimg is not None:
        total = round(total_kimg * 1000)
        least = sum(fades) + sum(stables[:-1])
        if total < max(least, 1):
            raise PlanError(f"growth.total_kimg is {total_kimg:g}, but the last stage ({sizes[-1][0]}x{sizes[-1][1]}) "
                            f"is only faded in at {least / 1000:g} kimg; allowed: at least that")
        stables[-1] = total - least
    return GrowthPlan(tuple(Stage(t, r, f, s) for (t, r), f, s in zip(sizes, fades, stables, strict=True)))


def _is_power_of_two(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0


def _doublings(first: int, last: int) -> list[int]:
    out = [first]
    while out[-1] < last:
        out.append(out[-1] * 2)
    return out


def _pair(number: int, stage: Sequence[int]) -> tuple[int, int]:
    if len(stage) != 2:
        raise PlanError(f"growth.stages[{number}] is {list(stage)}; each stage is [frames, pixels]")
    return int(stage[0]), int(stage[1])


def _per_stage(name: str, value: float | Sequence[float], count: int) -> list[int]:
    """Kimg, one value or one a stage, as whole clips for each stage."""
    values = [float(value)] * count if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(values) != count:
        raise PlanError(f"{name} lists {len(values)} values, but the plan has {count} stages")
    if any(v < 0 for v in values):
        raise PlanError(f"{name} is {value}; it must not be negative")
    return [round(v * 1000) for v in values]
