"""The form of a new training in a real Chromium: from the start to a resume, wrong settings, a read-only studio."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.train_page import Studio, badge, button, enabled, part
from tests.studio import fakerun
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser
YAML = "document.querySelector('#pvs-train [data-part=yaml]')"


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

    page.get_by_label("Batch", exact=True).fill("many")
    problem = page.locator('[data-problem="train.batch"]')
    problem.get_by_text("many").wait_for()
    start = page.get_by_role("button", name="Start training")
    assert start.is_disabled() and page.get_by_label("Batch", exact=True).get_attribute("aria-invalid") == "true"
    page.get_by_label("Batch", exact=True).fill("4")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert problem.inner_text() == ""

    page.get_by_label("Folder of clips").fill("/no/such/folder")
    page.locator('.pt-data [data-problem="data.path"]').get_by_text("There is no folder /no/such/folder").wait_for()
    assert start.is_disabled()
    page.get_by_label("The configuration’s own").check()
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    page.get_by_label("Name of the run").fill("../up")
    page.locator('[data-problem="name"]').get_by_text("cannot be used").wait_for()


def test_a_start_under_way_is_the_only_one(page: Any, studio: Studio) -> None:
    """The plan's answer that comes meanwhile does not let another one begin."""
    studio.at(page)
    page.locator('input[value="tiny"]').check()
    start = page.get_by_role("button", name="Start training")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    begun: list[Any] = []
    page.route("**/api/train/start", lambda route: begun.append(route))
    page.get_by_label("Name of the run").fill("mine")
    with page.expect_response("**/api/train/plan"):
        page.keyboard.press("Enter")
    until(lambda: page.wait_for_timeout(50) or begun)
    assert start.is_disabled() and len(begun) == 1
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert len(begun) == 1
    begun[0].continue_()
    badge(page, "running")
    assert [path.name for path in studio.runs.iterdir() if not path.name.startswith(".")] == ["mine"]
    button(page, "stop").click()
    badge(page, "stopped")


def test_a_form_goes_on_when_the_studio_answers_again(page: Any, studio: Studio) -> None:
    studio.at(page)
    page.locator('input[value="tiny"]').check()
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    page.route("**/api/train/plan", lambda route: route.abort())
    page.locator("#pt-field-seed").fill("5")
    page.get_by_text("The studio does not answer. Is it still running?").first.wait_for()
    page.unroute("**/api/train/plan")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert "seed: 5" in page.get_by_label("Configuration as YAML").input_value()


def test_fields_and_yaml_are_in_step(page: Any, studio: Studio) -> None:
    studio.at(page)
    page.locator('input[value="tiny"]').check()
    text = page.get_by_label("Configuration as YAML")
    page.wait_for_function(f"() => {YAML}.value.includes('seed: 3')")

    rate = page.get_by_label("Learning rate", exact=True)
    rate.press("End")
    rate.press_sequentially("50")  # after 0.001
    page.wait_for_function(f"() => {YAML}.value.includes('lr: 0.0015')")
    assert text.input_value().startswith("# Drawn faces"), "the comments stay"
    assert rate.input_value() == "0.00150", "not rewritten under the hand"
    page.get_by_label("Find a setting").fill("leftright mirrored")
    page.get_by_text("No setting has that").wait_for()
    page.get_by_label("Find a setting").fill("mirrored half")
    mirror = page.get_by_label("Mirror", exact=True)
    mirror.uncheck()  # in a folded group, which has opened
    page.wait_for_function(f"() => {YAML}.value.includes('mirror: false')")
    assert page.get_by_label("Batch", exact=True).is_hidden()
    page.get_by_label("Find a setting").fill("")
    assert mirror.is_hidden() and page.locator(".pf-group", has_text="Clips").first.inner_text().endswith("2 changed")

    text.fill(text.input_value().replace("seed: 3", "seed: 44").replace("resolution: 16", "resolution: 32"))
    page.wait_for_function("() => document.getElementById('pt-field-seed').value === '44'")
    assert page.get_by_label("Pixels", exact=True).input_value() == "32"
    page.get_by_label("Seed: back to the default, 0").click()
    page.wait_for_function(f"() => !{YAML}.value.includes('seed')")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"() => {YAML}.value.includes('seed: 44')")
    page.wait_for_function("() => document.getElementById('pt-field-seed').value === '44'")
    page.get_by_label("Loss", exact=True).select_option("wgan-gp")
    page.locator(".pf-group summary", has_text="Loss").click()
    page.get_by_label("Drift", exact=True).wait_for()
    assert page.get_by_label("Slope wanted (k)", exact=True).is_hidden()

    good = text.input_value()
    text.fill(good + "train: [")
    page.get_by_role("button", name=f"Line {len((good + 'x').splitlines())}").click()
    assert page.evaluate(f"() => {YAML}.value.slice({YAML}.selectionStart, {YAML}.selectionEnd)") == "train: ["
    assert rate.is_disabled() and part(page, "start").is_disabled()
    page.keyboard.type("# so much for that")  # over what the click has selected
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert rate.input_value() == "0.0015"
    text.fill(good.replace("lr: 0.0015", "lr: 1e-3x"))
    page.locator('[data-problem="train.lr"]').get_by_text("allowed: a number").wait_for()
    text.fill(good.replace("lr: 0.0015", "lr: 2e-3"))
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert rate.input_value() == "2e-3" and page.locator('[data-problem="train.lr"]').inner_text() == ""


