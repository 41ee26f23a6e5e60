"""What Explore saves is what it shows: films, pictures, the latent, and the lines of Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import pvswgan
from pvswgan import video
from tests.browser.exploring import enter, expected, settle, slider

pytestmark = pytest.mark.browser


def save(page: Any, folder: Path, name: str) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def small(film: np.ndarray, scale: int = 16) -> np.ndarray:
    """Back to the model's pixels."""
    frames, height, width, _ = film.shape
    return film.reshape(frames, height // scale, scale, width // scale, scale, 3).mean((2, 4))


def film_of(path: Path) -> tuple[np.ndarray, float]:
    """(frames, frames a second) of a film; PyAV reads no animated WebP."""
    if path.suffix != ".webp":
        return video.read(path)
    with Image.open(path) as file:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
        return np.stack(frames), 1000 / file.info["duration"]


def test_every_format_is_the_clip_on_the_screen(
    page: Any, studio: str, library: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    enter(page, studio)
    slider(page, "PCA 4").fill("2")
    settle(page)
    wanted = expected(library, page)
    page.locator("[data-ref=clip]").focus()
    page.keyboard.press("e")
    for name in ("MP4", "GIF", "WebP"):
        path = save(page, tmp_path, name)
        assert path.name == f"small-seed0.{name.lower()}"
        film, fps = film_of(path)
        assert fps == pytest.approx(16, abs=1) and film.shape == (8, 256, 256, 3)
        # mp4 stores colour at half resolution and GIF 256 colours: near, not equal.
        assert np.abs(small(film) - wanted).mean() < 14
    strip = np.asarray(Image.open(save(page, tmp_path, "PNG strip")).convert("RGB"))
    np.testing.assert_array_equal(small(video.split_sheet(strip, 8)[0]), wanted)

    held = np.load(save(page, tmp_path, "Latent .npz"))
    model = pvswgan.load(library["assets"] / "small.safetensors")
    again = video.to_uint8(model.generate(torch.from_numpy(held["z"]), truncation=float(held["truncation"][0])))
    np.testing.assert_array_equal(again[0], wanted)

    python = save(page, tmp_path, "Python file").read_text()
    page.get_by_role("button", name="Copy the Python snippet").click()
    page.get_by_text("The snippet is on the clipboard.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == python
    monkeypatch.chdir(tmp_path)
    made: dict[str, Any] = {}
    exec(python, made)
    np.testing.assert_array_equal(made["clip"], wanted)


def test_the_walk_is_saved_as_a_film(page: Any, studio: str, tmp_path: Path) -> None:
    enter(page, studio)
    for _ in range(2):
        page.keyboard.press("k")
        page.keyboard.press("r")
    page.get_by_label("Seconds from a keyframe").fill("0.5")
    page.locator("[data-ref=exportButton]").click()
    page.get_by_label("What to export").select_option("walk")
    film, fps = film_of(save(page, tmp_path, "MP4"))
    assert len(film) == 16 and fps == pytest.approx(16, abs=0.1), "two legs of half a second"
