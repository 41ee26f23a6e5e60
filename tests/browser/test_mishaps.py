"""What goes wrong on the way, in a real Chromium: no answer for a while, late answers, files that miss their place."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pvswgan.studio import projections
from tests.browser import studio_here
from tests.browser.conftest import write_model
from tests.browser.exploring import close_to, enter, expected, pixels, settle, slider, state
from tests.studio import fakerun
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser
EXPLORE = "#pvs-explore"
IN_SIGHT = """(node) => {
  const { top, bottom, left, right } = node.getBoundingClientRect();
  const inside = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
  return inside && document.elementFromPoint((left + right) / 2, (top + bottom) / 2) === node;
}"""
DROP = """([node, name, type, text]) => {
  const files = new DataTransfer(), bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  files.items.add(new File([bytes], name, { type }));
  const how = { dataTransfer: files, bubbles: true, cancelable: true };
  const over = (kind) => node.dispatchEvent(new DragEvent(kind, how));
  over("dragover");
  return !over("drop");
}"""


def alert(page: Any, place: str, text: str) -> Any:
    return page.locator(place).get_by_role("alert").filter(has_text=text)


def no_answer(page: Any, address: str) -> None:
    page.route(address, lambda route: route.abort())


def drop(page: Any, selector: str, name: str, kind: str, content: bytes) -> bool:
    """Whether the page took the file: a browser opens in the place of the page what nobody takes."""
    node = page.query_selector(selector)
    return page.evaluate(DROP, [node, name, kind, base64.b64encode(content).decode()])


@pytest.mark.parametrize("again", ["by hand", "by itself"])
def test_a_clip_that_did_not_come_is_asked_for_again(
    page: Any, studio: str, library: dict[str, Path], again: str
) -> None:
    if again == "by hand":  # the page's own look, every five seconds, is not to be taken for it
        page.add_init_script("""const set = window.setInterval;
            window.setInterval = (f, ms, ...more) => set(f, ms === 5000 ? 1e9 : ms, ...more);""")
    enter(page, studio)
    slider(page, "PCA 1").wait_for()
    before = pixels(page)
    no_answer(page, "**/api/render")
    slider(page, "PCA 1").fill("2")
    told = alert(page, EXPLORE, "does not answer")
    told.wait_for()
    assert (pixels(page) == before).all()
    faint = "getComputedStyle(document.querySelector('#pvs-explore [data-ref=screen]')).opacity"
    assert float(page.evaluate(faint)) < 0.5, "it is not what the slider says"
    page.unroute("**/api/render")
    if again == "by hand":
        page.get_by_role("button", name="Look for new models").click()
    told.wait_for(state="hidden")
    settle(page)
    assert state(page)["moves"] == {"pca:0": 2} and close_to(pixels(page), expected(library, page)[0])
    assert not (pixels(page) == before).all() and float(page.evaluate(faint)) == 1


def test_a_model_that_did_not_come_is_asked_for_again_whole(page: Any, studio: str, library: dict[str, Path]) -> None:
    """Not its clip alone: what it was trained on, and its directions."""
    enter(page, studio)
    slider(page, "PCA 1").wait_for()
    for address in ("**/api/render", "**/api/model?*", "**/api/directions?*"):
        no_answer(page, address)
    page.locator("[data-ref=model]").select_option("run:first")
    page.get_by_text("This model could not be opened.").wait_for()
    alert(page, EXPLORE, "does not answer").wait_for()
    for address in ("**/api/directions?*", "**/api/model?*", "**/api/render"):
        page.unroute(address)
    page.locator("[data-ref=sentence]", has_text="Trained on toyfaces: 8 of 20 kimg").wait_for()
    page.wait_for_function("!document.querySelector('[data-ref=directions]').inert")
    slider(page, "PCA 1").fill("2")
    settle(page)
    assert close_to(pixels(page), expected(library, page)[page.evaluate("pvs.explore.timeline.frame")])


def test_a_sentence_is_in_sight_moves_nothing_and_goes_when_it_was_read(page: Any, studio: str) -> None:
    enter(page, studio)
    page.set_viewport_size({"width": 1400, "height": 500})
    page.locator("summary", has_text="Your clip").click()
    page.locator("[data-ref=drop]").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 0
    where = page.locator("[data-ref=drop]").bounding_box()
    page.locator("[data-ref=file]").set_input_files(
        {"name": "no.txt", "mimeType": "text/plain", "buffer": b"no clip"}
    )
    told = page.locator(EXPLORE).get_by_role("alert")
    told.wait_for()
    assert told.evaluate(IN_SIGHT) and page.locator("[data-ref=drop]").bounding_box() == where
    told.click()
    assert told.is_hidden()


@pytest.mark.parametrize("place", [f"{EXPLORE} [data-ref=sentence]", "body"])
def test_a_file_that_falls_beside_its_place(page: Any, library: dict[str, Path], place: str,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Anywhere on Explore it is a clip to be fitted; elsewhere it is nobody's, and the studio stays."""
    monkeypatch.setattr(projections, "STEPS", 100_000)  # until it is stopped
    with studio_here(**library) as url:
        enter(page, url)
        strip = io.BytesIO()
        Image.fromarray(np.concatenate(list(expected(library, page)), axis=1)).save(strip, "png")
        assert drop(page, place, "mine.png", "image/png", strip.getvalue())
        if place == "body":
            assert page.locator("[data-ref=fitBar]").is_hidden()
            return
        page.wait_for_function("document.querySelector('[data-ref=fitBar]').value > 0")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.wait_for_selector("[data-ref=pair][data-latent]")


