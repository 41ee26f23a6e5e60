"""The Latents page as a person uses it, in a real Chromium: one page, opened once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pvswgan.studio.models import ClipRequest, Models
from tests.browser import pixels, studio_apart, studio_here
from tests.browser.exploring import close_to, rendered
from tests.studio.test_latents import write_run

pytestmark = pytest.mark.browser
PLOT = "#pvs-latents [data-ref=plot]"
VIEW = "pvs.latentsView"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with one run of toyfaces, its critic beside it."""
    root = tmp_path_factory.mktemp("latents-page")
    write_run(root / "runs" / "faces")
    return root / "runs"


@pytest.fixture(scope="module")
def url(runs: Path) -> Iterator[str]:
    with studio_apart(runs) as url:
        yield url


def ready(page: Any, space: str, colour: str) -> None:
    """Waits until these points are drawn, and the clip of the point with them."""
    page.wait_for_function(
        f"""window.pvs?.latentsView?.data?.space === "{space}" && {VIEW}.state.colour === "{colour}"
        && document.querySelector("#pvs-latents [data-ref=wait]").hidden""")
    page.evaluate(f"(async () => {{ for (const w of ['loading', 'drawing', 'settling']) await {VIEW}[w]; }})()")


def dots(page: Any) -> list[dict[str, Any]]:
    """Where the dots are on the page, and whose they are."""
    return page.evaluate(f"""() => {{
      const plot = document.querySelector("{PLOT}"), {{ xaxis, yaxis }} = plot._fullLayout;
      const {{ left, top }} = plot.getBoundingClientRect();
      return plot.data.filter((t) => t.customdata).flatMap((t) => t.customdata.map((i, k) => (
        {{ i, x: left + xaxis._offset + xaxis.d2p(t.x[k]), y: top + yaxis._offset + yaxis.d2p(t.y[k]) }})));
    }}""")


def group(page: Any, name: str) -> set[int]:
    return set(page.evaluate(f"[...{VIEW}.groups.{name}]"))


