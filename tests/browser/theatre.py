"""The lessons as quick as a hand: python -m tests.browser.theatre

Opens every lesson in a headless Chromium and says when its first picture was there; of the slice theatre, with 500
points, also how long a turn of the direction takes to be drawn, and how many frames a second the flow has (a screen
has 60).
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser

from pvswgan.studio.learn import LESSONS
from tests.browser import chromium, studio_at

# Whether something is drawn on one of the lesson's canvases that can be seen.
PICTURE = """(name) => [...document.querySelectorAll(`#pvs-learn_${name} canvas`)].some((canvas) => {
  if (!canvas.offsetParent || canvas.width < 2) return false;
  const small = new OffscreenCanvas(24, 24).getContext("2d");
  small.drawImage(canvas, 0, 0, 24, 24);
  return new Set(new Uint32Array(small.getImageData(0, 0, 24, 24).data.buffer)).size > 3;
})"""
DRAWN = "window.pvs?.learnSlices?.clouds().a.length"
TURNS = """async () => {
  const times = [];
  for (let turn = 0; turn < 120; turn++) {
    await new Promise(requestAnimationFrame);
    const begin = performance.now();
    pvs.learn.open.change({ angle: (turn * 1.5) % 180 });
    times.push(performance.now() - begin);
  }
  return times;
}"""
FLOW = """async () => {
  const view = pvs.learnSlices, button = document.querySelector("#pvs-learn_slices [data-ref=flow]");
  const begin = performance.now(), before = view.frames;
  button.click();
  while (button.textContent === "Pause" && performance.now() - begin < 2000) await new Promise(requestAnimationFrame);
  const seconds = (performance.now() - begin) / 1000;
  if (button.textContent === "Pause") button.click();
  return [view.frames - before, seconds];
}"""  # it ends by itself where the clouds have met


def first_pictures(browser: Browser, url: str) -> None:
    """Each lesson in a page of its own, opened from another one."""
    for one in LESSONS:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}/?tab=learn&lesson={'tour' if one.name != 'tour' else 'slices'}")
        page.wait_for_function("window.pvs?.learn?.open?.begun", timeout=60000)
        page.wait_for_timeout(3000)     # the page itself has come to rest
        begin = time.perf_counter()
        page.evaluate("(lesson) => pvs.openTab('learn', { lesson, state: {} })", one.name)
        page.wait_for_function(PICTURE, arg=one.name, timeout=60000)
        print(f"{one.title}: first picture after {time.perf_counter() - begin:.2f} s")
        page.close()


def main() -> None:
    link = "?tab=learn&lesson=slices&l=" + quote(json.dumps({"count": 500, "a": "spiral", "each": 1}))
    with tempfile.TemporaryDirectory() as runs, studio_at(runs=Path(runs)) as url, chromium() as browser:
        for visit in ("first visit", "again"):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            begin = time.perf_counter()
            page.goto(f"{url}/?tab=learn&lesson=tour")
            page.wait_for_function("window.pvs?.learn?.open?.begun", timeout=60000)
            whole = time.perf_counter() - begin
            begin = time.perf_counter()
            page.evaluate("pvs.openTab('learn', { lesson: 'slices', state: { count: 500, a: 'spiral', each: 1 } })")
            page.wait_for_function(DRAWN, timeout=60000)
            print(f"{visit}: page after {whole:.2f} s, then the lesson after {time.perf_counter() - begin:.2f} s")
        first_pictures(browser, url)
        page.goto(f"{url}/{link}")
        page.wait_for_function(DRAWN, timeout=60000)
        times = page.evaluate(TURNS)
        print(f"a turn with 500 points: p50 {statistics.median(times):.1f} ms, p95 {sorted(times)[113]:.1f} ms")
        frames, seconds = page.evaluate(FLOW)
        print(f"the flow with 500 points, 1 slice a step: {frames / seconds:.0f} frames a second, over {seconds:.1f} s")


if __name__ == "__main__":
    main()
