"""The Explore page as a person uses it, in a real Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser import studio_at, studio_here
from tests.browser.conftest import write_model
from tests.browser.exploring import close_to, enter, expected, pixels, settle, slider, state

pytestmark = pytest.mark.browser


def test_the_canvas_shows_the_models_clip(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio)
    wanted = expected(library, page)
    assert wanted.shape == (8, 16, 16, 3)
    for frame in (0, 3, 7):
        page.evaluate("frame => pvs.explore.timeline.seek(frame)", frame)
        assert close_to(pixels(page), wanted[frame])
        assert page.locator("[data-ref=counter]").inner_text() == f"{frame + 1} / 8"


def test_a_slider_moved_by_the_mouse_changes_the_clip_and_the_last_value_wins(
    page: Any, studio: str, library: dict[str, Path]
) -> None:
    enter(page, studio)
    before = pixels(page)
    box = slider(page, "PCA 3").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for step in range(60):  # faster than the server can answer
        page.mouse.move(box["x"] + box["width"] * (0.5 + 0.49 * step / 59), y)
    page.mouse.up()
    settle(page)
    assert state(page)["moves"]["pca:2"] > 2.5
    assert not close_to(before, pixels(page)) and close_to(pixels(page), expected(library, page)[0])


def test_arrow_keys_move_a_slider_and_reset_brings_the_picture_back(page: Any, studio: str) -> None:
    enter(page, studio)
    before = pixels(page)
    first = slider(page, "PCA 1")
    first.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["moves"] == {"pca:0": pytest.approx(1.5)}
    assert first.get_attribute("aria-valuetext") == "+1.50 standard deviations"
    assert (pixels(page) != before).any()
    first.dblclick(position={"x": 5, "y": 12})
    settle(page)
    assert state(page)["moves"] == {} and (pixels(page) == before).all()
    slider(page, "PCA 2").fill("-2")
    page.get_by_role("button", name="Reset all").click()
    settle(page)
    assert state(page)["moves"] == {} and (pixels(page) == before).all()
    assert page.get_by_role("button", name="Reset all").is_disabled()


def test_seed_and_truncation(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio)
    first = pixels(page)
    page.get_by_role("button", name="Next seed").click()
    settle(page)
    assert state(page)["seed"] == 1 and not close_to(pixels(page), first)
    page.get_by_label("Seed", exact=True).fill("123")
    page.get_by_label("Truncation").fill("0.25")
    settle(page)
    assert state(page)["seed"] == 123 and close_to(pixels(page), expected(library, page)[0])
    page.get_by_role("button", name="Random").click()
    settle(page)
    assert state(page)["seed"] != 123
    page.get_by_label("Seed", exact=True).fill("-5")
    page.get_by_label("Seed", exact=True).blur()
    assert page.get_by_label("Seed", exact=True).input_value() == "0"


def test_time_plays_pauses_scrubs_and_stops(page: Any, studio: str) -> None:
    enter(page, studio)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("pvs.explore.timeline.frame > 2")
    page.get_by_role("button", name="Pause").click()
    still = page.evaluate("pvs.explore.timeline.frame")
    page.wait_for_timeout(200)
    assert page.evaluate("pvs.explore.timeline.frame") == still
    page.get_by_label("Frame", exact=True).fill("6")
    assert page.locator("[data-ref=counter]").inner_text() == "7 / 8"
    page.locator("[data-ref=clip]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("pvs.explore.timeline.frame") == 0
    page.get_by_label("Repeat").select_option("once")
    page.get_by_label("Speed in frames a second").fill("30")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("!pvs.explore.timeline.playing")
    assert page.evaluate("pvs.explore.timeline.frame") == 7


def test_a_run_and_its_checkpoints(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio, "?model=run:first")
    assert state(page)["model"] == "run:first@000008000"
    page.locator("[data-ref=sentence]", has_text="Trained on toyfaces: 8 of 20 kimg").wait_for()
    newest = pixels(page)
    page.get_by_label("Checkpoint", exact=True).select_option("run:first@000004000")
    page.wait_for_function("pvs.explore.state.model.endsWith('4000')")
    page.wait_for_function("document.querySelector('[data-ref=sentence]').textContent.includes('4 of 20')")
    settle(page)
    assert not close_to(pixels(page), newest) and close_to(pixels(page), expected(library, page)[0])


@pytest.mark.slow
def test_an_empty_studio_says_what_to_do_and_finds_the_first_model(page: Any, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        page.goto(url)
        page.get_by_role("heading", name="No model yet").wait_for()
        assert page.locator("[data-ref=clip]").is_hidden()
        write_model(tmp_path / "runs" / "new" / "checkpoints" / "000001000-network.safetensors", clips=1000)
        page.get_by_role("button", name="Look again").click()
        settle(page)
        assert state(page)["model"] == "run:new@000001000"
        page.goto(url)  # leaves no request open when the studio goes


@pytest.mark.slow
def test_refresh_offers_a_new_checkpoint_and_keeps_what_is_shown(page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a" / "checkpoints"
    write_model(folder / "000001000-network.safetensors", clips=1000)
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        enter(page, url, "")
        before = pixels(page)
        write_model(folder / "000002000-network.safetensors", seed=9, clips=2000)
        page.get_by_role("button", name="Look for new models").click()
        page.wait_for_function("document.querySelectorAll('[data-ref=checkpoint] option').length === 2")
        assert state(page)["model"] == "run:a@000001000" and (pixels(page) == before).all()
        shutil.rmtree(tmp_path / "runs" / "a")
        page.get_by_label("Seed", exact=True).fill("3")
        page.get_by_role("alert").filter(has_text="There is no model").wait_for()


@pytest.mark.slow
def test_names_are_text_and_a_broken_file_is_a_sentence(page: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)> ${1+1} {{x}}"
    write_model(tmp_path / "runs" / evil / "checkpoints" / "000001000-network.safetensors")
    broken = tmp_path / "assets" / "broken.safetensors"
    broken.parent.mkdir()
    broken.write_bytes(b"no safetensors at all")
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        enter(page, url, "")
        assert evil in page.get_by_label("Model", exact=True).inner_text()
        page.get_by_label("Model", exact=True).select_option(label="broken")
        page.get_by_role("alert").filter(has_text="broken.safetensors").wait_for()
        page.get_by_label("Model", exact=True).select_option(f"run:{evil}")
        settle(page)
        page.get_by_role("alert").wait_for(state="hidden")


def test_reduced_motion_starts_paused(browser: Any, studio: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{studio}/?model=asset:small")
    settle(page)
    page.wait_for_timeout(300)
    assert page.evaluate("pvs.explore.timeline.frame") == 0
    assert page.get_by_role("button", name="Play").is_visible()
    context.close()


def test_several_tabs_each_get_their_own_answer(browser: Any, studio: str, library: dict[str, Path]) -> None:
    context = browser.new_context()
    pages = [enter(context.new_page(), studio, f"?model={m}") for m in ("asset:small", "run:first") * 2]
    for i, page in enumerate(pages):
        slider(page, f"PCA {i + 1}").wait_for()
    for step in range(10):
        for i, page in enumerate(pages):
            page.evaluate(
                "([value, i]) => { const s = document.getElementById('pvs-explore-move-pca-' + i);"
                "s.value = value; s.dispatchEvent(new Event('input', {bubbles: true})); }",
                [step / 4, i],
            )
    for i, page in enumerate(pages):
        settle(page)
        assert state(page)["moves"] == {f"pca:{i}": pytest.approx(2.25)}
        assert close_to(pixels(page), expected(library, page)[0])
    context.close()


@pytest.mark.slow
def test_a_studio_that_is_gone_is_said_and_scrubbing_goes_on(page: Any, library: dict[str, Path]) -> None:
    with studio_at(**library) as url:
        enter(page, url)
        slider(page, "PCA 1").wait_for()
    slider(page, "PCA 1").fill("1")
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()
    page.get_by_label("Frame", exact=True).fill("4")
    assert page.locator("[data-ref=counter]").inner_text() == "5 / 8"


@pytest.mark.slow
def test_with_a_login_the_page_opens_after_it(page: Any, library: dict[str, Path]) -> None:
    with studio_here(**library, auth=("anna", "secret")) as url:
        page.goto(url)
        page.get_by_label("username").fill("anna")
        page.get_by_label("password").fill("secret")
        page.get_by_role("button", name="Login").click()
        settle(page)
        assert state(page)["model"] == "run:first@000008000"
        page.context.clear_cookies()
        slider(page, "PCA 1").fill("1")
        page.get_by_role("alert").filter(has_text="logged out").wait_for()