def test_a_read_only_studio_offers_nothing_that_would_be_refused(page: Any, library: dict[str, Path]) -> None:
    with studio_here(**library, read_only=True) as url:
        enter(page, url)
        refused: list[str] = []
        page.on("response", lambda answer: refused.extend([answer.url] * (answer.status >= 400)))
        page.get_by_role("button", name="Rename PCA 1").click()
        assert page.locator(".pe-rename").count() == 0
        assert page.locator(".pe-star:visible").count() == 0
        page.keyboard.press("u")
        page.get_by_text("This studio is read-only: no clips are fitted here.").wait_for()
        assert page.locator("[data-ref=drop]").is_hidden()
        assert drop(page, f"{EXPLORE} [data-ref=sentence]", "mine.png", "image/png", b"png")
        page.locator("summary", has_text="Keyframes").click()
        page.get_by_role("button", name="Add this point").wait_for()
        assert page.get_by_role("button", name="Slider from first to last").count() == 0
        slider(page, "PCA 1").fill("1")
        settle(page)
        assert not refused and page.locator(EXPLORE).get_by_role("alert").count() == 0
        page.goto("about:blank")


def test_an_older_sheet_is_not_laid_over_the_clip(page: Any, studio: str, library: dict[str, Path]) -> None:
    enter(page, studio)
    page.locator("summary", has_text="Sheet").first.click()
    cells = page.locator("[data-ref=sheetCells]")
    cells.scroll_into_view_if_needed()
    page.wait_for_selector('[data-section=s][data-drawn="pca:0"]')
    box = cells.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.wait_for_selector("[data-ref=over]:visible")
    waiting: list[Any] = []
    page.route("**/api/rows", lambda route: waiting.append(route))
    page.keyboard.press("n")  # another seed, under the mouse
    settle(page)
    assert page.locator("[data-ref=over]").is_hidden()
    for step in range(6):
        page.mouse.move(box["x"] + box["width"] / 2 + 9 * step, box["y"] + 9)
    page.wait_for_timeout(100)
    assert page.locator("[data-ref=over]").is_hidden()
    assert close_to(pixels(page), expected(library, page)[page.evaluate("pvs.explore.timeline.frame")])
    page.wait_for_function("document.querySelector('[data-ref=sheet]').classList.contains('pvs-stale')")
    until(lambda: page.wait_for_timeout(50) or bool(waiting))
    waiting[-1].continue_()
    page.wait_for_function("!document.querySelector('[data-ref=sheet]').classList.contains('pvs-stale')")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.wait_for_selector("[data-ref=over]:visible")


