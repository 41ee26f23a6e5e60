"""Clips that a training does not see: which ones, and what a model is then measured against."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from pvswgan.data.format import DataError
from pvswgan.data.pieces import Item

TRAIN, HELD_OUT = "train", "held-out"  # the splits of a store of which a share is held out
MOST = 0.5


def check(share: float) -> None:
    """Raises DataError where no such share can be held out."""
    if not 0 <= share <= MOST:
        raise DataError(f"hold_out is {share:g}; allowed: 0 (nothing is held out) to {MOST:g}")


def hold_out(items: Sequence[Item], share: float, first: int | None = None) -> list[Item]:
    """The same items, each with the split TRAIN or HELD_OUT: the nearest number to `share` of them is held out, the
    last of each class; 0: as they are. first: of the first so many, as those after them only take the place of others.

    Whole items: what is cut from one file stays together. The last ones, not any: neighbours are often alike (parts of
    one film, a clip and the same turned round), and with all of them on one side no held-out clip was nearly seen.
    Raises DataError where they have splits of their own, or where nothing would be left on a side.
    """
    if not share:
        return list(items)
    if own := sorted({item.split for item in items if item.split}):
        raise DataError(f"hold_out is {share:g}; allowed: 0, as these clips have splits of their own "
                        f"({', '.join(own)}): say which one trains by split")
    chosen = items[:first]
    many = round(share * len(chosen))
    if not 0 < many < len(chosen):
        raise DataError(f"hold_out is {share:g}: of {len(chosen)} files (or runs of 16 drawn clips) that holds "
                        f"out {many}; allowed: a share that leaves some on both sides")
    order = sorted(range(len(chosen)), key=lambda at: items[at].label)      # keeps the order within a class
    held: set[int] = set()
    for end in range(1, len(order) + 1):
        if end == len(order) or items[order[end]].label != items[order[end - 1]].label:
            wanted = round(many * end / len(order)) - len(held)            # of this class, to rounding
            held |= set(order[end - wanted:end])
    return [replace(item, split=HELD_OUT if at in held else TRAIN) for at, item in enumerate(items)]


def training_split(wanted: str | None, splits: Collection[str]) -> str | None:
    """The split that a training reads of a store with these splits, where its configuration wants `wanted`; None: all
    clips, which are not the held-out ones."""
    return TRAIN if wanted is None and HELD_OUT in splits else wanted


def measured_split(wanted: str | None, splits: Collection[str]) -> str | None:
    """The split that such a training's model is measured against: what was held out, else what it was trained on; None:
    all clips."""
    own = training_split(wanted, splits)
    if own == TRAIN and HELD_OUT in splits:
        return HELD_OUT
    return own if own in splits else None