def test_time_and_memory_before_the_start_and_the_queue(page: Any, studio: Studio) -> None:
    studio.run("other", 500)  # it runs: nothing is measured beside it unasked
    studio.at(page)
    badge(page, "running")
    part(page, "new").click()
    page.locator('input[value="tiny"]').check()
    page.get_by_text("other is being trained: to measure").wait_for()
    page.get_by_role("button", name="Measure now").click()
    page.get_by_text("At most 2.0 GB of memory; 16.0 GB are free.").wait_for()
    rows = part(page, "plan-table").locator("tr").all_inner_texts()
    assert rows[1].split("\t")[-3:] == ["4", "8 min", "2.0 GB"] and rows[3].split("\t")[-3].startswith("~")
    cells = part(page, "plan-table").locator("td")
    for width in (1400, 1390, 1201, 1101, 1024, 810, 420):  # all figures are there, none beside its box or another
        page.set_viewport_size({"width": width, "height": 900})
        assert cells.count() == 39 and all(cell.is_visible() for cell in cells.all())
        assert page.evaluate("document.querySelector('[data-part=plan-table]').getBoundingClientRect().right") <= width
        assert part(page, "form").locator(".pt-scroll").evaluate("box => box.scrollWidth <= box.clientWidth"), width
        assert cells.evaluate_all("cells => cells.every((cell) => cell.scrollWidth <= cell.clientWidth)"), width
    assert cells.nth(12).evaluate("cell => getComputedStyle(cell, '::before').content") == '"Memory"'
    page.set_viewport_size({"width": 1400, "height": 900})
    page.get_by_label("Total (kimg)", exact=True).fill("14.4")
    page.get_by_text("About 1 h 0 min on cpu with float32").wait_for()

    page.get_by_label("Name of the run").fill("later")
    page.get_by_role("button", name="Add to queue").click()
    page.get_by_text("later waits in the queue.").wait_for()
    (item,) = json.loads((studio.runs / ".studio" / "queue.json").read_text())["items"]
    assert item["name"] == "later" and item["overrides"] == {"growth.total_kimg": 14.4}


def test_read_only_watches_but_does_not_touch(page: Any, serve: Callable[..., Studio]) -> None:
    studio = serve(read_only=True)
    studio.run(clips=9_000)
    fakerun.make(studio.runs / "done", 500)
    studio.at(page, "done")
    badge(page, "stopped")
    assert part(page, "rename").is_disabled() and part(page, "delete").is_disabled()
    page.locator('.pt-run[data-run="faces"]').click()
    badge(page, "running")
    assert enabled(page) == set()
    part(page, "new").click()
    page.get_by_text("This studio is read-only: trainings").wait_for()
    page.wait_for_selector("[data-part=plan-table] td")  # it can be planned
    for name in ("Start training", "Add to queue"):
        assert page.get_by_role("button", name=name).is_disabled()
