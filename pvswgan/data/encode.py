"""One clip as the bytes that a store keeps of it: its pyramid, raw or as video."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pvswgan.data.format import Array, compact_sizes, pyramid

_FRAMES_AT_ONCE = 16  # frames whose pyramid is made together: bounds the memory that a clip's floats take

Blobs = Iterable[tuple[int, bytes | memoryview]]  # (resolution, bytes that go to the end of its file)


def encode(clip: Array, compact: bool) -> tuple[dict[int, list[int]], Blobs]:
    """A clip uint8 (T, R, R, 3) as what the store keeps of it.

    Returns the bytes of each chunk of video at each compact resolution (none in a raw store), which are complete once
    the blobs have been taken: they come one after another, so that a long clip's floats never lie there together.
    """
    sizes = compact_sizes(clip.shape[1]) if compact else []
    chunks: dict[int, list[int]] = {}

    def blobs() -> Blobs:
        held: dict[int, list[Array]] = {size: [] for size in sizes}
        for first in range(0, len(clip), _FRAMES_AT_ONCE):
            for small in pyramid(clip[first : first + _FRAMES_AT_ONCE]):
                if small.shape[1] in held:
                    held[small.shape[1]].append(small)
                else:
                    yield small.shape[1], np.ascontiguousarray(small).data.cast("B")
        for size, parts in held.items():
            from pvswgan.data import codec

            coded = codec.encode(np.concatenate(parts))
            chunks[size] = [len(chunk) for chunk in coded]
            yield from ((size, chunk) for chunk in coded)

    return chunks, blobs()


def check_clip(clip: Array, resolution: int, source: str) -> None:
    """Raises ValueError where the clip is not uint8 (T, R, R, 3) with at least one frame."""
    square = (resolution, resolution, 3)
    if clip.ndim != 4 or clip.shape[1:] != square or not len(clip) or clip.dtype != np.uint8:
        allowed = f"allowed: uint8 (T, {resolution}, {resolution}, 3)"
        raise ValueError(f"clip of {source} is {clip.dtype} {clip.shape}; {allowed}")
