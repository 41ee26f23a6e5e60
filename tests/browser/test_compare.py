"""The Compare page as a person uses it, in a real Chromium."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pvswgan
from pvswgan import video
from pvswgan.latents import sample_latents
from pvswgan.studio import processes
from tests.browser import studio_here
from tests.browser.conftest import write_model
from tests.studio import fakerun
from tests.studio.conftest import pretend

pytestmark = pytest.mark.browser
IDS = ("run:one", "run:two")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run "one" of 4x8x8 clips (two checkpoints), run "two" of 8x16x16, a SWGAN and a WGAN-GP; "young" has no model."""
    root = tmp_path_factory.mktemp("compare") / "runs"
    for name, loss, size in (("one", "swgan", "tiny"), ("two", "wgan-gp", "small"), ("young", "swgan", "")):
        fakerun.make(root / name, 4_500, loss=loss)
        for path in (root / name / "checkpoints").iterdir():
            path.unlink()
        for i, clips in enumerate((2000, 4000) if size else ()):
            path = root / name / "checkpoints" / f"{clips:09d}-network.safetensors"
            write_model(path, size, seed=10 * i + len(size), clips=clips)
    return root


@pytest.fixture(scope="module")
def url(runs: Path) -> Iterator[str]:
    with studio_here(runs=runs, assets=runs.parent / "assets") as url:
        yield url


def part(page: Any, name: str) -> Any:
    return page.locator(f'#pvs-compare [data-ref="{name}"]')


def enter(page: Any, url: str, state: str = "", ids: tuple[str, ...] = IDS) -> None:
    chosen = "".join(f"&c={id}" for id in ids)
    page.goto(f"{url}/?tab=compare{chosen}&s={state}")
    page.wait_for_selector("#pvs-compare .pc-column canvas[data-shown]")
    page.evaluate("pvs.compareView.timeline.pause()")
    settle(page)


def settle(page: Any) -> None:
    """Until the clips that are asked for are on the screen."""
    page.evaluate("() => pvs.compareView.clips.settling")


def at_frame(page: Any, frame: int) -> None:
    move = "(node, frame) => { node.value = frame; node.dispatchEvent(new Event('input')); }"
    part(page, "time").evaluate(move, frame)


def expected(runs: Path, name: str, clips: int, seeds: list[int], frame: int, truncation: float = 1.0) -> np.ndarray:
    """What the model gives for these seeds, one under the other: uint8 (rows * H, W, 3)."""
    model = pvswgan.load(runs / name / "checkpoints" / f"{clips:09d}-network.safetensors")
    drawn = [model.generate(sample_latents(1, model.latent_dim, seed), truncation) for seed in seeds]
    return np.concatenate([video.to_uint8(clip)[0, frame] for clip in drawn])


def close_to(a: np.ndarray, b: np.ndarray, limit: float = 6) -> bool:
    """Alike but for JPEG and bfloat16."""
    return a.shape == b.shape and float(np.abs(a.astype(int) - b).mean()) < limit


def pixels(canvas: Any) -> np.ndarray:
    """What the canvas holds: (H, W, 3). As PNG: a large one is slow as a list of numbers."""
    data = canvas.evaluate("(canvas) => canvas.toDataURL()").partition(",")[2]
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def column(page: Any, number: int) -> np.ndarray:
    return pixels(page.locator(f"#pvs-compare .pc-column:nth-child({number}) canvas"))


