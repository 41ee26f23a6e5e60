"""The lesson on growing as a student uses it, its pictures and numbers held to the library's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from pvswgan import checkpoint
from pvswgan.checkpoint import ASSETS
from pvswgan.data import toyfaces
from pvswgan.latents import sample_latents
from pvswgan.networks import blend_real
from pvswgan.video import read, split_sheet, to_float, to_uint8
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_growing"
FOLDER = ASSETS / "recorded"
RECORDED = json.loads((FOLDER / "recorded.json").read_text())
AT = "pvs.learnGrowing.timeline"


def opened(page: Any, url: str, state: dict[str, Any] | None = None) -> Any:
    open_lesson(page, url, "growing", state)
    page.wait_for_function("pvs.learnGrowing.fade && pvs.learnGrowing.real")
    page.evaluate(f"{AT}.pause(); {AT}.seek(0)")
    return page.locator(LESSON)


def test_old_path_blend_and_new_path_are_the_networks(page: Any, url: str) -> None:
    lesson = opened(page, url, {"seed": 5, "fade": 1, "alpha": 0.3})
    found = RECORDED["fades"][1]
    model = checkpoint.load(FOLDER / found["file"])
    z = sample_latents(1, model.latent_dim, 5)
    for alpha, name in ((0.0, "old"), (0.3, "blend"), (1.0, "new")):
        expected = to_uint8(model.generate(z, stage=found["stage"], alpha=alpha))[0, 0].astype(int)
        seen = pixels(page, f"{LESSON} [data-ref={name}]").astype(int)
        assert seen.shape == expected.shape and np.abs(seen - expected).max() <= 1, name

    lesson.get_by_label("alpha", exact=True).fill("1")
    assert np.array_equal(pixels(page, f"{LESSON} [data-ref=blend]"), pixels(page, f"{LESSON} [data-ref=new]"))
    lesson.get_by_label("Stage that fades in").select_option("0")
    page.wait_for_function("pvs.learnGrowing.fade.side === 8")
    assert pixels(page, f"{LESSON} [data-ref=new]").shape == (8, 8, 3)
    wait_for_link(page, {"seed": 5, "fade": 0, "alpha": 1})


@pytest.mark.parametrize(("axes", "up"), [("space", (1, 2)), ("time", (2, 1)), ("both", (2, 2))])
def test_what_the_critic_is_shown_is_the_librarys_blend(page: Any, url: str, axes: str, up: tuple[int, int]) -> None:
    lesson = opened(page, url, {"seed": 3, "part": 0.25})
    lesson.get_by_role("radio", name=axes).check()
    page.evaluate(f"{AT}.seek(5)")
    real = to_float(toyfaces.draw(3, 0, 32, 16)[None])
    blended = blend_real(real, (16 // up[0], 32 // up[1]), (16, 32), 0.25)
    seen = pixels(page, f"{LESSON} [data-ref=mixed]").astype(int)
    assert np.abs(seen - to_uint8(blended)[0, 5].astype(int)).max() <= 1
    before = blend_real(real, (16 // up[0], 32 // up[1]), (16, 32), 0.0)
    added = page.evaluate("pvs.learnGrowing.added")
    assert added[axes] == pytest.approx((real - before).abs().mean().item(), rel=1e-5)
    assert f"{axes} {added[axes]:.3f}" in lesson.locator("[data-ref=adds]").inner_text()


def test_recorded_clips_at_equal_times_and_at_the_ends_of_stages(page: Any, url: str) -> None:
    lesson = opened(page, url, {"row": 2})
    lesson.get_by_label("Time of training").fill("3")
    moment = RECORDED["fixed"]["moments"][3]
    player = f"{LESSON} [data-ref=fixed] canvas:nth-child(5)"
    page.wait_for_function(f"""document.querySelector("{player}").dataset.shown === '["fixed",3,4]'""")
    sheet, _ = read(FOLDER / moment["file"])
    expected = split_sheet(sheet[0], moment["frames"])[4, 0]
    assert np.array_equal(pixels(page, player), expected)
    assert f"{moment['clips']:,} clips seen" in lesson.locator("[data-ref=fixedText]").inner_text()

    ends = lesson.locator("[data-ref=stages] canvas")
    assert ends.count() == len(RECORDED["stages"])
    page.wait_for_function(
        f"""[...document.querySelectorAll("{LESSON} [data-ref=stages] canvas")].every((one) => one.dataset.shown)""")
    figure = f"{LESSON} [data-ref=stages] figure:nth-child"
    sizes = [pixels(page, f"{figure}({place + 1}) canvas").shape[0] for place in range(ends.count())]
    assert sizes == [stage["resolution"] for stage in RECORDED["stages"]]


def test_costs_are_those_that_were_recorded(page: Any, url: str) -> None:
    lesson = opened(page, url)
    lesson.get_by_label("Plan").select_option("paper")
    rows = lesson.locator("[data-ref=costs] tr")
    paper = RECORDED["costs"]["paper"]
    assert rows.count() == 1 + len(paper)
    for row, cost in zip(rows.all()[1:], paper, strict=True):
        text = row.inner_text()
        assert f"{cost['frames']}×{cost['resolution']}×{cost['resolution']}" in text
        assert f"{cost['parameters']:,}" in text
    assert torch.tensor([cost["flops"] for cost in paper]).diff().gt(0).all()
