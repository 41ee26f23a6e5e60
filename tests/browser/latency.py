"""Slider to new pixels, as a person has it: python -m tests.browser.latency MODEL [--moves 200] [--url URL]

Opens the Explore page in a headless Chromium, drags a slider with the mouse one step at a time, and takes for
each step the time from the browser's input event (its own time stamp) until the canvas holds other pixels.
`shown` adds the wait for the next frame of the screen. MODEL is an id ("asset:NAME", "run:NAME") or a
.safetensors file, which then is served by a studio of its own; with --url the studio that already runs there
is measured.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.browser import chromium, studio_at

# The canvas is compared after the clock was read, so that looking costs nothing that is counted.
WATCH = """
() => {
  const { explore } = window.pvs, { canvas, context } = explore.player;
  const pixels = () => context.getImageData(0, 0, canvas.width, canvas.height).data.join();
  const seen = (window.latency = { began: null, before: pixels(), times: [], shown: [] });
  addEventListener("input", (event) => { seen.began = event.timeStamp; }, true);
  explore.onDrawn = () => {
    const now = performance.now(), began = seen.began;
    if (began === null) return;
    const after = pixels();
    if (after === seen.before) return;
    seen.before = after;
    seen.began = null;
    seen.times.push(now - began);
    requestAnimationFrame(() => seen.shown.push(performance.now() - began));
  };
}
"""

READ = """
() => ({
  times: latency.times, shown: latency.shown,
  render: performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/api/render"))
    .slice(-latency.times.length).map((e) => e.serverTiming.find((t) => t.name === "render").duration),
})
"""


def drag(page: Any, moves: int) -> dict[str, list[float]]:
    """Moves sliders by the mouse, each move after the last one's pixels; milliseconds of each.

    100 steps along one slider, then along the next: no clip comes twice, so that none is answered by a cache.
    """
    page.wait_for_function("window.pvs?.explore?.drawn > 0 && pvs.explore.drawn === pvs.explore.asked")
    page.evaluate("pvs.explore.timeline.pause()")
    page.evaluate("performance.setResourceTimingBufferSize(10000)")
    for lap in range(-(-moves // 100)):
        slider = page.locator(f"#pvs-explore-move-pca-{lap}")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        y, left, width = box["y"] + box["height"] / 2, box["x"] + 10, box["width"] - 20
        page.mouse.move(left + width / 2, y)
        page.mouse.down()
        page.wait_for_timeout(500)
        if lap == 0:
            page.evaluate(WATCH)
        for i in range(min(100, moves - 100 * lap)):
            page.mouse.move(left + width * ((i * 37 + 11) % 100) / 100, y)
            page.wait_for_function("n => latency.shown.length >= n", arg=100 * lap + i + 1, timeout=20000)
        page.evaluate("latency.began = null")
        page.mouse.up()
    return page.evaluate(READ)


def summary(times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return f"p50 {statistics.median(times):6.1f} ms   p95 {cuts[18]:6.1f} ms   worst {max(times):6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description="Slider to new pixels in Chromium.")
    parser.add_argument("model", help='an id such as "asset:NAME" or "run:NAME", or a .safetensors file')
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--url", help="a studio that runs already; otherwise one is started")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    with ExitStack() as stack:
        model, url = options.model, options.url
        if url is None:
            settings: dict[str, Any] = {"runs": options.runs}
            if model.endswith(".safetensors"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                (folder / "model.safetensors").symlink_to(Path(model).resolve())
                settings["assets"], model = folder, "asset:model"
            url = stack.enter_context(studio_at(**settings))
        page = stack.enter_context(chromium()).new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}/?model={model}")
        page.wait_for_function("id => window.pvs?.explore?.state.model?.startsWith(id)", arg=model)
        measured = drag(page, options.moves)
        print(f"{model}, {page.locator('[data-ref=sentence]').inner_text()}")
        print(f"pixels on the canvas  {summary(measured['times'])}   ({options.moves} moves)")
        print(f"shown (next frame)    {summary(measured['shown'])}")
        print(f"of it, the model      {summary(measured['render'])}")


if __name__ == "__main__":
    main()
