"""Thirty browsers at once on lessons 1 to 3, as tests.browser.classroom measures them, for a few seconds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pvswgan.checkpoint import ASSETS
from tests.browser import studio_here
from tests.browser.classroom import Classroom


@pytest.mark.slow
def test_a_classroom_gets_an_answer_to_everything(tmp_path: Path) -> None:
    with studio_here(runs=tmp_path, assets=ASSETS, read_only=True) as url:
        classroom = Classroom(url, browsers=30, seconds=4)
        with ThreadPoolExecutor(1) as apart:  # Playwright's loop may be running in this thread
            apart.submit(asyncio.run, classroom.run()).result()
    assert not classroom.errors, classroom.report()
    assert len(classroom.times["page"]) == 30 and len(classroom.times["script"]) > 30 * 20
    assert {"exact distance", "fade", "real clip", "recorded clips"} <= classroom.times.keys()
