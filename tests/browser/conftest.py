"""Fixtures: small untrained models in a folder, a studio that serves them, and a page in a real Chromium."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Error as PlaywrightError

from pvswgan.checkpoint import build_generator, save_network
from tests.browser import chromium, chromium_path, studio_at

SIZES = {"tiny": [[4, 4], [8, 8]], "small": [[4, 4], [8, 8], [8, 16]]}


def write_model(path: Path, size: str = "tiny", seed: int = 0, clips: int = 8000) -> Path:
    """A network checkpoint of an untrained generator: as good as any to look at buttons with."""
    config: dict[str, Any] = {
        "data": {"source": "toyfaces", "path": None},
        "growth": {"stages": SIZES[size], "fade_kimg": 1, "stable_kimg": 1, "total_kimg": 20},
        "network": {"latent_dim": 16, "fmap_base": 128, "fmap_max": 16},
        "loss": {"name": "swgan"},
    }
    torch.manual_seed(seed)
    generator = build_generator(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_network(path, generator, config, clips=clips, stage=len(SIZES[size]) - 1, alpha=1.0)
    return path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{"runs", "assets"}: one asset, and one run with two checkpoints."""
    root = tmp_path_factory.mktemp("library")
    write_model(root / "assets" / "small.safetensors", "small", seed=1)
    checkpoints = root / "runs" / "first" / "checkpoints"
    for i, clips in enumerate((4000, 8000)):
        write_model(checkpoints / f"{clips:09d}-network.safetensors", seed=i, clips=clips)
    return {"runs": root / "runs", "assets": root / "assets"}


@pytest.fixture(scope="session")
def studio(library: dict[str, Path]) -> Iterator[str]:
    """The address of a studio over `library`."""
    with studio_at(**library) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if chromium_path() is None:
        pytest.skip("no chromium on the PATH: browser tests need Debian's package chromium")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def window(browser: Any) -> Any:
    """What the tests' pages share: the cache of the browser, and with it compiled scripts."""
    return browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)


@pytest.fixture
def page(window: Any) -> Iterator[Any]:
    """A fresh page, 1400 x 900, that remembers nothing. A script's error, or a request to another machine, fails the
    test."""
    page = window.new_page()
    page.set_default_timeout(90_000)  # on a busy machine everything takes several times as long
    faults: list[str] = []
    cut_off: list[str] = []  # on its way when the page was left, or the test's studio ended (before this, if it was
    #                          asked for after the page): a script among it fails to load, and rightly
    page.on("pageerror", lambda error: faults.append(f"error in a script: {error}"))
    page.on("request", lambda request: faults.extend(_foreign(request.url)))
    been: set[str] = set()
    page.on("framenavigated", lambda frame: been.add(frame.url))
    page.on("requestfailed", lambda request: cut_off.extend([request.url] * (request.failure in CUT_OFF)))
    yield page
    with contextlib.suppress(PlaywrightError):
        page.wait_for_timeout(0)  # what has happened is told; scripts that closing cuts off are nobody's fault
    told = set(faults)
    _forget(window, been | {page.url for page in window.pages})
    left = {f"error in a script: Failed to load script: {url}" for url in cut_off}
    assert not told - left, faults


def _forget(window: Any, addresses: set[str]) -> None:
    """Close its pages, and let it forget what they wanted kept: cookies, storage, permissions."""
    last, *others = window.pages or [window.new_page()]
    for page in others:
        page.close()
    last.goto("about:blank")  # what it writes when it is left is forgotten too
    window.clear_cookies()
    window.clear_permissions()
    session = window.new_cdp_session(last)
    for address in addresses:
        if (origin := "/".join(address.split("/")[:3])).startswith("http"):
            session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage,indexeddb"})
    last.close()


CUT_OFF = [
    f"net::ERR_{why}"
    for why in ("ABORTED", "CONNECTION_REFUSED", "CONNECTION_RESET", "CONNECTION_CLOSED", "EMPTY_RESPONSE")
]  # of the connection, never of the answer: a script that is not there (404) has no such failure


def _foreign(url: str) -> list[str]:
    here = url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:"))
    return [] if here else [f"request to {url}"]
