"""A clip dropped on Explore: read whatever kind of file it is, fitted, kept; or a sentence that says why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from pvswgan import video
from pvswgan.studio import projections, uploads
from pvswgan.studio.projections import Projections
from pvswgan.studio.server import Settings, Studio
from pvswgan.studio.uploads import UploadError, read_clip
from tests.browser.conftest import write_model

MODEL = "run:first@000008000"  # 8 frames of 8 x 8


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    root = tmp_path_factory.mktemp("projections")
    write_model(root / "runs" / "first" / "checkpoints" / "000008000-network.safetensors", "tiny")
    return Studio(Settings(runs=root / "runs", assets=root / "assets"))


def client_of(studio: Studio) -> TestClient:
    app = FastAPI()
    app.include_router(projections.router(studio, studio.guard))
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.fixture
def client(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(projections, "STEPS", 40)
    return client_of(studio)


def send(client: TestClient, data: bytes, model: str = MODEL) -> Any:
    return client.post("/api/project", params={"model": model}, content=data)


def ended(client: TestClient, job: str) -> dict[str, Any]:
    """The status once it runs no more."""
    for _ in range(600):
        now: dict[str, Any] = client.get(f"/api/project/{job}").json()
        if now["state"] != "running":
            return now
        time.sleep(0.05)
    raise AssertionError(now)


def png(picture: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


# ---- reading ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """uint8 (16, 32, 32, 3): a bright square that goes from left to right over a dark ground."""
    film = np.full((16, 32, 32, 3), 20, np.uint8)
    for t in range(16):
        film[t, 8:24, t : t + 16] = 200, 160, 40
    return film


def written(film: np.ndarray, suffix: str, folder: Path) -> bytes:
    return video.write(film[None], folder / f"film{suffix}").read_bytes()


def array(save: Callable[..., None], *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    out = BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


@pytest.mark.parametrize("kind", [".mp4", ".gif", ".webp", ".png", "npy", "npz"])
def test_every_kind_of_file_is_read(film: np.ndarray, tmp_path: Path, kind: str) -> None:
    if kind.startswith("."):
        data = written(film, kind, tmp_path)
    else:
        data = array(np.save, film[None]) if kind == "npy" else array(np.savez_compressed, clips=film[None] / 255)
    clip = read_clip(data, frames=8, resolution=16)
    wanted = film[1::2].reshape(8, 16, 2, 16, 2, 3).mean((2, 4))  # every other frame, each pixel the mean of four
    assert clip.shape == (8, 16, 16, 3) and clip.dtype == np.uint8
    assert np.abs(clip - wanted).mean() < 4
    assert np.abs(clip - wanted[::-1]).mean() > 20


def test_the_centre_is_taken_and_small_or_short_clips_are_stretched(film: np.ndarray, tmp_path: Path) -> None:
    wide = np.full((8, 32, 64, 3), 255, np.uint8)
    wide[:, :, 16:48] = film[4]
    cut = read_clip(array(np.save, wide[None]), 8, 32)
    np.testing.assert_array_equal(cut, wide[:, :, 16:48])
    larger = read_clip(png(video.sprite_sheet(film[None, :4])), 8, 64)
    assert larger.shape == (8, 64, 64, 3)
    assert np.abs(larger[:, 1::2, 1::2].astype(int) - film[[0, 0, 1, 1, 2, 2, 3, 3]]).mean() < 6


@pytest.mark.parametrize("data, words", [
    (b"", "is empty"),
    (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "is of no kind that is read here; allowed: a video"),
    (b"\0\0\0\x18ftypmp42 and no more", "cannot be decoded"),
    (png(np.zeros((32, 40, 3), np.uint8)), "is 40x32 pixels; the width of a strip is a multiple of its height"),
    (png(np.zeros((32, 32, 3), np.uint8)), "holds a single frame; a clip has two or more"),
    (array(np.save, np.zeros((3, 8), np.uint8)), "is (3, 8); allowed: (N, T, H, W, C)"),
    (array(np.savez_compressed, clips=np.zeros((1, 2**5, 2**8, 2**8, 3), np.uint8)), "unpacks to 0.0 GiB"),
])  # fmt: skip
def test_what_cannot_be_read_is_said(data: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UNPACKED", 2**20)
    with pytest.raises(UploadError) as error:
        read_clip(data, 8, 8)
    assert words in str(error.value) and str(error.value).startswith("This file ")


# ---- jobs -------------------------------------------------------------------------------------------------------


def test_a_clip_is_fitted_and_its_latent_kept(studio: Studio, client: TestClient) -> None:
    model = studio.models.open(MODEL).model
    wanted = video.to_uint8(model.sample(1, seed=9))
    threads = torch.get_num_threads()
    job = send(client, png(video.sprite_sheet(wanted))).json()["job"]
    target = client.get(f"/api/project/{job}/target")
    assert (target.headers["x-frames"], target.headers["x-resolution"]) == ("8", "8")
    sheet = np.asarray(Image.open(BytesIO(target.content)))
    assert np.abs(video.split_sheet(sheet, 8).astype(int) - wanted).mean() < 8  # it is a JPEG

    now = ended(client, job)
    assert now["state"] == "done" and now["error"] is None and now["step"] == now["steps"] == 44
    assert now["eta_s"] is None and 0 < now["distance"] < 0.2
    found = video.to_uint8(model.generate(studio.kept.latent(now["latent"])[None]))
    other = video.to_uint8(model.sample(1, seed=10))
    assert np.abs(found.astype(int) - wanted).mean() < 0.3 * np.abs(other.astype(int) - wanted).mean()
    assert torch.get_num_threads() == threads


def test_jobs_take_turns_and_can_be_stopped(
    studio: Studio, client: TestClient, film: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "STEPS", 100_000)
    data = png(video.sprite_sheet(film[None]))
    first, second = (send(client, data).json()["job"] for _ in range(2))
    while (now := client.get(f"/api/project/{first}").json())["step"] < 8:
        assert now["state"] == "running"
        time.sleep(0.02)
    assert now["eta_s"] > 0 and now["distance"] > 0
    waiting = client.get(f"/api/project/{second}").json()
    assert (waiting["state"], waiting["step"], waiting["eta_s"], waiting["distance"]) == ("running", 0, None, None)

    third, _ = (send(client, data).json()["job"] for _ in range(2))
    refused = send(client, data)
    assert refused.status_code == 409 and "4 clips are being fitted here already" in refused.json()["detail"]

    for job in reversed(studio.projections.running()):  # those that wait first, before it is their turn
        assert client.post(f"/api/project/{job.id}/stop").status_code == 200
    assert ended(client, third) | {"steps": 0} == {
        "state": "stopped", "step": 0, "steps": 0, "distance": None, "error": None, "latent": None, "eta_s": None}
    stopped = ended(client, first)
    assert stopped["state"] == "stopped" and studio.kept.latent(stopped["latent"]).shape == (16,)  # what it had found


def test_a_job_that_fails_says_why(studio: Studio, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(projections, "STEPS", 8)
    monkeypatch.setattr(studio.kept, "add_latent", full)
    job = send(client, png(np.zeros((8, 32, 3), np.uint8))).json()["job"]
    now = ended(client, job)
    assert (now["state"], now["latent"]) == ("failed", None)
    assert now["error"] == "The clip could not be fitted: No space left on device"


def test_a_step_waits_for_whoever_draws(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Projections(studio.models)
    job = projections.Job(np.zeros((8, 8, 8, 3), np.uint8))
    began = time.monotonic()
    monkeypatch.setattr(studio.models, "drawn_at", began)
    jobs._progress(job, 1, 9, 0.5)
    assert projections.QUIET * 0.9 < time.monotonic() - began < projections.PATIENCE


def test_what_is_refused(studio: Studio, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(client, b"nonsense").status_code == 422
    assert "no kind that is read here" in send(client, b"nonsense").json()["detail"]
    assert send(client, b"x", model="run:gone").status_code == 404
    assert "long ago" in client.get("/api/project/0000").json()["detail"]
    monkeypatch.setattr(projections, "LARGEST", 2**20)
    too_long = send(client, bytes(2**20 + 1))
    assert too_long.status_code == 413 and "allowed: 1 MB" in too_long.json()["detail"]
    parts = (bytes(2**19) for _ in range(3))  # without a length
    assert client.post("/api/project", params={"model": MODEL}, content=parts).status_code == 413

    monkeypatch.setattr(studio, "settings", Settings(runs=studio.settings.runs, read_only=True))
    assert send(client, b"x").status_code == 403
    assert client.post("/api/project/0000/stop").status_code == 403
    assert client.get("/api/project/0000").status_code == 404
