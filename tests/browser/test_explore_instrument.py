"""Explore as an instrument: directions, seeds, keyframes and the walk, the sheet, slices, undo, a clip of one's own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from pvswgan.studio import projections
from pvswgan.studio.models import ClipRequest, Models
from pvswgan.studio.points import Point
from tests.browser import pixels as canvas_pixels
from tests.browser import studio_here
from tests.browser.exploring import close_to, enter, expected, pixels, rendered, request, settle, slider, state

pytestmark = pytest.mark.browser
SHEET = [3, 2.25, 1.5, 0.75, 0, -0.75, -1.5, -2.25, -3]


def rest(page: Any) -> None:
    """Waits until the hand rests: the step is taken down and the address follows."""
    settle(page)
    page.wait_for_function("pvs.explore.store.resting")


def unfold(page: Any, title: str) -> None:
    page.locator("#pvs-explore summary", has_text=title).click()


def clip(library: dict[str, Path], page: Any, **changes: Any) -> np.ndarray:
    """The clip of the page's point with these changes: uint8 (T, H, W, 3)."""
    asked = ClipRequest(**{**request(page).model_dump(), **changes})
    return rendered(Models(library["runs"], library["assets"]), asked)


def test_directions_say_what_they_do_and_can_be_named_kept_and_filtered(page: Any, studio: str) -> None:
    enter(page, studio, "?model=run:first")
    row = page.locator('.pe-direction[data-id="pca:5"]')
    row.scroll_into_view_if_needed()
    row.locator('.pe-badge:not([data-label=""])').wait_for()
    assert row.locator(".pe-badge").inner_text() in ("moves", "looks", "both")
    picture = row.locator(".pe-effect button").nth(4)
    row.locator('.pe-effect button[style*="url"]').first.wait_for()
    picture.click()
    settle(page)
    assert state(page)["moves"] == {"pca:5": 3}
    row.get_by_role("button", name="Rename PCA 6").click()
    page.keyboard.type("wind")
    page.keyboard.press("Enter")
    slider(page, "wind").wait_for()
    assert row.get_by_role("button", name="Rename wind").is_visible() and row.locator(".pe-rename").count() == 0
    row.get_by_role("button", name="Rename wind").click()
    page.keyboard.type("storm")
    page.keyboard.press("Enter")
    note = page.locator("#pvs-explore").get_by_role("status").filter(has_text="“wind” is called “storm” now.")
    where = slider(page, "storm").bounding_box()
    note.get_by_role("button", name="Undo").click()
    slider(page, "wind").wait_for()
    assert note.is_hidden() and slider(page, "wind").bounding_box() == where, "the note moves nothing"
    row.get_by_role("button", name="Keep wind").click()
    page.wait_for_selector('[data-id="pca:5"] .pe-star[aria-pressed="true"]')
    page.get_by_label("Which directions").select_option("kept")
    assert page.locator(".pe-direction:visible").count() == 1
    page.reload()
    slider(page, "wind").wait_for()
    assert page.locator(".pe-direction").first.get_attribute("data-id") == "pca:5", "kept ones come first"
    page.get_by_label("Which directions").select_option("sefa")
    assert slider(page, "SeFa 1").is_visible() and not slider(page, "PCA 1").is_visible()


def test_a_wall_of_seeds_and_the_training_time(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio, "?model=run:first")
    page.keyboard.press("g")
    page.wait_for_selector(".pe-batch[data-drawn]")
    tile = page.get_by_role("button", name="Seed 7", exact=True)
    tile.click()
    settle(page)
    assert state(page)["seed"] == 7 and tile.get_attribute("aria-current") == "true"
    wall = page.locator(".pe-batch canvas").evaluate("c => [c.width, c.height]")
    assert wall == [4 * 8, 3 * 8]
    seen = canvas_pixels(page, "#pvs-explore .pe-batch:first-child canvas")
    page.evaluate("pvs.explore.store.held = true")  # as when the server is busy: what is to be drawn waits
    for value in ("0.3", "1"):
        page.locator("#pvs-explore-truncation").fill(value)
        rest(page)
    with page.expect_response("**/api/rows"):  # of the wall that More adds: what waited before it has had its turn
        page.get_by_role("button", name="More", exact=True).click()
        page.evaluate("pvs.explore.store.held = false")
    page.get_by_role("button", name="Seed 23", exact=True).wait_for()
    page.wait_for_function("document.querySelectorAll('.pe-batch[data-drawn]').length === 2")
    now = canvas_pixels(page, "#pvs-explore .pe-batch:first-child canvas")
    assert np.array_equal(now, seen), "the truncation is 1 again, and the wall shows it"
    slider(page, "PCA 1").fill("2")
    settle(page)
    newest = pixels(page)
    time = page.get_by_label("Training time: which checkpoint")
    time.focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    now = state(page)
    assert now["model"] == "run:first@000004000" and now["seed"] == 7
    models = Models(library["runs"], library["assets"])
    older, newer = models.open(now["model"]), models.open("run:first")
    held = models.latents(older, [Point(seed=7, moves={"pca:0": 2}, of="run:first@000008000")])
    torch.testing.assert_close(held, models.latents(newer, [Point(seed=7, moves={"pca:0": 2})]), msg="the latent stays")
    assert not close_to(pixels(page), newest) and close_to(pixels(page), expected(library, page)[0])
    assert page.get_by_label("Checkpoint", exact=True).input_value() == "run:first@000004000"


