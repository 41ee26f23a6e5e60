"""A studio over a cache of stores, for the tests of the Data page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pvswgan.data import ClipStore
from pvswgan.data.pieces import Drop
from pvswgan.studio import data_jobs, data_stores
from tests.browser import studio_here
from tests.studio import stores
from tests.studio.conftest import pretend

LENGTHS = (4, 8, 8, *[12] * 27)  # of 30 clips: two pages


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """The address of a studio with these settings; one for all tests of a file."""
    folder = tmp_path_factory.mktemp("studio")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        pretend(folder / "configs", patch)
        known: dict[str, str] = {}

        def url(**settings: Any) -> str:
            key = repr(settings)
            if key not in known:
                known[key] = stack.enter_context(studio_here(runs=folder / "runs", assets=folder, **settings))
            return known[key]

        yield url


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, and no store elsewhere; no import outlives the test."""
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data_stores, "_added", {})
    yield tmp_path / "cache"
    for child in data_jobs._children.values():
        child.kill()
        child.wait(10)


@pytest.fixture
def many(cache: Path) -> ClipStore:
    skipped = [("short.mp4", "has 3 frames, fewer than 4"), ("<img src=x onerror=alert(1)>.mp4", "has no video stream")]
    return stores.make(cache / "many", LENGTHS, skipped=skipped, drops=[Drop(4, 7, "has 3 frames, fewer than 4")])
