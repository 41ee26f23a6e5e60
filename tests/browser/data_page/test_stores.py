"""Stores on the Data page in a real Chromium: what is in one, from one to the next, and on to a training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pvswgan.data import ClipStore
from pvswgan.data.writer import StoreWriter
from tests.browser.data_page import PAGE, ref, visit, wall_is
from tests.studio import stores

pytestmark = pytest.mark.browser


def test_lengths_sizes_and_what_was_skipped(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    page.wait_for_selector(f'{PAGE} [data-ref="lengths"][data-bars="3"]')
    bars = "document.querySelector('[data-ref=lengths]').data[0]"
    assert page.evaluate(f"() => [{bars}.x, {bars}.y]") == [["4", "8", "12"], [1, 2, 27]]
    assert "4:\u00a030, 8:\u00a029" in ref(page, "usable").inner_text()
    assert ref(page, "sizes").locator("tr").count() == 4
    assert ref(page, "skipped-count").inner_text() == "2 files, 1 part of a file"
    groups = ref(page, "skipped").locator("details")
    assert groups.nth(0).locator("summary").inner_text().split() == ["2", "has", "3", "frames,", "fewer", "than", "4"]
    assert not groups.nth(0).locator("li").first.is_visible()
    groups.nth(0).locator("summary").click()
    entries = groups.nth(0).locator("li").all_inner_texts()
    assert entries == ["walk/0.mp4 frames 4 to 6 has 3 frames, fewer than 4", "short.mp4 has 3 frames, fewer than 4"]
    groups.nth(1).locator("summary").click()
    assert "<img src=x onerror=alert(1)>.mp4" in groups.nth(1).inner_text()
    assert page.locator(f"{PAGE} .pd-skipped img").count() == 0, "people's words are never HTML"


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_the_chart_of_classes_is_as_high_as_it_needs(page: Any, urls: Callable[..., str], cache: Path,
                                                     classes: int) -> None:
    with StoreWriter(cache / "one", 16, [f"class {i}" for i in range(classes)]) as writer:
        for i in range(classes):
            writer.add(stores.clip(i, 4), f"{i}.mp4", i)
        writer.commit()
    visit(page, urls())
    page.wait_for_selector(f'{PAGE} [data-ref="classes"][data-bars="{classes}"]')
    panel = ref(page, "classes-panel").bounding_box()
    inside, drawn = ref(page, "classes").bounding_box(), page.locator(f'{PAGE} [data-ref="classes"] .main-svg').first
    assert panel["y"] + panel["height"] - inside["y"] - inside["height"] < 24, "no room is left under it"
    assert inside["height"] == min(272, drawn.bounding_box()["height"]), "many are scrolled"
    assert (classes > 3) == (inside["height"] == 272)


def test_a_store_of_faces_shows_its_contact_sheet(page: Any, urls: Callable[..., str], cache: Path) -> None:
    folder = stores.make(cache / "faces", (4,)).folder
    Image.new("RGB", (192, 96), (200, 30, 30)).save(folder / "contact-sheet.jpg")
    (folder / "report.json").write_text('{"dropped": {"blurred": 7}, "failed": {}, "by_trailer": '
                                        '{"<i>film.mp4": {"clips": 1, "dropped": {"blurred": 7}}}}')
    visit(page, urls())
    page.wait_for_function(f"() => document.querySelector('{PAGE} [data-ref=sheet]').naturalWidth === 192")
    assert ref(page, "faces-note").inner_text() == "1 film, 7 pieces of them left out"
    assert ref(page, "dropped").inner_text().split() == ["blurred", "7"]
    page.get_by_text("Trailer by trailer").click()
    assert "<i>film.mp4" in ref(page, "trailers").inner_text()


def test_train_on_this_opens_the_form_with_the_folder(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    page.get_by_role("button", name="Train on this").click()
    folder = page.get_by_label("Folder of clips")
    folder.wait_for()
    page.wait_for_function("path => document.querySelector('#pvs-train [data-part=data]').value === path",
                           arg=str(many.folder))
    assert page.get_by_label("A folder on this machine").is_checked()
    page.wait_for_function("() => document.querySelector('[data-part=command]').textContent.includes('data.path')")
    assert str(many.folder) in page.locator('#pvs-train [data-part="command"]').text_content()


def test_a_damaged_store_and_one_that_goes(page: Any, urls: Callable[..., str], many: ClipStore, cache: Path) -> None:
    broken = stores.make(cache / "broken", (4,)).folder
    (broken / "shard-00000-016.u8").unlink()
    name = os.fsdecode(b"caf\xe9 <b>")
    stores.make(cache / name, (4, 4))
    visit(page, urls(), "many")
    wall_is(page, list(range(24)))
    page.locator('[data-store="broken"]').click()
    ref(page, "broken-why").get_by_text("shard-00000-016.u8 is missing").wait_for()
    assert not ref(page, "store").is_visible()
    page.locator('[data-store="caf? <b>"]').click()
    wall_is(page, [0, 1])
    assert ref(page, "title").inner_text() == "caf? <b>"
    for file in (cache / name).iterdir():
        file.unlink()
    ref(page, "broken-why").get_by_text("not in the folder of stores any more").wait_for()
    assert page.locator(".pt-run[data-store]").count() == 2
    page.locator('[data-store="many"]').click()
    wall_is(page, list(range(24)))


def test_a_read_only_page_offers_no_import(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls(read_only=True))
    wall_is(page, list(range(24)))
    ref(page, "new").click()
    ref(page, "form-note").get_by_text("This studio is read-only").wait_for()
    assert not page.get_by_role("button", name="Start import").is_visible()
    assert page.locator(f"{PAGE} input:visible, {PAGE} form select:visible").count() == 0


def test_it_fits_a_narrow_screen_and_rests_where_motion_is_unwanted(browser: Any, urls: Callable[..., str],
                                                                    many: ClipStore) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    visit(page, urls())
    wall_is(page, list(range(24)))
    page.wait_for_selector(f'{PAGE} [data-ref="lengths"][data-bars="3"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    assert ref(page, "wall-play").inner_text() == ref(page, "play").inner_text() == "Play"
    ref(page, "new").click()
    page.locator("#pd-path").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()