def test_keyframes_and_the_walk(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio)
    for seed in (3, 5, 8):
        page.get_by_label("Seed", exact=True).fill(str(seed))
        page.locator("[data-ref=clip]").focus()
        page.keyboard.press("k")
    keys = page.locator(".pe-key-go")
    keys.nth(2).focus()
    page.keyboard.press("Alt+ArrowLeft")
    assert [point["seed"] for point in state(page)["keyframes"]] == [3, 8, 5]
    page.wait_for_function("document.querySelectorAll('.pe-key[data-drawn=yes]').length === 3")
    page.locator(".pe-key").nth(2).drag_to(page.locator(".pe-key").nth(0))
    assert [point["seed"] for point in state(page)["keyframes"]] == [5, 3, 8]
    page.get_by_role("button", name="Remove keyframe 3").click()
    page.get_by_role("button", name="Go to keyframe 2").click()
    settle(page)
    assert state(page)["seed"] == 3

    page.get_by_label("Place on the walk").fill("0.5")
    page.wait_for_selector("[data-ref=over]:visible")
    models = Models(library["runs"], library["assets"])
    opened, keyframes = models.open(state(page)["model"]), [Point(**point) for point in state(page)["keyframes"]]
    halfway = models.draw_all(opened, *models.walk(opened, keyframes, [0.5]), fast=False)[0]
    assert close_to(pixels(page, "over"), halfway[0])
    page.keyboard.press("Tab")
    page.get_by_label("Seconds from a keyframe").fill("0.5")
    page.get_by_role("button", name="Walk", exact=True).click()
    seen = "() => document.querySelector('[data-ref=over]').getContext('2d').getImageData(0, 0, 16, 16).data.join()"
    first = page.evaluate(seen)
    page.wait_for_function(f"first => ({seen})() !== first", arg=first)
    page.get_by_role("button", name="Stop the walk").click()
    page.wait_for_selector("[data-ref=over]", state="hidden")
    assert close_to(pixels(page), expected(library, page)[0]), "the point under the walk is as it was"
    page.get_by_role("button", name="Slider from first to last").click()
    own = slider(page, "Keyframe 1 to 2")
    own.wait_for()
    own.fill("1")
    settle(page)
    assert close_to(pixels(page), expected(library, page)[0])
    page.get_by_role("button", name="Forget Keyframe 1 to 2").click()
    own.wait_for(state="detached")
    settle(page)
    assert state(page)["moves"] == {}


