"""Runs renamed, deleted, cloned, and the queue beside, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from pvswgan.studio import processes
from pvswgan.studio.queue import Queue
from tests.browser.train_page import Studio, badge, part, wait_shown
from tests.studio import fakerun
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser


def test_rename_delete_undo_and_clone(page: Any, studio: Studio) -> None:
    fakerun.make(studio.runs / "faces", 4_000, loss="wgan-gp")
    studio.run("busy", 500)
    studio.at(page, "busy")
    badge(page, "running")
    assert part(page, "rename").is_disabled()
    assert part(page, "delete").get_attribute("title") == "Stop the training first."

    page.locator('.pt-run[data-run="faces"]').click()
    wait_shown(page, 4_000)
    part(page, "rename").click()
    page.keyboard.type("busy")
    page.keyboard.press("Enter")
    part(page, "rename-problem").get_by_text("There is a run busy already").wait_for()
    page.get_by_label("New name").fill("better faces")
    page.keyboard.press("Enter")
    part(page, "rename-problem").get_by_text("cannot be used").wait_for()
    page.get_by_label("New name").fill("better-faces")
    page.keyboard.press("Enter")
    page.locator('.pt-run[data-run="better-faces"][aria-current]').wait_for()
    assert (studio.runs / "better-faces").is_dir() and "run=better-faces" in page.url
    part(page, "undo").click()
    page.locator('.pt-run[data-run="faces"][aria-current]').wait_for()
    assert part(page, "trouble").is_hidden()

    part(page, "clone").click()
    page.wait_for_function("() => /faces/.test(document.querySelector('#pvs-train [data-part=name]').value)")
    page.wait_for_function("() => document.querySelector('#pvs-train [data-part=form]').checkVisibility()")

    page.locator('.pt-run[data-run="faces"]').click()
    part(page, "delete").click()
    page.get_by_role("button", name="Move to the trash").click()
    page.get_by_text("faces is in the trash.").wait_for()
    assert part(page, "title").inner_text() == "busy" and not (studio.runs / "faces").exists()
    page.keyboard.press("Enter")  # Undo has the focus
    page.locator('.pt-run[data-run="faces"][aria-current]').wait_for()
    part(page, "delete").click()
    page.get_by_role("button", name="Move to the trash").click()
    page.get_by_role("button", name="Empty the trash").click()
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_text("The trash is empty").wait_for()
    assert not list((studio.runs / ".studio" / "trash").iterdir())
    assert part(page, "trash-panel").is_hidden()


def test_the_queue_is_ordered_held_and_goes_on(page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "begin", lambda folder, *_: studio.run(folder.name, 500) and folder.name)
    run = studio.run("first", 500)
    queue = Queue(studio.runs)
    for name in ("a", "b", "c"):
        queue.add(name, studio.runs.parent / "configs" / "tiny.yaml", {})
    studio.at(page, "first")
    page.get_by_text("The next one starts when first has ended").wait_for()
    items = part(page, "queue-items").locator("li")

    def shown() -> list[str]:
        return items.evaluate_all("lines => lines.map((line) => line.dataset.queued)")

    page.get_by_role("button", name="Earlier: b").focus()
    page.keyboard.press("Enter")
    until(lambda: shown() == ["b", "a", "c"])
    page.get_by_role("button", name="Take out: a").click()
    page.get_by_text("a was taken out of the queue.").wait_for()
    assert shown() == ["b", "c"]
    part(page, "undo").click()
    until(lambda: shown() == ["b", "a", "c"])

    run.status("finished")
    page.get_by_role("button", name="b", exact=True).click()  # it has begun: its name leads to it
    badge(page, "running")
    assert part(page, "title").inner_text() == "b" and "is being trained" in items.nth(0).inner_text()
    page.get_by_role("button", name="Hold").click()
    page.get_by_text("On hold").wait_for()
    studio.run("b", 1_000, "failed")
    badge(page, "failed")
    until(lambda: shown() == ["a", "c"])
    assert queue.listed()["held"] and not (studio.runs / "a").exists()
