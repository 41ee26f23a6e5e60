"""The pictures of README, made anew from what assets/ ships: python -m tests.browser.pictures [--out docs/images]"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pvswgan.checkpoint import ASSETS
from pvswgan.data.sources import open_store
from tests.browser import chromium, studio_at
from tests.browser.exploring import enter
from tests.browser.learn_page import open_lesson
from tests.browser.test_latents import ready
from tests.browser.train_page import wait_shown
from train.run import RunFolder

NAMES = ("toyfaces-swgan", "toyfaces-wgan-gp")
MODEL = f"asset:{NAMES[0]}"
# On Explore: the directions that are in sight say what they do, and show it.
MEASURED = """[...document.querySelectorAll('.pe-direction')]
  .filter((row) => row.checkVisibility() && row.getBoundingClientRect().top < innerHeight)
  .every((row) => row.querySelector('.pe-badge')?.dataset.label
    && row.querySelector('.pe-effect button').style.backgroundImage)"""


def train(page: Any, url: str) -> None:
    """A training that is done: ruler, samples beside reals."""
    page.goto(f"{url}/?tab=train")
    page.wait_for_function("document.querySelectorAll('.pt-run').length === 2", timeout=60000)
    page.evaluate("(run) => pvs.openTab('train', { run })", NAMES[0])
    page.locator(f'.pt-run[data-run="{NAMES[0]}"][aria-current]').wait_for()
    wait_shown(page, RunFolder(ASSETS / NAMES[0]).status()["clips"])
    page.wait_for_timeout(2000)  # the latent at every stage


def explore(page: Any, url: str) -> None:
    """A clip, and sliders along the principal directions with what each does."""
    enter(page, url, f"?model={MODEL}")
    page.get_by_label("Seed", exact=True).fill("7")
    page.keyboard.press("Enter")
    page.wait_for_function(MEASURED, timeout=60000)
    page.evaluate("pvs.explore.timeline.seek(8)")


def latents(page: Any, url: str) -> None:
    """Points of the first layer's activations, and the clip of one."""
    page.goto(f"{url}/?tab=latents")
    ready(page, "layer:0", "motion")


def data(page: Any, url: str) -> None:
    """A wall of drawn clips, and one of them at every stage."""
    open_store("toyfaces", None, 32, frames=16, clips=2000)
    page.goto(f"{url}/?tab=data")
    page.wait_for_selector("#pvs-data .pd-pyramid[data-clip='0']", timeout=60000)
    page.wait_for_timeout(2000)  # the wall


def learn(page: Any, url: str) -> None:
    """The critic and its leash."""
    open_lesson(page, url, "critic", {"leash": "gp", "steps": 300})
    page.wait_for_function("pvs.learnCritic.path.length >= 300", timeout=60000)


PICTURES: dict[str, tuple[Callable[[Any, str], None], int]] = {
    "studio": (train, 1180), "explore": (explore, 1000), "latents": (latents, 1300), "data": (data, 1290),
    "learn": (learn, 1000)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", choices=PICTURES, action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        os.environ["PVSWGAN_CACHE"] = f"{runs}/.cache"
        for name in NAMES:
            shutil.copytree(ASSETS / name, Path(runs) / name)
        with studio_at(runs=Path(runs), assets=ASSETS) as url, chromium() as browser:
            for name in options.only or PICTURES:
                show, high = PICTURES[name]
                page = browser.new_page(viewport={"width": 1400, "height": high})
                show(page, url)
                page.screenshot(path=options.out / f"{name}.png")
                page.close()
                print(options.out / f"{name}.png")


if __name__ == "__main__":
    main()
