"""Small clip stores whose every pixel is known, for the tests of the Data page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pvswgan.data import ClipStore
from pvswgan.data.build import Rules, build
from pvswgan.data.pieces import BadFile, Drop, Item, Piece

CLASSES = ("walk", "run", "<b>jump</b>")
LENGTHS = (4, 8, 8, 12, 12, 12)  # of the clips; their classes go round


def clip(number: int, frames: int, resolution: int = 16) -> np.ndarray:
    """uint8 (T, R, R, 3): red rises with time, green is the clip's number, blue a square that moves right."""
    made = np.zeros((frames, resolution, resolution, 3), dtype=np.uint8)
    made[..., 0] = (15 * np.arange(frames) + 20)[:, None, None]
    made[..., 1] = 10 * number % 250
    for frame in range(frames):
        made[frame, 2:6, frame % (resolution - 4) :][:, :4, 2] = 250
    return made


def make(folder: Path, lengths: Sequence[int] = LENGTHS, *, resolution: int = 16, compact: bool = False,
         splits: Sequence[str] = ("train", "test"), skipped: Sequence[tuple[str, str]] = (),
         drops: Sequence[Drop] = ()) -> ClipStore:
    """A store of one clip an item: clip i has lengths[i] frames, class i % 3, splits[i % 2].

    skipped  (file, reason) of files that gave nothing;  drops: parts of the first file
    """
    items = [Item(f"{CLASSES[i % 3]}/{i}.mp4", partial(_read, i, length, resolution, drops if i == 0 else ()), i % 3,
                  splits[i % len(splits)]) for i, length in enumerate(lengths)]
    items += [Item(name, partial(_fail, reason)) for name, reason in skipped]
    return build(folder, items, CLASSES, Rules(resolution, compact), key=folder.name, workers=1)


def _read(number: int, frames: int, resolution: int, drops: Sequence[Drop]) -> Iterator[Piece | Drop]:
    yield from drops
    yield Piece(clip(number, frames, resolution), 0, frames, 12.0)


def _fail(reason: str) -> Iterator[Any]:
    raise BadFile(reason)
    yield
