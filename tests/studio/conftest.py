"""Configurations of a few seconds, and a studio over an empty runs folder whose trainer only pretends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pvswgan.studio import data_stores, processes, train_form

CONFIGS = {
    "tiny": "# Drawn faces, a few seconds.\ndata: {source: toyfaces}\nseed: 3\ntrain: {batch: 8}\n"
    "growth: {resolution: 16, frames: 8, fade_kimg: 2, stable_kimg: 2, total_kimg: 400}\n",
    "elsewhere": "# Clips that are not here.\ndata: {source: videos, path: /nowhere/clips}\n"
    "growth: {stages: [[4, 4], [8, 8]], fade_kimg: 1, stable_kimg: 1}\nloss: {name: swgan, slope: 5}\n",
}
FAKE = (sys.executable, "-m", "tests.studio.fakerun", "--as-trainer")


def pretend(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let the studio of this process find CONFIGS in `folder` and start the pretended trainer."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    patch.setattr(train_form, "CONFIGS", folder)
    patch.setattr(processes, "COMMAND", FAKE)


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
