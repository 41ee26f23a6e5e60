"""The Train page as a person uses it, in a real Chromium, over folders that a pretended trainer writes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser import studio_here
from tests.studio import fakerun
from tests.studio.conftest import pretend
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser


@dataclass
class Studio:
    """A studio in a thread of this process (so that the tests' stand-ins hold in it) over a runs folder."""

    url: str
    runs: Path

    def run(
        self, name: str = "faces", clips: int = 9_000, state: str = "running", **more: Any
    ) -> fakerun.FakeRun:
        """A run of this very process: it counts as alive, and no trainer takes its requests."""
        return fakerun.make(self.runs / name, clips, state, pid=os.getpid(), **more)

    def at(self, page: Any, run: str = "") -> Any:
        page.goto(f"{self.url}/?tab=train&run={run}")
        page.wait_for_selector("#pvs-train .pt")
        return page


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Studio]]:
    pretend(tmp_path / "configs", monkeypatch)
    with ExitStack() as stack:

        def serve(**settings: Any) -> Studio:
            (tmp_path / "runs").mkdir(exist_ok=True)
            url = stack.enter_context(studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets", **settings))
            return Studio(url, tmp_path / "runs")

        yield serve


@pytest.fixture
def studio(serve: Callable[..., Studio]) -> Studio:
    return serve()


def part(page: Any, name: str) -> Any:
    return page.locator(f'#pvs-train [data-part="{name}"]')


def button(page: Any, name: str) -> Any:
    return page.locator(f'#pvs-train [data-request="{name}"]')


def badge(page: Any, state: str) -> None:
    page.wait_for_selector(f'#pvs-train [data-part="badge"][data-state="{state}"]', timeout=20_000)


def enabled(page: Any) -> set[str]:
    return {name for name in ("pause", "resume", "stop", "snapshot") if button(page, name).is_enabled()}


def shown(page: Any) -> int:
    """Clips of the snapshot on the canvas."""
    return int(part(page, "canvas").get_attribute("data-clips") or -1)


def wait_shown(page: Any, clips: int) -> None:
    page.wait_for_selector(f'#pvs-train [data-part="canvas"][data-clips="{clips}"]')


def colours(page: Any, columns: int = 4) -> list[list[float]]:
    """Mean colour of each latent's place on the canvas, as it is on the screen."""
    return page.evaluate(
        """columns => {
            const canvas = document.querySelector('#pvs-train [data-part="canvas"]');
            const context = canvas.getContext("2d"), cell = canvas.width / columns, means = [];
            for (let i = 0; i < 12; i++) {
                const [x, y] = [(i % columns) * cell, Math.floor(i / columns) * cell];
                const {data} = context.getImageData(x, y, cell, cell);
                const sum = [0, 0, 0];
                data.forEach((value, at) => { if (at % 4 < 3) sum[at % 4] += value; });
                means.push(sum.map((value) => value / (data.length / 4)));
            }
            return means;
        }""",
        columns,
    )


# ---- start and steer -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_training_from_start_to_resume(page: Any, studio: Studio) -> None:
    studio.at(page)
    part(page, "no-runs").get_by_text("No run yet").wait_for()
    page.locator('input[value="tiny"]').check()
    page.get_by_label("Name of the run").fill("mine")
    page.locator("#pt-field-seed").fill("5")
    page.get_by_role("button", name="Start training").click()
    badge(page, "running")
    assert part(page, "title").inner_text() == "mine"
    assert page.locator('.pt-run[data-run="mine"]').get_attribute("aria-current") == "true"
    assert "seed: 5" in (studio.runs / "mine" / "config.yaml").read_text()
    page.wait_for_function(
        "() => Number(document.querySelector('#pvs-train [data-part=curves]').dataset.points) > 3"
    )
    page.wait_for_selector('#pvs-train [data-part="canvas"][data-clips]')
    assert "of 3" in part(page, "ruler").locator("svg").get_attribute("aria-label")

    button(page, "pause").click()
    badge(page, "paused")
    assert enabled(page) == {"resume", "stop", "snapshot"}
    # Not by the number of files: one taken at these clips before is replaced.
    log = studio.runs / "mine" / "log.txt"
    before = log.read_text().count("snapshot")
    button(page, "snapshot").click()
    until(lambda: log.read_text().count("snapshot") > before)
    button(page, "resume").click()
    badge(page, "running")
    button(page, "stop").click()
    badge(page, "stopped")
    assert enabled(page) == {"resume"}
    button(page, "resume").click()  # a new process now
    badge(page, "running")
    part(page, "log-panel").locator("summary").click()
    page.wait_for_function(
        "() => document.querySelector('#pvs-train [data-part=log]').textContent.includes('snapshot')"
    )
    button(page, "stop").click()
    badge(page, "stopped")


def test_wrong_settings_are_sentences_and_the_plan_follows(page: Any, studio: Studio) -> None:
    studio.at(page)
    page.locator('input[value="tiny"]').check()
    table = part(page, "plan-table")
    page.wait_for_function(
        "() => document.querySelector('[data-part=plan-table]').textContent.includes('8×16×16')"
    )
    page.get_by_label("Frames", exact=True).select_option("4")
    page.wait_for_function(
        "() => document.querySelector('[data-part=plan-table]').textContent.includes('4×16×16')"
    )
    assert "400 kimg in all" in table.inner_text()

    page.get_by_label("Batch").fill("many")
    problem = page.locator('[data-problem="batch"]')
    problem.get_by_text("many").wait_for()
    start = page.get_by_role("button", name="Start training")
    assert start.is_disabled() and page.get_by_label("Batch").get_attribute("aria-invalid") == "true"
    page.get_by_label("Batch").fill("4")
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    assert problem.inner_text() == ""

    page.get_by_label("Folder of clips").fill("/no/such/folder")
    page.locator('[data-problem="data"]').get_by_text("There is no folder /no/such/folder").wait_for()
    assert start.is_disabled()
    page.get_by_label("The configuration’s own").check()
    page.wait_for_function("() => !document.querySelector('[data-part=start]').disabled")
    page.get_by_label("Name of the run").fill("../up")
    page.locator('[data-problem="name"]').get_by_text("cannot be used").wait_for()


# ---- watch -----------------------------------------------------------------------------------------------


def test_runs_started_elsewhere_appear_and_failures_say_why(page: Any, studio: Studio) -> None:
    studio.run("first", 500)
    studio.at(page)
    badge(page, "running")
    name = "<img src=x onerror=alert(1)> 50% #2"
    studio.run(name, 500, "failed", error="Loss is <b>not a number</b> at clip 500.")
    page.locator(".pt-run", has_text=name).click()  # without a reload
    badge(page, "failed")
    assert part(page, "run-error").inner_text() == "Loss is <b>not a number</b> at clip 500."
    assert part(page, "title").inner_text() == name
    wait_shown(page, 500)
    assert page.locator("#pvs-train img").count() == 0, "people's words are never HTML"


def test_a_latent_keeps_its_place_and_size_through_the_stages(page: Any, studio: Studio) -> None:
    studio.run(clips=63_500, state="stopped")
    studio.at(page)
    wait_shown(page, 60_000)
    part(page, "play").click()
    last, size = colours(page), part(page, "canvas").bounding_box()
    slider = part(page, "snapshots")
    slider.focus()
    page.keyboard.press("Home")
    wait_shown(page, 500)
    first = colours(page)
    assert part(page, "canvas").bounding_box()["width"] == size["width"]
    assert part(page, "canvas").evaluate(
        "canvas => [canvas.width, getComputedStyle(canvas).imageRendering]"
    ) == [
        16,
        "pixelated",
    ]
    for latent in range(12):
        far = [sum(abs(a - b) for a, b in zip(first[latent], other, strict=True)) for other in last]
        assert min(far) == far[latent], f"latent {latent} has moved"
    page.keyboard.press("ArrowRight")
    wait_shown(page, 4_000)


def test_the_newest_snapshot_is_followed_until_one_scrubs_back(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    part(page, "snapshots").focus()
    page.keyboard.press("ArrowLeft")
    wait_shown(page, 4_000)
    assert part(page, "newest").get_attribute("aria-pressed") == "false"
    while run.clips < 12_000:
        run.tick()
    run.status("running")
    page.wait_for_function("() => document.querySelector('[data-part=snapshots]').max === '3'")
    assert shown(page) == 4_000
    part(page, "newest").click()
    wait_shown(page, 12_000)
    while run.clips < 16_000:
        run.tick()
    run.status("running")
    wait_shown(page, 16_000)


def test_reals_of_the_same_stage_stand_beside(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    real = part(page, "real-canvas")
    page.wait_for_function(
        "() => document.querySelector('[data-part=real-canvas]').width === 32"
    )  # 4 clips of 8 pixels
    assert real.bounding_box()["width"] == part(page, "canvas").bounding_box()["width"]
    page.get_by_label("Real clips beside").uncheck()
    assert not real.is_visible()


def test_curves_keep_their_zoom_while_points_arrive(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    studio.at(page)
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    page.wait_for_function(f"() => {curves}.dataset.points === '18'")
    page.evaluate(f"() => Plotly.relayout({curves}, {{'xaxis.range[0]': 2, 'xaxis.range[1]': 5}})")
    run.tick()
    run.tick()
    run.status("running")
    page.wait_for_function(f"() => {curves}.dataset.points === '20'")
    assert page.evaluate(f"() => {curves}._fullLayout.xaxis.range") == [2, 5]
    names = page.evaluate(f"() => {curves}.data.map((line) => line.uid)")
    assert "loss_G-raw" in names and "loss_G-smooth" in names, "the raw line is always there too"
    stages = page.evaluate(f"() => {curves}.layout.shapes.filter((s) => s.type === 'line').map((s) => s.x0)")
    assert set(stages) == {8}


def test_which_curves_are_drawn_is_chosen_and_a_zoom_holds(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    fakerun.make(studio.runs / "other", 4_000, loss="wgan-gp")
    studio.at(page, "faces")
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    drawn = f"new Set({curves}.data.map((line) => line.yaxis)).size"
    page.wait_for_function(f"() => {curves}.dataset.points === '18'")
    assert page.evaluate(drawn) == 4
    page.evaluate(f"() => Plotly.relayout({curves}, {{'xaxis.range[0]': 2, 'xaxis.range[1]': 5}})")
    page.get_by_role("button", name="Losses").click()  # the panel on whose axis was zoomed
    page.get_by_role("button", name="Scales of the slices").click()
    page.get_by_role("button", name="Clips a second").click()
    page.wait_for_function(f"() => {drawn} === 5")
    ranges = f"Object.keys({curves}._fullLayout).filter((key) => /^xaxis/.test(key))"
    assert page.evaluate(f"() => {ranges}.map((key) => {curves}._fullLayout[key].range)") == [[2, 5]] * 5
    lines = page.evaluate(f"() => {curves}.data.map((line) => line.uid)")
    assert {"slice_scale_min", "slice_scale_mean", "slice_scale_max", "clips_per_s"} <= set(lines)
    assert not any("loss" in line for line in lines)

    page.locator('.pt-run[data-run="other"]').click()
    page.wait_for_function(f"() => {curves}.dataset.points === '8'")
    assert page.get_by_role("button", name="Scales of the slices").is_hidden(), "WGAN-GP has no slices"
    assert page.evaluate(f"() => {curves}._fullLayout.xaxis2.range[0]") < 1, "a zoom is of one run"
    page.reload()
    page.wait_for_function(f"() => {curves}?.dataset.points === '8'")
    assert page.get_by_role("button", name="Losses").get_attribute("aria-pressed") == "false"


def test_explore_opens_the_model_of_the_snapshot_on_the_screen(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    (run.folder / "checkpoints" / "000000500-network.safetensors").unlink()  # not kept
    studio.at(page)
    wait_shown(page, 8_000)
    explore, slider = part(page, "explore"), part(page, "snapshots")
    page.wait_for_function("document.querySelector('[data-part=explore]').title === 'Opens the model of 8 kimg.'")
    slider.focus()
    page.keyboard.press("Home")
    wait_shown(page, 500)
    assert "was not kept: opens the newest, of 8 kimg" in explore.get_attribute("title")
    page.keyboard.press("ArrowRight")
    wait_shown(page, 4_000)
    assert explore.get_attribute("title") == "Opens the model of 4 kimg."
    explore.click()
    page.wait_for_function("pvs.explore.state.model === 'run:faces@000004000'")


def test_a_resumed_run_draws_no_loop(page: Any, studio: Studio) -> None:
    run = studio.run(clips=9_000)
    studio.at(page)
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    page.wait_for_function(f"() => {curves}.dataset.points === '18'")
    run.clips = 8_000  # back to the checkpoint
    run.tick()
    run.status("running")
    page.wait_for_function(f"() => {curves}.dataset.points === '17'")
    assert page.evaluate(f"() => {curves}.data[0].x").pop() == 8.5


def test_smoothing_is_debiased(page: Any, studio: Studio) -> None:
    studio.at(page)
    page.wait_for_function("() => window.pvs.smoothed")
    flat = page.evaluate("() => pvs.smoothed([4, 4, null, 4], 0.99)")
    assert [value if value is None else round(value, 9) for value in flat] == [4, 4, None, 4]
    assert page.evaluate("() => pvs.smoothed([1, 2, 3], 0)") == [1, 2, 3]


@pytest.mark.slow
def test_nothing_is_asked_while_nobody_looks(page: Any, studio: Studio) -> None:
    run = studio.run(clips=2_000)
    studio.at(page)
    badge(page, "running")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/runs" in request.url else None)
    hide = "hidden => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden}); "
    hide += "document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    page.wait_for_timeout(1200)  # what was under way may end
    asked.clear()
    page.wait_for_timeout(2500)
    assert asked == []
    run.status("paused")
    page.evaluate(hide, False)
    badge(page, "paused")
    page.get_by_role("tab", name="Explore").click()  # out of sight in another tab of the page
    page.wait_for_timeout(1200)
    asked.clear()
    page.wait_for_timeout(2500)
    assert asked == []


@pytest.mark.slow
def test_nothing_flickers(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    part(page, "play").click()
    page.wait_for_timeout(2500)
    page.evaluate(
        """() => {
            window.changes = [];
            const same = ({type, target, attributeName, oldValue}) =>
              type === "attributes" && target.getAttribute(attributeName) === oldValue;
            const note = (records) => records.filter((record) => !same(record)).forEach((record) =>
              window.changes.push(`${record.type} ${record.attributeName} ${record.target.outerHTML}`));
            const all = {subtree: true, childList: true, characterData: true, attributeOldValue: true};
            new MutationObserver(note).observe(document.querySelector('#pvs-train .pt'), all);
        }"""
    )
    page.wait_for_timeout(3500)
    changes = [text for text in page.evaluate("() => window.changes") if "just now" not in text]
    assert changes == []


def test_reduced_motion_starts_paused(browser: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    context = browser.new_context(reduced_motion="reduce")
    page = studio.at(context.new_page())
    wait_shown(page, 8_000)
    assert part(page, "play").inner_text() == "Play clips"
    before = part(page, "frame-number").inner_text()
    time.sleep(0.5)
    assert part(page, "frame-number").inner_text() == before
    context.close()


def test_read_only_watches_but_does_not_touch(page: Any, serve: Callable[..., Studio]) -> None:
    studio = serve(read_only=True)
    studio.run(clips=9_000)
    studio.at(page)
    badge(page, "running")
    assert enabled(page) == set()
    part(page, "new").click()
    page.get_by_text("This studio is read-only").wait_for()
    assert page.get_by_role("button", name="Start training").is_disabled()


def test_it_fits_a_narrow_screen(browser: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    context = browser.new_context(viewport={"width": 420, "height": 900})
    page = studio.at(context.new_page())
    wait_shown(page, 8_000)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
    part(page, "new").click()
    page.wait_for_selector("[data-part=plan-table] td")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
    context.close()
