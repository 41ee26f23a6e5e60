import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

import pvswgan
from pvswgan.checkpoint import network_checkpoints, read_tensors, training_checkpoints
from pvswgan.data.build import Told
from tests.shell import command
from tests.train import tiny
from train.engine import NotFinite
from train.loop import Stopped, Trainer
from train.run import RunError, RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")
LOSSES = [{"name": "swgan"}, {"name": "swgan", "blocks": 2, "slope_penalty": "as_released", "k": 0.01},
          {"name": "wgan-gp"}]


def _quiet(*_):
    pass


def _train(folder, settings, **kwargs):
    trainer = Trainer(settings, folder, say=_quiet, **kwargs)
    trainer.run()
    return trainer


def _final(folder):
    return read_tensors(training_checkpoints(folder)[-1])


@pytest.mark.parametrize("loss", [LOSSES[0], *(pytest.param(loss, marks=pytest.mark.slow) for loss in LOSSES[1:])],
                         ids=["swgan", "swgan-as-released", "wgan-gp"])
def test_a_training_from_start_to_end(tmp_path, loss):
    settings = tiny.config(loss=loss)
    _train(tmp_path, settings)
    run = RunFolder(tmp_path)
    status = run.status()
    assert status["state"] == "finished" and status["clips"] == settings.plan().total and status["error"] is None
    stats = run.stats()
    assert stats[-1]["stage"] == 2 and [s["clips"] for s in stats] == sorted({s["clips"] for s in stats})
    assert {"loss_G", "loss_D", "distance", "gradient_penalty", "grad_norm_G", "clips_per_s"} <= stats[-1].keys()
    assert all(0 <= line["data_wait"] <= 1 for line in stats)
    assert ("slice_scale_mean" in stats[-1]) == (loss["name"] == "swgan")
    assert {(s.frames, s.resolution) for s in run.samples()} == {(4, 4), (4, 8), (8, 8)}
    assert pvswgan.load(tmp_path).sample(2).shape == (2, 3, 8, 8, 8)
    from PIL import Image

    last = run.samples()[-1]
    assert Image.open(last.path).size == (8 * 8, 12 * 8)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """uninterrupted(precision): (settings, run folder) of a whole run, trained once for all the tests that compare."""
    runs = {}

    def run(precision):
        if precision not in runs:
            settings = tiny.config(precision=precision, train={"augment": ["shift", "colour"], "gp_interval": 2,
                                                               "critic_steps": 1, "batch": 4})
            folder = tmp_path_factory.mktemp("whole")
            _train(folder, settings)
            runs[precision] = settings, folder
        return runs[precision]

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """finished(folder): puts a whole run of tiny.config() there, trained once for all the tests that begin with one."""
    runs = []

    def copy(folder):
        if not runs:
            runs.append(tmp_path_factory.mktemp("finished"))
            _train(runs[0], tiny.config())
        shutil.copytree(runs[0], folder, dirs_exist_ok=True)

    return copy


def _stop_at(trainer, clips):
    step = trainer._step

    def step_and_stop():
        step()
        if trainer.engine.clips >= clips:
            trainer._stop = True

    trainer._step = step_and_stop
    with pytest.raises(Stopped):
        trainer.run()
    assert trainer.engine.clips == clips


@pytest.mark.parametrize(("stops", "precision"), [
    pytest.param((36,), "float32"), pytest.param((12, 20, 40, 60, 76), "float32", marks=pytest.mark.slow),
    pytest.param((20, 60), "bfloat16", marks=pytest.mark.slow)], ids=["once", "often", "bfloat16"])
