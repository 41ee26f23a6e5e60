"""A step that does not fit into the memory: what it leaves, how it goes on, what is told, and what a resume knows."""

import math

import pytest
import torch

from pvswgan.checkpoint import read_tensors, training_checkpoints
from tests.train import tiny
from train.engine import Engine
from train.loop import Trainer
from train.run import RunFolder
from train.shortage import NotEnoughMemory, give_up, is_shortage

pytestmark = pytest.mark.usefixtures("one_thread")
BATCH = 8
LAST = 2                                  # the stage at which memory runs out


def _config(**train):
    return tiny.config(train={"batch": BATCH, "critic_steps": 2, "augment": ["shift", "colour"]} | train,
                       network={"mbstd_group": 4}, growth={"stages": [[4, 4], [4, 8], [8, 8]],
                                                           "fade_kimg": [0, 0.016, 0.032], "stable_kimg": 0.032})


def _engine(at=LAST, **train):
    engine = Engine(_config(**train), torch.device("cpu"), "float32")
    engine.adapts = True
    engine.clips = engine.plan.starts[at]
    return engine


def _reals(position, n, size):
    each = [torch.rand(3, size[0], size[1], size[1], generator=torch.Generator().manual_seed(position + i))
            for i in range(n)]
    return torch.stack(each) * 2 - 1


def _fail_at(engine, monkeypatch, where, times=1):
    """The forward pass of that loss (first_critic, second_critic, generator), or its backward pass, runs out of memory
    so many times."""
    name = "generator_loss" if "generator" in where else "critic_loss"
    skip, left = (1, [times]) if "second" in where else (0, [times])
    real, calls = getattr(engine.loss, name), []

    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def watched(*args):
        out = real(*args)
        calls.append(1)
        if len(calls) > skip and left[0]:
            left[0] -= 1
            if "backward" not in where:
                fail()
            (out[0] if isinstance(out, tuple) else out).register_hook(fail)
        return out

    monkeypatch.setattr(engine.loss, name, watched)


def _state(engine):
    tensors, info = engine.state()
    return {k: v.clone() for k, v in tensors.items()}, info


def _same(a, b, **close):
    (tensors, info), (others, other) = a, b
    assert tensors.keys() == others.keys()
    for name, value in tensors.items():
        if close and value.is_floating_point():
            torch.testing.assert_close(value, others[name], msg=lambda text, name=name: f"{name}: {text}", **close)
        else:
            assert torch.equal(value, others[name]), name
    for key in ("clips", "steps", "critic_steps", "phase"):
        assert info[key] == other[key]


def _run(engine, steps=2):
    for _ in range(steps):
        engine.step(_reals)
    return _state(engine)


POINTS = ["first_critic", "first_critic_backward", "second_critic", "generator", "generator_backward"]


@pytest.mark.parametrize("where", POINTS)
def test_a_step_goes_on_with_checkpointing_as_if_nothing_had_been(where, monkeypatch):
    """The same numbers as without a failure, since checkpointing changes none: weights, draws, counters."""
    failing = _engine()
    _fail_at(failing, monkeypatch, where)
    _same(_run(failing), _run(_engine(checkpointing="off")), rtol=1e-5, atol=1e-6)
    (shortage,) = failing.shortages
    assert (shortage.stage, shortage.batch, shortage.checkpointing) == (LAST, BATCH, True)
    assert failing.checkpointing == [False, False, True] and failing.batches == [BATCH] * 3


def test_checkpointing_from_the_first_step_on_is_the_setting_bit_for_bit(monkeypatch):
    failing = _engine()
    _fail_at(failing, monkeypatch, "first_critic_backward")
    _same(_run(failing), _run(_engine(checkpointing="on")))


@pytest.mark.parametrize(("checkpointing", "times"), [("auto", 2), ("off", 1), ("on", 1)])
def test_then_the_batch_falls_and_the_run_is_that_of_the_smaller_batch(checkpointing, times, monkeypatch):
    failing = _engine(checkpointing=checkpointing)
    _fail_at(failing, monkeypatch, "first_critic", times)
    fixed = _engine(checkpointing="off" if checkpointing == "off" else "on", batch=[BATCH, BATCH, BATCH - 4])
    _same(_run(failing), _run(fixed))
    assert failing.batches == [BATCH, BATCH, BATCH - 4] and len(failing.shortages) == times
    assert failing.clips - failing.plan.starts[LAST] == 2 * 2 * (BATCH - 4)


@pytest.mark.parametrize("where", ["second_critic", "generator_backward"])
def test_a_failure_after_an_update_keeps_that_update_and_nothing_else(where, monkeypatch):
    """The critic's first update was with 8 clips; what is left of the step takes 4, with the draws that come next."""
    failing, expected = _engine(checkpointing="off"), _engine(checkpointing="off")
    _fail_at(failing, monkeypatch, where)
    at = failing.plan.at(failing.clips)
    failing.step(_reals)
    before = expected.clips
    expected.enter_phase(at)
    for step in range(2):
        if where == "second_critic" and step == 1:
            expected.batches[LAST] = 4
        expected.critic_step(_reals, at)
    expected.batches[LAST] = 4
    expected._generator_step(at)
    expected._average(expected.clips - before)
    expected.steps += 1
    _same(_state(failing), _state(expected))
    assert failing.clips - before == (12 if where == "second_critic" else 16)


