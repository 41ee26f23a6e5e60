"""The Evaluate page as a person uses it, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pvswgan.metrics import extractors as library
from pvswgan.metrics.evaluate import Result
from tests.browser import pixels, studio_apart
from tests.studio.test_evaluate import FACES
from tests.studio.test_evaluate_extractors import pretend_c3d, write_c3d
from tests.studio.test_latents import write_run

pytestmark = pytest.mark.browser
VIEW = "pvs.evaluateView"
READY = "window.pvs?.evaluateView && !document.querySelector('#pvs-evaluate [data-ref=body]').hidden"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate-page")
    write_run(root / "runs" / "faces", config=FACES)
    return root / "runs"


@pytest.fixture(scope="module")
def url(runs: Path) -> Iterator[str]:
    with studio_apart(runs) as url:
        yield url


def measure(page: Any, seed: int) -> None:
    form = page.locator("#pvs-evaluate form")
    form.get_by_label("Clips of each kind").select_option("100")
    form.get_by_label("Seed").fill(str(seed))
    before = page.evaluate(f"{VIEW}.tables.length")
    form.get_by_role("button", name="Measure").click()
    page.wait_for_function(f"{VIEW}.tables.length > {before} && !{VIEW}.measuring", timeout=180000)


def test_a_model_is_measured_its_numbers_shown_and_another_protocol_kept_apart(page: Any, url: str, runs: Path) -> None:
    page.goto(f"{url}/?tab=evaluate")
    page.get_by_text("Nothing has been measured yet").wait_for()
    measure(page, 0)
    [file] = runs.glob("faces/metrics/*.json")
    values = Result.from_json(file.read_text()).values
    row = page.locator("#pvs-evaluate tr[data-measure=fid]")
    cells = [float(text) for text in row.locator("td").all_inner_texts()]
    assert cells == pytest.approx([values["fid"][name] for name in ("value", "floor", "ceiling")], rel=1e-3)

    hidden = page.locator("#pvs-evaluate tr[data-measure=flicker]")
    assert not hidden.is_visible()
    page.get_by_role("button", name="All").click()
    assert hidden.is_visible()

    page.get_by_role("button", name="Nearest training clips").click()
    page.wait_for_function(f"{VIEW}.near")
    pictures = page.locator("#pvs-evaluate .pm-pairs canvas")
    assert pictures.count() == 32
    page.wait_for_function(
        "[...document.querySelectorAll('#pvs-evaluate .pm-pairs canvas')].every((c) => c.width === 8)")
    assert pixels(page, "#pvs-evaluate [data-ref=pairs] figure:first-child canvas:last-child").std() > 1

    measure(page, 7)
    panels = page.locator("#pvs-evaluate .pm-table")
    assert panels.count() == 2
    assert "it differs in: seed: 7 and 0" in panels.nth(1).inner_text()

    page.set_viewport_size({"width": 420, "height": 900})
    labels = page.locator("#pvs-evaluate .pm-table >> nth=0 >> tr:visible > th:first-child").all()
    assert labels and min(label.bounding_box()["width"] for label in labels) > 80, "words break within"


def test_what_was_held_out_is_measured_against_and_shown(page: Any, tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "apart", config=FACES | {"data": FACES["data"] | {"hold_out": 0.4}})
    with studio_apart(tmp_path / "runs") as url:
        page.goto(f"{url}/?tab=evaluate")
        page.wait_for_function(READY)
        measure(page, 0)
        panel = page.locator("#pvs-evaluate .pm-table")
        assert "which were held out of the training" in panel.inner_text()
        panel.get_by_role("button", name="Nearest training clips").click()
        page.wait_for_function(f"{VIEW}.near")
        assert "Above: clips that were held out of the training" in page.locator("#pvs-evaluate .pm-near").inner_text()
        first = page.locator("#pvs-evaluate [data-ref=realPairs] canvas")
        assert first.nth(0).get_attribute("aria-label") == "Held-out clip 0"
        assert first.nth(1).get_attribute("aria-label") == "Nearest training clip to held-out clip 0"


def test_another_extractor_is_chosen_and_what_cannot_be_had_says_why(
        page: Any, url: str, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(runs.parent / "torch"))
    monkeypatch.setattr(library, "_c3d", pretend_c3d)
    folder = runs / ".studio" / "extractors"
    write_c3d(folder / "ucf.safetensors")
    write_c3d(folder / "half.safetensors", leave_out="fc6.weight")
    page.goto(f"{url}/?tab=evaluate")
    page.wait_for_function(READY)
    choice = page.get_by_label("Extractor", exact=True)
    page.wait_for_function("document.querySelector('#pvs-evaluate [data-ref=extractor]').options.length > 3")
    assert choice.input_value() == "clipnet"
    usable = choice.locator("option").evaluate_all("all => all.filter((one) => !one.disabled).map((one) => one.value)")
    assert usable == ["clipnet", "c3d/ucf.safetensors"]
    page.get_by_text("Why an extractor cannot be chosen").click()
    reasons = page.locator("#pvs-evaluate [data-ref=reasons]").inner_text()
    assert "Inception-v3 on frames: its weights are not on this machine" in reasons
    assert "C3D, half.safetensors: it does not hold C3D's weights: fc6.weight is missing" in reasons
    assert "I3D: its weights file is a program, which this page does not run" in reasons

    choice.select_option("c3d/ucf.safetensors")
    before = set(runs.glob("faces/metrics/*.json"))
    measure(page, 3)
    [file] = set(runs.glob("faces/metrics/*.json")) - before
    found = Result.from_json(file.read_text())
    assert found.protocol["extractor"]["name"] == "c3d"
    first = page.locator("#pvs-evaluate .pm-table").first
    shown = float(first.locator("tr[data-measure=fid] td").first.inner_text())
    assert shown == pytest.approx(found.values["fid"]["value"], rel=1e-3)
    assert choice.input_value() == "c3d/ucf.safetensors", "what was chosen stays chosen"


def test_a_measurement_is_stopped_and_another_can_begin(page: Any, url: str) -> None:
    page.goto(f"{url}/?tab=evaluate")
    page.wait_for_function(READY)
    form = page.locator("#pvs-evaluate form")
    form.get_by_label("Clips of each kind").select_option("100")
    form.get_by_label("Seed").fill("11")
    page.route("**/api/evaluate/measure", lambda route: route.fulfill(
        json={"state": "running", "sentence": "samples", "done": 40, "of": 400}))
    form.get_by_role("button", name="Measure").click()
    page.get_by_text("samples: 40 of 400").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function(f"!{VIEW}.measuring")
    page.unroute("**/api/evaluate/measure")
    measure(page, 12)


def test_an_error_is_a_sentence(page: Any, url: str) -> None:
    page.goto(f"{url}/?tab=evaluate")
    page.wait_for_function(READY)
    store = "document.querySelector('#pvs-evaluate [data-ref=store]')"
    page.wait_for_function(f"{store}.options.length > 0")
    page.evaluate(f"{store}.add(new Option('gone', 'gone', true, true))")
    page.locator("#pvs-evaluate form").get_by_role("button", name="Measure").click()
    error = page.locator("#pvs-evaluate [role=alert]")
    error.wait_for()
    assert "gone" in error.inner_text()