def test_resume_is_the_uninterrupted_run_bit_for_bit(tmp_path, uninterrupted, stops, precision):
    """Stopped in a stable phase, in both fades, and at the edges of phases."""
    settings, whole_run = uninterrupted(precision)
    trainer = Trainer(settings, tmp_path / "parts", say=_quiet)
    for clips in stops:
        _stop_at(trainer, clips)
        assert RunFolder(tmp_path / "parts").state() == "stopped"
        trainer = Trainer(settings, tmp_path / "parts", say=_quiet, resume=True)
    trainer.run()
    (whole, info), (parts, info_parts) = _final(whole_run), _final(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole:
        assert torch.equal(whole[name], parts[name]), name
    for clock in ("seconds", "cpu_seconds"):
        info.pop(clock), info_parts.pop(clock)
    assert info == info_parts


@pytest.mark.slow
def test_the_speed_is_a_mean_of_one_phase_alone(tmp_path):
    settings = tiny.config()
    settings.log.tick_kimg = 0.012          # not a divisor of the phases' 16 clips
    trainer, seen = Trainer(settings, tmp_path, say=_quiet), []
    tick = trainer._tick

    def told():
        tick()
        seen.append((trainer.engine.clips, trainer.seconds, trainer.pace.clips_per_s, trainer.engine.phase))

    trainer._tick = told
    trainer.run()
    first = [(a, b) for a, b in itertools.pairwise(seen) if b[3] != a[3]]
    assert len(first) == 4, "five phases"
    for (clips, seconds, _, _), (now, later, rate, _) in first:
        assert rate == pytest.approx((now - clips) / (later - seconds))


@pytest.mark.slow
def test_a_stage_is_kept_as_it_ended(tmp_path):
    """The network of a stage's last moment is that stage's, not the next one's with its random layers; and it stays."""
    settings = tiny.config(growth={"fade_kimg": [0, 0, 0.016]}, train={"batch": 12},
                           log={"keep": 1, "tick_kimg": 0.008, "snapshot_kimg": 1})
    _train(tmp_path, settings)
    kept = {int(p.name[:9]): read_tensors(p)[1] for p in network_checkpoints(tmp_path)}
    # Edges at 16, 32, 48 and 64 clips, steps of 12: the phases end at 24, 36, 48 and 72 clips.
    assert {clips: (info["stage"], info["alpha"]) for clips, info in kept.items()} == {
        24: (0, 1.0), 36: (1, 1.0), 48: (2, 1.0), 72: (2, 1.0)}
    assert len(training_checkpoints(tmp_path)) == 1
    sheets = {s.clips: (s.frames, s.resolution) for s in RunFolder(tmp_path).samples()}
    assert sheets[24] == (4, 4) and sheets[36] == (4, 8) and sheets[72] == (8, 8)


@pytest.mark.slow
def test_the_fixed_latents_are_different_clips_and_the_same_ones(tmp_path, finished):
    finished(tmp_path)
    model = pvswgan.load(tmp_path)
    from PIL import Image

    from pvswgan import video

    sheet = video.split_sheet(np.asarray(Image.open(RunFolder(tmp_path).samples()[-1].path)), 8)
    drawn = video.to_uint8(model.sample(12, seed=0))
    assert abs(sheet.astype(int) - drawn).max() <= 2
    assert len({clip.tobytes() for clip in sheet}) == 12


@pytest.mark.slow
def test_a_run_killed_before_its_first_snapshot_resumes(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=_quiet)
    trainer.writer.close()                                             # config.yaml is there, a checkpoint is not
    (tmp_path / "checkpoints" / ".000000000-training.safetensors.77.tmp").write_bytes(b"half")
    _train(tmp_path, tiny.config(), resume=True)
    assert RunFolder(tmp_path).state() == "finished"
    assert not list(tmp_path.glob("*/.*.tmp"))
    resumed = Trainer(tiny.config(), tmp_path, resume=True, say=_quiet)
    resumed.run()
    status = RunFolder(tmp_path).status()
    assert status["state"] == "finished" and status["kimg"] == status["total_kimg"]


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_its_configuration_is_a_sentence(tmp_path, finished):
    finished(tmp_path)
    with pytest.raises(RunError, match=r"does not fit .*config.yaml: was that changed"):
        Trainer(tiny.config(network={"fmap_max": 2}), tmp_path, resume=True, say=_quiet)


@pytest.mark.slow
def test_a_closed_terminal_does_not_end_the_training(tmp_path):
    def closed(*_):
        raise SystemExit(1)

    settings = tiny.config(growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 0.016})
    Trainer(settings, tmp_path, say=closed, progress=closed).run()
    assert RunFolder(tmp_path).state() == "finished"