def test_without_leave_to_adapt_the_error_is_the_users(monkeypatch):
    engine = _engine()
    engine.adapts = False
    _fail_at(engine, monkeypatch, "first_critic")
    with pytest.raises(torch.OutOfMemoryError):
        engine.step(_reals)


def test_other_errors_pass_through(monkeypatch):
    engine = _engine()
    monkeypatch.setattr(engine.loss, "critic_loss", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.step(_reals)
    assert not engine.shortages


def test_what_counts_as_a_shortage():
    with pytest.raises(RuntimeError) as cpu:                            # PyTorch's own words, on this machine
        torch.empty(1 << 56, dtype=torch.uint8)
    assert is_shortage(cpu.value)
    assert is_shortage(MemoryError()) and is_shortage(torch.OutOfMemoryError("CUDA out of memory"))
    for words in ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                  "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED",
                  "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
                  "GET was unable to find an engine to execute this computation"):
        assert is_shortage(RuntimeError(words)), words
    assert not is_shortage(RuntimeError("shape mismatch")) and not is_shortage(ValueError("out of memory"))


@pytest.mark.parametrize(("batch", "group", "falls"), [(32, 4, [28, 24]), (8, 4, [4]), (8, 8, []), (6, 3, [3]),
                                                       (3, 4, []), (1, 1, []), (3, 1, [2, 1])])
def test_the_batch_falls_by_groups_and_never_below_one(batch, group, falls):
    for expected in falls:
        batch = give_up(0, "4x4x4", batch, group, False, False).batch
        assert batch == expected
    if batch <= group:
        with pytest.raises(NotEnoughMemory, match=rf"stage 0 \(4x4x4\) with {batch} clips .* train.checkpointing=on, "):
            give_up(0, "4x4x4", batch, group, False, False)


def _trainer(folder, monkeypatch, times, **kwargs):
    """Memory runs out so many times, from the first step of the last stage on."""
    trainer = Trainer(_config(critic_steps=1), folder, say=lambda _: None, **kwargs)
    real, left = trainer.engine.loss.critic_loss, [times]

    def watched(critic, clips, *rest):
        if clips.shape[2:] == (8, 8, 8) and left[0] > 0:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(critic, clips, *rest)

    monkeypatch.setattr(trainer.engine.loss, "critic_loss", watched)
    return trainer


@pytest.mark.slow
def test_a_run_goes_on_and_tells_what_it_gave_up(tmp_path, monkeypatch):
    trainer = _trainer(tmp_path, monkeypatch, 2)
    trainer.run()
    run = RunFolder(tmp_path)
    events = [line for line in run.stats() if line.get("event") == "out_of_memory"]
    assert [(e["stage"], e["batch_before"], e["batch"], e["checkpointing"]) for e in events] == [
        (2, 8, 8, True), (2, 8, 4, True)]
    assert run.status()["state"] == "finished" and run.stats()[-1]["batch"] == 4
    log = run.log_tail()
    assert "memory ran out at stage 2 with 8 clips a step; activation checkpointing comes on" in log
    assert "memory ran out at stage 2 with 8 clips a step; the batch falls from 8 to 4 clips" in log
    trainer._write_status(state="running")
    assert run.status()["message"].endswith(
        "stable; memory ran out: activation checkpointing, 4 clips a step instead of 8")


@pytest.mark.slow
def test_a_resumed_run_knows(tmp_path, monkeypatch):
    """Killed in the step after the shortage: that has left a checkpoint of its own."""
    trainer = _trainer(tmp_path, monkeypatch, 2)
    step = trainer._step

    def killed():
        if trainer.engine.batches[LAST] == 4:
            raise KeyboardInterrupt
        step()

    trainer._step = killed
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    resumed = _trainer(tmp_path, monkeypatch, 0, resume=True)
    assert resumed.engine.batches == [8, 8, 4] and resumed.engine.checkpointing == [False, False, True]
    at_stop = resumed.engine.clips
    assert at_stop == read_tensors(training_checkpoints(tmp_path)[-1])[1]["clips"]
    resumed.run()
    run = RunFolder(tmp_path)
    assert run.status()["state"] == "finished"
    assert sum(line.get("event") == "out_of_memory" for line in run.stats()) == 2
    rows = [line for line in run.stats() if line["clips"] > at_stop]
    assert rows and all(row["batch"] == 4 for row in rows)


@pytest.mark.slow
def test_where_nothing_is_left_the_run_fails_with_a_sentence(tmp_path, monkeypatch):
    trainer = _trainer(tmp_path, monkeypatch, math.inf)
    with pytest.raises(NotEnoughMemory, match=r"stage 2 \(8x8x8\) with 4 clips a step.* with activation checkpointing"):
        trainer.run()
    run = RunFolder(tmp_path)
    status = run.status()
    assert status["state"] == "failed" and status["error"].startswith("memory ran out at stage 2")
    assert sum(line.get("event") == "out_of_memory" for line in run.stats()) == 2       # what was tried is told too


def test_a_run_of_before_is_resumed(tmp_path):
    """A training checkpoint without batches in its header."""
    engine = _engine()
    tensors, info = engine.state()
    other = _engine()
    other.load_state(tensors, {k: v for k, v in info.items() if k not in ("batches", "checkpointing")})
    assert other.batches == [8, 8, 8] and other.checkpointing == [False] * 3
