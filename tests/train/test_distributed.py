"""Several processes train as one does: two of them, over gloo, on the CPU, against one.

The two start once for all tests and do the jobs below, functions named job_..., one after another. A job returns what
the tests then look at.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
import torch

from pvswgan.checkpoint import network_checkpoints, read_tensors
from pvswgan.layers import minibatch_stddev
from tests.train import tiny
from train import distributed
from train.config import ConfigError, check_processes
from train.distributed import ALONE, Group, join
from train.engine import Engine, NotFinite
from train.loop import Stopped, Trainer, start_or_resume, training_checkpoints
from train.run import RunFolder
from train.shortage import NotEnoughMemory

ROOT = Path(__file__).parents[2]
LOSSES = {"swgan": {"name": "swgan", "blocks": 2}, "wgan-gp": {"name": "wgan-gp"}}
STAGES = {"fading": 40, "grown": 140}                          # clips at which each is so
TRAINING = {"train": {"batch": 8, "augment": ["shift"], "gp_interval": 2}, "log": {"snapshot_kimg": 0.04, "keep": 9},
            "growth": {"fade_kimg": [0, 0.032, 0.032], "stable_kimg": [0.032, 0.032, 0.032]}}


def _quiet(*_):
    pass


def _endless(**changes):
    return tiny.config(train={"batch": 8}, growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 1000}, **changes)


# --- what both do, and one alone ------------------------------------------------------------------------------------


def _steps(loss, clips, group=ALONE):
    """Two steps in float64: every gradient, number, weight and the generator's state after each."""
    torch.set_default_dtype(torch.float64)
    try:
        config = tiny.config(train={"batch": 16, "augment": ["shift", "colour", "cutout"], "critic_steps": 2},
                             network={"mbstd_group": 4}, loss=loss, growth=TRAINING["growth"])
        engine = Engine(config, torch.device("cpu"), "float64", group)
        engine.clips, seen = clips, []
        for _ in range(2):
            terms = engine.step(lambda *key: _reals(*key, group))
            modules = {"G": engine.G, "D": engine.D, "loss": engine.loss}
            seen.append({f"{m}/{n}.grad": p.grad.clone() for m, module in modules.items()
                         for n, p in module.named_parameters() if p.grad is not None}
                        | {k: v.clone() for k, v in engine.state()[0].items()} | terms)
        return seen
    finally:
        torch.set_default_dtype(torch.float32)


def _reals(position, n, size, group):
    whole = torch.rand(n * group.world, 3, size[0], size[1], size[1],
                       generator=torch.Generator().manual_seed(position)) * 2 - 1
    return group.share(whole)


def _train(folder, group=ALONE, *, resume=False, stop_at=None):
    """Train; `stop_at`: to a stop after that many clips. Returns the clips reached."""
    trainer = start_or_resume(None if resume else tiny.config(**TRAINING), folder, resume, group, say=_quiet)
    step = trainer._step

    def step_and_stop():
        step()
        trainer._stop = stop_at is not None and trainer.engine.clips >= stop_at

    trainer._step = step_and_stop
    with pytest.raises(Stopped) if stop_at else contextlib.nullcontext():
        trainer.run()
    return trainer.engine.clips


def job_store_is_built_by_one(group, folder):
    """Seconds at which each began and ended its turn."""
    def turn():
        began = time.monotonic()
        time.sleep(0.3)
        return began, time.monotonic()

    return group.in_turn(turn)


def job_steps(group, folder):
    return {(loss, stage): _steps(LOSSES[loss], STAGES[stage], group) for loss in LOSSES for stage in STAGES}


def job_trainings(group, folder):
    """One from start to end, one that is stopped for one process to go on with, and one from where one has stopped."""
    _train(folder / "two", group)
    _train(folder / "two-then-one", group, stop_at=72)
    return _train(folder / "one-then-two", group, resume=True)


def job_requests(group, folder):
    """Only the first process's folder and signals count. Returns the clips at which each stopped."""
    run, trainer = RunFolder(folder / "requests"), Trainer(_endless(), folder / "requests", group=group, say=_quiet)
    seen = {}

    def ask():
        _wait(lambda: run.state() == "running" and run.status().get("clips", 0) >= 16)
        run.request("pause")
        _wait(lambda: run.state() == "paused")
        seen["paused"] = run.status()["clips"]
        samples = run.samples()[-1].path
        samples.unlink()
        run.request("snapshot")
        _wait(samples.exists)
        seen["still"] = run.status()["clips"]
        run.request("resume")
        _wait(lambda: run.status()["clips"] > seen["still"])

    def ask_and_stop():
        try:
            ask()
        finally:
            run.request("stop")

    if group.rank == 0:
        threading.Thread(target=ask_and_stop, daemon=True).start()
    else:
        trainer._stop = True                                   # as after a Ctrl-C that came here alone
    with pytest.raises(Stopped):
        trainer.run()
    return seen | {"stopped": trainer.engine.clips, "status": trainer.writer.status["state"]}


