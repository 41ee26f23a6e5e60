"""What Explore keeps and what it lets go, as a person meets it: another model, another time, a direction forgotten,
every key, the link, a file dropped."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.browser import studio_here
from tests.browser.conftest import write_model
from tests.browser.exploring import close_to, enter, expected, pixels, settle, slider, state

pytestmark = pytest.mark.browser
NEWEST = "run:first@000008000"


def rest(page: Any) -> None:
    settle(page)
    page.wait_for_function("pvs.explore.store.resting")


def test_a_name_is_undone_where_it_was_given(page: Any, studio: str, library: dict[str, Path]) -> None:
    """Names belong to a checkpoint: by the time of the undo another one of the run may be shown."""
    older = "run:first@000004000"

    def names(model: str) -> str:
        found = page.request.get(f"{studio}/api/directions?id={model}").json()["directions"]
        return str(next(one["name"] for one in found if one["id"] == "pca:1"))

    def rename(before: str, after: str) -> None:
        page.get_by_role("button", name=f"Rename {before}").click()
        page.keyboard.type(after)
        page.keyboard.press("Enter")
        slider(page, after).wait_for()

    enter(page, studio, f"?model={older}")
    rename("PCA 2", "first")
    rename("first", "second")
    time_ = page.get_by_label("Training time: which checkpoint")
    time_.press("End")
    rest(page)
    page.wait_for_function(f"pvs.explore.state.model === '{NEWEST}'")
    slider(page, "PCA 2").wait_for()
    with page.expect_response("**/api/directions/name"):
        page.get_by_role("status").get_by_role("button", name="Undo", exact=True).click()
    assert (names(older), names(NEWEST)) == ("first", "None"), "the other checkpoint's direction keeps its own"
    wish = {"model": older, "direction": "pca:1", "name": "", "kept": False}
    assert page.request.post(f"{studio}/api/directions/name", data=wish).ok  # as the others found it


def test_the_rows_of_a_model_that_was_left_are_not_moved(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio, "?model=run:first")
    slider(page, "PCA 1").wait_for()
    held: list[Any] = []
    page.route("**/api/directions?id=asset**", lambda route: held.append(route))
    page.get_by_label("Model", exact=True).select_option("asset:small")
    settle(page)
    rows = page.locator("[data-ref=directions]")
    assert rows.evaluate("(node) => node.inert") is True
    box = rows.locator("input[type=range]").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert state(page)["moves"] == {}, "a slider of the other model's"
    for route in held:
        route.continue_()
    page.wait_for_function("!document.querySelector('[data-ref=directions]').inert")
    slider(page, "PCA 1").fill("2")
    settle(page)
    assert state(page)["moves"] == {"pca:0": 2} and state(page)["of"] is None
    assert close_to(pixels(page), expected(library, page)[0])


def test_keyframes_are_the_same_latents_at_another_time_and_seeds_in_another_model(page: Any, studio: str) -> None:
    enter(page, studio, "?model=run:first")
    slider(page, "PCA 1").fill("2")
    page.locator("[data-ref=clip]").focus()
    page.keyboard.press("k")
    settle(page)
    time = page.get_by_label("Training time: which checkpoint")
    time.focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    (point,) = state(page)["keyframes"]
    assert state(page)["model"] != NEWEST and point["of"] == NEWEST and point["moves"] == {"pca:0": 2}
    page.evaluate("pvs.openTab('explore', { model: 'asset:small', point: { seed: 5 } })")
    page.wait_for_function("pvs.explore.state.model === 'asset:small'")
    settle(page)
    (point,) = state(page)["keyframes"]
    assert state(page)["seed"] == 5 and point["moves"] == {} and point["of"] is None
    page.wait_for_function("document.querySelectorAll('.pe-key[data-drawn=yes]').length === 1")
    assert page.get_by_role("alert").filter(visible=True).count() == 0


def test_a_forgotten_direction_comes_back_and_a_step_taken_back_shows_it(
    page: Any, studio: str, library: dict[str, Path]
) -> None:
    enter(page, studio)
    for seed in (3, 5):
        page.get_by_label("Seed", exact=True).fill(str(seed))
        page.locator("[data-ref=clip]").focus()
        page.keyboard.press("k")
    page.get_by_role("button", name="Slider from first to last").click()
    own = slider(page, "Keyframe 1 to 2")
    own.fill("2")
    rest(page)
    moved = pixels(page)
    page.get_by_role("button", name="Forget Keyframe 1 to 2").click()
    own.wait_for(state="detached")
    settle(page)
    assert state(page)["moves"] == {}
    page.locator("[data-ref=clip]").focus()
    page.keyboard.press("Control+z")
    settle(page)
    assert len(state(page)["moves"]) == 1 and (pixels(page) == moved).all()
    page.get_by_text("“Keyframe 1 to 2” is forgotten.").wait_for()
    page.get_by_role("button", name="Bring it back").click()
    own.wait_for()
    assert own.input_value() == "2" and page.get_by_role("button", name="Bring it back").is_hidden()
    page.get_by_role("button", name="Forget Keyframe 1 to 2").click()  # as the others found it
    own.wait_for(state="detached")


def test_the_link_brings_the_sheet_of_the_direction_that_was_moved(page: Any, studio: str) -> None:
    enter(page, studio)
    slider(page, "PCA 3").fill("1")
    page.locator("#pvs-explore summary", has_text="Sheet").click()
    page.locator("[data-ref=sheetCells]").scroll_into_view_if_needed()
    page.wait_for_selector('[data-section=s][data-drawn="pca:2"]')
    rest(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)
    settle(page)
    page.locator("[data-ref=sheetCells]").scroll_into_view_if_needed()
    page.wait_for_selector('[data-section=s][data-drawn="pca:2"]')
    assert state(page)["moves"] == {"pca:2": 1}


def test_a_finger_reorders_keyframes(page: Any, studio: str) -> None:
    enter(page, studio)
    page.get_by_label("Seed", exact=True).focus()
    for seed in (3, 4, 5):
        page.get_by_label("Seed", exact=True).fill(str(seed))
        settle(page)
        page.locator("[data-ref=clip]").focus()
        page.keyboard.press("k")
    keys = page.locator(".pe-key-go")
    assert keys.count() == 3 and keys.first.evaluate("(node) => getComputedStyle(node).touchAction") == "none"
    keys.nth(2).scroll_into_view_if_needed()
    box = keys.nth(0).bounding_box()
    keys.nth(2).evaluate("""(node, [clientX, clientY]) => node.dispatchEvent(
        new PointerEvent("pointerup", { pointerType: "touch", bubbles: true, clientX, clientY }))""",
                         [box["x"] + 20, box["y"] + 20])
    assert [point["seed"] for point in state(page)["keyframes"]] == [5, 3, 4]


def test_a_checkpoint_that_is_gone_is_told_and_its_run_stays(page: Any, tmp_path: Path) -> None:
    for name, clips in (("a", 1000), ("a", 2000), ("b", 3000)):
        write_model(tmp_path / "runs" / name / "checkpoints" / f"{clips:09d}-network.safetensors", clips=clips)
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        enter(page, url, "?model=run:a@000001000")
        (tmp_path / "runs" / "a" / "checkpoints" / "000001000-network.safetensors").unlink()
        page.get_by_role("button", name="Look for new models").click()
        page.get_by_role("alert").filter(has_text='The checkpoint "run:a@000001000" is gone').wait_for()
        assert state(page)["model"] == "run:a@000002000"
        shutil.rmtree(tmp_path / "runs" / "a")
        page.get_by_role("button", name="Look for new models").click()
        # By the look, or by something that was still being drawn of it.
        page.get_by_role("alert").filter(has_text=re.compile(r"There is no model .run:a@000002000")).wait_for()
        page.wait_for_function("pvs.explore.state.model === 'run:b@000003000'")


def test_every_key_that_the_help_names(page: Any, studio: str) -> None:
    asked: list[Any] = []
    page.on("filechooser", lambda chooser: asked.append(chooser))
    enter(page, studio, "?model=run:first")
    slider(page, "PCA 1").wait_for()
    focused = "document.activeElement.dataset.ref || document.activeElement.id"

    def press(key: str, waits_for: str) -> None:
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(key)
        page.wait_for_function(f"(({focused})) === '{waits_for}'")

    page.keyboard.press("n")
    page.keyboard.press("n")
    page.keyboard.press("b")
    assert state(page)["seed"] == 1
    page.keyboard.press("r")
    page.wait_for_function("pvs.explore.state.seed !== 1")
    for key, place in (("t", "truncation"), ("c", "trained"), ("m", "model"), ("s", "sheetCells"), ("x", "line")):
        press(key, place)
    rows = page.locator(".pe-direction:not([hidden])")  # what another test has kept comes first
    first, last = (rows.nth(place).get_attribute("data-id") for place in (0, 7))
    for key, id in (("1", first), ("8", last)):
        press(key, f"pvs-explore-move-{id.replace(':', '-')}")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert state(page)["moves"] == {last: 0.15}
    page.keyboard.press("Backspace")
    assert state(page)["moves"] == {}
    page.keyboard.press("*")
    page.wait_for_selector(f'[data-id="{last}"] .pe-star[aria-pressed="true"]')
    page.locator(f'[data-id="{last}"] .pe-star').click()
    page.wait_for_selector(f'[data-id="{last}"] .pe-star[aria-pressed="false"]')
    press("8", f"pvs-explore-move-{last.replace(':', '-')}")
    page.keyboard.press("F2")
    page.locator(".pe-rename").wait_for()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    for key in ("k", "n", "k", "w"):
        page.keyboard.press(key)
    page.wait_for_selector("[data-ref=over]:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-ref=over]", state="hidden")
    page.keyboard.press("u")
    until = time.monotonic() + 20
    while not asked and time.monotonic() < until:
        page.wait_for_timeout(50)
    assert asked, "a file is asked for"
    page.keyboard.press("e")
    page.wait_for_function("document.querySelector('[data-ref=exportMenu]').open")


def test_a_file_that_is_dropped_is_sent(page: Any, studio: str) -> None:
    enter(page, studio)
    page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["no clip at all"], "notes.txt"));
      const place = document.querySelector("#pvs-explore [data-ref=screen]");
      for (const kind of ["dragover", "drop"]) {
        place.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
      }
    }""")
    page.get_by_role("alert").filter(visible=True).wait_for()
    assert page.locator("[data-ref=drop]").is_visible(), "another can be dropped"
