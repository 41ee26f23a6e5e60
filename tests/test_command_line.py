import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pvswgan import video
from pvswgan.checkpoint import build_generator, save_network
from tests.shell import command
from train.config import parse

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    config = parse({"data": {"source": "toyfaces"}, "growth": {"resolution": 8, "frames": 8},
                    "network": {"fmap_max": 8, "latent_dim": 16}}).model_dump(mode="json")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "net.safetensors"
    save_network(path, build_generator(config), config, clips=1000, stage=1, alpha=1.0)
    return path


def test_sample_writes_a_film(model, tmp_path):
    out = tmp_path / "clips.mp4"
    done = command("pvswgan", "sample", model, "--out", out, "--n", 4, "--scale", 4)
    assert done.returncode == 0, done.stderr
    frames, _ = video.read(out)
    assert frames.shape == (8, 64, 64, 3)


@pytest.mark.slow
def test_the_lines_of_the_readme_do_what_they_say(model, tmp_path):
    """In a process of its own: here what they forget to import may have been imported."""
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = lines.replace("runs/faces", str(model)).replace("faces.mp4", str(tmp_path / "faces.mp4"))
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert video.read(tmp_path / "faces.mp4")[0].shape[0] == 8


def test_a_walk_returns_to_its_start(model, tmp_path):
    out = tmp_path / "walk.gif"
    done = command("pvswgan", "interpolate", model, "--out", out, "--seeds", "3,5", "--steps", 2)
    assert done.returncode == 0, done.stderr
    frames, _ = video.read(out)
    assert len(frames) == 2 * 2 * 8


@pytest.mark.slow
def test_info_tells_what_it_is(model):
    """A command as a person starts it; the others in this process."""
    done = subprocess.run([sys.executable, "-m", "pvswgan", "info", str(model)], capture_output=True, text=True,
                          cwd=ROOT)
    assert done.returncode == 0 and "8x8x8" in done.stdout and "1 kimg" in done.stdout and "swgan" in done.stdout


@pytest.mark.parametrize("words, message", [
    (("info", "nowhere"), "there is no model 'nowhere'"),
    (("sample", "MODEL", "--out", "x.mov"), "cannot write 'x.mov'; allowed: .mp4"),
    (("interpolate", "MODEL", "--seeds", "1,x"), "--seeds is '1,x'"),
])
def test_faults_are_sentences(model, words, message):
    done = command("pvswgan", *(model if w == "MODEL" else w for w in words))
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
