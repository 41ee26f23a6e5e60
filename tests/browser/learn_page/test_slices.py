"""The slice theatre as a student uses it, its numbers held to POT's."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import ot
import pytest

from pvswgan.checkpoint import ASSETS
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_slices"


def number(page: Any, name: str) -> float:
    return float(re.match(r"[\d.]+", page.locator(f"{LESSON} [data-ref={name}]").inner_text())[0])


def clouds(page: Any) -> tuple[np.ndarray, np.ndarray]:
    found = page.evaluate("pvs.learnSlices.clouds()")
    return np.array(found["a"]), np.array(found["b"])


def sliced(a: np.ndarray, b: np.ndarray, angle: float) -> float:
    direction = np.array([np.cos(angle), np.sin(angle)])
    return float(ot.wasserstein_1d(a @ direction, b @ direction, p=1))


def button(page: Any, name: str) -> Any:
    return page.locator(LESSON).get_by_role("button", name=name, exact=True)


def stroke(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the picture, from and to shares of its width and height."""
    plane = page.locator(f"{LESSON} .pn-slices-plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    (x, y), (u, v) = ((box["x"] + box["width"] * right, box["y"] + box["height"] * down)
                      for right, down in (start, end))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(u, v, steps=12)
    page.mouse.up()


def test_distances_are_those_of_pot(page: Any, url: str) -> None:
    open_lesson(page, url, "slices", {"a": "moons", "b": "square", "angle": 72.5, "seed": 9})
    page.wait_for_function("pvs.learnSlices.exact !== null")
    a, b = clouds(page)
    assert a.shape == b.shape == (60, 2)
    assert number(page, "distance") == pytest.approx(sliced(a, b, np.radians(72.5)), abs=6e-4)
    exact = ot.emd2([], [], ot.dist(a, b, metric="euclidean"))
    assert number(page, "exact") == pytest.approx(exact, abs=6e-4)
    every = [sliced(a, b, angle) for angle in np.linspace(0, np.pi, 2000, endpoint=False)]
    assert number(page, "all") == pytest.approx(np.mean(every), rel=0.005)
    assert number(page, "max") == pytest.approx(max(every), rel=0.002) and max(every) <= exact

    button(page, "10 more").click()
    button(page, "One more slice").click()
    angles = page.evaluate("pvs.transport.angles(11, 110, false)")
    assert number(page, "mean") == pytest.approx(np.mean([sliced(a, b, angle) for angle in angles]), abs=6e-4)
    button(page, "Turn to the worst slice").click()
    assert number(page, "distance") == pytest.approx(max(every), rel=0.01)


def test_the_mean_of_many_slices_settles_as_the_theory_says(page: Any, url: str) -> None:
    """The deviation of the mean of n slices over 200 draws is that of one slice divided by the root of n. Orthogonal
    pairs do better where what one direction sees the other one does not: two blobs that only moved apart."""
    open_lesson(page, url, "slices", {"count": 30})
    error = """([n, pairs]) => {
      const { a, b } = pvs.learnSlices.clouds(), T = pvs.transport, { mean } = T.everywhere(a, b);
      let sum = 0;
      for (let seed = 0; seed < 200; seed++)
        sum += (T.average(a, b, T.angles(n, seed * 31, pairs)).means[n - 1] - mean) ** 2;
      return Math.sqrt(sum / 200);
    }"""
    one = page.evaluate("(({a, b}) => pvs.transport.everywhere(a, b).deviation)(pvs.learnSlices.clouds())")
    for n in (4, 16, 64):
        assert page.evaluate(error, [n, False]) == pytest.approx(one / n**0.5, rel=0.2)
    page.evaluate("pvs.learnSlices.clouds = () => ({ a: [[-0.5, 0]], b: [[0.5, 0]] })")  # a slice sees the cosine
    assert page.evaluate(error, [16, True]) < 0.5 * page.evaluate(error, [16, False])


def test_the_direction_is_turned_by_mouse_slider_and_keys(page: Any, url: str) -> None:
    open_lesson(page, url, "slices")
    before = pixels(page, f"{LESSON} .pn-slices-line")
    stroke(page, (0.9, 0.5), (0.5, 0.1))
    assert number(page, "angleText") == pytest.approx(90, abs=1)
    assert np.abs(pixels(page, f"{LESSON} .pn-slices-line").astype(int) - before).mean() > 1
    page.locator(f"{LESSON} .pn-slices-plane").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert number(page, "angleText") == pytest.approx(101, abs=1)
    page.locator(LESSON).get_by_label("Direction in degrees").fill("12.5")
    assert number(page, "angleText") == 12.5
    wait_for_link(page, {"angle": 12.5})