def test_the_sheet_scrubs_step_and_time_and_slices_show_a_row(
    page: Any, studio: str, library: dict[str, Path]
) -> None:
    enter(page, studio)
    unfold(page, "Sheet")
    page.locator("[data-ref=sheetCells]").scroll_into_view_if_needed()
    page.wait_for_selector('[data-section=s][data-drawn="pca:0"]')
    box = page.locator("[data-ref=sheetCells]").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 5.5 / 8, box["y"] + box["height"] * 1.5 / 9)
    page.wait_for_selector("[data-ref=over]:visible")
    wanted = clip(library, page, moves={"pca:0": SHEET[1]})
    assert close_to(pixels(page, "over"), wanted[5]) and page.evaluate("pvs.explore.timeline.frame") == 5
    assert slider(page, "PCA 1").input_value() == "2.25" and state(page)["moves"] == {}
    page.mouse.move(box["x"] - 60, box["y"])
    page.wait_for_selector("[data-ref=over]", state="hidden")
    assert slider(page, "PCA 1").input_value() == "0"
    page.locator("[data-ref=sheetCells]").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    settle(page)
    assert state(page)["moves"] == {"pca:0": -1.5} and page.evaluate("pvs.explore.timeline.frame") == 4

    unfold(page, "Slices")
    line = page.get_by_role("slider", name="Pixel row of the slice")
    line.focus()
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert line.get_attribute("aria-valuenow") == "6"
    assert close_to(pixels(page, "slice"), expected(library, page)[:, 5])
    screen = page.locator("[data-ref=screen]").bounding_box()
    grip = line.bounding_box()
    page.mouse.move(grip["x"] + 50, grip["y"] + 12)
    page.mouse.down()
    page.mouse.move(grip["x"] + 50, screen["y"] + screen["height"] * 0.9)
    page.mouse.up()
    assert line.get_attribute("aria-valuenow") == "15"
    assert close_to(pixels(page, "slice"), expected(library, page)[:, 14])


def test_undo_takes_back_a_gesture_and_the_link_brings_all_of_it_again(
    page: Any, studio: str, library: dict[str, Path]
) -> None:
    enter(page, studio)
    rest(page)
    before = pixels(page)
    box = slider(page, "PCA 2").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 12, steps=20)
    page.mouse.up()
    page.locator("[data-ref=clip]").focus()
    page.keyboard.press("n")
    settle(page)
    assert state(page)["seed"] == 1 and state(page)["moves"]["pca:1"] > 2
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    settle(page)
    assert state(page)["moves"] == {} and state(page)["seed"] == 0 and (pixels(page) == before).all()
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Control+Shift+Z")
    settle(page)
    assert state(page)["seed"] == 1 and state(page)["moves"]["pca:1"] > 2
    steps = page.locator(".pe-step")
    assert steps.count() == 3
    rest(page)
    steps.first.click()
    settle(page)
    assert (pixels(page) == before).all()
    thumbs = steps.locator("canvas").evaluate_all("all => all.map((c) => c.toDataURL())")
    assert len(set(thumbs)) == 3, "each step has its own picture"
    page.get_by_role("button", name="Redo").click()
    page.get_by_label("Truncation").fill("0.6")
    page.locator("[data-ref=clip]").focus()
    for key in ("k", "ArrowRight", "ArrowRight", "x"):
        page.keyboard.press(key)
    rendering = "getComputedStyle(document.querySelector('[data-ref=clip]')).imageRendering"
    assert page.evaluate(rendering) == "pixelated"
    page.locator("[data-ref=pixels]").select_option("smooth")
    assert page.evaluate(rendering) == "auto"
    rest(page)
    was, frame, address = state(page), pixels(page), page.url
    assert "model=asset:small" in address and len(address) < 200
    page.goto("about:blank")
    page.goto(address)
    settle(page)
    assert state(page) == was and page.evaluate("pvs.explore.timeline.frame") == 2
    assert (pixels(page) == frame).all()
    assert page.locator("[data-ref=line]").is_visible() and page.locator("[data-ref=pixels]").input_value() == "smooth"
    page.goto(f"{studio}/?tab=explore&model=run:gone&e=12*p0.yq*qq_fnone")
    told = page.get_by_role("alert")
    told.filter(has_text='There is no model "run:gone"').filter(has_text="could not be read").wait_for()
    assert state(page)["seed"] == 12 and state(page)["moves"] == {}
    page.goto(f"{studio}/?tab=explore&model=asset:small&e=13*oabcd.yq")
    told.filter(has_text="The seed alone is shown").wait_for()
    page.evaluate("pvs.explore.timeline.pause(); pvs.explore.timeline.seek(0)")
    assert state(page)["seed"] == 13 and close_to(pixels(page), expected(library, page)[0])


def test_a_clip_of_ones_own_is_fitted_and_shown_beside_the_models(
    page: Any, library: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "STEPS", 100_000)  # until it is stopped
    with studio_here(**library) as url:
        enter(page, url)
        unfold(page, "Your clip")
        strip = io.BytesIO()
        Image.fromarray(np.concatenate(list(clip(library, page, seed=4)), axis=1)).save(strip, "png")
        mine = {"name": "mine.png", "mimeType": "image/png", "buffer": strip.getvalue()}
        page.locator("[data-ref=file]").set_input_files(mine)
        page.wait_for_function("document.querySelector('[data-ref=fitBar]').value > 0")
        page.get_by_role("button", name="Stop", exact=True).click()  # what is found by now will do
        page.wait_for_selector("[data-ref=pair][data-latent]")
        settle(page)
        assert state(page)["latent"] and page.get_by_role("button", name="Back to the seed").is_visible()
        target, models = pixels(page, "target"), pixels(page, "fitted")
        assert target.shape == models.shape and (pixels(page) == models).all()
        page.get_by_role("button", name="Undo").click()
        settle(page)
        assert state(page)["latent"] is None


