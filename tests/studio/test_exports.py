"""What Explore saves, opened again: the pixels of films and pictures, the latent, and the lines of Python, run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image, ImageSequence

from pvswgan import latents, video
from pvswgan.studio import exports
from pvswgan.studio.models import Models
from pvswgan.studio.points import ClipRequest
from pvswgan.studio.server import Settings, Studio
from tests.browser.conftest import write_model

ROOT = Path(__file__).parents[2]
MODEL = "asset:small"  # 8 frames of 16 x 16
MOVED = {"seed": 3, "moves": {"pca:0": 2.0, "sefa:1": -1.0}, "truncation": 0.8}
KEYS = [{"seed": 1}, {"seed": 2, "truncation": 0.5}, MOVED]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exports")
    write_model(root / "assets" / "small.safetensors", "small", seed=1)
    return root


@pytest.fixture(scope="module")
def studio(place: Path) -> Studio:
    return Studio(Settings(runs=place / "runs", assets=place / "assets"))


@pytest.fixture(scope="module")
def models(studio: Studio) -> Models:
    return studio.models


@pytest.fixture(scope="module")
def client(studio: Studio) -> TestClient:
    app = FastAPI()
    app.include_router(exports.router(studio, studio.guard))
    return TestClient(app, base_url="http://127.0.0.1:7860")


def ask(client: TestClient, format: str, **wish: Any) -> Any:
    return client.post("/api/export", json={"model": MODEL, "format": format, **wish})


def save(client: TestClient, folder: Path, format: str, **wish: Any) -> Path:
    answer = ask(client, format, **wish)
    assert answer.status_code == 200, answer.text
    path = folder / answer.headers["content-disposition"].split('"')[1]
    assert path.suffix == f".{format}"
    path.write_bytes(answer.content)
    return path


def film_of(path: Path) -> np.ndarray:
    """uint8 (T, H, W, 3), by another decoder than the one that wrote it where there is one."""
    if path.suffix == ".mp4":
        return video.read(path)[0]
    with Image.open(path) as image:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def small(film: np.ndarray, scale: int) -> np.ndarray:
    frames, height, width, _ = film.shape
    return film.reshape(frames, height // scale, scale, width // scale, scale, 3).mean((2, 4))


def drawn(models: Models, point: dict[str, Any]) -> np.ndarray:
    """The clip at a point, uint8 (T, H, W, 3), from the seed, the directions and the truncation."""
    opened = models.open(MODEL)
    z = latents.sample_latents(1, opened.model.latent_dim, point["seed"])
    for direction, steps in point.get("moves", {}).items():
        z = z + steps * models.direction(opened, direction)
    return video.to_uint8(opened.model.generate(z, truncation=point.get("truncation", 1.0)))[0]


@pytest.mark.parametrize("format", ["mp4", "gif", "webp"])
def test_a_film_is_the_clip(client: TestClient, models: Models, tmp_path: Path, format: str) -> None:
    path = save(client, tmp_path, format, **MOVED, fps=8, scale=4)
    assert path.name == f"small-seed3.{format}"
    film, wanted = film_of(path), drawn(models, MOVED).astype(float)
    assert film.shape == (8, 64, 64, 3)
    # mp4 and WebP store colour at half resolution, GIF 256 colours: near, not equal.
    assert np.abs(small(film, 4) - wanted).mean() < 12 < np.abs(wanted - drawn(models, {"seed": 1})).mean()
    if format == "mp4":
        assert video.read(path)[1] == 8
    else:
        with Image.open(path) as image:
            image.seek(1)
            image.load()
            assert image.info["duration"] == pytest.approx(125, abs=6) and image.info["loop"] == 0


def test_a_strip_shows_the_frames_side_by_side(client: TestClient, models: Models, tmp_path: Path) -> None:
    strip = np.asarray(Image.open(save(client, tmp_path, "png", seed=3, scale=2)))
    clip = video.split_sheet(strip, 8)[0]
    np.testing.assert_array_equal(clip[:, ::2, ::2], drawn(models, {"seed": 3}))
    rows = np.asarray(Image.open(save(client, tmp_path, "png", keyframes=KEYS)))
    np.testing.assert_array_equal(video.split_sheet(rows, 8), np.stack([drawn(models, key) for key in KEYS]))


def test_a_walk_goes_through_its_keyframes_while_the_clip_goes_on(
    client: TestClient, models: Models, tmp_path: Path
) -> None:
    path = save(client, tmp_path, "webp", keyframes=KEYS, seconds=1.25, fps=8, scale=4)
    assert path.name == "small-walk.webp"
    film = small(film_of(path), 4)
    assert len(film) == 30
    for i, key in enumerate(KEYS):
        assert np.abs(film[10 * i] - drawn(models, key)[10 * i % 8]).mean() < 10
    opened = models.open(MODEL)
    z = latents.sample_latents(1, 16, 1), latents.sample_latents(1, 16, 2)
    half = video.to_uint8(opened.model.generate(latents.slerp(*z, 0.5), truncation=0.75))[0, 5]
    assert np.abs(film[5] - half).mean() < 10
    # And back to the first: the last step is a tenth of the way from it.
    ends = [np.abs(film[29] - drawn(models, key)[29 % 8]).mean() for key in (KEYS[0], KEYS[2])]
    assert ends[0] < ends[1]


def test_the_latent_comes_with_what_made_it(client: TestClient, models: Models, tmp_path: Path) -> None:
    held = np.load(save(client, tmp_path, "npz", **MOVED))  # without pickle
    assert held["z"].shape == (1, 16) and held["z"].dtype == np.float32
    assert (int(held["frames"]), int(held["resolution"]), held["truncation"].tolist()) == (8, 16, [0.8])
    made = json.loads(str(held["made"]))
    assert made["model"] == MODEL and made["places"] == ["seed 3, moved by pca:0 2, sefa:1 -1, truncation 0.8"]
    clip = models.open(MODEL).model.generate(torch.from_numpy(held["z"]), truncation=float(held["truncation"][0]))
    np.testing.assert_array_equal(video.to_uint8(clip)[0], drawn(models, MOVED))
    assert np.load(save(client, tmp_path, "npz", keyframes=KEYS))["z"].shape == (3, 16)


@pytest.mark.slow
def test_the_lines_of_python_give_the_same_pixels(client: TestClient, models: Models, place: Path) -> None:
    """All in one process, as a person would run them one after another; two of them written out, one from its seed."""
    latent = models.kept.add_latent(MODEL, torch.arange(16.0) - 7)
    wishes: list[dict[str, Any]] = [
        {"seed": 3}, {**MOVED, "latent": latent}, {"keyframes": KEYS, "seconds": 0.5, "fps": 4}]
    snippets = [ask(client, "py", **wish).text for wish in wishes]
    assert "sample_latents(1, model.latent_dim, seed=3)" in snippets[0] and "import torch" not in snippets[0]
    assert f"kept latent {latent}, moved by pca:0 2, sefa:1 -1, truncation 0.8" in snippets[1]
    code = "".join(f"{text}\nnp_{i} = clip\n" for i, text in enumerate(snippets))
    script = place / "snippets.py"
    script.write_text(f"{code}\nimport numpy\nnumpy.savez('clips.npz', np_0, np_1, np_2)\n")
    ran = subprocess.run([sys.executable, script.name], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)},
                         capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    clips = np.load(place / "clips.npz")
    first, second, film = (clips[f"arr_{i}"].astype(int) for i in range(3))
    np.testing.assert_allclose(first, drawn(models, {"seed": 3}), atol=1)
    opened = models.open(MODEL)
    place_of = models.place(opened, ClipRequest(model=MODEL, **wishes[1]))
    np.testing.assert_allclose(second, models.draw(opened, *place_of, fast=False)[0], atol=1)
    assert len(film) == 6
    for i, key in enumerate(KEYS):
        np.testing.assert_allclose(film[2 * i], drawn(models, key)[2 * i], atol=1)
    for name, frames in {"small-seed3": 8, "small-walk": 6}.items():
        assert len(video.read(place / f"{name}.mp4")[0]) == frames


@pytest.mark.parametrize("wish, status, words", [
    ({"model": "asset:gone"}, 404, "There is no model 'asset:gone'"),
    ({"latent": "0123456789"}, 404, "There is no latent '0123456789'"),
    ({"keyframes": KEYS, "seconds": 30}, 422, "The walk takes 90 s, 1440 frames at 16 a second; allowed: 768 frames."),
    ({"keyframes": KEYS * 5, "seconds": 3, "scale": 16}, 200, ""),
    ({"keyframes": KEYS[:1]}, 422, "at least 2 items"),
    ({"fps": 0.5}, 422, "greater than or equal to 1"),
    ({"format": "exe"}, 422, "'mp4', 'gif'"),
])  # fmt: skip
def test_what_cannot_be_saved_is_said(client: TestClient, wish: dict[str, Any], status: int, words: str) -> None:
    answer = ask(client, **{"format": "py", **wish})
    assert answer.status_code == status and words in answer.text


def test_a_film_too_large_for_memory_is_not_begun(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_BYTES", 7 * 32**2 * 3)
    answer = ask(client, "gif", scale=2)
    assert answer.status_code == 422
    assert "8 frames of 32 pixels a side; allowed: 7 of that size. Choose a smaller size" in answer.json()["detail"]
