"""What the Data page shows of a store's clips: pages of them, walls that play together, a clip at all its stages."""

from __future__ import annotations

from typing import Any

import numpy as np

from pvswgan.data.format import DataError
from pvswgan.data.store import TIMES, ClipStore
from pvswgan.growth import GrowthPlan, make_plan
from pvswgan.studio.data_stores import opened, plain
from pvswgan.video import encode_jpeg, png_bytes, sprite_sheet, to_uint8

PAGE = 24  # clips of a wall, at most
WALL_FRAMES, WALL_SIZES = 32, (64, 128, 256)
SHEET_BYTES = 64 << 20  # of a wall once the browser has decoded it: four bytes a pixel
FRAMES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # of a last stage
WIDEST = 16384  # pixels of a sheet: wider pictures are not decoded by every browser
_LOSSLESS = 32  # pixels up to which a stage is sent as PNG: JPEG would smear 4 x 4 pixels into each other


# ---- walls ------------------------------------------------------------------------------------------------------


def choose(name: str, label: int | None, split: str | None, page: int, seed: int | None,
           size: int | None = None) -> dict[str, Any]:
    """A page of the clips of one class and split: {"total", "pages", "page", "clips": [{"clip", "class", ...}]}.

    "most" clips are on a page; "resolution" and "frames" are those of each in their sheet (see `wall`).
    seed  of the order; None: as they lie in the store;  size: pixels of a clip, one of `walls`; None: the least
    """
    store = opened(name)
    wanted = np.ones(len(store), dtype=bool)
    if label is not None:
        wanted &= store.labels == label
    if split is not None:
        wanted &= np.array([plain(name) for name in store.splits]) == split
    found = np.flatnonzero(wanted)
    if seed is not None:
        found = np.random.default_rng(seed).permutation(found)
    pixels, most = _wall_size(store, size)
    pages = max(1, -(-len(found) // most))
    page = min(max(page, 0), pages - 1)
    clips = found[page * most : (page + 1) * most].tolist()
    lines = [{"clip": clip, "class": store.classes[store.labels[clip]], "length": int(store.lengths[clip])}
             for clip in clips]
    return {"total": len(found), "pages": pages, "page": page, "most": most, "resolution": pixels,
            "frames": _wall_frames(store, clips) if clips else 0, "clips": lines}


def wall(name: str, clips: list[int], size: int | None = None) -> bytes:
    """These clips as a sprite sheet (JPEG), `size` pixels (None: the least that can be chosen) and 32 frames at most.

    From longer clips come 32 frames of the middle at their own speed; a shorter one is spread over the time of the
    longest, so that all begin together.
    """
    store = opened(name)
    pixels, most = _wall_size(store, size)
    check(store, clips, most)
    frames = _wall_frames(store, clips)
    rows = np.empty((len(clips), frames, pixels, pixels, 3), dtype=np.uint8)
    for row, clip in zip(rows, clips, strict=True):
        length = int(store.lengths[clip])
        taken = min(length, frames)
        read = store.pixels([clip], [(length - taken) // 2], taken, 1, pixels)[0]
        row[...] = read[np.arange(frames) * taken // frames]
    return encode_jpeg(sprite_sheet(rows), quality=88)


def walls(name: str) -> list[dict[str, int]]:
    """The sizes of a wall that can be chosen, least first: [{"pixels", "clips": so many are on a page}]."""
    return [{"pixels": pixels, "clips": held} for pixels, held in _walls(opened(name)).items()]


def _walls(store: ClipStore) -> dict[int, int]:
    """{pixels: clips of a page}: as many as SHEET_BYTES hold, PAGE at most."""
    sizes = [size for size in WALL_SIZES if size in store.resolutions] or [store.resolution]
    frames = min(int(store.lengths.max()), WALL_FRAMES)
    return {size: max(1, min(PAGE, SHEET_BYTES // (4 * frames * size * size))) for size in sizes}


def _wall_size(store: ClipStore, size: int | None) -> tuple[int, int]:
    """(pixels, clips of a page) of the size that was chosen. Raises DataError where the store has no such wall."""
    sizes = _walls(store)
    size = next(iter(sizes)) if size is None else size
    if size not in sizes:
        raise DataError(f"size is {size}; allowed in this store: {', '.join(map(str, sizes))}")
    return size, sizes[size]


def _wall_frames(store: ClipStore, clips: list[int]) -> int:
    return min(int(store.lengths[clips].max()), WALL_FRAMES)


def check(store: ClipStore, clips: list[int], most: int = PAGE) -> None:
    """Raise DataError unless these are clips of the store, and not more than `most`."""
    if not 1 <= len(clips) <= most:
        raise DataError(f"{len(clips)} clips are asked for at once; allowed: 1 to {most}")
    for clip in clips:
        if not 0 <= clip < len(store):
            raise DataError(f"There is no clip {clip} in this store; it has clips 0 to {len(store) - 1}.")


def facts(name: str, clip: int) -> dict[str, Any]:
    """Where a clip comes from and what is known of it."""
    store = opened(name)
    check(store, [clip])
    return {
        "clip": clip, "source": store.sources[clip], "start": int(store.starts[clip]), "stop": int(store.stops[clip]),
        "class": store.classes[store.labels[clip]], "label": int(store.labels[clip]), "split": store.splits[clip],
        "fps": float(store.clip_fps[clip]), "length": int(store.lengths[clip]), "resolution": store.resolution,
        "factors": {factor: float(values[clip]) for factor, values in store.factors.items()},
        "frames_choices": [frames for frames in FRAMES if frames <= min(int(store.lengths[clip]), _most_frames(store))],
    }


def _most_frames(store: ClipStore) -> int:
    """Frames of the greatest stage that still fit into one row of a sheet which browsers decode."""
    return max(1, WIDEST // store.resolution)


# ---- a clip at every stage of a growth plan ----------------------------------------------------------------------


def plan(store: ClipStore, order: str, frames: int) -> GrowthPlan:
    """The stages up to the store's resolution. Raises PlanError."""
    most = 256 if order == "paper" else 1024  # where the paper's order ends
    return make_plan(order=order, resolution=min(store.resolution, most), frames=frames, fade_kimg=1, stable_kimg=1)


def pyramid(name: str, clip: int, order: str, frames: int, start: int) -> dict[str, Any]:
    """The sizes at which the trainer would show this clip: {"frames", "starts", "stages": [{"frames", "resolution"}]}.

    Raises PlanError; DataError for a window that is not in the clip.
    """
    store = opened(name)
    starts = _window(store, clip, frames, start)
    stages = [{"frames": t, "resolution": r} for t, r in plan(store, order, frames).sizes]
    return {"frames": frames, "start": start, "starts": starts, "stages": stages}


def stage(name: str, clip: int, order: str, time: str, frames: int, start: int, number: int) -> tuple[bytes, str]:
    """(picture, its media type): one stage of the pyramid as a sprite sheet of one row, as the trainer gets it."""
    store = opened(name)
    _window(store, clip, frames, start)
    if time not in TIMES:
        raise DataError(f"Time is {time[:60]!r}; allowed: {', '.join(TIMES)}.")
    sizes = plan(store, order, frames).sizes
    if not 0 <= number < len(sizes):
        raise DataError(f"There is no stage {number}; this plan has stages 0 to {len(sizes) - 1}.")
    size = sizes[number]
    sheet = sprite_sheet(to_uint8(store.read([clip], [start], frames, 1, size, time)))
    if size[1] <= _LOSSLESS:
        return png_bytes(sheet), "image/png"
    return encode_jpeg(sheet, quality=92), "image/jpeg"


def _window(store: ClipStore, clip: int, frames: int, start: int) -> int:
    """The last frame where a window can begin; raises DataError where this one does not fit."""
    check(store, [clip])
    length = int(store.lengths[clip])
    most = min(length, _most_frames(store))
    if not 1 <= frames <= most:
        why = f"as this clip has {length} frames of {store.resolution} pixels"
        raise DataError(f"Frames is {frames}; allowed: 1 to {most}, {why}.")
    if not 0 <= start <= length - frames:
        raise DataError(f"A window of {frames} frames begins at 0 to {length - frames} in this clip, not at {start}.")
    return length - frames
