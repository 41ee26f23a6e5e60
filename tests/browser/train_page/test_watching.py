"""Watching trainings in a real Chromium: the list of runs, the curves, and quiet where nothing happens."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.browser.train_page import Studio, badge, button, enabled, part, wait_shown
from tests.studio import fakerun
from tests.studio.test_processes import until

pytestmark = pytest.mark.browser


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


def test_an_answer_that_was_under_way_does_not_undo_a_press(page: Any, studio: Studio) -> None:
    """The status of before the press, come after the answer to it: as when the machine is busy."""
    studio.run("first", 500)
    studio.at(page)
    badge(page, "running")
    before = page.evaluate("() => pvs.json('api/runs/first/status')")
    late: list[Any] = []
    page.route("**/api/runs/first/status", lambda route: late.append(route))
    with page.expect_request("**/api/runs/first/status"):
        pass
    button(page, "pause").click()
    part(page, "message").get_by_text("Pausing: asked for").wait_for()
    assert enabled(page) == {"stop", "snapshot"}
    page.wait_for_timeout(50)  # what follows the press has been asked for, too, if anything was
    assert len(late) == 1
    with page.expect_request("**/api/runs/first/status"):  # the next one, held back again
        late[0].fulfill(json=before)
    assert enabled(page) == {"stop", "snapshot"}
    late[1].continue_()


def test_a_run_chosen_while_another_is_asked_for_is_shown_at_once(page: Any, studio: Studio) -> None:
    """Until then its head has none of the other's buttons."""
    studio.run("first", 500)
    studio.run("second", 700, "finished")
    studio.at(page, "first")
    badge(page, "running")
    late: list[Any] = []
    page.route("**/api/runs/first/status", lambda route: late.append(route))
    with page.expect_request("**/api/runs/first/status"):
        pass
    page.locator(".pt-run", has_text="second").click()
    assert enabled(page) == set() and part(page, "explore").is_disabled()
    page.evaluate("""() => {
        const real = window.setTimeout;
        window.delays = [];
        window.setTimeout = (work, ms, ...more) => (window.delays.push(ms), real(work, ms, ...more));
    }""")
    with page.expect_request("**/api/runs/second/status"):
        late[0].continue_()
    assert 1000 not in page.evaluate("delays"), "it did not wait for its turn, a second later"
    badge(page, "finished")


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


@pytest.mark.parametrize("width", [420, 1400])
def test_names_of_short_stages_are_beside_or_below_one_another(page: Any, studio: Studio, width: int) -> None:
    stages = {"stages": [[4, 4], [8, 8], [8, 16], [16, 32]], "fade_kimg": 1, "stable_kimg": [60, 1, 1, 2],
              "total_kimg": None}
    studio.run(clips=70_000, settings=fakerun.config(**stages))
    page.set_viewport_size({"width": width, "height": 900})
    studio.at(page)
    page.wait_for_selector("#pvs-train .annotation-text")
    places = part(page, "curves").locator(".annotation").evaluate_all("""nodes => nodes.map((node) => {
        const { left, right, top, bottom } = node.getBoundingClientRect();
        return { text: node.textContent, left, right, top, bottom };
    })""")
    names = [place for place in places if "×" in place["text"]]
    assert {name["text"] for name in names} == {"8×8×8", "8×16×16", "16×32×32"}
    for a, b in itertools.combinations(names, 2):
        apart = a["right"] <= b["left"] or b["right"] <= a["left"] or a["bottom"] <= b["top"] or b["bottom"] <= a["top"]
        assert apart, (a, b)
    box = part(page, "curves").bounding_box()
    assert all(box["x"] <= name["left"] and name["right"] <= box["x"] + box["width"] for name in names)