def test_the_same_latents_in_step_wiped_and_as_a_difference(page: Any, url: str, runs: Path) -> None:
    enter(page, url, "3,2,0.8")
    seeds = [3, 4]
    frames = [pvswgan.load(next(iter((runs / name / "checkpoints").iterdir()))).frames for name in ("one", "two")]
    for frame in (0, frames[1] - 1):  # the same share of the time in both
        at_frame(page, frame)
        own = frame * frames[0] // frames[1]
        assert close_to(column(page, 1), expected(runs, "one", 4000, seeds, own, 0.8))
        assert close_to(column(page, 2), expected(runs, "two", 4000, seeds, frame, 0.8))
    boxes = [page.locator("#pvs-compare .pc-column canvas").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"]) and boxes[0]["y"] == boxes[1]["y"]
    a, b = (np.kron(column(page, n), np.ones((256 // (8 * n), 256 // (8 * n), 1), int)) for n in (1, 2))

    page.get_by_role("radio", name="Wipe").click()
    box = part(page, "canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    page.mouse.up()
    seen = pixels(part(page, "canvas"))
    assert seen.shape == (512, 256, 3)
    assert np.abs(seen[:, :60] - a[:, :60]).max() == 0 and np.abs(seen[:, 68:] - b[:, 68:]).max() == 0
    part(page, "wipe").focus()
    page.keyboard.press("End")
    assert np.abs(pixels(part(page, "canvas")) - a).max() == 0

    page.get_by_role("radio", name="Difference").click()
    assert np.abs(pixels(part(page, "canvas")) - np.abs(a - b)).max() <= 1
    part(page, "gain").select_option("4")
    amplified = np.minimum(4 * np.abs(a - b), 255)
    assert np.abs(pixels(part(page, "canvas")) - amplified).max() <= 4

    page.get_by_role("radio", name="Side by side").click()
    part(page, "nextSeeds").click()
    part(page, "together").check()
    page.get_by_label("Checkpoint of one").press("Home")  # takes the other one with it
    settle(page)
    at_frame(page, 0)
    assert close_to(column(page, 1), expected(runs, "one", 2000, [5, 6], 0, 0.8))
    assert close_to(column(page, 2), expected(runs, "two", 2000, [5, 6], 0, 0.8))
    page.wait_for_url("**c=run:one@000002000**s=5,2,0.8,side**")


def test_a_link_brings_frame_divider_and_smoothing_back(page: Any, url: str) -> None:
    enter(page, url)
    at_frame(page, 2)
    page.get_by_role("radio", name="Wipe").click()
    part(page, "wipe").fill("0.25")
    part(page, "smoothing").fill("0.3")
    part(page, "fps").fill("8")
    part(page, "together").check()
    page.wait_for_url("**,0.3,0.25,2,8,1")
    before = pixels(part(page, "canvas"))
    page.reload()
    page.wait_for_function("(({ playing, frame }) => !playing && frame === 2)(window.pvs?.compareView?.timeline ?? {})")
    names = ("wipe", "smoothing", "time", "fps")
    assert [part(page, name).input_value() for name in names] == ["0.25", "0.3", "2", "8"]
    assert part(page, "together").is_checked() and page.evaluate("pvs.compareView.timeline.fps") == 8
    page.wait_for_function("pvs.compareView.clips.players().filter((player) => player.sheet).length === 2")
    settle(page)
    assert np.array_equal(pixels(part(page, "canvas")), before)


def test_every_choice_can_be_undone_and_done_again(page: Any, url: str) -> None:
    """One step a gesture, by button and by key, down to the beginning: the pixels of each step come back."""
    enter(page, url)
    at_frame(page, 0)
    state, canvas = "JSON.stringify(pvs.compareView.state)", page.locator("#pvs-compare .pc-column canvas").first
    steps = [(page.evaluate(state), pixels(canvas))]
    assert part(page, "undo").is_disabled() and part(page, "redo").is_disabled()

    def done() -> None:
        settle(page)
        at_frame(page, 0)
        steps.append((page.evaluate(state), pixels(canvas)))

    for act in (lambda: part(page, "nextSeeds").click(), lambda: part(page, "rows").select_option("2"),
                lambda: page.get_by_label("Checkpoint of one").press("Home"), lambda: part(page, "together").check(),
                lambda: page.get_by_role("button", name="Take two away").click()):
        act()
        done()
    part(page, "truncation").focus()
    page.evaluate("() => { const now = Date.now(), real = Date.now; "
                  "Date.now = () => now; window.timeGoesOn = () => (Date.now = real); }")
    for _ in range(3):                                  # held down: one gesture, however slow the machine
        page.keyboard.press("ArrowLeft")
    page.evaluate("timeGoesOn()")
    done()
    assert part(page, "undo").get_attribute("title") == "Undo: truncation (Ctrl+Z)"

    def same(place: int) -> bool:
        settle(page)
        at_frame(page, 0)
        return page.evaluate(state) == steps[place][0] and np.array_equal(pixels(canvas), steps[place][1])

    for place in range(5, -1, -1):
        page.keyboard.press("Control+z") if place % 2 else part(page, "undo").click()
        assert same(place), place
    assert part(page, "undo").is_disabled() and page.get_by_label("Model 2").input_value() == "run:two"
    for place in range(1, 7):
        page.keyboard.press("Control+Shift+z") if place % 2 else part(page, "redo").click()
        assert same(place), place
    part(page, "undo").click()
    part(page, "nextSeeds").click()                     # from here on another way
    assert part(page, "redo").is_disabled()


def test_curves_tables_and_a_report_that_opens_by_itself(page: Any, url: str, tmp_path: Path) -> None:
    enter(page, url, "0,1,1,side,0,1,1,steps", (*IDS, "run:young"))
    page.wait_for_selector('#pvs-compare [data-panel="swd"] .plot-container')
    # Each run brings its own when it is read.
    page.wait_for_function("document.querySelectorAll('#pvs-compare .pc-curve').length === 6")
    titles = page.locator("#pvs-compare .pc-curve h4").all_inner_texts()
    assert [title.split(" (")[0] for title in titles] == [
        "Losses of swgan", "Losses of wgan-gp", "SWD to the real clips", "Diversity", "Motion", "Clips a second"]
    assert all("not comparable" in title for title in titles[:2])
    lines = "document.querySelector('[data-panel=swd] .pc-plot').data.map((line) => [line.name, line.x.at(-1)])"
    page.wait_for_function(f"{lines}.length === 3")
    assert page.evaluate(lines) == [[name, 250] for name in ("one", "two", "young")]
    part(page, "along").select_option("clips")
    page.wait_for_function(f"{lines}[0][1] === 4")
    part(page, "along").select_option("seconds")
    page.wait_for_function(f"{lines}[0][1] !== 4 && {lines}[0][1] > 0")
    assert "loss.name" in part(page, "differences").inner_text()
    assert "No checkpoint yet" in page.locator("#pvs-compare .pc-slot").nth(2).inner_text()

    young = page.request.get(f"{url}/api/compare/curves?id=run:young").json()
    grown = [{**young["measures"][0], "size": size, "clips": clips, "seconds": clips / 40} for size, clips in (
        ("4x4", 100), ("4x4", 200), ("8x8", 300))]
    young |= {"against": "others", "measures": grown}
    page.route("**/api/compare/curves?id=run%3Ayoung", lambda route: route.fulfill(json=young))
    page.locator("#pvs-compare [data-panel='swd 2'] h4", has_text="of young").wait_for()  # it is asked every 5 s
    page.locator("#pvs-compare [data-panel='motion 2'] .plot-container").wait_for()
    drawn = "document.querySelector(\"[data-panel='motion 2'] .pc-plot\").data[0].y.map((value) => value === null)"
    page.wait_for_function(f"{drawn}.join() === 'false,false,true,false'")  # no line over two sizes
    assert "cannot be compared" in part(page, "noCurves").inner_text()
    page.unroute("**/api/compare/curves?id=run%3Ayoung")

    with page.expect_download() as download:
        part(page, "report").click()
    file = tmp_path / "comparison.html"
    download.value.save_as(file)
    alone = page.context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    size = "(image) => [image.complete, image.naturalWidth, image.naturalHeight]"
    assert alone.locator("img").evaluate(size) == [True, 256, 128]
    assert alone.locator("svg").count() == 6 and "young" in alone.locator("h1").inner_text()
    assert all(url.startswith(("file:", "data:")) for url in asked)


def test_a_blind_quiz_keeps_its_answers_to_the_end(page: Any, url: str) -> None:
    enter(page, url, "0,1,1,side,0,1,1,clips,77")
    page.get_by_text("Quiz: which is which?").click()
    page.get_by_role("button", name="Begin").click()
    sizes = []
    for round in range(10):
        page.wait_for_selector(f'#pvs-compare .pc-quiz[data-round="{round}"]')
        left = page.locator('#pvs-compare canvas[aria-label="Left clip"]').evaluate("(canvas) => canvas.width")
        sizes.append(left)
        assert "right." not in part(page, "quiz").inner_text()
        page.keyboard.press("ArrowLeft" if (left == 8) == (round != 0) else "ArrowRight")  # wrong once
    told = part(page, "quiz").inner_text()
    assert "9 of 10 right" in told and re.search(r"as many or more in 1 % of the cases", told)
    assert set(sizes) == {8, 16} and told.count("✗") == 1  # in an order drawn by lot


def test_a_quiz_asks_of_what_was_chosen_when_it_began(page: Any, url: str) -> None:
    enter(page, url, "0,1,1,side,0,1,1,clips,77", ("run:one@000002000", "run:one", "run:two"))
    quiz = part(page, "quiz")
    page.get_by_text("Quiz: which is which?").click()
    assert "a clip of one after 2 kimg and one of one after 4 kimg" in quiz.inner_text()
    held: list[Any] = []
    page.route("**/api/rows", lambda route: held.append(route))
    page.get_by_role("button", name="Begin").click()
    page.wait_for_function("pvs.compareView.quiz.begun")
    part(page, "right").evaluate("(node) => { node.value = 2; node.dispatchEvent(new Event('change')); }")
    page.wait_for_function("!pvs.compareView.quiz.begun")
    for route in held:
        route.continue_()
    page.unroute("**/api/rows")
    page.wait_for_timeout(300)
    assert page.locator("#pvs-compare .pc-quiz[data-round]").count() == 0
    assert "a clip of one and one of two" in quiz.inner_text()
    begin = page.get_by_role("button", name="Begin")
    begin.dblclick()
    page.wait_for_selector('#pvs-compare .pc-quiz[data-round="0"]')
    assert page.locator("#pvs-compare .pc-quiz-clips canvas").count() == 2


def test_up_to_four_are_added_and_taken_away(page: Any, url: str) -> None:
    enter(page, url)
    add = page.get_by_role("button", name="Add a model")
    for count in (3, 4):
        add.click()
        page.wait_for_function(f"pvs.compareView.state.ids.length === {count}")
    assert add.is_disabled()
    page.locator("#pvs-compare .pc-slot select").nth(3).select_option("run:two")
    page.wait_for_function("document.querySelectorAll('#pvs-compare .pc-column canvas[data-shown]').length === 3")
    page.get_by_role("button", name="Take young away").click()
    page.wait_for_function("pvs.compareView.state.ids.join() === 'run:one,run:two,run:two'")
    assert add.is_enabled()


def test_an_error_goes_when_the_studio_answers_again(page: Any, url: str) -> None:
    enter(page, url)
    curves = "document.querySelectorAll('#pvs-compare .pc-curve').length"
    page.wait_for_function(f"{curves} > 3")
    page.route("**/api/compare/c*", lambda route: route.abort())
    part(page, "refresh").click()
    told = page.locator("#pvs-compare").get_by_role("alert").filter(has_text="does not answer")
    told.wait_for()
    page.evaluate("pvs.compareView.loadCurves()")
    assert page.evaluate(curves) > 3, "what is known is still drawn"
    page.unroute("**/api/compare/c*")
    part(page, "refresh").click()
    told.wait_for(state="hidden")


def no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process that is asked for does not start; all others do."""
    popen, asked = processes.subprocess.Popen, []

    def start(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 2:
            raise OSError(12, "Cannot allocate memory")
        return popen(*arguments, **options)

    monkeypatch.setattr(processes.subprocess, "Popen", start)


def test_an_empty_studio_offers_a_pair_that_differs_in_the_loss(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path / "configs", monkeypatch)
    (tmp_path / "runs").mkdir()
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        page.goto(f"{url}/?tab=compare")
        page.get_by_text("There is nothing to compare yet").wait_for()
        part(page, "pairConfig").select_option("tiny")
        part(page, "pairName").fill("duel")
        page.get_by_label("both now").check()
        no_second(monkeypatch)
        part(page, "pairStart").click()
        page.get_by_text("None of the 2 trainings was started: duel-wgan-gp failed. The training could not").wait_for()
        assert not list((tmp_path / "runs").glob("duel*")) and page.evaluate("pvs.compareView.state.ids") == []
        part(page, "pairStart").click()
        page.wait_for_function("pvs.compareView.state.ids.length === 2")
        try:
            assert page.evaluate("pvs.compareView.state.ids") == ["run:duel-swgan", "run:duel-wgan-gp"]
            until = time.monotonic() + 60
            while len(list((tmp_path / "runs").glob("duel-*/config.yaml"))) < 2:
                assert time.monotonic() < until
                page.wait_for_timeout(50)
            part(page, "refresh").click()
            rows = part(page, "differences").locator("tr")
            rows.nth(1).wait_for()
            keys = rows.locator("th[scope=row]").all_inner_texts()
            assert "loss.name" in keys and all(key.startswith("loss.") for key in keys)
        finally:
            for folder in (tmp_path / "runs").glob("duel-*"):
                (folder / "requests").mkdir(exist_ok=True)
                (folder / "requests" / "stop").touch()
