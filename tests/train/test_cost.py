import pytest
import torch

from tests.train import tiny
from train import pace
from train.cost import duration, measure
from train.engine import Engine
from train.pace import Pace, remaining
from train.work import step_flops


def test_measure_times_what_the_budget_allows_and_scales_the_rest(monkeypatch):
    config = tiny.config()
    work = [step_flops(config, stage) for stage in range(3)]
    monkeypatch.setattr(pace, "_arithmetic", lambda *_: 0.0)          # no rate: by the arithmetic alone
    per_clip, timed = measure(Engine(config, torch.device("cpu"), "float32"), seconds=60)
    assert timed == 3 and all(s > 0 for s in per_clip)
    per_clip, timed = measure(Engine(config, torch.device("cpu"), "float32"), seconds=0)
    assert timed == 1 and per_clip[2] / per_clip[0] == pytest.approx(work[2] / work[0])


def test_stages_that_are_not_timed_are_judged_as_a_training_judges_those_to_come(monkeypatch):
    """Small stages are nearly all calls: by their arithmetic alone large ones would be judged many times too slow."""
    config, rate = tiny.config(), 1e12
    monkeypatch.setattr(pace, "_arithmetic", lambda *_: rate)
    engine = Engine(config, torch.device("cpu"), "float32")
    per_clip, timed = measure(engine, seconds=0)
    own = Pace(config, torch.device("cpu"), "float32")
    assert timed == 1 and per_clip == pytest.approx(own.seconds(0, per_clip[0], engine.batches))
    work = [step_flops(config, stage) for stage in range(3)]
    assert per_clip[2] / per_clip[0] < 0.5 * work[2] / work[0]


def test_what_remains():
    plan = tiny.config().plan()                                  # 16 clips, then twice 16 + 16
    assert remaining(plan, 0, [1, 1, 1]) == 80
    assert remaining(plan, 20, [1, 2, 3]) == 28 * 2 + 32 * 3
    assert remaining(plan, 80, [1, 2, 3]) == 0


@pytest.mark.parametrize("seconds, text", [(5, "0m 05s"), (65, "1m 05s"), (4020, "1h 07m"), (90000, "1d 01h")])
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