def lasso(page: Any, name: str, left: float, right: float) -> set[int]:
    """Draws a lasso around all dots between two shares of the plot's width; says which they are."""
    page.get_by_role("button", name=f"select {name}").click()
    page.evaluate(f"{VIEW}.plot.drawn")
    box = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
    x0, x1 = (box["x"] + share * box["width"] for share in (left, right))
    y0, y1 = box["y"] + 3, box["y"] + box["height"] - 3
    inside = {dot["i"] for dot in dots(page) if x0 < dot["x"] < x1 and y0 < dot["y"] < y1}
    page.mouse.move(x0, y0)
    page.mouse.down()
    for x, y in ((x1, y0), (x1, y1), (x0, y1), (x0, y0 + 2)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{VIEW}.groups.{name.lower()}.size > 0")
    page.wait_for_function(f"!document.querySelector('[data-ref=mean{name}]').hidden")
    page.evaluate(f"(async () => {{ await {VIEW}.averaging; await {VIEW}.plot.drawn; }})()")
    return inside


def test_points_clips_selections_and_a_direction(page: Any, url: str, runs: Path) -> None:
    models = Models(runs, runs / "none")
    opened = models.open("run:faces")

    def clip(seed: int) -> np.ndarray:
        return rendered(models, ClipRequest(model="run:faces", seed=seed))

    # An address is opened as it was sent; two dots are pointed at and clicked, and their clips play.
    page.goto(f"{url}/?tab=latents&l=z,2,2,1,3,256,brightness")
    ready(page, "z", "brightness")
    assert "nothing to find here" in page.locator("[data-ref=lesson]").inner_text()
    assert page.evaluate(f"{VIEW}.state.axes") == [1, 0, 2]
    page.evaluate(f"{VIEW}.timeline.pause(); {VIEW}.timeline.seek(0)")
    far = max(dots(page), key=lambda dot: dot["x"])
    page.mouse.click(far["x"], far["y"])
    page.wait_for_function(f"{VIEW}.point === {far['i']} && {VIEW}.player.seq === {far['i']}")
    assert close_to(pixels(page, "#pvs-latents [data-ref=clip]"), clip(far["i"])[0])
    ring = page.locator(".pl-ring").bounding_box()
    assert abs(ring["x"] + 10 - far["x"]) < 2 and abs(ring["y"] + 10 - far["y"]) < 2
    assert f"seed {far['i']}: brightness" in page.locator("[data-ref=which]").inner_text()

    # The arrow keys step along the axis; A puts the point into a selection.
    page.locator(PLOT).focus()
    page.keyboard.press("ArrowLeft")
    second = sorted(dots(page), key=lambda dot: dot["x"])[-2]["i"]
    page.wait_for_function(f"{VIEW}.player.seq === {second}")
    page.keyboard.press("a")
    assert group(page, "a") == {second}
    send = page.get_by_role("button", name="Make a slider in Explore")
    assert send.is_disabled()

    # The lasso selects what it encloses; the mean clip is the mean of their clips.
    page.get_by_label("Points are").select_option("layer:0")
    ready(page, "layer:0", "brightness")
    assert group(page, "a") == set()
    left = lasso(page, "A", 0.02, 0.35)
    assert group(page, "a") == left and len(left) > 3
    right = lasso(page, "B", 0.65, 0.98)
    assert group(page, "b") == right and group(page, "a") == left
    step = max(1.0, len(left) / 64)
    order = page.evaluate(f"[...{VIEW}.groups.a]")
    chosen = [order[int(k * step)] for k in range(min(64, len(order)))]
    mean = np.mean([clip(seed) for seed in chosen], axis=0)[0]
    assert np.abs(pixels(page, "#pvs-latents [data-ref=meanA]").astype(float) - mean).mean() < 10

    # A selection is taken back, and the link brings what is selected.
    page.keyboard.press("Control+z")
    assert group(page, "a") == left and group(page, "b") == set()
    undo, redo = (page.locator(f"#pvs-latents [data-ref={name}]") for name in ("undo", "redo"))
    undo.click()
    assert group(page, "a") == set()
    page.keyboard.press("Control+Shift+Z")
    redo.click()
    assert group(page, "a") == left and group(page, "b") == right and redo.is_disabled()

    # So is a choice; other points bring back what was selected among them.
    page.get_by_label("Across", exact=True).select_option("2")
    page.get_by_label("Points are").select_option("z")
    ready(page, "z", "brightness")
    assert group(page, "a") == set()
    undo.click()
    ready(page, "layer:0", "brightness")
    assert group(page, "a") == left and group(page, "b") == right
    assert page.get_by_label("Across", exact=True).input_value() == "2"
    undo.click()
    page.wait_for_function("document.querySelector('#pvs-latents [data-ref=x]').value !== '2'")
    assert group(page, "a") == left and page.evaluate(f"{VIEW}.state.axes") != [2, 1, 2]
    redo.click()
    redo.click()
    ready(page, "z", "brightness")

    # Quicker than the points come: the second step is taken back among those that the first one brings.
    page.keyboard.press("Control+z")
    undo.evaluate("(button) => { button.click(); button.click(); }")
    ready(page, "layer:0", "brightness")
    assert group(page, "a") == left and group(page, "b") == set()
    for _ in range(3):
        redo.click()
    ready(page, "z", "brightness")
    assert redo.is_disabled() and group(page, "a") == set()
    undo.click()
    undo.click()
    ready(page, "layer:0", "brightness")
    undo.click()
    undo.click()
    assert group(page, "a") == group(page, "b") == set()
    page.evaluate(f"{VIEW}.setGroup('a', [])")  # a lasso around nothing
    assert redo.is_enabled(), "no step: what was undone can still be done again"
    others = sorted(set(range(256)) - left)[3:5]
    page.evaluate(f"{VIEW}.setGroup('a', {sorted(left)}); {VIEW}.setGroup('b', {others}); {VIEW}.keep(9)")
    page.wait_for_url(lambda url: "&g=9~" in url)
    page.reload()
    ready(page, "layer:0", "brightness")
    assert group(page, "a") == left and group(page, "b") == set(others) and page.evaluate(f"{VIEW}.point") == 9

    # Explained variance adds up; colours by seed and by place along a direction.
    shares = page.evaluate(f"{VIEW}.data.explained")
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1
    assert f"{100 * shares[0]:.1f} %" in page.locator("[data-ref=explained]").inner_text()
    assert f"Together {100 * sum(shares):.1f} %" in page.locator("[data-ref=explainedNote]").inner_text()
    for colour in ("seed", "pca:0"):
        page.get_by_label("Colour").select_option(colour)
        ready(page, "layer:0", colour)
    assert len(set(page.evaluate(f"{VIEW}.data.colour.values"))) > 200
    drawn = page.evaluate(f"document.querySelector('{PLOT}').data[0].marker.colorbar.title.text")
    assert drawn.startswith(page.evaluate(f"{VIEW}.data.colour.label"))
    page.get_by_label("Colour").select_option("brightness")
    ready(page, "layer:0", "brightness")

    # In space a lasso cannot be drawn, which is said.
    if page.evaluate("pvs.latents.webgl()"):
        page.get_by_label("Plot", exact=True).select_option("3")
        page.evaluate(f"{VIEW}.drawing")
        assert page.get_by_role("button", name="select A").is_disabled()
        assert "flat plot" in page.locator("[data-ref=dragNote]").inner_text()
        page.get_by_label("Plot", exact=True).select_option("2")
    page.wait_for_url(lambda url: "l=layer:0,2,2,1,3,256,brightness" in url and "model=run:faces" in url)

    # Real clips in the critic's space, coloured by kind; a factor's colour says how well it can be read.
    page.get_by_label("Points are").select_option("critic")
    ready(page, "critic", "real")
    page.evaluate(f"{VIEW}.keep(130)")
    page.wait_for_function(f"{VIEW}.player.seq === 130")
    assert "real clip 2" in page.locator("[data-ref=which]").inner_text()
    assert page.get_by_role("button", name="Open in Explore").is_disabled()
    page.get_by_label("Colour").select_option("factor:skin")
    ready(page, "critic", "factor:skin")
    page.wait_for_function("document.querySelector('[data-ref=lesson]').textContent.includes('R²')")

    # The table sorts, and a cell opens its direction in Explore.
    page.get_by_role("button", name="Measure").click()
    page.locator(".pl-table").wait_for()
    page.get_by_role("button", name="Factor", exact=True).click()
    names = page.locator(".pl-table tbody th").all_inner_texts()
    assert names == sorted(names) and "skin" in names
    cell = page.locator(".pl-table tbody td button").first
    name = cell.get_attribute("title").removeprefix("Open ").removesuffix(" in Explore")
    cell.click()
    page.get_by_role("slider", name=name, exact=True).wait_for()
    page.get_by_role("tab", name="Latents").click()

    # A direction between two selections becomes a slider in Explore.
    page.get_by_label("Points are").select_option("layer:0")
    ready(page, "layer:0", "factor:skin")
    for name, seeds in (("a", [0, 1, 2]), ("b", [3, 4, 5])):
        page.evaluate(f"{VIEW}.setGroup('{name}', {seeds})")
    page.get_by_label("Name of the direction").fill("from low to high")
    send.click()
    slider = page.get_by_role("slider", name="from low to high", exact=True)
    slider.wait_for()
    slider.fill("2")
    page.wait_for_function("pvs.explore.drawn > 0 && pvs.explore.drawn === pvs.explore.asked")
    (made,) = models.kept.own("run:faces")
    moved = ClipRequest(model="run:faces", seed=page.evaluate("pvs.explore.state.seed"), moves={made: 2.0})
    page.evaluate("pvs.explore.timeline.pause(); pvs.explore.timeline.seek(0)")
    assert close_to(pixels(page, "#pvs-explore [data-ref=clip]"), rendered(models, moved)[0])
    assert opened.model.latent_dim == len(models.direction(opened, made))


def test_without_webgl_a_link_to_a_plot_in_space_is_flat(page: Any, url: str) -> None:
    page.add_init_script("""const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
          return /webgl/.test(kind) ? null : get.call(this, kind, ...more);
        };""")
    page.goto(f"{url}/?tab=latents&model=run:faces&l=layer:0,3,1,2,3,256,seed")
    told = page.locator("#pvs-latents").get_by_role("alert").filter(has_text="no WebGL")
    told.wait_for()
    ready(page, "layer:0", "seed")
    assert told.is_visible() and page.get_by_label("Plot", exact=True).input_value() == "2" and dots(page)
    page.get_by_label("Plot", exact=True).select_option("3")
    assert told.is_visible() and page.get_by_label("Plot", exact=True).input_value() == "2"


def test_a_clip_that_did_not_come_is_asked_for_by_the_same_dot(page: Any, url: str) -> None:
    page.goto(f"{url}/?tab=latents&model=run:faces&l=layer:0,2,1,2,3,256,seed")
    ready(page, "layer:0", "seed")
    page.route("**/api/render", lambda route: route.abort())
    page.evaluate(f"{VIEW}.keep(5)")
    told = page.locator("#pvs-latents").get_by_role("alert").filter(has_text="does not answer")
    told.wait_for()
    page.unroute("**/api/render")
    page.evaluate(f"{VIEW}.keep(5)")
    page.wait_for_function(f"{VIEW}.player.seq === 5")
    told.wait_for(state="hidden")


def test_without_a_model_the_page_says_what_to_do(page: Any, tmp_path: Path) -> None:
    with studio_here(runs=tmp_path / "runs", assets=tmp_path / "assets") as url:
        page.goto(f"{url}/?tab=latents")
        page.locator("#pvs-latents").get_by_role("heading", name="No model yet").wait_for()
        page.locator("#pvs-latents").get_by_role("button", name="Go to Train").click()
        page.wait_for_function("location.search.includes('tab=train')")
        page.goto("about:blank")
