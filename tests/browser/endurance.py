"""The studio under strain: python -m tests.browser.endurance RUNS

RUNS is a folder of run folders with at least one model. Says, one after the other: how long the server takes to open
and the page until its first clip; whether several tabs that scrub at once each end with the clip that they asked for;
whether compared clips stay in step; and what the server's memory does over many renders, none of them from a cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from tests.browser import chromium, free_port

ROOT = Path(__file__).parents[2]
READY = "window.pvs?.explore?.drawn > 0 && pvs.explore.drawn === pvs.explore.asked"

# The clip on the canvas against the answer to a request of its own for the same place, pixel by pixel.
SAME = """
async () => {
  await pvs.explore.settled();
  const { player, timeline, state } = pvs.explore;
  timeline.pause();
  timeline.seek(0);
  const { seed, truncation, moves } = state;
  const response = await pvs.request("api/render", { model: state.model, seed, truncation, moves });
  const image = await createImageBitmap(await response.blob());
  const frames = Number(response.headers.get("X-Frames")), { width, height } = player.canvas;
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d", { alpha: false });
  context.drawImage(image, 0, 0, image.width / frames, image.height, 0, 0, width, height);
  const pixels = (context) => context.getImageData(0, 0, width, height).data.join();
  return pixels(context) === pixels(player.context);
}
"""


# Once a screen frame: the frames that the compared clips last drew, beside those that one clock asks for.
STEP = """
async (seconds) => {
  const { clips, timeline } = pvs.compareView, players = clips.players(), seen = { looks: 0, apart: 0, late: 0 };
  for (const player of players) {
    const then = player.onDrawn;
    player.onDrawn = (now) => { player.last = now.frame; then?.(now); };
    player.draw();
  }
  timeline.play();
  const until = performance.now() + 1000 * seconds;
  for (let before = performance.now(); performance.now() < until;) {
    const now = await new Promise(requestAnimationFrame);
    seen.looks += 1;
    seen.late += now - before > 100;
    seen.apart += players.some(({ last, frame }) => last !== frame);
    before = now;
  }
  return seen;
}
"""


@contextmanager
def app(runs: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """(address, process, seconds until it was open) of the studio as a person starts it."""
    port, began = free_port(), time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(runs)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if "is open on" in line), "")
            if not line:
                raise RuntimeError(f"the studio ended with {process.wait()} before it was open")
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid), time.perf_counter() - began
        finally:
            process.terminate()


def page_ready(browser: Any, url: str) -> float:
    """Seconds from the request for the page to the first clip on it."""
    page = browser.new_page()
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_function(READY)
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def tabs_together(browser: Any, url: str, tabs: int, moves: int) -> tuple[int, float]:
    """(how many of `tabs` ended with the right clip, seconds) when all scrub a slider by the keyboard at once."""
    pages = [browser.new_context().new_page() for _ in range(tabs)]
    for number, page in enumerate(pages):
        page.goto(url)
        page.wait_for_function(READY)
        page.evaluate("pvs.explore.timeline.pause()")
        page.locator("#pvs-explore-seed").fill(str(100 + number))
        page.locator("#pvs-explore-move-pca-0").focus()
    began = time.perf_counter()
    for move in range(moves):
        for number, page in enumerate(pages):
            page.keyboard.press("ArrowRight" if (move + number) % 4 else "ArrowLeft")
    right = sum(page.evaluate(SAME) for page in pages)
    seconds = time.perf_counter() - began
    for page in pages:
        page.context.close()
    return right, seconds


def in_step(browser: Any, url: str, seconds: float) -> tuple[int, dict[str, int]]:
    """(clips compared, {looks: screen frames, apart: those in which a clip was not at the clock's frame, late: those
    that came after more than 100 ms}) of four checkpoints on the Compare page, or as many as there are."""
    with urllib.request.urlopen(f"{url}/api/models") as answer:
        chosen = [one["id"] for model in json.load(answer)["models"] for one in model["checkpoints"]][:4]
    page = browser.new_page()
    page.goto(f"{url}/?tab=compare&" + "&".join(f"c={quote(id)}" for id in chosen))
    page.wait_for_function("window.pvs?.compareView?.clips?.players().filter((p) => p.sheet).length > 1")
    page.wait_for_timeout(3000)
    seen = page.evaluate(STEP, seconds)
    shown = page.evaluate("pvs.compareView.clips.players().length")
    page.close()
    return shown, seen


def memory(url: str, server: psutil.Process, renders: int) -> list[tuple[int, float]]:
    """[(renders, the server's resident MB)], ten times on the way."""
    with urllib.request.urlopen(f"{url}/api/models") as answer:
        model = json.load(answer)["models"][0]["id"]
    seen = []
    for number in range(renders + 1):
        if number % max(1, renders // 10) == 0:
            seen.append((number, server.memory_info().rss / 1e6))
        body = json.dumps({"model": model, "seed": 10_000 + number}).encode()
        request = urllib.request.Request(f"{url}/api/render", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request).read()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description="The studio under strain.")
    parser.add_argument("runs", type=Path, help="folder of run folders, with a model in it")
    parser.add_argument("--tabs", type=int, default=8)
    parser.add_argument("--moves", type=int, default=25, help="of each tab")
    parser.add_argument("--seconds", type=float, default=60, help="that clips are watched on Compare")
    parser.add_argument("--renders", type=int, default=2000)
    options = parser.parse_args()
    with app(options.runs.resolve()) as (url, server, opened), chromium() as browser:
        print(f"server open after {opened:.1f} s")
        first, again = page_ready(browser, url), page_ready(browser, url)
        print(f"page with its first clip after {first:.1f} s, opened again {again:.1f} s")
        right, seconds = tabs_together(browser, url, options.tabs, options.moves)
        print(f"{right} of {options.tabs} tabs right after {options.moves} moves each at once, {seconds:.1f} s in all")
        shown, seen = in_step(browser, url, options.seconds)
        print(f"{shown} clips on one clock, {seen['looks']} screen frames: {seen['apart']} with a clip apart, "
              f"{seen['late']} late")
        for number, megabytes in memory(url, server, options.renders):
            print(f"{number:6d} renders: {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
