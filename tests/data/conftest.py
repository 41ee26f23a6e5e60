"""A folder for data and a cache of its own for every test here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.files import noise

LENGTHS = (9, 16, 40)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Of LENGTHS frames of 16 pixels."""
    return [noise(length, 16, seed=length) for length in LENGTHS]
