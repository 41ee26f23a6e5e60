"""What the tests of the Train page share: a studio over a folder of runs, and where things are on the page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.studio import fakerun


@dataclass
class Studio:
    """A studio in a thread of this process (so that the tests' stand-ins hold in it) over a runs folder."""

    url: str
    runs: Path

    def run(
        self, name: str = "faces", clips: int = 9_000, state: str = "running", **more: Any
    ) -> fakerun.FakeRun:
        """A run of this very process: it counts as alive, and no trainer takes its requests."""
        return fakerun.make(self.runs / name, clips, state, pid=os.getpid(), **more)

    def at(self, page: Any, run: str = "") -> Any:
        page.goto(f"{self.url}/?tab=train&run={run}")
        page.wait_for_selector("#pvs-train .pt")
        return page


def part(page: Any, name: str) -> Any:
    return page.locator(f'#pvs-train [data-part="{name}"]')


def button(page: Any, name: str) -> Any:
    return page.locator(f'#pvs-train [data-request="{name}"]')


def badge(page: Any, state: str) -> None:
    page.wait_for_selector(f'#pvs-train [data-part="badge"][data-state="{state}"]', timeout=120_000)


def enabled(page: Any) -> set[str]:
    return {name for name in ("pause", "resume", "stop", "snapshot") if button(page, name).is_enabled()}


def shown(page: Any) -> int:
    """Clips of the snapshot on the canvas."""
    return int(part(page, "canvas").get_attribute("data-clips") or -1)


def wait_shown(page: Any, clips: int) -> None:
    page.wait_for_selector(f'#pvs-train [data-part="canvas"][data-clips="{clips}"]')


def colours(page: Any, columns: int = 4) -> list[list[float]]:
    """Mean colour of each latent's place on the canvas, as it is on the screen."""
    return page.evaluate(
        """columns => {
            const canvas = document.querySelector('#pvs-train [data-part="canvas"]');
            const context = canvas.getContext("2d"), cell = canvas.width / columns, means = [];
            for (let i = 0; i < 12; i++) {
                const [x, y] = [(i % columns) * cell, Math.floor(i / columns) * cell];
                const {data} = context.getImageData(x, y, cell, cell);
                const sum = [0, 0, 0];
                data.forEach((value, at) => { if (at % 4 < 3) sum[at % 4] += value; });
                means.push(sum.map((value) => value / (data.length / 4)));
            }
            return means;
        }""",
        columns,
    )
