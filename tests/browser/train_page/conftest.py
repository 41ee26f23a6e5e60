"""A studio whose trainings are only pretended, for the tests of the Train page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser import studio_here
from tests.browser.train_page import Studio
from tests.studio.conftest import pretend


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Studio]]:
    pretend(tmp_path / "configs", monkeypatch)
    with ExitStack() as stack:

        def serve(**settings: Any) -> Studio:
            (tmp_path / "runs").mkdir(exist_ok=True)
            url = stack.enter_context(studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets", **settings))
            return Studio(url, tmp_path / "runs")

        yield serve


@pytest.fixture
def studio(serve: Callable[..., Studio]) -> Studio:
    return serve()
