"""One place in time for all that a run shows: one latent at every stage, samples, reals and curves; and the machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pvswgan.studio import machine
from tests.browser import pixels
from tests.browser.train_page import Studio, part, wait_shown

pytestmark = pytest.mark.browser
STAGES = '#pvs-train [data-part="stages"] .pt-stage'


def stage_shows(page: Any, stage: int, clips: int, row: int) -> None:
    page.wait_for_function(
        "([at, clips, row]) => { const {dataset} = document.querySelectorAll('[data-part=stages] canvas')[at];"
        " return dataset.clips === clips && dataset.row === row; }",
        arg=[stage, str(clips), str(row)],
    )


def frame_of(path: Path, row: int, frame: int) -> np.ndarray:
    """One frame of one latent of a sheet: uint8 (R, R, 3)."""
    side = int(path.stem.partition("x")[2])
    sheet = np.asarray(Image.open(path).convert("RGB"))
    return sheet[row * side : (row + 1) * side, frame * side : (frame + 1) * side]


def test_all_media_follow_one_slider(page: Any, studio: Studio) -> None:
    samples = studio.run(clips=24_000).folder / "samples"  # the third stage is fading in
    studio.at(page)
    wait_shown(page, 24_000)
    part(page, "play").click()
    part(page, "frames").fill("9")  # of 16: frame 2 of 4, 4 of 8
    for stage, clips in enumerate((4_000, 20_000, 24_000)):
        stage_shows(page, stage, clips, 0)
    assert page.locator(STAGES).nth(3).is_disabled() and "not yet" in page.locator(STAGES).nth(3).inner_text()
    inserted = [page.locator(STAGES).nth(stage).locator(".new").count() for stage in range(4)]
    assert inserted == [0, 4, 0, 8], "frames inserted in time"
    assert "α 0.33" in page.locator(STAGES).nth(2).inner_text()

    # One latent, chosen in the list or among the samples, at every stage: the very pixels of the sheets.
    part(page, "stage-clip").select_option("4")
    for stage, (name, frame) in enumerate((("000004000-4x4", 2), ("000020000-8x8", 4), ("000024000-8x16", 4))):
        stage_shows(page, stage, int(name[:9]), 4)
        seen = pixels(page, f"{STAGES}:nth-child({stage + 1}) canvas")
        assert np.array_equal(seen, frame_of(samples / f"{name}.png", 4, frame))
    box = part(page, "canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.1)  # the second of four in a row
    stage_shows(page, 1, 20_000, 1)

    # The slider goes back in training time, and everything with it.
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    places = f"{curves}.layout.shapes.filter((s) => s.name === 'viewed').map((s) => s.x0)"
    page.wait_for_function(f"() => {curves}.dataset.points === '48'")
    slider = part(page, "snapshots").bounding_box()
    page.mouse.move(slider["x"] + slider["width"] - 9, slider["y"] + slider["height"] / 2)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] * 0.37, slider["y"] + slider["height"] / 2, steps=12)
    page.mouse.up()
    wait_shown(page, 8_000)
    stage_shows(page, 1, 8_000, 1)
    page.wait_for_function(f"() => new Set({places}).size === 1 && {places}[0] === 8")
    assert page.locator(STAGES).nth(2).is_disabled()
    page.wait_for_function("() => document.querySelector('[data-part=real-canvas]').width === 32")
    page.keyboard.press("Home")
    wait_shown(page, 500)
    stage_shows(page, 0, 500, 1)
    page.wait_for_function(f"() => {places}[0] === 0.5")
    assert part(page, "ruler").locator(".pvs-ruler-viewed").count() == 1
    page.keyboard.press("End")
    stage_shows(page, 2, 24_000, 1)
    page.locator(STAGES).nth(0).click()
    wait_shown(page, 4_000)

    cpu = page.locator('#pvs-train [data-machine="CPU"]')
    cpu.get_by_text(re.compile(r"training: [0-9.]+ cores")).wait_for()
    assert "%" in cpu.inner_text()
    assert "GiB free" in page.locator('#pvs-train [data-machine="Disk"]').inner_text()
    assert pixels(page, '#pvs-train [data-machine="Memory"] canvas').any(), "its line is drawn"


def test_a_run_that_nobody_looks_at_is_marked_in_the_list(page: Any, studio: Studio) -> None:
    run = studio.run("ill", 16_000)
    run.ill = "collapsed"
    while run.clips < 24_000:
        run.tick()
    run.status("running")
    studio.run("well", 4_000)
    studio.at(page, "well")
    mark = page.locator('.pt-run[data-run="ill"] .pt-warned')
    mark.get_by_text("⚠ collapse").wait_for()
    assert "may have collapsed" in mark.get_attribute("title")
    assert page.locator('.pt-run[data-run="well"] .pt-warned').is_hidden()


def test_alerts_lead_to_what_they_are_about(page: Any, studio: Studio) -> None:
    run = studio.run(clips=16_000)
    run.ill = "collapsed"
    while run.clips < 24_000:
        run.tick()
    with (run.folder / "stats.jsonl").open("a") as file:
        file.write('{"clips": 24500, "stage": 2, "loss_G": null, "loss_D": null}\n')
    run.status("failed", error="a loss or a gradient is not finite at step 1531 (24.5 kimg)")
    studio.at(page)
    alerts = part(page, "alerts").locator(".pvs-alert")
    page.get_by_text("the generator may have collapsed").wait_for()
    assert [alerts.nth(i).get_attribute("data-alert") for i in range(2)] == ["nan", "collapse"]
    assert "0% of the real clips’" in alerts.nth(1).inner_text()
    alerts.nth(1).get_by_role("button", name="The most diverse").click()
    page.wait_for_function("() => Number(document.querySelector('[data-part=canvas]').dataset.clips) <= 16000")
    alerts.nth(1).get_by_role("button", name="The newest, 24 kimg").click()
    wait_shown(page, 24_000)
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    page.get_by_role("button", name="Losses", exact=True).click()  # not drawn any more
    alerts.nth(0).get_by_role("button", name="The last losses").click()
    axis = f"{curves}._fullLayout?.xaxis.range"
    page.wait_for_function(f"() => {axis}[0] > 10 && {axis}[1] > 24.4")
    assert page.evaluate(f"() => {curves}.data.some((line) => line.uid === 'loss_G-raw')")
    alerts.nth(0).get_by_role("button", name="The log").click()
    part(page, "log").get_by_text("snapshot").first.wait_for()


@pytest.mark.parametrize("ill, clips, kind, words", [
    ("frozen", (16_000, 24_000), "frozen", "The samples hardly move"),
    ("strong critic", (52_000, 57_000), "critic", "The critic is too strong")])
def test_what_ails_a_training_is_told(
    page: Any, studio: Studio, ill: str, clips: tuple[int, int], kind: str, words: str
) -> None:
    run = studio.run(clips=clips[0], loss="wgan-gp")
    run.ill = ill
    while run.clips < clips[1]:
        run.tick()
    run.status("running")
    studio.at(page)
    alert = part(page, "alerts").locator(f'.pvs-alert[data-alert="{kind}"]')
    alert.wait_for()
    assert words in alert.inner_text() and alert.get_by_role("button").count() >= 1


def test_a_disk_that_is_nearly_full_is_told(page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "disk", lambda run: {"disk_free": 100 << 20, "disk_total": 100 << 30})
    studio.run(clips=9_000)
    studio.at(page)
    part(page, "alerts").locator('.pvs-alert[data-alert="disk"]').get_by_role("button").first.wait_for()
