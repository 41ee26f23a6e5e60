"""The engine on a GPU does what it does on a CPU, which other tests hold to the reference and to the authors' code."""

import pytest
import torch

from tests.train import tiny
from train.engine import Engine

LOSSES = [{"name": "swgan"}, {"name": "wgan-gp"}]
STILL = {"batch": 4, "lr": 1e-6}     # hardly any learning: Adam's first steps, which are signs, would blow up roundings


def _reals(position, n, size):
    draw = torch.Generator().manual_seed(position)
    return torch.rand(n, 3, size[0], size[1], size[1], generator=draw) * 2 - 1


def _plan(engine):
    """The statistics of every step to the end of the plan."""
    found = []
    while engine.clips < engine.plan.total:
        found.append({name: float(value) for name, value in engine.step(_reals).items()})
    engine.check()
    return found


def _compare(found, wanted, most):
    """Each statistic, over all steps: relative L2 distance."""
    assert len(found) == len(wanted) and found[0].keys() == wanted[0].keys()
    for name in found[0]:
        ours, theirs = (torch.tensor([step[name] for step in steps if name in step]) for steps in (found, wanted))
        apart = float((ours - theirs).norm() / theirs.norm())
        assert apart < most, f"{name}: {apart:.1e}\n{ours}\n{theirs}"


@pytest.mark.parametrize("loss", LOSSES, ids=["swgan", "wgan-gp"])
def test_every_step_of_a_plan_is_the_cpus(loss, device):
    """In every stage, while it fades and after."""
    settings = tiny.config(loss=loss, train=STILL | {"augment": ["shift", "colour"], "gp_interval": 2},
                           growth={"fade_kimg": [0, 0.032, 0.032], "stable_kimg": 0.032})
    wanted = _plan(Engine(settings, torch.device("cpu"), "float32"))
    _compare(_plan(Engine(settings, device, "float32")), wanted, 1e-3)


@pytest.mark.parametrize("loss", LOSSES, ids=["swgan", "wgan-gp"])
def test_bfloat16_is_float32_but_for_its_rounding(loss, device):
    settings = tiny.config(loss=loss, train=STILL, network={"fmap_max": 8, "fmap_base": 64})
    _compare(_plan(Engine(settings, device, "bfloat16")), _plan(Engine(settings, device, "float32")), 0.1)


def test_a_state_goes_from_one_machine_to_another(device):
    """Also in the middle of a phase, and to an engine that has stepped before."""
    settings = tiny.config(train=STILL)
    on_cpu, other = Engine(settings, torch.device("cpu"), "float32"), Engine(settings, device, "float32")
    for _ in range(6):
        on_cpu.step(_reals)
    for _ in range(9):
        other.step(_reals)
    tensors, info = on_cpu.state()
    other.load_state({name: t.clone() for name, t in tensors.items()}, info)      # as through a file
    _compare(_plan(other), _plan(on_cpu), 1e-3)


@pytest.mark.gpu
def test_the_greatest_stage_fits_the_authors_card():
    """256x256 pixels, 32 frames, batches of 4, in 12 GB."""
    from pathlib import Path

    from train.config import load

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    settings = load(Path(__file__).parents[2] / "configs" / "paper.yaml")
    engine = Engine(settings, torch.device("cuda"), "bfloat16")
    engine.clips = engine.plan.starts[-2] + engine.plan.stages[-1].fade
    torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        engine.step(_reals)
    engine.check()
    held = torch.cuda.max_memory_reserved() / 1e9
    assert held < 12, f"{held:.1f} GB"