def test_what_was_measured_at_snapshots_is_a_curve_with_its_floor(page: Any, studio: Studio) -> None:
    """log.metrics: lines of their own in the statistics, some at a tick and some between two."""
    run = studio.run(clips=4_000)

    def measured(clips: int, fid: float, **more: str) -> None:
        line = {"clips": clips, "event": "metrics", "fid": fid, "fid_floor": 5.0, "swd": fid / 100, "swd_floor": 0.1,
                "flicker": 0.5, "flicker_floor": 0.2, "fid_ceiling": 500.0} | more
        with (run.folder / "stats.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    measured(4_000, 90.0)
    run.tick(4_000)
    measured(8_000, 40.0)
    measured(8_250, 30.0)
    measured(8_500, 25.0, protocol="a")
    measured(8_750, 20.0, protocol="b")
    measured(9_000, 15.0, protocol="b")
    studio.at(page)
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    line = f"{curves}.data?.find((line) => line.uid === '%s')?.y"
    page.wait_for_function(f"() => {line % 'swd_floor'}?.length")
    # No line joins two protocols. The first three do not tell theirs: 8 kimg is the first stage's end.
    assert page.evaluate(f"() => {line % 'fid'}") == [90, 40, None, 30, None, 25, None, 20, 15]
    assert page.evaluate(f"() => {line % 'fid_floor'}") == [5, 5, None, 5, None, 5, None, 5, 5]
    noise = page.evaluate(f"() => {curves}.data.find((line) => line.uid === 'fid_floor')")
    told = ["noise %{customdata" in one for one in noise["hovertemplate"]]
    assert told == [value is not None for value in noise["customdata"]]
    assert noise["customdata"] == [500, 500, None, 500, None, 500, None, 500, 500]
    plain = page.evaluate(f"() => {curves}.data.find((line) => line.uid === 'swd_floor').hovertemplate")
    assert len(plain) == 9 and not any("noise" in one for one in plain), "nobody told"
    assert page.evaluate(f"() => {line % 'flicker'}") is None, "drawn where it is asked for"
    page.get_by_role("button", name="Flicker").click()
    page.wait_for_function(f"() => {line % 'flicker'}?.length === 9")
    assert page.get_by_role("button", name="Recall").is_hidden(), "nothing was measured of it"
    assert page.get_by_role("button", name="FID at snapshots").get_attribute("aria-pressed") == "true"
    losses = page.evaluate(f"() => {line % 'loss_G-raw'}.filter((value) => value !== null).length")
    assert losses == 9, "the losses are still there"


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


def test_a_link_shows_a_run_as_it_was_looked_at(page: Any, studio: Studio) -> None:
    """Copied and opened by somebody else: snapshot, latent, smoothing, zoom and the choice of curves."""
    studio.run(clips=9_000)
    studio.at(page, "faces")
    curves = "document.querySelector('#pvs-train [data-part=curves]')"
    page.wait_for_function(f"() => {curves}.dataset.points === '18'")
    page.wait_for_selector("#pvs-train [data-part=canvas][data-clips]")
    page.wait_for_function("() => /run=faces/.test(location.search)")
    assert "v=" not in page.url, "what is as it begins is not in it"
    move = "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }"
    part(page, "snapshots").evaluate(move, 1)
    seen = int(page.evaluate("() => document.querySelector('[data-part=snapshot-kimg]').textContent").split(".")[0])
    part(page, "smoothing").evaluate(move, 0.5)
    part(page, "stage-clip").select_option("2")
    page.get_by_role("button", name="Losses").click()
    page.evaluate(f"() => Plotly.relayout({curves}, {{'xaxis2.range[0]': 2, 'xaxis2.range[1]': 5}})")
    page.wait_for_function("() => location.search.includes('2~5')")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("() => history.replaceState(null, '', location.href + '&model=asset:x')")
    part(page, "copy-link").click()
    part(page, "copy-link").get_by_text("Copied").wait_for()
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{studio.url}/?tab=train&run=faces&v=") and "model" not in link and len(link) < 160

    page.evaluate("() => localStorage.clear()")
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_function(f"() => {curves}?.dataset.points === '18'")
    wait_shown(page, seen * 1000)
    assert part(page, "smoothing").input_value() == "0.5"
    assert part(page, "stage-clip").input_value() == "2"
    assert page.get_by_role("button", name="Losses").get_attribute("aria-pressed") == "false"
    page.wait_for_function(f"() => {curves}._fullLayout.xaxis2.range.join() === '2,5'")
    page.wait_for_url(link)


def test_a_link_to_the_random_weights_shows_them(page: Any, studio: Studio) -> None:
    """A training's first snapshot is before its first clip."""
    run = studio.run(clips=9_000)
    samples = run.folder / "samples"
    first = min(path for path in samples.iterdir() if path.name.startswith("000"))
    first.rename(samples / f"{0:09d}{first.name[9:]}")
    page.goto(f"{studio.url}/?tab=train&run=faces&v=0")
    wait_shown(page, 0)
    page.wait_for_url(lambda url: "v=0" in url)


def test_a_link_that_cannot_be_read_is_the_run_alone(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    page.goto(f"{studio.url}/?tab=train&run=faces&v=x,-4,7,3~1,<b>~none")
    wait_shown(page, 8_000)
    assert part(page, "smoothing").input_value() == "0.9" and part(page, "stage-clip").input_value() == "0"
    assert part(page, "title").inner_text() == "faces" and part(page, "trouble").is_hidden()
    page.locator('#pvs-train [data-panel="losses"][aria-pressed="true"]').wait_for()  # the usual curves


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

    def quiet() -> bool:
        asked.clear()
        page.wait_for_timeout(1200)
        return not asked

    page.evaluate(hide, True)
    until(quiet)  # what was under way may end
    page.wait_for_timeout(2500)
    assert asked == []
    run.status("paused")
    page.evaluate(hide, False)
    badge(page, "paused")
    page.get_by_role("tab", name="Explore").click()  # out of sight in another tab of the page
    until(quiet)
    page.wait_for_timeout(2500)
    assert asked == []


@pytest.mark.slow
def test_nothing_flickers(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    studio.at(page)
    wait_shown(page, 8_000)
    part(page, "play").click()
    page.wait_for_function("""() => {
        const part = (name) => document.querySelector(`#pvs-train [data-part=${name}]`);
        const stages = document.querySelectorAll('#pvs-train .pt-stage canvas[data-clips]').length;
        return part('curves').dataset.points === '18' && stages === 2 && part('real-canvas').width === 32
          && (part('alerts-none').textContent || part('alerts').children.length);
    }""")
    page.wait_for_timeout(2500)
    page.evaluate(
        """() => {
            window.changes = [];
            const same = ({type, target, attributeName, oldValue}) =>
              (type === "attributes" && target.getAttribute(attributeName) === oldValue) ||
              (target.closest ? target : target.parentElement)?.closest("[data-part=machine]"); // lives, by its nature
            const note = (records) => records.filter((record) => !same(record)).forEach((record) =>
              window.changes.push(`${record.type} ${record.attributeName} ${record.target.outerHTML}`));
            const all = {subtree: true, childList: true, characterData: true, attributeOldValue: true};
            new MutationObserver(note).observe(document.querySelector('#pvs-train .pt'), all);
        }"""
    )
    page.wait_for_timeout(3500)
    changes = [text for text in page.evaluate("() => window.changes") if "just now" not in text]
    assert changes == []


def test_it_fits_a_narrow_screen(browser: Any, studio: Studio) -> None:
    tight = fakerun.config(fade_kimg=[0, 2, 2, 2], stable_kimg=[8, 6, 4, 20], total_kimg=None)
    studio.run(clips=9_000, settings=tight)
    context = browser.new_context(viewport={"width": 420, "height": 900})
    page = studio.at(context.new_page())
    wait_shown(page, 8_000)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
    assert page.locator("#pvs-train .pt-head").bounding_box()["width"] <= 420, "and nothing is cut off"
    sizes = [size.bounding_box() for size in part(page, "ruler").locator(".pvs-ruler-size").all()]
    assert len(sizes) == 4
    for a, b in itertools.combinations(sizes, 2):
        beside = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
        assert beside or abs(a["y"] - b["y"]) > 8, "sizes lie on one another"
    part(page, "new").click()
    page.wait_for_selector("[data-part=plan-table] td")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
    context.close()


def test_what_a_button_could_not_do_stays_to_be_read(page: Any, studio: Studio) -> None:
    studio.run(clips=9_000)
    page.route("**/request", lambda route: route.fulfill(status=409, json={"detail": "There is no room for it."}))
    studio.at(page)
    wait_shown(page, 8_000)
    page.locator('#pvs-train [data-request="pause"]').click()
    told = part(page, "trouble").get_by_text("There is no room for it.")
    told.wait_for()
    with page.expect_response("**/status"), page.expect_response("**/api/runs"):
        pass
    page.wait_for_timeout(500)
    assert told.is_visible()