def test_a_stop_is_heard_while_clips_are_prepared(tmp_path, monkeypatch):
    import train.loop

    def slow(*_, progress, **__):
        RunFolder(tmp_path).request("stop")
        progress(Told(1, 1000, "clip 1"))

    monkeypatch.setattr(train.clips, "open_store", slow)
    with pytest.raises(Stopped):
        Trainer(tiny.config(), tmp_path, say=_quiet)
    assert RunFolder(tmp_path).state() == "stopped"


def test_adam_starts_anew_where_a_phase_begins(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=_quiet)
    engine, steps = trainer.engine, {}
    while engine.clips < engine.plan.total:
        at = engine.plan.at(engine.clips)
        engine.step(trainer.sampler.batch)
        count = int(next(iter(engine.opt_G.state.values()))["step"])
        steps.setdefault((at.stage, at.phase), []).append(count)
    assert steps == {(0, "stable"): [1, 2, 3, 4], (1, "fade"): [1, 2, 3, 4], (1, "stable"): [1, 2, 3, 4],
                     (2, "fade"): [1, 2, 3, 4], (2, "stable"): [1, 2, 3, 4]}
    trainer.writer.close()


@pytest.mark.slow
def test_a_nan_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=_quiet)
    step = trainer._step

    def poisoned():
        if trainer.engine.steps == 9:
            with torch.no_grad():
                trainer.engine.G.first.weight[0, 0] = float("nan")
        step()

    trainer._step = poisoned
    with pytest.raises(NotFinite, match="not finite at step 10"):
        trainer.run()
    status = RunFolder(tmp_path).status()
    assert status["state"] == "failed" and "step 10" in status["error"]
    for path in (*training_checkpoints(tmp_path), *network_checkpoints(tmp_path)):
        tensors, info = read_tensors(path)
        assert info["clips"] <= 36 and all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())
    assert network_checkpoints(tmp_path)


@pytest.mark.slow
def test_a_broken_checkpoint_is_passed_over_for_the_one_before(tmp_path, finished):
    finished(tmp_path)
    *_, before, newest = training_checkpoints(tmp_path)
    newest.write_bytes(newest.read_bytes()[:100])
    trainer = Trainer(tiny.config(), tmp_path, resume=True, say=_quiet)
    assert trainer.engine.clips == int(before.name[:9])
    trainer.writer.close()
    # The lost stretch is gone: its files would count as the newest, and drive out good ones.
    assert training_checkpoints(tmp_path)[-1] == before
    assert int(network_checkpoints(tmp_path)[-1].name[:9]) <= trainer.engine.clips


