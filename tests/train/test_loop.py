"""A training in its run folder, from start to end, to a stop, or to a NaN."""

import itertools
import threading
import time

import pytest
import torch

import pvswgan
from pvswgan.checkpoint import network_checkpoints, read_tensors, training_checkpoints
from pvswgan.data.build import Told
from tests.train import tiny
from train.engine import NotFinite
from train.loop import Stopped, Trainer
from train.run import RunError, RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")
LOSSES = [{"name": "swgan"}, {"name": "swgan", "blocks": 2, "slope_penalty": "as_released", "k": 0.01},
          {"name": "wgan-gp"}]


@pytest.mark.parametrize("loss", [LOSSES[0], *(pytest.param(loss, marks=pytest.mark.slow) for loss in LOSSES[1:])],
                         ids=["swgan", "swgan-as-released", "wgan-gp"])
def test_a_training_from_start_to_end(tmp_path, loss):
    settings = tiny.config(loss=loss)
    tiny.train(tmp_path, settings)
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


@pytest.mark.slow
def test_the_speed_is_a_mean_of_one_phase_alone(tmp_path):
    settings = tiny.config()
    settings.log.tick_kimg = 0.012          # not a divisor of the phases' 16 clips
    trainer, seen = Trainer(settings, tmp_path, say=tiny.quiet), []
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
        Trainer(tiny.config(), tmp_path, say=tiny.quiet)
    assert RunFolder(tmp_path).state() == "stopped"


def test_adam_starts_anew_where_a_phase_begins(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=tiny.quiet)
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
    trainer = Trainer(tiny.config(), tmp_path, say=tiny.quiet)
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


def test_pause_snapshot_resume_and_stop_by_request(tmp_path):
    settings = tiny.config(growth={"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 1000})
    run = RunFolder(tmp_path)

    def train_until_stopped():
        with pytest.raises(Stopped):
            Trainer(settings, tmp_path, say=tiny.quiet).run()

    thread = threading.Thread(target=train_until_stopped)
    thread.start()
    tiny.wait(lambda: run.state() == "running")
    run.request("pause")
    tiny.wait(lambda: run.state() == "paused")
    clips = run.status()["clips"]
    samples = len(run.samples())
    time.sleep(0.5)
    assert run.status()["clips"] == clips
    (tmp_path / "samples" / f"{clips:09d}-4x4.png").unlink()
    run.request("snapshot")
    tiny.wait(lambda: len(run.samples()) == samples)
    run.request("resume")
    tiny.wait(lambda: run.status()["clips"] > clips)
    run.request("stop")
    thread.join(60)
    assert run.state() == "stopped" and run.status()["error"] is None
    assert int(training_checkpoints(tmp_path)[-1].name[:9]) == run.status()["clips"]


def test_a_second_trainer_and_a_missing_gpu_are_refused(tmp_path):
    trainer = Trainer(tiny.config(), tmp_path, say=tiny.quiet)
    with pytest.raises(RunError, match="another training is at work"):
        Trainer(tiny.config(), tmp_path, say=tiny.quiet)
    trainer.writer.close()
    with pytest.raises(ValueError, match="device is 'cuda:7', but PyTorch sees"):
        Trainer(tiny.config(device="cuda:7"), tmp_path / "gpu", say=tiny.quiet)
