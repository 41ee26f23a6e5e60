"""What a run keeps, and goes on from: samples, networks, whole states, whole and damaged."""

import shutil

import numpy as np
import pytest
import torch

import pvswgan
import train.snapshot
from pvswgan.checkpoint import network_checkpoints, read_tensors, training_checkpoints
from tests.train import tiny
from train.loop import Stopped, Trainer
from train.run import RunError, RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")


def _final(folder):
    return read_tensors(training_checkpoints(folder)[-1])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """uninterrupted(precision): (settings, run folder) of a whole run, trained once for all the tests that compare."""
    runs = {}

    def run(precision):
        if precision not in runs:
            settings = tiny.config(precision=precision, train={"augment": ["shift", "colour"], "gp_interval": 2,
                                                               "critic_steps": 1, "batch": 4})
            folder = tmp_path_factory.mktemp("whole")
            tiny.train(folder, settings)
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
            tiny.train(runs[0], tiny.config())
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
    trainer = Trainer(settings, tmp_path / "parts", say=tiny.quiet)
    for clips in stops:
        _stop_at(trainer, clips)
        assert RunFolder(tmp_path / "parts").state() == "stopped"
        trainer = Trainer(settings, tmp_path / "parts", say=tiny.quiet, resume=True)
    trainer.run()
    (whole, info), (parts, info_parts) = _final(whole_run), _final(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole:
        assert torch.equal(whole[name], parts[name]), name
    for clock in ("seconds", "cpu_seconds"):
        info.pop(clock), info_parts.pop(clock)
    assert info == info_parts


@pytest.mark.slow
def test_a_stage_is_kept_as_it_ended(tmp_path):
    """The network of a stage's last moment is that stage's, not the next one's with its random layers; and it stays."""
    settings = tiny.config(growth={"fade_kimg": [0, 0, 0.016]}, train={"batch": 12},
                           log={"keep": 1, "tick_kimg": 0.008, "snapshot_kimg": 1})
    tiny.train(tmp_path, settings)
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
    trainer = Trainer(tiny.config(), tmp_path, say=tiny.quiet)
    trainer.writer.close()                                             # config.yaml is there, a checkpoint is not
    (tmp_path / "checkpoints" / ".000000000-training.safetensors.77.tmp").write_bytes(b"half")
    tiny.train(tmp_path, tiny.config(), resume=True)
    assert RunFolder(tmp_path).state() == "finished"
    assert not list(tmp_path.glob("*/.*.tmp"))
    resumed = Trainer(tiny.config(), tmp_path, resume=True, say=tiny.quiet)
    resumed.run()
    status = RunFolder(tmp_path).status()
    assert status["state"] == "finished" and status["kimg"] == status["total_kimg"]


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_its_configuration_is_a_sentence(tmp_path, finished):
    finished(tmp_path)
    with pytest.raises(RunError, match=r"does not fit .*config.yaml: was that changed"):
        Trainer(tiny.config(network={"fmap_max": 2}), tmp_path, resume=True, say=tiny.quiet)


@pytest.mark.slow
def test_a_broken_checkpoint_is_passed_over_for_the_one_before(tmp_path, finished):
    finished(tmp_path)
    *_, before, newest = training_checkpoints(tmp_path)
    newest.write_bytes(newest.read_bytes()[:100])
    trainer = Trainer(tiny.config(), tmp_path, resume=True, say=tiny.quiet)
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
            Trainer(tiny.config(), tmp_path, resume=True, say=tiny.quiet)
    assert training_checkpoints(tmp_path) == there


@pytest.mark.slow
def test_a_full_disk_fails_the_run_with_a_sentence(tmp_path, monkeypatch):
    trainer = Trainer(tiny.config(), tmp_path, say=tiny.quiet)
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
    tiny.train(tmp_path, tiny.config(), resume=True)
    assert RunFolder(tmp_path).state() == "finished"