def test_a_fit_is_found_again_when_the_page_is_loaded_anew(
    page: Any, library: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "STEPS", 100_000)
    strip = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 128, 3), np.uint8)).save(strip, "png")
    mine = {"name": "mine.png", "mimeType": "image/png", "buffer": strip.getvalue()}
    fitting = "document.querySelector('[data-ref=fitBar]')?.value > 0"
    stop = page.get_by_role("button", name="Stop", exact=True)
    kept = "sessionStorage.getItem('pvs-explore-fit')"
    with studio_here(**library) as url:
        enter(page, url)
        unfold(page, "Your clip")
        page.locator("[data-ref=file]").set_input_files(mine)
        page.wait_for_function(fitting)
        page.goto("about:blank")
        enter(page, url, "?model=run:first")  # of another model than the clip is fitted in
        page.wait_for_function(fitting)
        page.reload()
        page.wait_for_function(fitting)
        assert "Fitting: step " in page.locator("[data-ref=fitText]").inner_text() and stop.is_enabled()
        job = page.evaluate(f"JSON.parse({kept}).id")
        assert httpx.get(f"{url}/api/project/{job}").json()["state"] == "running"
        stop.click()
        page.wait_for_selector("[data-ref=pair][data-latent]")
        assert pixels(page, "target").shape == (16, 16, 3) and state(page)["latent"] is None
        page.get_by_role("button", name="Go to its latent").click()
        settle(page)
        assert state(page)["model"] == "asset:small" and state(page)["latent"] and page.evaluate(kept) is None
        page.locator("[data-ref=file]").set_input_files(mine)
        page.wait_for_function(fitting)
        job = page.evaluate(f"JSON.parse({kept}).id")
        page.goto("about:blank")
        httpx.post(f"{url}/api/project/{job}/stop").raise_for_status()
        while httpx.get(f"{url}/api/project/{job}").json()["state"] == "running":
            page.wait_for_timeout(50)
        enter(page, url)  # it has ended meanwhile
        page.wait_for_selector("[data-ref=pair][data-latent]")
        settle(page)
        assert state(page)["latent"] and (pixels(page) == pixels(page, "fitted")).all()
        page.evaluate("sessionStorage.setItem('pvs-explore-fit', '{\"id\": \"0000\", \"model\": \"asset:small\"}')")
        page.reload()
        page.get_by_role("alert").filter(has_text="This fit is not known here any more").wait_for()
        assert page.locator("[data-ref=fit]").is_hidden() and page.evaluate(kept) is None


def test_help_and_a_narrow_screen_reach_everything(browser: Any, studio: str) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900})
    page = context.new_page()
    enter(page, studio)
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_text("undo, redo").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    for section in "wksxc":
        page.evaluate("name => pvs.explore.unfold(name)", section)
    for width in (420, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        right = page.evaluate(
            "Math.max(...[...document.querySelectorAll('#pvs-explore *')].map((e) => e.getBoundingClientRect().right))"
        )
        assert right <= width
    page.set_viewport_size({"width": 420, "height": 900})
    # Gradio has put the last tabs into a menu; a page can be sent there all the same, and back.
    page.evaluate("pvs.openTab('data')")
    page.wait_for_selector("#pvs-data", state="visible")
    assert "tab=data" in page.url
    sent = {"model": "run:first", "point": {"seed": 9, "moves": {"pca:2": 1}}, "direction": "pca:2"}
    page.evaluate("sent => pvs.openTab('explore', sent)", sent)
    page.wait_for_selector("#pvs-explore", state="visible")
    page.wait_for_function("document.activeElement.id === 'pvs-explore-move-pca-2'")
    settle(page)
    assert state(page)["model"] == "run:first@000008000" and state(page)["seed"] == 9
    assert page.locator(".pe-direction").first.get_attribute("data-id") == "pca:2"
    context.close()
