"""Explore with a model whose latents have parts (MoCoGAN's content and motion): each changed, undone, sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pvswgan import latents
from pvswgan.baselines import mocogan
from pvswgan.checkpoint import build_generator, save_network
from pvswgan.studio.models import Models
from pvswgan.studio.points import Point
from tests.browser import studio_here
from tests.browser.conftest import write_model
from tests.browser.exploring import POINT, close_to, enter, expected, pixels, settle, slider, state

pytestmark = pytest.mark.browser
CONTENT, MOTION = slice(0, 50), slice(50, 140)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A small MoCoGAN with strong weights, so that its parts are seen without a training, and a model of one piece."""
    monkeypatch.setattr(mocogan, "CHANNELS", (16, 8, 4, 4))
    config: dict[str, Any] = {
        "data": {"source": "toyfaces", "path": None}, "growth": {"stages": [[8, 16]], "fade_kimg": 1,
        "stable_kimg": 1}, "network": {"system": "mocogan"}, "loss": {"name": "gan"}}
    torch.manual_seed(0)
    generator = build_generator(config)
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            if weight.ndim == 4:
                weight.mul_(5)
            elif "recurrent" in name:
                weight.mul_(3)
    (tmp_path / "assets").mkdir()
    save_network(tmp_path / "assets" / "moco.safetensors", generator, config, clips=8, stage=0, alpha=1.0)
    write_model(tmp_path / "assets" / "small.safetensors", "small")
    return {"runs": tmp_path / "runs", "assets": tmp_path / "assets"}


@pytest.fixture
def url(library: dict[str, Path]) -> Iterator[str]:
    with studio_here(**library) as url:
        yield url


def latent(library: dict[str, Path], page: Any) -> torch.Tensor:
    models, now = Models(library["runs"], library["assets"]), state(page)
    return models.latents(models.open(now["model"]), [Point(**{name: now[name] for name in POINT})])[0]


def seeds(page: Any) -> list[str]:
    return [page.get_by_label(f"Seed of the {part}").input_value() for part in ("content", "motion")]


def test_content_and_motion_are_changed_one_by_one(page: Any, url: str, library: dict[str, Path]) -> None:
    enter(page, url, "?model=asset:moco")
    own = latents.sample_latents(1, 140, 0)[0]
    assert seeds(page) == ["0", "0"] and torch.equal(latent(library, page), own)
    first = pixels(page)

    page.get_by_role("button", name="New content, same motion").click()
    settle(page)
    content = state(page)["parts"]["content"]
    assert seeds(page) == [str(content), "0"]
    z = latent(library, page)
    assert torch.equal(z[MOTION], own[MOTION])
    assert torch.equal(z[CONTENT], latents.sample_latents(1, 140, content)[0, CONTENT])
    second = pixels(page)
    assert close_to(second, expected(library, page)[0]) and not close_to(second, first)

    page.get_by_label("Seed of the motion").fill("7")
    settle(page)
    assert torch.equal(latent(library, page)[CONTENT], z[CONTENT]) and seeds(page) == [str(content), "7"]
    assert close_to(pixels(page), expected(library, page)[0])
    page.wait_for_function("pvs.explore.store.resting")
    step = page.locator(".pe-step").last.get_attribute("aria-label")
    assert f"seed 0, content of seed {content}, motion of seed 7" in step

    page.get_by_role("button", name="Undo", exact=True).click()
    settle(page)
    assert state(page)["parts"] == {"content": content} and np.array_equal(pixels(page), second)
    page.get_by_role("button", name="Undo", exact=True).click()
    settle(page)
    assert state(page)["parts"] == {} and seeds(page) == ["0", "0"] and np.array_equal(pixels(page), first)
    for _ in range(2):
        page.get_by_role("button", name="Redo", exact=True).click()
        settle(page)
    assert state(page)["parts"] == {"content": content, "motion": 7}

    point = {name: state(page)[name] for name in ("model", *POINT)}
    snippet = page.request.post(f"{url}/api/export", data={**point, "format": "py"}).text()
    assert f"z = model.latent(0, content={content}, motion=7)" in snippet
    names: dict[str, Any] = {}
    exec(snippet.rpartition("video.write")[0], names)
    np.testing.assert_array_equal(names["clip"], expected(library, page))

    page.get_by_label("Seed of the motion").fill("0")  # as the seed: no longer a seed of its own
    page.get_by_role("button", name="Next seed").click()
    settle(page)
    assert seeds(page) == ["1", "1"] and torch.equal(latent(library, page), latents.sample_latents(1, 140, 1)[0])


def test_sliders_of_a_part_and_the_link(page: Any, url: str, library: dict[str, Path]) -> None:
    enter(page, url, "?model=asset:moco")
    page.get_by_role("button", name="New motion, same content").click()
    slider(page, "PCA 1").wait_for()
    page.get_by_label("Which directions").select_option("pca-content")
    slider(page, "Content 1").wait_for()
    page.get_by_label("Which directions").select_option("pca-motion")
    assert page.locator(".pe-direction:visible").count() == 8
    before = latent(library, page)
    slider(page, "Motion 1").fill("2")
    settle(page)
    moved = latent(library, page) - before
    assert not moved[CONTENT].any() and moved[MOTION].norm() > 0.5
    assert state(page)["moves"] == {"pca-motion:0": 2} and close_to(pixels(page), expected(library, page)[0])
    page.wait_for_function("pvs.explore.store.resting && location.search.includes('qmotion-0')")
    shown, now, link = pixels(page), state(page), page.url

    page.goto("about:blank")
    page.goto(link)
    settle(page)
    again = state(page)
    assert {name: again[name] for name in POINT} == {name: now[name] for name in POINT}
    assert seeds(page) == ["0", str(now["parts"]["motion"])] and np.array_equal(pixels(page), shown)

    page.goto(link.replace("Pmotion.", "Pcolour."))  # a link that somebody has changed
    sentence = page.get_by_text("no part 'colour': it has content and motion. The seed alone is shown.")
    sentence.wait_for()
    page.wait_for_function("pvs.explore.store.resting")
    page.wait_for_timeout(1500)  # what is done at rest, such as the pictures of steps, takes no sentence away
    assert sentence.is_visible()
    assert state(page)["parts"] == {}
    page.get_by_label("Model", exact=True).select_option("asset:small")
    page.wait_for_function("document.querySelector('#pvs-explore [data-ref=parts]').hidden")
    page.wait_for_function("!document.querySelector('#pvs-explore [data-ref=kinds] option[value^=\"pca-\"]')")


def test_parts_fit_a_narrow_screen(page: Any, url: str) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    enter(page, url, "?model=asset:moco")
    button = page.get_by_role("button", name="New motion, same content")
    box = button.bounding_box()
    assert box["x"] + box["width"] <= 420
    assert page.get_by_label("Seed of the motion").bounding_box()["width"] > 60
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
