"""What `make gpu` brings back: the limits of its folder, the state that travels, and which network is the best."""

import time

import numpy as np
import pytest
import torch

from pvswgan.checkpoint import read_tensors
from tests.train import tiny
from train.engine import Engine
from train.gpu import outbox
from train.gpu.outbox import Outbox, OutboxError, sheet, size
from train.gpu.state import EXACT, NO_MOMENTS, ROUNDED, pack, unpack


@pytest.fixture
def box(tmp_path):
    return Outbox(tmp_path / "out", ["a", "b"], None, time.monotonic())


def _engine(steps=0):
    engine = Engine(tiny.config(), torch.device("cpu"), "float32")
    for _ in range(steps):
        engine.step(_reals)
    return engine


def _reals(position, n, size):
    draw = torch.Generator().manual_seed(position)
    return torch.rand(n, 3, size[0], size[1], size[1], generator=draw) * 2 - 1


@pytest.mark.parametrize("steps", [6, 8])
def test_a_state_that_travelled_goes_on_bit_for_bit(box, steps):
    """In the middle of a phase and at its edge."""
    engine = _engine(steps)
    tensors, info = engine.state()
    packed, kept = pack(tensors, 0.0, 10**9)
    assert kept == EXACT and size(packed) < size(tensors)
    box.save_state("a", packed, info | {"kept": kept})
    other = _engine()
    packed, header = read_tensors(box.state("a"))
    other.load_state(unpack(packed, header), header)
    for _ in range(6):
        engine.step(_reals), other.step(_reals)
    (one, at), (two, also_at) = engine.state(), other.state()
    assert at == also_at and one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(("part", "kept"), [(0.7, NO_MOMENTS), (0.1, ROUNDED)])
def test_a_state_that_is_too_large_loses_as_little_as_will_do(part, kept):
    engine = _engine(6)
    tensors, info = engine.state()
    packed, found = pack(tensors, 0.0, int(part * size(tensors)))
    assert found == kept
    other = _engine(3)
    other.load_state(unpack(packed, {"kept": found}), info)
    tolerance = {"rtol": 0, "atol": 0} if kept == NO_MOMENTS else {"rtol": 1e-3, "atol": 1e-6}
    for name, value in other.state()[0].items():
        torch.testing.assert_close(value, tensors[name], **tolerance)
    other.step(_reals)
    other.check()
    assert int(next(iter(other.opt_G.state.values()))["step"]) == 1
    assert other.clips == engine.clips + 4


def test_with_a_first_moment_all_of_adam_travels():
    tensors, _ = _engine(2).state()
    assert pack(tensors, 0.5, 10**9)[0].keys() == tensors.keys()


def test_what_is_too_large_is_refused(box, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_BYTES", outbox.HEADER_BYTES + 1000)
    with pytest.raises(OutboxError, match="too large to be brought back"):
        box.save_state("a", {"x": torch.zeros(1000)}, {})
    noise = np.random.default_rng(0).integers(0, 256, (6, 4, 64, 64, 3)).astype(np.uint8)
    monkeypatch.setattr(outbox, "MOST_BYTES", 4 * 64 * 64 * 3 // 2)
    box.show("a", noise)                                     # one clip is too much already
    assert not list(box.folder.iterdir())
    monkeypatch.setattr(outbox, "MOST_BYTES", 4 * 64 * 64 * 3 * 4)
    box.show("a", noise)                                     # three of six are not
    assert [p.name for p in box.folder.iterdir()] == ["samples.png"]
    assert (box.folder / "samples.png").stat().st_size <= outbox.MOST_BYTES


def test_the_sheet_has_reals_above_and_small_clips_enlarged():
    reals, model = np.full((2, 8, 16, 16, 3), 200, np.uint8), np.zeros((3, 4, 8, 8, 3), np.uint8)
    model[:, :, 0, 0] = 100
    found = sheet([reals, model])
    assert found.shape == (2 * 16 + 2 + 3 * 16, 8 * 16, 3)
    assert (found[:32] == 200).all() and (found[32:34] == 0).all()
    assert (found[34:36, 0:2] == 100).all() and (found[34:36, 16:18] == 100).all() and (found[36:50] == 0).all()
