"""Several processes train as one does: two of them, over gloo, on the CPU, against one.

The two start once for all tests and do the jobs of together.py.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import torch

from pvswgan.checkpoint import network_checkpoints, read_tensors, training_checkpoints
from pvswgan.layers import minibatch_stddev
from tests.train import tiny
from tests.train.together import (
    JOBS,
    LOSSES,
    STAGES,
    TRAINING,
    do_jobs,
    endless,
    free_port,
    quiet,
    run_training,
    set_environment,
    short_of_memory,
    steps,
    two_processes,
    wait,
)
from train import distributed
from train.config import ConfigError, check_processes
from train.distributed import ALONE, Group, join
from train.loop import Trainer
from train.run import RunFolder

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # two processes start for all of them


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
        run_training(folder / "one")
        run_training(folder / "one-then-two", stop_at=72)
    return folder / "one"


@pytest.fixture(scope="module")
def two(folder, alone):
    """{job: [what the first process returned, what the second did]}"""
    processes = two_processes(do_jobs, folder)
    for process in processes:
        process.join(900)                                      # they take 70 s where the processors are slow
    for process in processes:
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return {job.__name__[4:]: [torch.load(folder / f"{job.__name__}-{r}.pt", weights_only=True) for r in range(2)]
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
    one = steps(LOSSES[loss], STAGES[stage])
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
    reals = sorted((alone / "samples").glob("reals-*.png"))
    assert reals
    for path in reals:
        assert (folder / "two" / "samples" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["one-then-two", "two-then-one"])
def test_a_run_goes_on_with_another_number_of_processes(two, alone, folder, name, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(folder / "stores"))
    if name == "two-then-one":
        assert RunFolder(folder / name).status()["clips"] == 72
        run_training(folder / name, resume=True)
    assert [line["clips"] for line in RunFolder(folder / name).stats() if line.get("event") == "resumed"] == [72]
    _same_training(folder / name, alone)


def _same_training(folder, alone):
    """The last checkpoints agree to float32's rounding, as far as Adam lets it grow in so many steps."""
    assert RunFolder(folder).state() == "finished"
    (mine, info), (expected, info_expected) = (read_tensors(training_checkpoints(f)[-1]) for f in (folder, alone))
    assert torch.equal(mine["generator"], expected["generator"]) and mine.keys() == expected.keys()
    for clock in ("seconds", "cpu_seconds"):
        del info[clock], info_expected[clock]
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
    expected = short_of_memory(0, batch=[16, 16, 8], checkpointing="on").state()[0]
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
    set_environment(rank, port, folder)
    distributed.GRACE = 0.5
    trainer = Trainer(endless(), folder / "hang", group=join(), say=quiet)
    step = trainer._step

    def hanging():
        if trainer.engine.steps == 3:
            if rank == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        step()

    trainer._step = hanging
    trainer.run()


def _fail(rank, port, folder):
    """The second process's disk fails at its fourth step."""
    set_environment(rank, port, folder)
    trainer = Trainer(endless(), folder / "disk", group=join(), say=quiet)
    batch = trainer.sampler.batch

    def failing(*key):
        if rank == 1 and trainer.engine.steps == 3:
            raise OSError(5, "Input/output error")
        return batch(*key)

    trainer.sampler.batch = failing
    trainer.run()


@pytest.mark.slow
def test_a_process_that_fails_says_why(tmp_path):
    for process in two_processes(_fail, tmp_path):
        process.join(250)
        assert process.exitcode == 1
    status = RunFolder(tmp_path / "disk").status()
    assert status["state"] == "failed" and "process 1 of 2 failed: [Errno 5] Input/output error" in status["error"]


@pytest.mark.slow
def test_a_process_that_waits_in_vain_says_so_and_ends(tmp_path):
    first, second = two_processes(_hang, tmp_path)
    try:
        first.join(250)
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
                             str(free_port()), "-m", "train", *map(str, words)], env=environment, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_torchrun_a_killed_process_ends_the_run_and_it_resumes(tmp_path):
    path, run = tiny.write(tmp_path / "tiny.yaml", endless()), RunFolder(tmp_path / "run")
    agent = _torchrun(path, "--run-dir", run.path, folder=tmp_path)
    try:
        wait(lambda: len(training_checkpoints(run.path)) > 1)
        workers = psutil.Process(agent.pid).children()
        (second,) = [p for p in workers if p.environ().get("RANK") == "1"]
        second.kill()
        out, _ = agent.communicate(timeout=250)
    finally:
        agent.kill()
    status = run.status()
    assert agent.returncode != 0 and status["state"] == "failed", out
    assert "another of the 2 processes ended without a word" in status["error"] and status["error"] in out
    assert out.count("training ") == 1                                           # one process speaks

    agent = _torchrun("--resume", "--run-dir", run.path, folder=tmp_path)
    try:
        wait(lambda: run.state() == "running" and run.status()["clips"] > status["clips"])
        run.request("stop")
        out, _ = agent.communicate(timeout=250)
    finally:
        agent.kill()
    assert agent.returncode == 0 and run.state() == "stopped", out
    assert "torchrun --nproc-per-node 2 -m train --resume" in out
