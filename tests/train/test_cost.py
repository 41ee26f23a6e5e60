import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.train import tiny
from train.cost import duration, flops, measure, remaining
from train.engine import Engine


class _Counter(TorchDispatchMode):
    """Adds up PyTorch's own counts. (Its FlopCounterMode cannot be used: its hooks refuse autograd.grad.)"""

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def _counted(config, stage):
    """Operations of one step a clip at a stage."""
    engine = Engine(config, torch.device("cpu"), "float32")
    engine.clips = engine.plan.starts[stage] + engine.plan.stages[stage].fade
    frames, resolution = engine.plan.sizes[stage]
    batch = torch.zeros(engine.batches[stage], 3, frames, resolution, resolution)
    with _Counter() as counter:
        engine.step(lambda *_: batch)
    return counter.total / len(batch)


def test_the_arithmetic_ranks_the_stages_as_pytorch_counts_them():
    config = tiny.config(network={"fmap_max": 16, "fmap_base": 256})
    ours = flops(config, config.plan())
    theirs = [_counted(config, stage) for stage in range(3)]
    print([a / b for a, b in zip(ours, theirs, strict=True)])
    for a, b in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, rel=0.25)


def test_measure_times_what_the_budget_allows_and_scales_the_rest():
    config = tiny.config()
    work = flops(config, config.plan())
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