def test_a_checkpoint_that_cannot_be_read_just_now_is_not_given_up(tmp_path, finished, monkeypatch):
    finished(tmp_path)
    there = training_checkpoints(tmp_path)

    def failing(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(pvswgan.checkpoint, "safe_open", failing)
        with pytest.raises(RunError, match="Input/output error. Nothing was changed"):
            Trainer(tiny.config(), tmp_path, resume=True, say=_quiet)
    assert training_checkpoints(tmp_path) == there


@pytest.mark.slow
def test_a_full_disk_fails_the_run_with_a_sentence(tmp_path, monkeypatch):
    import train.snapshot

    trainer = Trainer(tiny.config(), tmp_path, say=_quiet)
    real, calls = train.snapshot.save_tensors, []

    def full(*args):
        calls.append(args)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(train.snapshot, "save_tensors", full)
    with pytest.raises(OSError):
        trainer.run()
    status = RunFolder(tmp_path).status()
    assert status["state"] == "failed" and "No space left on device" in status["error"]
    assert len(training_checkpoints(tmp_path)) == 1                        # the one before is whole
    monkeypatch.setattr(train.snapshot, "save_tensors", real)
    _train(tmp_path, tiny.config(), resume=True)
    assert RunFolder(tmp_path).state() == "finished"


def _wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_pause_snapshot_resume_and_stop_by_request(tmp_path):
    settings = tiny.config(growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 1000})
    run = RunFolder(tmp_path)

    def train_until_stopped():
        with pytest.raises(Stopped):
            Trainer(settings, tmp_path, say=_quiet).run()

    thread = threading.Thread(target=train_until_stopped)
    thread.start()
    _wait(lambda: run.state() == "running")
    run.request("pause")
    _wait(lambda: run.state() == "paused")
    clips = run.status()["clips"]
    samples = len(run.samples())
    time.sleep(0.5)
    assert run.status()["clips"] == clips
    (tmp_path / "samples" / f"{clips:09d}-4x4.png").unlink()
    run.request("snapshot")
    _wait(lambda: len(run.samples()) == samples)
    run.request("resume")
    _wait(lambda: run.status()["clips"] > clips)
    run.request("stop")
    thread.join(60)
    assert run.state() == "stopped" and run.status()["error"] is None
    assert int(training_checkpoints(tmp_path)[-1].name[:9]) == run.status()["clips"]


def _process(*words):
    return [sys.executable, "-m", "train", *map(str, words)]


def _environment():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ | {"PYTHONPATH": root, "COLUMNS": "200"}


@pytest.mark.slow
def test_the_command_line_dry_run_train_interrupt_resume(tmp_path, monkeypatch):
    path = tiny.write(tmp_path / "tiny.yaml", tiny.config())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    dry = command("train", path, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "8x8x8" in dry.stdout and "generator:" in dry.stdout and "kimg on cpu with float32: about" in dry.stdout
    assert not (tmp_path / "runs").exists()

    run = tmp_path / "run"
    endless = ["growth.stages=[[4,4]]", "growth.fade_kimg=0", "growth.stable_kimg=1000"]
    process = subprocess.Popen(_process(path, "--run-dir", run, *endless), env=_environment(), stdout=subprocess.PIPE,
                               text=True)
    _wait(lambda: RunFolder(run).state() == "running")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "go on with: python -m train --resume" in out
    assert RunFolder(run).state() == "stopped"
    assert json.loads((run / "status.json").read_text())["clips"] == int(training_checkpoints(run)[-1].name[:9])

    again = command("train", path, "--run-dir", run)
    assert again.returncode == 2 and "already holds a run (stopped); add --resume" in again.stderr


@pytest.mark.slow
def test_a_killed_run_resumes(tmp_path):
    run = tmp_path / "run"
    settings = tiny.config(growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 100})
    path = tiny.write(tmp_path / "tiny.yaml", settings)
    process = subprocess.Popen(_process(path, "--run-dir", run), env=_environment(), stdout=subprocess.DEVNULL)
    _wait(lambda: len(training_checkpoints(run)) > 1)
    process.kill()
    process.wait()
    assert RunFolder(run).state() == "stopped"
    trainer = Trainer(settings, run, resume=True, say=_quiet)
    assert trainer.engine.clips > 0
    trainer.writer.close()


@pytest.mark.parametrize("words, message", [
    ([], "which configuration?"),
    (["none.yaml"], "cannot read the configuration none.yaml"),
    (["--resume"], "say which with --run-dir"),
    (["--resume", "--run-dir", "nowhere"], "nowhere is no run folder to resume"),
])
def test_the_command_line_says_what_is_wrong(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = command("train", *words)
    assert ended.returncode == 2 and message in ended.stderr


def test_a_second_trainer_and_a_missing_gpu_are_refused(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=_quiet)
    with pytest.raises(RunError, match="another training is at work"):
        Trainer(tiny.config(), tmp_path, say=_quiet)
    trainer.writer.close()
    with pytest.raises(ValueError, match="device is 'cuda:7', but PyTorch sees"):
        Trainer(tiny.config(device="cuda:7"), tmp_path / "gpu", say=_quiet)
