import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARRED = ["gradio", "fastapi", "plotly", "moviepy", "av", "PIL", "sklearn", "scipy", "torch_fidelity", "torchvision",
          "cv2", "scenedetect"]


@pytest.mark.slow
def test_training_needs_few_packages(tmp_path):
    """A borrowed GPU machine has torch and little else: a whole training must run without the page's packages."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys({BARRED!r}))         # importing any of these now fails
from train.loop import Trainer
import train.__main__, train.cost, pvswgan
from tests.train import tiny
Trainer(tiny.config(), {str(tmp_path / "run")!r}, say=lambda text: None).run()
pvswgan.load({str(tmp_path / "run")!r}).sample(1)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                         env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PVSWGAN_CACHE": str(tmp_path)})
    assert out.returncode == 0, out.stderr
