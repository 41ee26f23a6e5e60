"""What two processes that train together are made to do: functions named job_..., one after another, and two processes
to do them. A job returns what the tests then look at (test_distributed.py)."""

import contextlib
import os
import socket
import threading
import time
from multiprocessing import get_context

import pytest
import torch

from tests.train import tiny
from train.config import ConfigError
from train.distributed import ALONE, join
from train.engine import Engine, NotFinite
from train.loop import Stopped, Trainer, start_or_resume
from train.run import RunFolder
from train.shortage import NotEnoughMemory

LOSSES = {"swgan": {"name": "swgan", "blocks": 2}, "wgan-gp": {"name": "wgan-gp"}}
STAGES = {"fading": 40, "grown": 140}                          # clips at which each is so
TRAINING = {"train": {"batch": 8, "augment": ["shift"], "gp_interval": 2}, "log": {"snapshot_kimg": 0.04, "keep": 9},
            "growth": {"fade_kimg": [0, 0.032, 0.032], "stable_kimg": [0.032, 0.032, 0.032]}}


def quiet(*_):
    pass


def endless(**changes):
    return tiny.config(train={"batch": 8}, growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 1000}, **changes)


# --- what both do, and one alone ------------------------------------------------------------------------------------


def steps(loss, clips, group=ALONE):
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


def run_training(folder, group=ALONE, *, resume=False, stop_at=None):
    """Train; `stop_at`: to a stop after that many clips. Returns the clips reached."""
    trainer = start_or_resume(None if resume else tiny.config(**TRAINING), folder, resume, group, say=quiet)
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
    return {(loss, stage): steps(LOSSES[loss], STAGES[stage], group) for loss in LOSSES for stage in STAGES}


def job_trainings(group, folder):
    """One from start to end, one that is stopped for one process to go on with, and one from where one has stopped."""
    run_training(folder / "two", group)
    run_training(folder / "two-then-one", group, stop_at=72)
    return run_training(folder / "one-then-two", group, resume=True)


def job_requests(group, folder):
    """Only the first process's folder and signals count. Returns the clips at which each stopped."""
    run, trainer = RunFolder(folder / "requests"), Trainer(endless(), folder / "requests", group=group, say=quiet)
    seen = {}

    def ask():
        wait(lambda: run.state() == "running" and run.status().get("clips", 0) >= 16)
        run.request("pause")
        wait(lambda: run.state() == "paused")
        seen["paused"] = run.status()["clips"]
        samples = run.samples()[-1].path
        samples.unlink()
        run.request("snapshot")
        wait(samples.exists)
        seen["still"] = run.status()["clips"]
        run.request("resume")
        wait(lambda: run.status()["clips"] > seen["still"])

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
    trainer = Trainer(tiny.config(train={"batch": 8}), folder / "nan", group=group, say=quiet)
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


def short_of_memory(times, group=ALONE, **train):
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
        short_of_memory(3, group)
    return short_of_memory(2, group).state(), str(error.value)


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
            Trainer(tiny.config(**changes), folder / "refused", group=group, say=quiet)
        said.append(str(error.value))
    assert not (folder / "refused").exists()
    return said


JOBS = [value for name, value in list(globals().items()) if name.startswith("job_")]


# --- two processes --------------------------------------------------------------------------------------------------


def set_environment(rank, port, folder):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
                      MASTER_PORT=str(port), PVSWGAN_CACHE=str(folder / "stores"))
    torch.set_num_threads(1)


def do_jobs(rank, port, folder):
    set_environment(rank, port, folder)
    group = join()
    for job in JOBS:
        torch.save(job(group, folder), folder / f"{job.__name__}-{rank}.pt")
    group.close()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def two_processes(work, folder):
    port, context = free_port(), get_context("spawn")
    processes = [context.Process(target=work, args=(rank, port, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    return processes


def wait(condition, seconds=250):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
