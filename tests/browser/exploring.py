"""The Explore page's hands and eyes, for its tests: open it, wait until all is drawn, say what should be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pvswgan.studio.models import ClipRequest, Models
from tests.browser import pixels as canvas_pixels

POINT = ("seed", "parts", "latent", "truncation", "moves", "of")


def pixels(page: Any, part: str = "clip") -> np.ndarray:
    """What that canvas of the page holds: uint8 (H, W, 3)."""
    return canvas_pixels(page, f"#pvs-explore [data-ref={part}]")


def settle(page: Any) -> None:
    """Waits until the last thing asked for is what is drawn."""
    page.wait_for_function("window.pvs?.explore?.drawn > 0 && pvs.explore.drawn === pvs.explore.asked")


def enter(page: Any, url: str, query: str = "?model=asset:small") -> Any:
    """Opens Explore on the asset, paused on the first frame."""
    page.goto(f"{url}/{query}")
    settle(page)
    page.evaluate("pvs.explore.timeline.pause(); pvs.explore.timeline.seek(0)")
    return page


def state(page: Any) -> dict[str, Any]:
    """{model, seed, latent, truncation, moves, keyframes}; moves of nothing left out."""
    found = page.evaluate("pvs.explore.state")
    return {**found, "moves": {name: value for name, value in found["moves"].items() if value}}


def request(page: Any) -> ClipRequest:
    """What the page's state asks the server for."""
    now = state(page)
    return ClipRequest(model=now["model"], **{name: now[name] for name in POINT})


def rendered(models: Models, asked: ClipRequest) -> np.ndarray:
    """The clip, in float32: uint8 (T, H, W, 3)."""
    opened = models.open(asked.model)
    return models.draw(opened, *models.place(opened, asked), fast=False)[0]


def expected(library: dict[str, Path], page: Any) -> np.ndarray:
    """The clip that the page's state stands for, rendered here: uint8 (T, H, W, 3)."""
    return rendered(Models(library["runs"], library["assets"]), request(page))


def close_to(seen: np.ndarray, wanted: np.ndarray) -> bool:
    """Equal but for JPEG and bfloat16: these untrained clips are noise, the worst case."""
    return seen.shape == wanted.shape and np.abs(seen.astype(int) - wanted.astype(int)).mean() < 10


def slider(page: Any, name: str) -> Any:
    """The slider of the direction with that name, once the list is there."""
    return page.get_by_role("slider", name=name, exact=True)
