import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = ["torch", "numpy", "pyyaml", "safetensors", "typer", "rich", "psutil", "pydantic"]


def _barred():
    """Top-level modules of every package here that is neither allowed nor needed by one that is."""
    needed, todo = set(), list(ALLOWED)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name not in needed:
            needed.add(name)
            try:
                wants = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:       # of another platform
                continue
            todo += [re.match(r"[\w.-]+", want)[0] for want in wants if "extra ==" not in want]
    owners = importlib.metadata.packages_distributions()
    barred = {module for module, names in owners.items()
              if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & needed}
    return sorted(barred - {"tests"})                             # torch-fidelity has one of that name too


@pytest.mark.slow
def test_training_needs_few_packages(tmp_path):
    """A borrowed GPU machine has torch and little else: a whole training, on faces drawn there, must run without the
    page's packages, and `make gpu` must load."""
    barred = _barred()
    assert {"gradio", "plotly", "moviepy", "av", "PIL", "sklearn", "scipy", "torch_fidelity", "torchvision", "cv2",
            "scenedetect"} <= set(barred) and not {"torch", "numpy", "pydantic_core", "typing_extensions"} & set(barred)
    code = f"""
import sys
sys.modules.update(dict.fromkeys({barred!r}))         # importing any of these now fails
from train.loop import Trainer
import train.__main__, train.cost, train.benchmark.__main__, train.benchmark.report, train.benchmark.steps, pvswgan
import train.gpu.__main__
from tests.train import tiny
Trainer(tiny.config(), {str(tmp_path / "run")!r}, say=lambda text: None).run()
pvswgan.load({str(tmp_path / "run")!r}).sample(1)
import pvswgan.data.toyfaces, pvswgan.data.shapes
print(pvswgan.data.toyfaces.draw(0, frames=2).shape, pvswgan.data.shapes.draw(0, frames=2).shape)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                         env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PVSWGAN_CACHE": str(tmp_path)})
    assert out.returncode == 0, out.stderr
    assert out.stdout == "(2, 64, 64, 3) (2, 64, 64, 3)\n"
