"""What a step takes on a GPU: as estimated, less with checkpointing, and what happens where it does not fit."""

from functools import cache
from pathlib import Path

import pytest
import torch

from train.config import load
from train.engine import Engine
from train.memory import step_memory

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def memory():
    """A GPU whose memory is all free, its peak counted anew."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def _engine(stage, checkpointing="auto"):
    """At the beginning of a stage of the paper's plan, which fades in: where a step takes the most."""
    settings = _settings([f"train.checkpointing={checkpointing}"])
    engine = Engine(settings, torch.device("cuda"), "bfloat16")
    engine.clips = engine.plan.starts[stage] + engine.plan.stages[stage].fade // 2
    return engine


def _settings(words=()):
    path = Path(__file__).parents[2] / "configs" / "paper.yaml"
    return load(path, [*words, "data.source=toyfaces", "data.path=null"])


@cache
def _estimate(stage):
    (found,) = step_memory(_settings(), "bfloat16", [stage])
    return found


def _reals(position, n, size):
    return torch.rand(n, 3, size[0], size[1], size[1]) * 2 - 1


def _steps(engine, many=2):
    for _ in range(many):
        engine.step(_reals)
    engine.check()
    return torch.cuda.max_memory_allocated()


@pytest.mark.parametrize("checkpointing", ["off", "on"])
@pytest.mark.parametrize("stage", [3, 5, 6])
def test_a_step_takes_what_is_estimated(stage, checkpointing):
    """Within 20 %, as --dry-run promises."""
    found = _estimate(stage)
    estimate = found.checkpointing if checkpointing == "on" else found.plain
    taken = _steps(_engine(stage, checkpointing))
    assert estimate == pytest.approx(taken, rel=0.2), f"{estimate / 1e9:.2f} GB estimated, {taken / 1e9:.2f} taken"


def test_the_greatest_stage_fits_half_the_authors_card_with_checkpointing():
    """256x256 pixels, 32 frames, batches of 4, in 6 GB."""
    engine = _engine(6, "on")
    _steps(engine, 3)
    held = torch.cuda.max_memory_reserved() / 1e9
    assert engine.batches[6] == 4 and held < 6, f"{held:.1f} GB"


def test_where_memory_runs_out_a_step_gives_up_activations_and_goes_on():
    """With room for what checkpointing leaves, and not for all."""
    found = _estimate(6)
    engine = _engine(6)
    engine.adapts = True
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((0.6 * found.plain + 0.4 * found.checkpointing) / total)
    _steps(engine)
    assert engine.shortages and engine.checkpointing[6] and engine.shortages[0].batch == 4
