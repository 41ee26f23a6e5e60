"""Sets of clips as the metrics see them: what of them is held."""

import weakref

import torch

from pvswgan.metrics import sets
from pvswgan.metrics.extractors import make


def test_pixels_of_no_more_than_a_batch_are_held(monkeypatch):
    """However many clips are looked at: memory grows by what is kept of each."""
    held, most = [], []

    def as_bytes(clips):
        seen = sets_as_bytes(clips)
        held.append(weakref.ref(seen))
        return seen

    def batches():
        for seed in range(6):
            most.append(sum(ref() is not None for ref in held))
            yield torch.rand(4, 3, 8, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    sets_as_bytes = sets.as_bytes
    monkeypatch.setattr(sets, "as_bytes", as_bytes)
    eyes = make("clipnet")
    found = sets.describe(batches(), 24, eyes, eyes, lambda done: None, True)
    assert len(found.seen) == 24 and len(held) == 6
    assert max(most) == 1 and not any(ref() is not None for ref in held)
