"""The list of lessons and the link to what one shows."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from pvswgan.studio.learn import LESSONS
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
ERROR = "#pvs-learn [role=alert]"


def test_lessons_are_listed_and_one_is_open(page: Any, url: str) -> None:
    page.goto(f"{url}/?tab=learn")
    page.wait_for_function("window.pvs?.learn?.open?.begun", timeout=30000)
    lessons = page.locator("#pvs-learn").get_by_role("tab")
    assert [lesson.inner_text().split("\n")[1] for lesson in lessons.all()] == [one.title for one in LESSONS]
    for place, one in enumerate(LESSONS):
        lessons.nth(place).click()
        page.wait_for_function(f"pvs.learn.open.name === '{one.name}' && pvs.learn.open.begun", timeout=30000)
        shown = [other.name for other in LESSONS if page.locator(f"#pvs-learn_{other.name}").is_visible()]
        assert shown == [one.name]
        assert page.locator(f"#pvs-learn_{one.name} .pn-first").inner_text().startswith("First:")
        assert "Source" in page.locator(f"#pvs-learn_{one.name} .pn-source").inner_text()
    page.keyboard.press("ArrowRight")  # from the last one round to the first
    page.wait_for_function(f"pvs.learn.open.name === '{LESSONS[0].name}'")
    assert page.evaluate("document.activeElement.getAttribute('aria-controls')") == f"pvs-learn_{LESSONS[0].name}"


def test_a_link_restores_a_lesson_and_reset_takes_it_back(page: Any, url: str) -> None:
    open_lesson(page, url, "pair", {"seed": 12, "along": "seconds", "smoothing": 0.5})
    expect(page.locator("#pvs-learn_pair").get_by_label("Seeds from")).to_have_value("12")  # once the models are known
    expect(page.locator("#pvs-learn_pair").get_by_label("Smoothing")).to_have_value("0.5")
    wait_for_link(page, {"seed": 12, "along": "seconds", "smoothing": 0.5})
    page.locator("#pvs-learn").get_by_role("button", name="Reset").click()
    page.wait_for_function("!location.search.includes('seed')")
    assert page.locator("#pvs-learn_pair").get_by_label("Seeds from").input_value() == "0"
    assert page.locator(ERROR).is_hidden()


@pytest.mark.parametrize(("name", "label"), [("growing", "Seed"), ("pair", "Seeds from"), ("tour", "Seed")])
def test_a_seed_is_typed_and_nonsense_leaves_it_as_it_was(page: Any, url: str, name: str, label: str) -> None:
    open_lesson(page, url, name, {"seed": 12})
    seed = page.locator(f"#pvs-learn_{name}").get_by_label(label, exact=True)
    expect(seed).to_have_value("12")
    for typed, becomes in (("34", 34), ("-5", 34), ("1.5", 34), ("", 34), ("1000000", 34)):
        seed.fill(typed)
        seed.press("Tab")
        expect(seed).to_have_value(str(becomes))
        assert page.evaluate("pvs.learn.open.state.seed") == becomes


@pytest.mark.parametrize("name", ["growing", "failures", "pair", "tour"])
def test_a_link_holds_the_frame_at_which_a_clip_was_paused(page: Any, url: str, name: str) -> None:
    open_lesson(page, url, name, {"frame": 3})
    timeline, lesson = f"pvs.learn{name.capitalize()}.timeline", page.locator(f"#pvs-learn_{name}")
    page.wait_for_function(f"!{timeline}.playing && {timeline}.frame === 3")
    lesson.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"{timeline}.playing")
    wait_for_link(page, {})
    lesson.get_by_role("button", name="Pause", exact=True).click()
    wait_for_link(page, {"frame": page.evaluate(f"{timeline}.frame")})
    page.locator("#pvs-learn").get_by_role("button", name="Reset").click()
    page.wait_for_function(f"{timeline}.playing")


@pytest.mark.parametrize("state", ['{"seed": -1}', '{"seed": "<b>"}', '{"nonsense": 1}', "{", "[]", "null",
                                   '{"mode": "upside down"}'])
def test_a_damaged_link_says_so_and_shows_the_rest(page: Any, url: str, state: str) -> None:
    page.goto(f"{url}/?tab=learn&lesson=pair&l={state}")
    page.wait_for_function("window.pvs?.learn?.open?.begun", timeout=30000)
    assert "A part of this link could not be read" in page.locator(ERROR).inner_text()
    assert page.locator("#pvs-learn_pair").get_by_label("Seeds from").input_value() == "0"


def test_a_lesson_that_is_not_there_is_named(page: Any, url: str) -> None:
    page.goto(f"{url}/?tab=learn&lesson=alchemy")
    page.wait_for_function("window.pvs?.learn?.open?.begun", timeout=30000)
    assert "There is no lesson alchemy" in page.locator(ERROR).inner_text()