def test_a_cloud_flows_into_the_other(page: Any, url: str) -> None:
    open_lesson(page, url, "slices", {"a": "spiral", "b": "ring"})
    start = number(page, "all")
    button(page, "Flow").click()
    button(page, "Pause").wait_for()
    button(page, "Flow").wait_for(timeout=60000)  # it has arrived, or made all its steps
    a, b = clouds(page)
    assert number(page, "all") < 0.06 * start
    assert ot.emd2([], [], ot.dist(a, b, metric="euclidean")) < 0.15 * start, "and not in the slices only"
    button(page, "Back to the start").click()
    assert number(page, "all") == start
    button(page, "One step").click()
    assert number(page, "all") < start and "After 1 step " in page.locator(f"{LESSON} .pn-slices-count").inner_text()


def test_a_cloud_is_drawn_by_hand(page: Any, url: str) -> None:
    open_lesson(page, url, "slices", {"b": "blob"})
    page.locator(LESSON).get_by_label("Draw the first one by hand").check()
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    a, b = clouds(page)
    assert len(a) >= 10 and np.abs(a[:, 1]).max() < 0.05 and a[:, 0].min() < -0.35 and a[:, 0].max() > 0.35
    assert number(page, "distance") == pytest.approx(sliced(a, b, np.radians(30)), abs=6e-4), "of unequal numbers too"
    page.wait_for_function("pvs.learnSlices.exact !== null")
    assert number(page, "exact") == pytest.approx(ot.emd2([], [], ot.dist(a, b, metric="euclidean")), abs=6e-4)
    page.wait_for_function("""JSON.parse(new URLSearchParams(location.search).get("l") ?? "{}").drawn?.length
        === pvs.learn.open.state.drawn.length""")
    again = page.context.new_page()
    again.goto(page.url)
    again.wait_for_function("window.pvs?.learnSlices?.clouds().a.length")
    assert np.array_equal(clouds(again)[0], a)


def test_a_link_gives_the_same_picture(page: Any, url: str) -> None:
    state = {"a": "moons", "b": "spiral", "angle": 101, "slices": 40, "steps": 7, "orthogonal": True}
    open_lesson(page, url, "slices", state)
    canvases = {name: f"{LESSON} .pn-slices-{name}" for name in ("plane", "line", "settle", "fall")}
    seen = {name: pixels(page, canvas) for name, canvas in canvases.items()}
    other = page.context.new_page()  # and in front from now on: a page behind another one is slow to be looked at
    other.goto(page.url)
    other.wait_for_function("window.pvs?.learnSlices?.clouds().a.length")
    for name, canvas in canvases.items():
        assert seen[name].std() > 1 and np.array_equal(seen[name], pixels(other, canvas)), name
    other.evaluate("pvs.learn.open.change({ seed: 2 })")
    assert not np.array_equal(seen["plane"], pixels(other, canvases["plane"]))


def test_clips_as_a_critic_sees_them(page: Any, url: str) -> None:
    open_lesson(page, url, "slices")
    lesson = page.locator(LESSON)
    lesson.get_by_label("First cloud").select_option("real clips")
    lesson.get_by_label("Second cloud").select_option("generated clips")
    lesson.get_by_label("Points", exact=True).select_option("500")
    page.wait_for_function("pvs.learnSlices.clouds().b.length > 60")
    recorded = json.loads((ASSETS / "recorded" / "recorded.json").read_text())["critic"]
    a, b = clouds(page)
    np.testing.assert_allclose(a, recorded["real"])
    np.testing.assert_allclose(b, recorded["fake"])
    assert f"{len(a)} real and as many generated clips" in lesson.locator("[data-ref=seen]").inner_text()
    lesson.get_by_label("Direction in degrees").fill("90")
    assert number(page, "distance") == pytest.approx(sliced(a, b, np.pi / 2), abs=6e-4)
    page.wait_for_function("location.search.includes('generated')")
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_function("window.pvs?.learnSlices?.clouds().b.length")
    np.testing.assert_allclose(clouds(page)[1], b)
