"""The form of a new training in a real Chromium: from the start to a resume, wrong settings, a read-only studio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.train_page import Studio, badge, button, enabled, part
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_a_training_from_start_to_resume(page: Any, studio: Studio) -> None:
    studio.at(page)
    part(page, "no-runs").get_by_text("No run yet").wait_for()
    page.locator('input[value="tiny"]').check()
    page.get_by_label("Name of the run").fill("mine")
    page.locator("#pt-field-seed").fill("5")
    page.get_by_role("button", name="Start training").click()
    badge(page, "running")
    assert part(page, "title").inner_text() == "mine"
    assert page.locator('.pt-run[data-run="mine"]').get_attribute("aria-current") == "true"
    assert "seed: 5" in (studio.runs / "mine" / "config.yaml").read_text()
    page.wait_for_function(
        "() => Number(document.querySelector('#pvs-train [data-part=curves]').dataset.points) > 3"
    )
    page.wait_for_selector('#pvs-train [data-part="canvas"][data-clips]')
    assert "of 3" in part(page, "ruler").locator("svg").get_attribute("aria-label")

    button(page, "pause").click()
    badge(page, "paused")
    assert enabled(page) == {"resume", "stop", "snapshot"}
    # Not by the number of files: one taken at these clips before is replaced.
    log = studio.runs / "mine" / "log.txt"
    before = log.read_text().count("snapshot")
    button(page, "snapshot").click()
    until(lambda: log.read_text().count("snapshot") > before)
    button(page, "resume").click()
    badge(page, "running")
    button(page, "stop").click()
    badge(page, "stopped")
    assert enabled(page) == {"resume"}
    button(page, "resume").click()  # a new process now
    badge(page, "running")
    part(page, "log-panel").locator("summary").click()
    page.wait_for_function(
        "() => document.querySelector('#pvs-train [data-part=log]').textContent.includes('snapshot')"
    )
    button(page, "stop").click()
    badge(page, "stopped")


def test_wrong_settings_are_sentences_and_the_plan_follows(page: Any, studio: Studio) -> None:
    studio.at(page)
    page.locator('input[value="tiny"]').check()
    table = part(page, "plan-table")
    page.wait_for_function(
        "() => document.querySelector('[data-part=plan-table]').textContent.includes('8×16×16')"
    )
    page.get_by_label("Frames", exact=True).select_option("4")
    page.wait_for_function(
        "() => document.querySelector('[data-part=plan-table]').textContent.includes('4×16×16')"
    )
    assert "400 kimg in all" in table.inner_text()

    page.get_by_label("Batch").fill("many")
    problem = page.locator('[data-problem="batch"]')
    problem.get_by_text("many").wait_for()
    start = page.get_by_role("button", name="Start training")
    assert start.is_disabled() and page.get_by_label("Batch").get_attribute("aria-invalid") == "true"
    page.get_by_label("Batch").fill("4")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert problem.inner_text() == ""

    page.get_by_label("Folder of clips").fill("/no/such/folder")
    page.locator('[data-problem="data"]').get_by_text("There is no folder /no/such/folder").wait_for()
    assert start.is_disabled()
    page.get_by_label("The configuration’s own").check()
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    page.get_by_label("Name of the run").fill("../up")
    page.locator('[data-problem="name"]').get_by_text("cannot be used").wait_for()


def test_read_only_watches_but_does_not_touch(page: Any, serve: Callable[..., Studio]) -> None:
    studio = serve(read_only=True)
    studio.run(clips=9_000)
    studio.at(page)
    badge(page, "running")
    assert enabled(page) == set()
    part(page, "new").click()
    page.get_by_text("This studio is read-only").wait_for()
    assert page.get_by_role("button", name="Start training").is_disabled()
