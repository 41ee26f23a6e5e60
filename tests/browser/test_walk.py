"""The whole walk of a person, nothing pretended: train on real clips, watch, stop, explore, export."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pvswgan import video
from pvswgan.studio.models import Models
from pvswgan.studio.processes import REPOSITORY
from tests.browser import pixels, studio_at
from tests.browser.exploring import rendered, request, settle, slider, state
from train.run import ACTIVE, RunFolder

CLIPS = REPOSITORY.parent / "shared" / "data" / "actions"  # what configs/actions.yaml names
FRAMES, RESOLUTION, SCALE, FPS = 8, 16, 8, 12
TRAINED, EXPLORED = '#pvs-train [data-part="canvas"]', "#pvs-explore [data-ref=clip]"
# Every size that the ruler says the training has reached, as long as the page is open.
SIZES_SEEN = """
() => {
  const seen = (window.sizesSeen = []), ruler = document.querySelector('#pvs-train [data-part="ruler"]');
  const look = () => {
    const size = ruler.querySelector(".pvs-ruler-size.now")?.textContent;
    if (size && size !== seen.at(-1)) seen.push(size);
  };
  new MutationObserver(look).observe(ruler, { subtree: true, childList: true, attributes: true });
}
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CLIPS.is_dir(), reason=f"real clips {CLIPS} are missing"),
]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """A folder of runs, none of which outlives the test: a training does not end with the studio."""
    yield tmp_path / "runs"
    for run in map(RunFolder, (tmp_path / "runs").glob("*")):
        if run.alive():
            with contextlib.suppress(psutil.Error):
                psutil.Process(int((run.status() or {})["pid"])).kill()


@pytest.fixture
def studio(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A studio with no model and no run, whose trainings decode their clips themselves."""
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    with studio_at(runs=runs, assets=tmp_path / "assets") as url:
        yield url


def test_train_watch_stop_explore_export(page: Any, studio: str, runs: Path, tmp_path: Path) -> None:
    page.set_default_timeout(150_000)
    page.goto(f"{studio}/?tab=train")
    start(page)
    watch_it_grow(page, RunFolder(runs / "walk"))
    stop(page, RunFolder(runs / "walk"))
    open_in_explore(page, runs)
    scrub(page, runs)
    export(page, runs, tmp_path)


def start(page: Any) -> None:
    """Three short stages, and a last one that goes on until it is stopped."""
    page.locator('input[value="actions"]').check()
    settings = {"Fade (kimg)": "0, 0.16, 0.16", "Stable (kimg)": "0.8, 0.32, 0.32", "Total (kimg)": "100"}
    for label, value in {**settings, "Batch": "4, 8, 8", "Name of the run": "walk"}.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Pixels", exact=True).select_option(str(RESOLUTION))
    page.get_by_label("Frames", exact=True).select_option(str(FRAMES))
    page.evaluate(SIZES_SEEN)
    page.get_by_text("3 stages, 100 kimg in all").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector('#pvs-train [data-part="badge"][data-state="running"]')


def watch_it_grow(page: Any, run: RunFolder) -> None:
    page.locator('#pvs-train [data-part="play"]').click()  # pauses the clips: one frame, to compare
    page.locator('#pvs-train [data-part="frames"]').fill("0")
    page.wait_for_function("sizesSeen.at(-1) === '8×16×16'")
    assert page.evaluate("sizesSeen")[0] == "4×4×4"
    page.wait_for_function(f"document.querySelector('{TRAINED}').width === {4 * RESOLUTION}")
    page.wait_for_function("document.querySelector('#pvs-train [data-part=curves]').dataset.points > 0")

    page.locator('#pvs-train [data-part="snapshots"]').focus()
    untrained, trained, newest = (look_at_snapshot(page, run, key) for key in ("Home", "ArrowRight", "End"))
    assert untrained.shape == trained.shape == (12, 16, 3), "twelve latents of 4×4 pixels, four in a row"
    assert distance(untrained, trained) > 5
    assert newest.shape == (3 * RESOLUTION, 4 * RESOLUTION, 3)


def look_at_snapshot(page: Any, run: RunFolder, key: str) -> np.ndarray:
    """Moves in training time by that key; the picture on the canvas, which is the trainer's own."""
    before = page.locator(TRAINED).get_attribute("data-clips")
    page.keyboard.press(key)
    page.wait_for_function(f"before => document.querySelector('{TRAINED}').dataset.clips !== before", arg=before)
    clips = int(page.locator(TRAINED).get_attribute("data-clips"))
    sample = next(sample for sample in run.samples() if sample.clips == clips)
    sheet = video.split_sheet(np.asarray(Image.open(sample.path).convert("RGB")), sample.frames)
    seen = pixels(page, TRAINED)
    np.testing.assert_array_equal(seen, video.grid(sheet, columns=4)[0])
    return seen


def stop(page: Any, run: RunFolder) -> None:
    page.locator('#pvs-train [data-request="stop"]').click()
    page.wait_for_selector('#pvs-train [data-part="badge"][data-state="stopped"]')
    assert run.state() not in ACTIVE
    page.wait_for_selector(f'{TRAINED}[data-clips="{(run.status() or {})["snapshot"]}"]')


def open_in_explore(page: Any, runs: Path) -> None:
    page.get_by_role("button", name="Open in Explore").click()
    settle(page)
    newest = max((runs / "walk" / "checkpoints").glob("*-network.safetensors")).name.partition("-")[0]
    assert state(page)["model"] == f"run:walk@{newest}"
    page.locator("#pvs-explore [data-ref=sentence]", has_text="Trained on actions (strips)").wait_for()
    page.evaluate("pvs.explore.timeline.pause(); pvs.explore.timeline.seek(0)")
    assert_shows(page, model_clip(page, runs)[0])


def scrub(page: Any, runs: Path) -> None:
    """By arrow keys, then by the mouse: each time other pixels, and the model's own."""
    first = slider(page, "PCA 1")
    for move in (keys_to_the_right, drag_to_the_left):
        before = pixels(page, EXPLORED)
        move(page, first)
        settle(page)
        after, wanted = pixels(page, EXPLORED), model_clip(page, runs)[0]
        assert (after != before).any() and coarse(after, wanted) < coarse(before, wanted) / 2
        assert_shows(page, wanted)
    assert state(page)["moves"]["pca:0"] < -2


def keys_to_the_right(page: Any, slider: Any) -> None:
    slider.focus()
    for key in ("End", *["ArrowLeft"] * 5):  # to +2.75
        page.keyboard.press(key)


def drag_to_the_left(page: Any, slider: Any) -> None:
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 5.75 / 6, y)  # where it is now
    page.mouse.down()
    page.mouse.move(box["x"] + 12, y, steps=25)
    page.mouse.up()


