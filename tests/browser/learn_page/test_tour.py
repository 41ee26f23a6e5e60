"""The latent tour as a student takes it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pvswgan
from pvswgan.checkpoint import ASSETS
from pvswgan.directions import pca
from pvswgan.latents import sample_latents
from pvswgan.video import to_uint8
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_tour"
SHIPPED = json.loads((ASSETS / "toyfaces-swgan" / "directions.json").read_text())


def shown(page: Any, seed: int, moves: dict[str, float]) -> None:
    wanted = json.dumps(["asset:toyfaces-swgan", seed, moves], separators=(",", ":"))
    page.wait_for_function(f"document.querySelector('{LESSON} canvas').dataset.shown === {json.dumps(wanted)}",
                           timeout=30000)


def test_the_slider_moves_the_clip_along_the_direction(page: Any, url: str) -> None:
    open_lesson(page, url, "tour", {"seed": 4})
    shown(page, 4, {})
    page.locator(LESSON).get_by_role("button", name="Pause").click()
    paused = page.evaluate("pvs.learnTour.timeline.frame")
    first = next(iter(SHIPPED))
    slider = page.locator(LESSON).get_by_label("Along the direction")
    slider.fill("2")
    shown(page, 4, {first: 2})
    page.evaluate("pvs.learnTour.timeline.seek(3)")
    model = pvswgan.load("toyfaces-swgan")
    vector = pca(model.generator, 12).vectors[int(first.partition(":")[2])]
    z = sample_latents(1, model.latent_dim, 4)
    at, before = (to_uint8(model.generate(z + step * vector))[0, 3].astype(float) for step in (2, 0))
    seen = pixels(page, f"{LESSON} canvas").astype(float)
    assert np.abs(seen - at).mean() < 8 < np.abs(seen - before).mean()  # JPEG
    slider.focus()
    page.keyboard.press("ArrowRight")
    shown(page, 4, {first: 2.05})
    wait_for_link(page, {"seed": 4, "step": 2.05, "frame": paused})


def test_what_was_measured_is_told_after_the_guess(page: Any, url: str) -> None:
    at, stop = next((i, one) for i, one in enumerate(SHIPPED.values()) if any(f["along"] for f in one["factors"]))
    open_lesson(page, url, "tour", {"stop": at})
    names = page.locator(f"{LESSON} .pn-tour-stop")
    names.first.wait_for()
    assert names.count() == len(SHIPPED) and names.first.inner_text() == "Direction 1"
    assert not page.locator(f"{LESSON} [data-ref=told]").is_visible()
    page.locator(LESSON).get_by_role("button", name="Show what was measured").click()
    assert names.nth(at).inner_text() == stop["name"]
    rows = page.locator(f"{LESSON} .pn-tour-factor")
    assert [row.get_attribute("data-factor") for row in rows.all()] == [f["label"] for f in stop["factors"]]
    place, factor = next((i, f) for i, f in enumerate(stop["factors"]) if f["along"])
    page.locator(LESSON).get_by_label("Along the direction").fill("3")
    said = rows.nth(place).locator("output").inner_text()
    assert float(said.removesuffix(" σ").replace("−", "-")) == pytest.approx(factor["along"][-1], abs=0.006)

    names.nth(at).focus()
    page.keyboard.press("ArrowDown")
    wait_for_link(page, {"told": True, "stop": at + 1})  # another direction begins at the seed's own latent


def test_a_name_of_ones_own_is_kept_for_explore(page: Any, url: str) -> None:
    open_lesson(page, url, "tour", {"stop": 1, "step": -1.5, "seed": 3})
    second = list(SHIPPED)[1]
    shown(page, 3, {second: -1.5})
    page.locator(LESSON).get_by_label("Your name for it").fill("<b>how old</b>")
    page.locator(LESSON).get_by_role("button", name="Keep the name").click()
    page.locator(LESSON).get_by_text("Kept: Explore has it too.").wait_for()
    assert page.locator(f"{LESSON} .pn-tour-stop").nth(1).inner_text() == "<b>how old</b>"
    page.locator(LESSON).get_by_role("button", name="Take over in Explore").click()
    row = page.locator(f"#pvs-explore [data-id='{second}']")
    row.get_by_text("<b>how old</b>").wait_for()
    assert float(row.locator("input[type=range]").input_value()) == -1.5
    assert page.locator("#pvs-explore").get_by_label("Seed", exact=True).input_value() == "3"
    page.goto("about:blank")
    open_lesson(page, url, "tour", {"stop": 1})
    page.wait_for_function("pvs.learnTour?.stops.length")
    page.locator(LESSON).get_by_label("Your name for it").fill("")
    page.locator(LESSON).get_by_role("button", name="Keep the name").click()
    page.locator(LESSON).get_by_text("Your name is gone.").wait_for()
    assert page.locator(f"{LESSON} .pn-tour-stop").nth(1).inner_text() == "Direction 2"
