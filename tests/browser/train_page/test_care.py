"""Runs renamed, deleted, cloned, and the queue beside, in a real Chromium."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pvswgan.studio import processes
from pvswgan.studio.queue import Queue
from tests.browser import studio_here
from tests.browser.train_page import Studio, badge, part, wait_shown
from tests.studio import fakerun
from tests.studio.test_processes import until
from train.config import load

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
    part(page, "trash-panel").wait_for(state="hidden")


def test_a_clone_that_is_changed_is_started(page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the new training is given: all that the old one had, and the change; the old one stays as it was."""
    fakerun.make(studio.runs / "faces", 4_000, loss="wgan-gp")
    before = (studio.runs / "faces" / "config.yaml").read_bytes()
    given: list[Any] = []

    def begin(folder: Any, config: Any, overrides: Any) -> str:
        given.append(load(config, [f"{key}={json.dumps(value)}" for key, value in overrides.items()]))
        studio.run(folder.name, 500)
        return folder.name

    monkeypatch.setattr(processes, "begin", begin)
    studio.at(page, "faces")
    wait_shown(page, 4_000)
    part(page, "clone").click()
    page.wait_for_function("() => /faces/.test(document.querySelector('#pvs-train [data-part=name]').value)")
    page.locator("#pt-field-seed").fill("7")
    page.get_by_label("Name of the run").fill("other-faces")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    page.get_by_role("button", name="Start training").click()
    page.locator('.pt-run[data-run="other-faces"][aria-current]').wait_for()
    badge(page, "running")
    old = load(studio.runs / "faces" / "config.yaml")
    assert given == [old.model_copy(update={"seed": 7})] and old.loss.name == "wgan-gp" and old.seed != 7
    assert (studio.runs / "faces" / "config.yaml").read_bytes() == before


def test_an_older_list_throws_nobody_out(page: Any, studio: Studio) -> None:
    fakerun.make(studio.runs / "faces", 4_000)
    studio.at(page, "faces")
    wait_shown(page, 4_000)
    held: list[Any] = []
    page.route("**/api/runs", lambda route: held.append((route, route.fetch())))
    until(lambda: page.wait_for_timeout(50) or bool(held))
    part(page, "rename").click()
    page.get_by_label("New name").fill("renamed")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.search.includes('run=renamed')")
    for route, answer in held:
        route.fulfill(response=answer)
    page.unroute("**/api/runs")
    page.locator('.pt-run[data-run="renamed"][aria-current]').wait_for()
    wait_shown(page, 4_000)
    assert part(page, "title").inner_text() == "renamed" and part(page, "trouble").is_hidden()


def test_a_link_to_a_run_that_is_gone_says_so(page: Any, studio: Studio) -> None:
    fakerun.make(studio.runs / "faces", 4_000)
    studio.at(page, "gone")
    page.get_by_role("alert").filter(has_text='There is no run "gone" here.').wait_for()
    assert part(page, "title").inner_text() == "faces" and "run=faces" in page.url


def test_the_queue_is_in_sight_below_a_long_list(page: Any, studio: Studio) -> None:
    studio.run("first", 500)
    for number in range(12):
        fakerun.make(studio.runs / f"old-{number}", 4_000)
    Queue(studio.runs).add("later", studio.runs.parent / "configs" / "tiny.yaml", {})
    studio.at(page, "first")
    last = part(page, "queue-items").locator("li").last
    last.wait_for()
    assert last.evaluate("(node) => node.getBoundingClientRect().bottom <= innerHeight"), "without scrolling"
    assert page.evaluate("scrollY") == 0


def test_the_queue_outlives_the_studio(page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added in one studio, which ends; another shows it, and starts it when its turn comes."""
    monkeypatch.setattr(processes, "begin", lambda folder, *_: studio.run(folder.name, 500) and folder.name)
    run = studio.run("first", 500)
    with studio_here(runs=studio.runs, assets=studio.runs) as url:
        page.goto(f"{url}/?tab=train&run=first")
        badge(page, "running")
        part(page, "new").click()
        page.locator('input[value="tiny"]').check()
        page.get_by_label("Name of the run").fill("later")
        page.get_by_role("button", name="Add to queue").click()
        page.get_by_text("later waits in the queue.").wait_for()
    with studio_here(runs=studio.runs, assets=studio.runs) as url:
        page.goto(f"{url}/?tab=train&run=first")
        page.get_by_text("The next one starts when first has ended").wait_for()
        assert part(page, "queue-items").locator("li").count() == 1
        assert not (studio.runs / "later").exists()
        run.status("finished")
        page.get_by_role("button", name="later", exact=True).click()
        badge(page, "running")
        assert part(page, "title").inner_text() == "later"


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
