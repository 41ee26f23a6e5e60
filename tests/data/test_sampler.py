import numpy as np
import pytest
import torch

from pvswgan.data.format import DataError
from pvswgan.data.sampler import Sampler
from pvswgan.data.store import ClipStore, to_clips
from pvswgan.data.writer import StoreWriter

LENGTHS = [8, 12, 20, 6, 9]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ClipStore:
    """Clips whose every frame says which clip and which frame it is, in a left-right ramp."""
    with StoreWriter(tmp_path_factory.mktemp("s") / "store", 8) as writer:
        for clip, length in enumerate(LENGTHS):
            frames = np.zeros((length, 8, 8, 3), np.uint8)
            frames[..., 0] = 40 * clip
            frames[..., 1] = 5 * np.arange(length)[:, None, None]
            frames[..., 2] = 20 * np.arange(8)
            writer.add(frames, f"clip{clip}", split="test" if clip == 1 else "train")
        return writer.commit()


def _decode(batch):
    """(clip, first frame, mirrored) of each clip of a batch."""
    pixels = ((batch + 1) * 127.5).round().int()
    return [(int(c[0, 0, 0, 0]) // 40, int(c[1, 0, 0, 0]) // 5, bool(c[2, 0, 0, 0] > c[2, 0, 0, -1])) for c in pixels]


def test_every_clip_once_an_epoch_in_a_new_order(store):
    sampler = Sampler(store, frames=6, seed=1)
    seen = [c for c, _, _ in _decode(sampler.batch(0, 20, (6, 8)))]
    epochs = [seen[i:i + 5] for i in range(0, 20, 5)]
    assert all(sorted(e) == [0, 1, 2, 3, 4] for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1
    sampler.close()


def test_a_clip_depends_on_its_position_alone(store):
    one, many = Sampler(store, frames=6, seed=3), Sampler(store, frames=6, seed=3)
    whole = one.batch(0, 24, (6, 8))
    parts = [many.batch(p, 4, (6, 8)) for p in range(0, 24, 4)]
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(many.batch(8, 4, (6, 8)), whole[8:12])              # back again, as after a resume
    assert not torch.equal(Sampler(store, frames=6, seed=4).batch(0, 24, (6, 8)), whole)
    one.close(), many.close()


def test_windows_lie_in_their_clip_and_reach_both_ends(store):
    sampler = Sampler(store, frames=3, stride=2, seed=0)
    index, start, stride, mirror, reverse = sampler.draw(0, 3000)
    assert (stride == 2).all() and not reverse.any()
    last = start + 2 * 2                             # of three frames, two apart
    assert (start >= 0).all() and (last < np.array(LENGTHS)[index]).all()
    assert {int(s) for s in start[index == 2]} == set(range(16))
    assert abs(mirror.mean() - 0.5) < 4 * 0.5 / 3000**0.5
    sampler.close()


def test_mirror_off_and_clips_too_short_left_out(store):
    sampler = Sampler(store, frames=9, mirror=False)
    assert {c for c, _, m in _decode(sampler.batch(0, 30, (9, 8))) if not m} == {1, 2, 4}
    sampler.close()
    with pytest.raises(DataError, match="9 frames, 4 apart, need 33 frames; the longest clip has 20"):
        Sampler(store, frames=9, stride=4)


def test_a_change_of_size_or_place_is_not_answered_from_what_was_read_ahead(store):
    sampler = Sampler(store, frames=8, seed=0)
    assert sampler.batch(0, 4, (4, 4)).shape == (4, 3, 4, 4, 4)
    assert sampler.batch(4, 2, (8, 8)).shape == (2, 3, 8, 8, 8)
    fresh = Sampler(store, frames=8, seed=0)
    assert torch.equal(sampler.batch(6, 2, (8, 8)), fresh.batch(6, 2, (8, 8)))
    sampler.close(), fresh.close()


def test_strides_are_drawn_among_those_that_fit(store):
    sampler = Sampler(store, frames=4, stride=[5, 1, 2], seed=0)
    clip, start, stride, _, _ = sampler.draw(0, 5000)
    assert (start >= 0).all() and (start + 3 * stride < np.array(LENGTHS)[clip]).all()
    fitting = {0: {1, 2}, 1: {1, 2}, 2: {1, 2, 5}, 3: {1}, 4: {1, 2}}
    assert {c: set(stride[clip == c].tolist()) for c in range(5)} == fitting
    assert abs((stride[clip == 2] == 5).mean() - 1 / 3) < 4 * (2 / 9 / 1000) ** 0.5
    sampler.close()


def test_reverse_runs_half_of_the_clips_backwards_and_offset_can_be_off(store):
    sampler = Sampler(store, frames=6, reverse=True, offset=False, mirror=False, seed=2)
    draw = sampler.draw(0, 2000)
    assert abs(draw.reverse.mean() - 0.5) < 4 * 0.5 / 2000**0.5 and not draw.start.any()
    green = ((sampler.batch(0, 20, (6, 8))[:, 1, :, 0, 0] + 1) * 127.5).round().int()      # 5 x the frame's number
    for frames, backwards in zip(green.tolist(), draw.reverse[:20], strict=True):
        assert frames == [5 * f for f in (range(5, -1, -1) if backwards else range(6))]
    sampler.close()


def test_ranks_share_the_epoch_without_overlap(store):
    alone = Sampler(store, frames=6, seed=5)
    ranks = [Sampler(store, frames=6, seed=5, rank=r, world=3) for r in range(3)]
    for position in (0, 6, 12, 18):
        whole = alone.read(position, 6, (6, 8))
        for number, rank in enumerate(ranks):
            assert torch.equal(rank.batch(position, 2, (6, 8)), whole[number::3])
    for sampler in (alone, *ranks):
        sampler.close()
    with pytest.raises(ValueError, match="rank is 3 of 3; allowed: 0 to 2"):
        Sampler(store, frames=6, rank=3, world=3)


def test_what_was_read_ahead_is_what_comes_next_for_a_rank(store, monkeypatch):
    sampler = Sampler(store, frames=6, rank=1, world=4)
    sampler.batch(0, 2, (6, 8))
    asked = []
    monkeypatch.setattr(sampler, "read", lambda *key: asked.append(key))
    sampler.batch(8, 2, (6, 8))                      # answered from what was read ahead: only the next is asked for
    sampler._pool.shutdown(wait=True)
    assert asked == [(16, 2, (6, 8))]


@pytest.mark.parametrize("time", ["average", "subsample", "window"])
def test_bytes_for_a_gpu_become_the_same_clips(store, monkeypatch, time):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self.dtype) or self)  # needs a GPU
    plain, raw = (Sampler(store, frames=4, time=time, reverse=True, raw=raw) for raw in (False, True))
    for frames in (4, 2):
        bytes_ = raw.batch(3, 5, (frames, 8))
        assert bytes_.dtype == torch.uint8
        clips = to_clips(bytes_, frames)
        assert torch.equal(clips, plain.batch(3, 5, (frames, 8)))
        assert clips.is_contiguous(memory_format=torch.channels_last_3d)
    raw._next[1].result()                                  # closing would cancel what has not begun
    plain.close()
    raw.close()
    assert pinned == [torch.uint8] * 4                     # two batches, and the two that were read ahead


def test_only_the_clips_of_a_split(store):
    sampler = Sampler(store, frames=6, split="test")
    assert set(sampler.draw(0, 50).clip.tolist()) == {1}
    sampler.close()
    with pytest.raises(DataError, match="no clip of the split 'test' is long enough"):
        Sampler(store, frames=13, split="test")
    with pytest.raises(DataError, match=r"split is 'tset'; those of .*: test, train"):
        Sampler(store, frames=6, split="tset")
