import pytest
import torch

from tests.train import tiny
from train.cost import duration, measure, remaining
from train.engine import Engine
from train.work import step_flops


def test_measure_times_what_the_budget_allows_and_scales_the_rest():
    config = tiny.config()
    work = [step_flops(config, stage) for stage in range(3)]
    per_clip, timed = measure(Engine(config, torch.device("cpu"), "float32"), seconds=60)
    assert timed == 3 and all(s > 0 for s in per_clip)
    per_clip, timed = measure(Engine(config, torch.device("cpu"), "float32"), seconds=0)
    assert timed == 1 and per_clip[2] / per_clip[0] == pytest.approx(work[2] / work[0])


def test_what_remains():
    plan = tiny.config().plan()                                  # 16 clips, then twice 16 + 16
    assert remaining(plan, 0, [1, 1, 1]) == 80
    assert remaining(plan, 20, [1, 2, 3]) == 28 * 2 + 32 * 3
    assert remaining(plan, 80, [1, 2, 3]) == 0


@pytest.mark.parametrize("seconds, text", [(5, "0m 05s"), (65, "1m 05s"), (4020, "1h 07m"), (90000, "1d 01h")])
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