def job_not_finite(group, folder):
    """One process's clips hold a NaN. Returns what each raises."""
    trainer = Trainer(tiny.config(train={"batch": 8}), folder / "nan", group=group, say=_quiet)
    batch = trainer.sampler.batch

    def poisoned(position, n, size):
        clips = batch(position, n, size)
        if group.rank == 1 and position == 16:
            clips[0, 0, 0, 0, 0] = float("nan")
        return clips

    trainer.sampler.batch = poisoned
    with pytest.raises(NotFinite) as error:
        trainer.run()
    return str(error.value)


def _short(times, group=ALONE, **train):
    """Two steps, in whose first memory runs out so many times on the second process alone: the engine afterwards."""
    config = tiny.config(train={"batch": 16} | train, growth=TRAINING["growth"])
    engine = Engine(config, torch.device("cpu"), "float32", group)
    engine.adapts, engine.clips = True, STAGES["grown"]
    real, left = engine.loss.critic_loss, [times * group.rank]

    def short(*args):
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*args)

    engine.loss.critic_loss = short
    for _ in range(2):
        engine.step(lambda *key: _reals(*key, group))
    return engine


def job_shortage(group, folder):
    """The state after two shortages; what is said after one too many."""
    with pytest.raises(NotEnoughMemory) as error:
        _short(3, group)
    return _short(2, group).state(), str(error.value)


def job_words(group, folder):
    """What the small methods give."""
    out = {"first": group.first(lambda: group.rank + 5), "decide": group.decide([group.rank == 0, group.rank == 1])}
    for name, work in (("first", group.first), ("together", group.together), ("in_turn", group.in_turn)):
        with pytest.raises(ConfigError) as error:
            work(lambda rank=int(name != "first"): _fails_on(rank, group))
        out[f"{name} fails"] = str(error.value)
    weights = [torch.full((2, 3), float(group.rank)), torch.full((), 7.0 + group.rank)]
    group.align(weights)
    out["aligned"] = [w.tolist() for w in weights]
    return out


def _fails_on(rank, group):
    if group.rank == rank:
        raise ConfigError(f"no, says {rank}")


def job_refusals(group, folder):
    """What cannot be trained so: said by all alike, and nothing is written."""
    said = []
    for changes in ({"train": {"batch": 12}}, {"train": {"batch": 8}, "device": "cuda:0"}):
        with pytest.raises(ValueError) as error:
            Trainer(tiny.config(**changes), folder / "refused", group=group, say=_quiet)
        said.append(str(error.value))
    assert not (folder / "refused").exists()
    return said


JOBS = [value for name, value in list(globals().items()) if name.startswith("job_")]


# --- two processes --------------------------------------------------------------------------------------------------


def _environ(rank, port, folder):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
                      MASTER_PORT=str(port), PVSWGAN_CACHE=str(folder / "stores"))
    torch.set_num_threads(1)


def _work(rank, port, folder):
    _environ(rank, port, folder)
    group = join()
    for job in JOBS:
        torch.save(job(group, folder), folder / f"{job.__name__}-{rank}.pt")
    group.close()


