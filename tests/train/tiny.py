"""A training small enough for tests: 12 drawn clips, 8x8 pixels, 4 channels, every phase in a few steps."""

import time
from pathlib import Path

from train.config import Config, dump, parse
from train.loop import Trainer


def config(**changes) -> Config:
    data = {
        "precision": "float32", "device": "cpu",
        "data": {"source": "toyfaces", "clips": 12},
        "growth": {"resolution": 8, "frames": 8, "stages": [[4, 4], [4, 8], [8, 8]],
                   "fade_kimg": [0, 0.016, 0.016], "stable_kimg": [0.016, 0.016, 0.016]},
        "network": {"latent_dim": 8, "fmap_base": 32, "fmap_max": 4},
        "train": {"batch": 4}, "log": {"tick_kimg": 0.008, "snapshot_kimg": 0.02, "keep": 2},
    }
    for section, values in changes.items():
        data[section] = data.get(section, {}) | values if isinstance(values, dict) else values
    return parse(data)


def write(path: Path, settings: Config) -> Path:
    path.write_text("# a tiny training\n" + dump(settings))
    return path


def quiet(*_):
    pass


def train(folder, settings, **kwargs):
    """A whole training in `folder`; returns its trainer."""
    trainer = Trainer(settings, folder, say=quiet, **kwargs)
    trainer.run()
    return trainer


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