def export(page: Any, runs: Path, folder: Path) -> None:
    page.get_by_label("Speed in frames a second").fill(str(FPS))
    page.locator("[data-ref=exportButton]").click()
    page.get_by_label("Size").select_option(str(SCALE))
    wanted, canvas = model_clip(page, runs), pixels(page, EXPLORED)
    for kind in ("mp4", "gif"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind.upper(), exact=True).click()
        path = folder / download.value.suggested_filename
        assert path.suffix == f".{kind}" and path.name.startswith("walk")
        download.value.save_as(path)
        film, fps = video.read(path)
        assert fps == pytest.approx(FPS, rel=0.05)
        assert film.shape == (FRAMES, RESOLUTION * SCALE, RESOLUTION * SCALE, 3)
        # mp4 stores colour at half resolution and GIF 256 colours: near, not equal.
        small = film.reshape(FRAMES, RESOLUTION, SCALE, RESOLUTION, SCALE, 3).mean((2, 4))
        assert distance(small, wanted) < 5 and distance(small[0], canvas) < 12


# ---- what is looked at -----------------------------------------------------------------------------------


def model_clip(page: Any, runs: Path) -> np.ndarray:
    """The clip that the page's state stands for, rendered here: uint8 (T, H, W, 3)."""
    return rendered(Models(runs, runs / "no-assets"), request(page))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two pictures or clips, in 256ths of the range."""
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def coarse(a: np.ndarray, b: np.ndarray) -> float:
    """The same of their 4×4 means, in which JPEG's noise is gone."""
    means = [x.astype(float).reshape(RESOLUTION // 4, 4, RESOLUTION // 4, 4, 3).mean((1, 3)) for x in (a, b)]
    return distance(*means)


def assert_shows(page: Any, wanted: np.ndarray) -> None:
    """The canvas holds this picture, but for JPEG and bfloat16: so young a model's clips are noise, the worst case."""
    assert distance(pixels(page, EXPLORED), wanted) < 10
