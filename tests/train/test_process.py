"""Trainings as processes of a command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pvswgan.checkpoint import training_checkpoints
from train.run import RunFolder

ROOT = Path(__file__).parents[2]
CONFIG = {"data": {"source": "toyfaces", "clips": 96}, "growth": {"stages": [[4, 4]], "stable_kimg": 1000},
          "network": {"latent_dim": 16, "fmap_base": 64, "fmap_max": 8}, "train": {"batch": 16},
          "log": {"tick_kimg": 0.032, "snapshot_kimg": 900}, "precision": "float32"}


@pytest.mark.slow
def test_ctrl_c_leaves_a_training_the_time_for_its_checkpoint(tmp_path):
    """The terminal tells both. (subprocess.run would kill the training a quarter of a second later.)"""
    config, run = tmp_path / "one.yaml", RunFolder(tmp_path / "run")
    config.write_text(yaml.safe_dump(CONFIG))
    code = (f"from pathlib import Path; from train.process import train_on; "
            f"print(train_on(Path({str(config)!r}), Path({str(run.path)!r}), [], 1))")
    command = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ | {"PVSWGAN_CACHE": str(tmp_path / "cache")},
                               start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    until = time.monotonic() + 120
    while (run.status() or {}).get("clips", 0) < 64:
        assert time.monotonic() < until and command.poll() is None
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)
    out, error = command.communicate(timeout=90)
    assert command.returncode == 0 and out.strip().splitlines()[-1] == "0", error
    status = json.loads((run.path / "status.json").read_text())
    assert status["state"] == "stopped" and "Traceback" not in error
    assert int(training_checkpoints(run.path)[-1].name[:9]) == status["clips"] >= 64