def test_compare_asks_again_and_shows_no_older_clip_as_a_new_one(page: Any, studio: str) -> None:
    page.goto(f"{studio}/?tab=compare&c=run:first@000004000&c=asset:small&s=0,1,1")
    for number in (1, 2):
        page.wait_for_selector(f"#pvs-compare .pc-column:nth-child({number}) canvas[data-shown]")
    no_answer(page, "**/api/rows")
    move = "(node) => { node.value = 1; node.dispatchEvent(new Event('input')); }"
    page.get_by_label("Checkpoint of first").evaluate(move)
    told = alert(page, "#pvs-compare", "does not answer")
    told.wait_for()
    page.wait_for_function("document.querySelectorAll('#pvs-compare .pc-column canvas.pvs-stale').length === 2")
    page.unroute("**/api/rows")
    told.wait_for(state="hidden")  # it looks every five seconds
    page.wait_for_selector('#pvs-compare .pc-column canvas[data-shown="run:first@000008000"]')
    assert page.locator("#pvs-compare .pc-column canvas.pvs-stale").count() == 0


def test_compare_looked_at_again_after_its_checkpoint_was_cleared_away(page: Any, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / "one", 4_500)
    checkpoints = tmp_path / "runs" / "one" / "checkpoints"
    for path in checkpoints.iterdir():
        path.unlink()
    write_model(checkpoints / "000002000-network.safetensors", clips=2000)
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        page.goto(f"{url}/?tab=compare&c=run:one")
        page.wait_for_selector('#pvs-compare canvas[data-shown="run:one@000002000"]')
        page.get_by_role("tab", name="Learn").click()
        page.wait_for_function("!pvs.compareView.shown")
        write_model(checkpoints / "000004000-network.safetensors", seed=3, clips=4000)
        (checkpoints / "000002000-network.safetensors").unlink()
        page.get_by_role("tab", name="Compare").click()
        page.wait_for_selector('#pvs-compare canvas[data-shown="run:one@000004000"]')
        page.evaluate("() => pvs.compareView.clips.settling")
        assert page.locator("#pvs-compare").get_by_role("alert").count() == 0
        page.goto("about:blank")  # leaves no request open when the studio goes


def test_a_slider_of_compare_stays_under_the_hand_when_a_checkpoint_comes(page: Any, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / "one", 4_500)
    checkpoints = tmp_path / "runs" / "one" / "checkpoints"
    for path in checkpoints.iterdir():
        path.unlink()
    for clips in (2000, 3000):
        write_model(checkpoints / f"{clips:09d}-network.safetensors", clips=clips)
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        page.goto(f"{url}/?tab=compare&c=run:one")
        slider = page.get_by_label("Checkpoint of one")
        slider.wait_for()
        slider.evaluate("(node) => (node.mine = true)")
        write_model(checkpoints / "000004000-network.safetensors", seed=3, clips=4000)
        page.locator("#pvs-compare [data-ref=refresh]").click()
        page.wait_for_selector('#pvs-compare canvas[data-shown="run:one@000004000"]')
        assert slider.evaluate("(node) => [node.mine, node.max, node.value]") == [True, "2", "2"]
        page.goto("about:blank")


def test_a_view_whose_scripts_did_not_come_says_what_to_do(page: Any, studio: str) -> None:
    page.goto(f"{studio}/?tab=explore")
    page.wait_for_function("Boolean(window.pvs?.mount)")
    page.evaluate("""() => {
      const element = document.createElement("section");
      element.id = "nowhere";
      document.body.append(element);
      pvs.mount("nowhere", { element });
    }""")
    page.locator("#nowhere").get_by_text("its scripts did not come from the studio. Reload the page").wait_for()
    settle(page)
