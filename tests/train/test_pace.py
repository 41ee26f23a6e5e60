import pytest
import torch

from tests.train import tiny
from train import pace
from train.pace import Pace
from train.work import shares


@pytest.fixture
def of_a_rate(monkeypatch):
    """A Pace of the tiny plan on a machine that does a billion operations a second."""
    monkeypatch.setattr(pace, "_arithmetic", lambda *_: 1e9)
    return Pace(tiny.config(), torch.device("cpu"), "float32")


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_steps_of_arithmetic_and_calls_are_foretold_from_any_stage(of_a_rate, stage):
    batches, call = [8, 4, 4], 3e-4
    truth = [work / 1e9 + call * n / b for work, n, b in zip(of_a_rate.work, of_a_rate.passes, batches, strict=True)]
    assert of_a_rate.seconds(stage, truth[stage], batches) == pytest.approx(truth)


def test_steps_faster_than_the_convolution_that_was_timed_scale_by_their_arithmetic(of_a_rate):
    work = shares(tiny.config())
    measured = work[1] / 2e9
    assert of_a_rate.seconds(1, measured, [4, 4, 4]) == pytest.approx([w / 2e9 for w in work])


def test_passes_grow_with_the_network_and_the_rate_is_timed_without_a_draw():
    before = torch.random.get_rng_state()
    found = Pace(tiny.config(), torch.device("cpu"), "float32")
    assert found.passes == sorted(set(found.passes)) and found.arithmetic > 0
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_system_of_one_stage_takes_what_it_takes():
    config = tiny.config()
    config.network.system = "tgan"
    assert Pace(config, torch.device("cpu"), "float32").seconds(0, 0.25, [32]) == [0.25]


def test_no_training_fails_for_an_estimate(monkeypatch):
    config = tiny.config()
    monkeypatch.setitem(pace.ELEMENTS, "cpu", 1)
    assert Pace(config, torch.device("cpu"), "float32").arithmetic == 0
    monkeypatch.undo()

    def short(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(pace, "_time", short)
    found = Pace(config, torch.device("cpu"), "float32")
    assert found.arithmetic == 0
    assert found.seconds(0, 1.0, [4, 4, 4]) == pytest.approx([work / found.work[0] for work in found.work])
