"""Imports on the Data page in a real Chromium, each by a process of its own that runs to its end, or is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pvswgan.data import ClipStore
from tests.browser.data_page import PAGE, fill, job, ref, visit, wall_is
from tests.data.files import needs, write_strip
from tests.data.trailer import Head, Scene, Truth, compose, write
from tests.studio import stores

pytestmark = pytest.mark.browser


def test_from_an_empty_cache_to_a_store_on_the_screen(page: Any, urls: Callable[..., str], cache: Path,
                                                      tmp_path: Path) -> None:
    for name, number in (("walk/1", 1), ("walk/2", 2), ("run/3", 3)):
        write_strip(tmp_path / "strips" / f"{name}.png", stores.clip(number, 8))
    (tmp_path / "strips" / "run" / "bad.png").write_bytes(b"no picture")
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    assert "No store yet" in ref(page, "no-stores").inner_text()

    page.get_by_role("button", name="Start import").click()
    page.locator('[data-problem="path"]').get_by_text("Write the path of a folder").wait_for()
    assert page.evaluate("document.activeElement.id") == "pd-path", "the hand is led to what is wrong"
    fill(page, path=str(tmp_path / "strips"), frames="none", resolution="16")
    page.locator('[data-problem="frames"]').get_by_text("'none'").wait_for()
    fill(page, frames="4")
    page.wait_for_function("() => document.querySelector('#pd-frames').getAttribute('aria-invalid') === 'false'")
    page.get_by_label("Held out").fill("a third")
    page.locator('[data-problem="hold_out"]').get_by_text("'a third'; allowed: more than 0, up to 0.5").wait_for()
    page.get_by_label("Held out").fill("0.34")
    page.locator('[data-problem="hold_out"]').get_by_text("allowed").wait_for(state="detached")
    page.get_by_text("The same from a shell").click()
    assert "data import" in ref(page, "command").inner_text() and "--resolution 16" in ref(page, "command").inner_text()
    page.get_by_role("button", name="Start import").click()

    ref(page, "store").wait_for(timeout=120_000)  # opens by itself
    wall_is(page, [0, 1, 2])
    assert "3 clips" in job(page, "finished").inner_text() and "1 skipped" in job(page, "finished").inner_text()
    assert ref(page, "title").inner_text() == "strips-strips-16"
    assert page.locator('[data-fact="Classes"]').inner_text() == "2"
    assert "held-out" in page.locator('[data-fact="Splits"]').inner_text()
    assert "bad.png" in ref(page, "skipped").inner_text(), "a single group is open"
    page.get_by_role("button", name="Dismiss").click()
    page.wait_for_function(f"() => !document.querySelector('{PAGE} .pd-job')")
    assert len(ClipStore.open(next(cache.glob("strips-*")))) == 3


def test_a_long_import_is_cancelled_and_goes_on(page: Any, urls: Callable[..., str], cache: Path) -> None:
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    fill(page, source="faces")
    assert page.locator("#pd-resolution").input_value() == "256" and not page.locator("#pd-clips").is_visible()
    fill(page, source="toyfaces", clips="3200", frames="8", resolution="32")  # some seconds on any machine
    assert not page.locator("#pd-path").is_visible() and not page.locator("#pd-fps").is_visible()
    ref(page, "room").get_by_text("Takes 99").wait_for()
    page.get_by_role("button", name="Start import").click()
    card = job(page, "running")
    fill(page, source="shapes")
    assert page.locator("#pd-resolution").input_value() == "32", "chosen by hand"
    bar = f"document.querySelector('{PAGE} [role=progressbar]')"
    page.wait_for_function(f"() => Number({bar}.getAttribute('aria-valuenow')) > 0")
    card.get_by_role("button", name="Cancel").click()
    card = job(page, "cancelled")
    assert "Resume goes on from there" in card.inner_text() and not list(cache.glob("toyfaces-*"))
    reached = int(page.locator(f"{PAGE} [role=progressbar]").get_attribute("aria-valuenow"))
    assert 0 < reached < 100 and "toyfaces-32" in ref(page, "unfinished").inner_text()

    page.reload()  # nothing of it lives in the page
    card = job(page, "cancelled")
    card.get_by_role("button", name="Resume").click()
    card = job(page, "finished")
    assert page.locator(f'{PAGE} [data-fact="Clips"]').count() == 0, "nobody waited for it in this page: it is offered"
    card.get_by_role("button", name="Open").click()
    ref(page, "store").wait_for()
    assert page.locator(f'{PAGE} [data-fact="Clips"]').inner_text() == "3,200"


@pytest.mark.slow
@needs("trailerfaces")
@needs("actions")
def test_faces_from_a_film_to_their_contact_sheet(page: Any, urls: Callable[..., str], cache: Path,
                                                  tmp_path: Path) -> None:
    (tmp_path / "film").mkdir()
    scenes = [Scene(24, (Head(0),)), Scene(24, (Head(2),)), Scene(16, keep=False)]
    write(tmp_path / "film" / "trailer.mp4", compose(scenes, Truth()))
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    fill(page, source="faces", path=str(tmp_path / "film"), frames="16", resolution="64")
    page.get_by_role("button", name="Start import").click()
    ref(page, "store").wait_for(timeout=200_000)
    wall_is(page, [0, 1])
    assert "1 of 1 film, 2 clips" in job(page, "finished").inner_text()
    assert ref(page, "faces-note").inner_text() == "1 film, 1 piece of them left out"
    assert ref(page, "dropped").inner_text().split("\n") == ["no face", "1"]
    page.wait_for_function(f"() => document.querySelector('{PAGE} [data-ref=sheet]').naturalHeight === 96")
    page.get_by_text("Trailer by trailer").click()
    assert ref(page, "trailers").locator("td").all_inner_texts() == ["trailer.mp4", "2", "1"]
    store = ClipStore.open(next(cache.glob("faces-*")))
    assert store.lengths.tolist() == [16, 16] and [start // 24 for start in store.starts] == [0, 1], "one of each head"


def test_an_import_that_fails_says_why(page: Any, urls: Callable[..., str], cache: Path, tmp_path: Path) -> None:
    (tmp_path / "<b>docs").mkdir()
    (tmp_path / "<b>docs" / "letter.txt").write_text("Dear Sir")
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    fill(page, path=str(tmp_path / "<b>docs"))
    page.get_by_role("button", name="Start import").click()
    card = job(page, "failed")
    error = card.locator('[role="alert"]').inner_text()
    assert "<b>docs" in error and "Traceback" not in error and card.locator("b").first.inner_text() == "<b>docs"