def _port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _two(work, folder):
    port, context = _port(), get_context("spawn")
    processes = [context.Process(target=work, args=(rank, port, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    return processes


def _wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(autouse=True, scope="module")
def one_thread(tmp_path_factory):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def alone(folder):
    """The same trainings in one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVSWGAN_CACHE", str(folder / "stores"))
        _train(folder / "one")
        _train(folder / "one-then-two", stop_at=72)
    return folder / "one"


@pytest.fixture(scope="module")
def two(folder, alone):
    """{job: [what the first process returned, what the second did]}"""
    processes = _two(_work, folder)
    for process in processes:
        process.join(100)
    for process in processes:
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return {job.__name__[4:]: [torch.load(folder / f"{job.__name__}-{r}.pt", weights_only=False) for r in range(2)]
            for job in JOBS}


# --- the tests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clips", "mbstd", "world"), [(8, 4, 2), (16, 4, 2), (16, 4, 4), (24, 2, 3), (12, 1, 4)])
def test_a_share_keeps_the_groups_of_minibatch_stddev(clips, mbstd, world):
    x = torch.randn(clips, 3, 2, 4, 4, dtype=torch.float64)
    whole = minibatch_stddev(x, mbstd)
    for rank in range(world):
        group = Group(rank, world)
        assert torch.equal(minibatch_stddev(group.share(x), mbstd), group.share(whole))
        both = torch.cat([group.share(-2 * x), group.share(x)])                # reals and fakes in one pass
        assert torch.equal(minibatch_stddev(both, mbstd, parts=2)[clips // world:], group.share(whole))


def test_batches_that_cannot_be_shared_are_refused():
    for clips, world in ((16, 3), (12, 2), (4, 2)):
        config = tiny.config(train={"batch": [16, clips, clips]}, growth=TRAINING["growth"])
        check_processes(config, 1)
        with pytest.raises(ConfigError) as error:
            check_processes(config, world)
        assert (f"train.batch is {clips} at stage 1: allowed with {world} processes: a multiple of {4 * world} "
                f"({world} x network.mbstd_group)") in str(error.value)
    check_processes(tiny.config(train={"batch": [8, 16, 24]}, growth=TRAINING["growth"]), 2)


def test_one_process_alone_needs_no_group(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join() is ALONE and not torch.distributed.is_initialized()
    x = torch.rand(4)
    assert ALONE.share(x) is x and ALONE.decide([True, False]) == [True, False]


@pytest.mark.parametrize(("loss", "stage"), [*itertools.product(LOSSES, STAGES)])
def test_the_same_batch_gives_the_same_gradients(two, loss, stage):
    """Gradients, statistics, weights and Adam's state of two steps; the generator's state bit for bit."""
    one = _steps(LOSSES[loss], STAGES[stage])
    first, second = (seen[loss, stage] for seen in two["steps"])
    for expected, mine, other in zip(one, first, second, strict=True):
        assert expected.keys() == mine.keys()
        assert torch.equal(expected["generator"], mine["generator"])
        assert any(name.endswith(".grad") for name in expected) and {"gradient_penalty", "grad_norm_G"} <= mine.keys()
        for name, value in expected.items():
            assert torch.equal(mine[name], other[name]), name
            if name != "generator":
                torch.testing.assert_close(mine[name], value, rtol=1e-7, atol=1e-10, msg=lambda text: f"{name}: {text}")  # noqa: B023


def test_a_training_by_two_is_the_training_by_one(two, alone, folder):
    _same_training(folder / "two", alone)
    lines = [RunFolder(path).stats() for path in (folder / "two", alone)]
    for mine, expected in zip(*lines, strict=True):
        assert mine.keys() == expected.keys() and mine["clips"] == expected["clips"]
        assert mine["loss_D"] == pytest.approx(expected["loss_D"], rel=1e-3, abs=1e-3)
    for path in sorted((alone / "samples").glob("reals-*.png")):
        assert (folder / "two" / "samples" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["one-then-two", "two-then-one"])
def test_a_run_goes_on_with_another_number_of_processes(two, alone, folder, name, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(folder / "stores"))
    if name == "two-then-one":
        assert RunFolder(folder / name).status()["clips"] == 72
        _train(folder / name, resume=True)
    assert [line["clips"] for line in RunFolder(folder / name).stats() if line.get("event") == "resumed"] == [72]
    _same_training(folder / name, alone)


def _same_training(folder, alone):
    """The last checkpoints agree to float32's rounding, as far as Adam lets it grow in so many steps."""
    assert RunFolder(folder).state() == "finished"
    (mine, info), (expected, info_expected) = (read_tensors(training_checkpoints(f)[-1]) for f in (folder, alone))
    assert torch.equal(mine["generator"], expected["generator"]) and mine.keys() == expected.keys()
    del info["seconds"], info_expected["seconds"]
    assert info == info_expected
    for module in ("G", "D", "loss", "G_ema"):
        a, b = (torch.cat([t.flatten() for k, t in tensors.items() if k.startswith(f"{module}/")])
                for tensors in (mine, expected))
        assert (a - b).norm() < 1e-3 * b.norm(), module


def test_all_act_on_a_request_at_the_same_step(two):
    first, second = two["requests"]
    assert first["paused"] == first["still"] < first["stopped"] == second["stopped"]
    assert first["status"] == second["status"] == "stopped"


def test_a_nan_on_one_is_found_by_all(two, folder):
    first, second = two["not_finite"]
    assert first == second and "not finite at step 3" in first
    status = RunFolder(folder / "nan").status()
    assert status["state"] == "failed" and status["error"] == first
    assert int(network_checkpoints(folder / "nan")[-1].name[:9]) <= 16


def test_where_memory_runs_out_on_one_all_give_up_the_same(two):
    ((first, info), said), ((second, other), again) = two["shortage"]
    assert info == other and info["batches"] == [16, 16, 8] and info["checkpointing"] == [False, False, True]
    assert said == again and "memory ran out at stage 2 (8x8x8) with 8 clips a step" in said
    expected = _short(0, batch=[16, 16, 8], checkpointing="on").state()[0]
    assert torch.equal(first["generator"], expected["generator"])
    for name, value in expected.items():
        assert torch.equal(first[name], second[name])
        if name.startswith("G/"):
            torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-4)


def test_what_is_agreed(two):
    first, second = two["words"]
    assert first == second == {"first": 5, "decide": [True, False], "first fails": "no, says 0",
                               "together fails": "no, says 1", "in_turn fails": "no, says 1",
                               "aligned": [[[0.0] * 3] * 2, 7.0]}
    (began, ended), (then, _) = two["store_is_built_by_one"]
    assert began < ended <= then
    said, again = two["refusals"]
    assert said == again
    assert "allowed with 2 processes: a multiple of 8" in said[0] and "PyTorch sees 0 GPUs" in said[1]


# --- ends -----------------------------------------------------------------------------------------------------------


def _hang(rank, port, folder):
    """The second process stops answering at its fourth step; the first is then told to end."""
    _environ(rank, port, folder)
    distributed.GRACE = 0.5
    trainer = Trainer(_endless(), folder / "hang", group=join(), say=_quiet)
    step = trainer._step

    def hanging():
        if trainer.engine.steps == 3:
            if rank == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        step()

    trainer._step = hanging
    trainer.run()


def _fail(rank, port, folder):
    """The second process's disk fails at its fourth step."""
    _environ(rank, port, folder)
    trainer = Trainer(_endless(), folder / "disk", group=join(), say=_quiet)
    batch = trainer.sampler.batch

    def failing(*key):
        if rank == 1 and trainer.engine.steps == 3:
            raise OSError(5, "Input/output error")
        return batch(*key)

    trainer.sampler.batch = failing
    trainer.run()


@pytest.mark.slow
def test_a_process_that_fails_says_why(tmp_path):
    for process in _two(_fail, tmp_path):
        process.join(60)
        assert process.exitcode == 1
    status = RunFolder(tmp_path / "disk").status()
    assert status["state"] == "failed" and "process 1 of 2 failed: [Errno 5] Input/output error" in status["error"]


@pytest.mark.slow
def test_a_process_that_waits_in_vain_says_so_and_ends(tmp_path):
    first, second = _two(_hang, tmp_path)
    try:
        first.join(60)
        assert first.exitcode == 1
    finally:
        second.kill()
        second.join()
    status = RunFolder(tmp_path / "hang").status()
    assert status["state"] == "failed" and "told to end (SIGTERM) while it waited" in status["error"]


def _torchrun(*words, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200",
                                "PVSWGAN_CACHE": str(folder / "stores")}
    return subprocess.Popen([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
                             str(_port()), "-m", "train", *map(str, words)], env=environment, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_torchrun_a_killed_process_ends_the_run_and_it_resumes(tmp_path):
    path, run = tiny.write(tmp_path / "tiny.yaml", _endless()), RunFolder(tmp_path / "run")
    agent = _torchrun(path, "--run-dir", run.path, folder=tmp_path)
    try:
        _wait(lambda: len(training_checkpoints(run.path)) > 1)
        workers = psutil.Process(agent.pid).children()
        (second,) = [p for p in workers if p.environ().get("RANK") == "1"]
        second.kill()
        out, _ = agent.communicate(timeout=60)
    finally:
        agent.kill()
    status = run.status()
    assert agent.returncode != 0 and status["state"] == "failed", out
    assert "another of the 2 processes ended without a word" in status["error"] and status["error"] in out
    assert out.count("training ") == 1                                           # one process speaks

    agent = _torchrun("--resume", "--run-dir", run.path, folder=tmp_path)
    try:
        _wait(lambda: run.state() == "running" and run.status()["clips"] > status["clips"])
        run.request("stop")
        out, _ = agent.communicate(timeout=60)
    finally:
        agent.kill()
    assert agent.returncode == 0 and run.state() == "stopped", out
    assert "torchrun --nproc-per-node 2 -m train --resume" in out
