"""Configurations of a few seconds, and a studio over an empty runs folder whose trainer only pretends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pvswgan.studio import data_stores, processes, train_cost, train_form

CONFIGS = {
    "tiny": "# Drawn faces, a few seconds.\ndata: {source: toyfaces}\nseed: 3\ntrain: {batch: 8}\n"
    "growth: {resolution: 16, frames: 8, fade_kimg: 2, stable_kimg: 2, total_kimg: 400}\n",
    "elsewhere": "# Clips that are not here.\ndata: {source: videos, path: /nowhere/clips}\n"
    "growth: {stages: [[4, 4], [8, 8]], fade_kimg: 1, stable_kimg: 1}\nloss: {name: swgan, slope: 5}\n",
}
ESTIMATE = """
import json, math, sys, yaml
growth = yaml.safe_load(sys.stdin)["growth"]
stages = len(growth["stages"] or []) or int(math.log2(growth["resolution"])) - 1
print(json.dumps({"say": "timing"}), flush=True)
print(json.dumps({"device": "cpu", "precision": "float32", "per_clip": [0.25] * stages, "timed": stages - 1,
                  "given_up": []}), flush=True)
print(json.dumps({"memory": [{"plain": 2e9, "checkpointing": 1e9}] * stages, "free": 16e9}), flush=True)
"""
FAKE = (sys.executable, "-m", "tests.studio.fakerun", "--as-trainer")


def pretend(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let the studio of this process find CONFIGS in `folder` and start the pretended trainer."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    patch.setattr(train_form, "CONFIGS", folder)
    patch.setattr(processes, "COMMAND", FAKE)
    patch.setattr(train_cost, "COMMAND", (sys.executable, "-c", ESTIMATE))  # a quarter of a second a clip, 2 GB


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pretend(tmp_path / "configs", monkeypatch)
    return tmp_path / "configs"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stores that is not there yet, and no store elsewhere."""
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data_stores, "_added", {})
    return tmp_path / "cache"
