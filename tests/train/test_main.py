"""python -m train as a person starts, stops and mistypes it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from pvswgan.checkpoint import training_checkpoints
from tests.shell import command
from tests.train import tiny
from train.loop import Trainer
from train.run import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")


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
    tiny.wait(lambda: RunFolder(run).state() == "running")
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
    tiny.wait(lambda: len(training_checkpoints(run)) > 1)
    process.kill()
    process.wait()
    assert RunFolder(run).state() == "stopped"
    trainer = Trainer(settings, run, resume=True, say=tiny.quiet)
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
