"""The lesson on SWGAN and WGAN-GP: the same latents, blind, measured, with several seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pvswgan
from pvswgan.checkpoint import ASSETS
from pvswgan.studio import learn_pair
from pvswgan.video import to_uint8
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link
from tests.train import test_study

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_pair"
NAMES = ("toyfaces-swgan", "toyfaces-wgan-gp")


def ready(page: Any) -> None:
    page.wait_for_function("window.pvs.learnPair?.clips.players().length === 2 "
                           "&& pvs.learnPair.clips.players().every((p) => p.sheet)", timeout=30000)


def test_both_columns_are_the_same_latents_on_one_clock(page: Any, url: str) -> None:
    open_lesson(page, url, "pair", {"seed": 7})
    ready(page)
    page.locator(LESSON).get_by_label("Frame").fill("5")
    page.wait_for_function("pvs.learnPair.clips.players().every((p) => p.frame === 5)")
    for place, name in enumerate(NAMES):
        model = pvswgan.load(name)
        seen = pixels(page, f"{LESSON} .pc-column:nth-child({place + 1}) canvas")
        size = seen.shape[1]
        clips = np.concatenate([to_uint8(model.sample(1, seed=seed))[0, 5] for seed in (7, 8, 9)])
        wide = np.kron(clips, np.ones((size // model.resolution, size // model.resolution, 1)))
        assert np.abs(seen.astype(float) - wide).mean() < 8, name  # JPEG; another frame is 20 and more off

    page.locator(LESSON).get_by_label("Look").select_option("wipe")
    divider = page.locator(LESSON).get_by_label("Divider")
    divider.fill("1")
    left = pixels(page, f"{LESSON} .pc-screen canvas")
    divider.fill("0")
    right = pixels(page, f"{LESSON} .pc-screen canvas")
    assert np.abs(left.astype(int) - right).mean() > 5
    wait_for_link(page, {"seed": 7, "frame": 5, "mode": "wipe", "wipe": 0})

    page.route("**/api/rows", lambda route: route.abort())
    page.locator(LESSON).get_by_role("button", name="Next seeds").click()
    faint = "document.querySelectorAll('#pvs-learn_pair .pc-column canvas.pvs-stale').length"
    page.wait_for_function(f"{faint} === 2")
    page.unroute("**/api/rows")
    page.locator(LESSON).get_by_role("button", name="Next seeds").click()
    page.wait_for_function(f"{faint} === 0")
    assert page.locator("#pvs-learn [role=alert]:visible").count() == 0, "what was said of the failure is gone"
    page.locator(LESSON).get_by_label("Seeds from").fill("7")
    ready(page)

    page.locator(LESSON).get_by_role("button", name="Take over in Compare").click()
    page.wait_for_function("window.pvs.compareView?.shown && pvs.compareView.state.ids.length === 2")
    assert page.evaluate("pvs.compareView.state.ids") == [f"asset:{name}" for name in NAMES]


def test_the_quiz_is_blind_until_its_end_and_counts_right(page: Any, url: str) -> None:
    open_lesson(page, url, "pair")
    ready(page)
    page.locator(LESSON).get_by_role("button", name="Begin").click()
    for place in range(10):
        page.wait_for_selector(f"{LESSON} .pc-quiz[data-round='{place}']")
        assert page.locator(f"{LESSON} .pc-quiz table").count() == 0
        page.locator(LESSON).get_by_role("button", name="Left (←)").click()
    score = page.locator(f"{LESSON} [data-score]")
    score.wait_for()
    rounds = page.evaluate("pvs.learnPair.quiz.rounds")
    assert int(score.get_attribute("data-score")) == sum(one["first"] == 0 for one in rounds) not in (0, 10)


def test_the_measures_are_those_that_were_shipped(page: Any, url: str) -> None:
    open_lesson(page, url, "pair")
    row = page.locator(f"{LESSON} tr[data-measure=fid] td b")
    row.first.wait_for()
    files = [next((ASSETS / name / "metrics").iterdir()) for name in NAMES]
    expected = [json.loads(file.read_text())["values"]["fid"]["value"] for file in files]
    assert [float(text) for text in row.all_inner_texts()] == pytest.approx(expected, rel=1e-3)
    panels = page.locator(f"{LESSON} .pc-curve")
    for id in ("loss wgan-gp", "motion"):  # one training after the other
        page.locator(f"{LESSON} .pc-curve[data-panel='{id}']").wait_for()
    drawn = {panel.get_attribute("data-panel") for panel in panels.all()}
    assert drawn >= {"loss swgan", "loss wgan-gp", "swd", "motion"}


def test_what_a_study_found_is_told_with_its_uncertainty(page: Any, url: str, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    arms = {"swgan": {}, "wgan-gp": {"loss.name": "wgan-gp"}}
    (tmp_path / "configs").mkdir()
    written = test_study.written(tmp_path / "configs", seeds=[0, 1, 2], reference="swgan", arms=arms)
    study = test_study.plan.load(written)
    for seed, (swgan, other) in enumerate(((10.0, 20.0), (30.0, 25.0), (10.0, 40.0))):
        for arm, fid in (("swgan", swgan), ("wgan-gp", other)):
            test_study.leave(study, tmp_path / "docs" / "study" / "tiny", arm, seed, fid)
    monkeypatch.setattr(learn_pair, "ROOT", tmp_path)
    open_lesson(page, url, "pair")
    found = page.locator(f"{LESSON} .pn-pair-found")
    found.locator("table").wait_for()
    assert found.locator("h4").count() == 1 and "0.05 minutes of processor time for each training" in found.inner_text()
    assert "By FID SWGAN was the better one in 2 of 3 seeds" in found.inner_text()
    assert "in 100 % of such studies" in found.inner_text()
    assert found.locator("tr[data-arm='wgan-gp'] td").all_inner_texts() == [
        "wgan-gp", "3", "28.3 (20, 25, 40)", "0.283 (0.2, 0.25, 0.4)"]
