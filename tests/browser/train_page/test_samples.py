"""The samples of a training in a real Chromium: snapshots to scrub through, reals beside them, on to Explore."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.train_page import Studio, colours, part, shown, wait_shown

pytestmark = pytest.mark.browser


def test_a_latent_keeps_its_place_and_size_through_the_stages(page: Any, studio: Studio) -> None:
    studio.run(clips=63_500, state="stopped")
    studio.at(page)
    wait_shown(page, 60_000)
    part(page, "play").click()
    last, size = colours(page), part(page, "canvas").bounding_box()
    slider = part(page, "snapshots")
    slider.focus()
    page.keyboard.press("Home")
    wait_shown(page, 500)
    first = colours(page)
    assert part(page, "canvas").bounding_box()["width"] == size["width"]
    assert part(page, "canvas").evaluate(
        "canvas => [canvas.width, getComputedStyle(canvas).imageRendering]"
    ) == [
        16,
        "pixelated",
    ]
    for latent in range(12):
        far = [sum(abs(a - b) for a, b in zip(first[latent], other, strict=True)) for other in last]
        assert min(far) == far[latent], f"latent {latent} has moved"
    page.keyboard.press("ArrowRight")
    wait_shown(page, 4_000)


def test_the_newest_snapshot_is_followed_until_one_scrubs_back(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    part(page, "snapshots").focus()
    page.keyboard.press("ArrowLeft")
    wait_shown(page, 4_000)
    assert part(page, "newest").get_attribute("aria-pressed") == "false"
    while run.clips < 12_000:
        run.tick()
    run.status("running")
    page.wait_for_function("() => document.querySelector('[data-part=snapshots]').max === '3'")
    assert shown(page) == 4_000
    part(page, "newest").click()
    wait_shown(page, 12_000)
    while run.clips < 16_000:
        run.tick()
    run.status("running")
    wait_shown(page, 16_000)


def test_reals_of_the_same_stage_stand_beside(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    real = part(page, "real-canvas")
    page.wait_for_function(
        "() => document.querySelector('[data-part=real-canvas]').width === 32"
    )  # 4 clips of 8 pixels
    assert real.bounding_box()["width"] == part(page, "canvas").bounding_box()["width"]
    page.get_by_label("Real clips beside").uncheck()
    assert not real.is_visible()


def test_explore_opens_the_model_of_the_snapshot_on_the_screen(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    (run.folder / "checkpoints" / "000000500-network.safetensors").unlink()  # not kept
    studio.at(page)
    wait_shown(page, 8_000)
    explore, slider = part(page, "explore"), part(page, "snapshots")
    page.wait_for_function("document.querySelector('[data-part=explore]').title === 'Opens the model of 8 kimg.'")
    slider.focus()
    page.keyboard.press("Home")
    wait_shown(page, 500)
    assert "was not kept: opens the newest, of 8 kimg" in explore.get_attribute("title")
    page.keyboard.press("ArrowRight")
    wait_shown(page, 4_000)
    assert explore.get_attribute("title") == "Opens the model of 4 kimg."
    explore.click()
    page.wait_for_function("pvs.explore.state.model === 'run:faces@000004000'")


def test_reduced_motion_starts_paused(browser: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    context = browser.new_context(reduced_motion="reduce")
    page = studio.at(context.new_page())
    wait_shown(page, 8_000)
    assert part(page, "play").inner_text() == "Play clips"
    before = part(page, "frame-number").inner_text()
    time.sleep(0.5)
    assert part(page, "frame-number").inner_text() == before
    context.close()
