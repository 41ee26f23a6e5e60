"""`precision: auto` chooses by time, and does not spend minutes on a machine that emulates bfloat16."""

import pytest
import torch

from pvswgan.networks import channels
from tests.train import tiny
from train import precision
from train.precision import choose_precision

CPU = torch.device("cpu")


@pytest.fixture
def timed(monkeypatch):
    """Times that a test sets: seconds an element for each format; what was asked is recorded."""
    asked, rates = [], {"float32": 1.0, "bfloat16": 1.0}

    def time(x, w):
        asked.append((str(x.dtype).removeprefix("torch."), tuple(x.shape)))
        assert w.dtype == x.dtype and w.shape == (x.shape[1], x.shape[1], 3, 3, 3)
        return rates[asked[-1][0]] * x.numel()

    monkeypatch.setattr(precision, "_time", time)
    return asked, rates


def _config():
    growth = {"resolution": 64, "frames": 16, "stages": None, "fade_kimg": 1, "stable_kimg": 1}
    return tiny.config(precision="auto", growth=growth,
                       network={"fmap_base": 1024, "fmap_max": 64})


@pytest.mark.parametrize("named", ["float32", "bfloat16"])
def test_a_named_format_is_taken_without_timing(timed, named):
    timed[1]["bfloat16"] = 50 if named == "bfloat16" else 0.1
    assert choose_precision(_config().model_copy(update={"precision": named}), CPU) == named
    assert not timed[0]


@pytest.mark.parametrize("slower, name", [(0.4, "bfloat16"), (1.2, "bfloat16"), (1.5, "float32"), (50, "float32")])
def test_the_faster_is_chosen_unless_it_is_noise(timed, slower, name):
    timed[1]["bfloat16"] = slower
    assert choose_precision(_config(), CPU) == name


def test_an_emulation_is_found_out_on_a_small_size(timed):
    asked, rates = timed
    rates["bfloat16"] = 50
    choose_precision(_config(), CPU)
    assert len(asked) == 6 and all(torch.Size(shape).numel() <= precision.SMALL for _, shape in asked)


def test_the_size_that_decides_is_the_last_of_the_plan_that_is_quick_to_time(timed):
    config, (asked, _) = _config(), timed
    choose_precision(config, CPU)
    shapes = [(4, channels(r, 1024, 64), t, r, r) for t, r in config.plan().sizes]
    assert asked[-1][1] == max((s for s in shapes if torch.Size(s).numel() <= precision.LARGE), key=lambda s: s[-1])


@pytest.mark.parametrize("has", [True, False])
def test_a_gpu_computes_in_bfloat16_where_it_has_it(monkeypatch, has):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has and not including_emulation)
    assert choose_precision(_config(), torch.device("cuda")) == ("bfloat16" if has else "float32")
