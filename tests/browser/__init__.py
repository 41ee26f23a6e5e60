"""What browser tests and the latency benchmark share: a studio in a process of its own, and a Chromium."""

from __future__ import annotations

import base64
import multiprocessing
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Of studios in this process that have ended: with the same address the next one finds its scripts in the browser's
# cache, compiled (they are half of what it costs to open the page).
_PORTS: list[int] = []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _serve(settings: dict[str, Any]) -> None:
    from app import prepare

    prepare()

    from pvswgan.studio import Settings, serve

    serve(Settings(**settings))


@contextmanager
def studio_at(**settings: Any) -> Iterator[str]:
    """The address of a studio with these Settings, on a free port, in a process of its own until the end."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=({"port": port, **settings},), daemon=True
    )
    process.start()
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()


@contextmanager
def studio_here(**settings: Any) -> Iterator[str]:
    """As studio_at, in a thread of this process: up at once, and stand-ins that a test has patched in hold in it."""
    from pvswgan.studio import Settings
    from pvswgan.studio.server import create_app

    port = _PORTS.pop() if _PORTS else free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(Settings(**settings)), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        if not thread.is_alive():
            _PORTS.append(port)


def _wait(url: str, process: Any, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not process.is_alive():
            raise RuntimeError(f"the studio ended with {process.exitcode} before it answered")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers: a login page may do so with 401
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the studio did not answer on {url} within {seconds:.0f} s")


CANVAS = """
(canvas) => {
  const { width, height } = canvas, { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return { width, height, data: btoa(text) };
}
"""  # in base64: a list of a million numbers takes Playwright ten seconds


@contextmanager
def studio_apart(runs: Path) -> Iterator[str]:
    """As studio_here, over these runs alone, and with a cache of stores of its own beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVSWGAN_CACHE", str(runs.parent / "cache"))
        with studio_here(runs=runs, assets=runs / "none") as url:
            yield url


def pixels(page: Any, selector: str) -> np.ndarray:
    """What the canvas holds: uint8 (H, W, 3)."""
    seen = page.locator(selector).evaluate(CANVAS)
    return np.frombuffer(base64.b64decode(seen["data"]), np.uint8).reshape(seen["height"], seen["width"], 4)[..., :3]


def chromium_path() -> str | None:
    """The system's Chromium, which Playwright drives: its own download may be out of reach."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        raise RuntimeError("no chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()
