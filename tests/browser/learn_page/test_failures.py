"""The lesson on failures as a student does it: look, read the monitor, guess, and see the cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from pvswgan.checkpoint import ASSETS
from pvswgan.studio.learn_failures import recorded
from pvswgan.video import read, split_sheet
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_failures"
FOLDER = ASSETS / "failures"
AT = "pvs.learnFailures.timeline"


def opened(page: Any, url: str, state: dict[str, Any] | None = None) -> Any:
    open_lesson(page, url, "failures", state)
    page.wait_for_function("window.pvs.learnFailures?.found")
    page.evaluate(f"{AT}.pause(); {AT}.seek(3)")
    return page.locator(LESSON)


def shown(page: Any, canvas: str, key: str) -> None:
    page.wait_for_function(f"""document.querySelector("{LESSON} [data-ref={canvas}]").dataset.shown === "{key}" """)


def test_a_moment_shows_the_clips_and_the_warnings_of_then(page: Any, url: str) -> None:
    lesson = opened(page, url)
    found = recorded(FOLDER / "collapse")
    first = next(place for place, said in enumerate(found.said) if any(a["kind"] == "collapse" for a in said))
    lesson.get_by_role("button", name="First warning of collapse").click()
    shown(page, "clip", f"collapse/sheet?at={first}")
    assert lesson.get_by_label("Moment of the training").input_value() == str(first)
    sample = found.snapshots[first]
    sheet, _ = read(sample.path)
    clips = split_sheet(sheet[0], sample.frames)
    frame = 3 * sample.frames // 8
    wall = np.concatenate([np.concatenate(list(clips[row:row + 4, frame]), 1) for row in (0, 4, 8)])
    assert np.array_equal(pixels(page, f"{LESSON} [data-ref=clip]"), wall)
    boxes = lesson.locator(".pvs-alert")
    assert [box.get_attribute("data-alert") for box in boxes.all()] == [a["kind"] for a in found.said[first]]
    for (name, value) in found.said[first][0]["numbers"]:
        assert name in boxes.first.inner_text() and value in boxes.first.inner_text()

    lesson.get_by_label("Moment of the training").fill("0")
    shown(page, "clip", "collapse/sheet?at=0")
    shown(page, "real", "collapse/sheet?at=0&real=true")
    assert pixels(page, f"{LESSON} [data-ref=real]").shape == (3 * 4, 4 * 4, 3), "as small as what they stand beside"
    assert boxes.count() == 0 and "Nothing alarming" in lesson.inner_text()
    wait_for_link(page, {"at": 0})


def test_a_wrong_guess_gets_a_hint_and_the_right_one_the_cause(page: Any, url: str) -> None:
    lesson = opened(page, url, {"case": "flicker"})
    told = lesson.locator("[data-ref=told]")
    assert not told.is_visible()
    lesson.get_by_text("too few clips").click()
    assert lesson.locator("[data-ref=verdict]").inner_text().startswith("No. ") and not told.is_visible()
    lesson.get_by_text("thirty times too low").click()
    assert "Yes" in lesson.locator("[data-ref=verdict]").inner_text() and told.is_visible()
    assert told.locator("table tr").all_inner_texts()[1].split() == ["train.lr", "0.0001", "0.003"]
    last = len(recorded(FOLDER / "healthy").snapshots) - 1
    shown(page, "healthy", f"healthy/sheet?at={last}")
    assert pixels(page, f"{LESSON} [data-ref=healthy]").std() > 20
    lesson.get_by_role("button", name="Penalties").click()
    usual = {"case": "flicker", "guess": "slow", "curves": "losses,distance,gradients,fid,swd"}
    wait_for_link(page, usual)
    page.reload()
    page.wait_for_function("window.pvs?.learnFailures?.found?.healthy")
    for name, pressed in (("Losses", "true"), ("Penalties", "false")):
        expect(lesson.get_by_role("button", name=name)).to_have_attribute("aria-pressed", pressed)

    lesson.get_by_role("radio", name="Case 1").check()
    page.wait_for_function("window.pvs.learnFailures.found?.healthy && pvs.learn.open.state.case === 'collapse'")
    assert not told.is_visible() and lesson.locator("[data-ref=verdict]").inner_text() == ""


def test_the_cause_can_be_shown_and_taken_over(page: Any, url: str) -> None:
    lesson = opened(page, url, {"case": "runaway"})
    lesson.get_by_role("button", name="Show the cause").click()
    assert "loss.gp" in lesson.locator("[data-ref=told] table").inner_text()
    page.wait_for_function(f"""document.querySelector("{LESSON} [data-ref=curves]").dataset.points > 100""")
    lesson.get_by_role("button", name="Take over in Train").click()
    page.wait_for_function("document.querySelector('#pvs-train [data-part=yaml]')?.value.includes('drift: 0')")
    assert page.locator("#pvs-train [data-part=name]").input_value() == "runaway"


def test_without_recordings_it_says_how_they_are_made(page: Any, url: str) -> None:
    page.route("**/api/learn/failures", lambda route: route.fulfill(json={"cases": []}))
    open_lesson(page, url, "failures")
    page.locator(f"{LESSON} [data-ref=missing]").wait_for()
    assert "train.failures" in page.locator(f"{LESSON} [data-ref=missing]").inner_text()
    assert not page.locator(f"{LESSON} [data-ref=body]").is_visible()
