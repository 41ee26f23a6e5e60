"""Explore's routes without a browser: rows, the walk, directions and what people keep."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import pvswgan
from pvswgan.checkpoint import build_generator, save_network
from pvswgan.studio import Settings, our_routes
from pvswgan.studio.explore import trained_on
from pvswgan.studio.models import Models
from tests.browser.conftest import write_model

MODEL = {"model": "asset:tiny"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    write_model(tmp_path / "assets" / "tiny.safetensors")
    app = our_routes(Settings(runs=tmp_path / "runs", assets=tmp_path / "assets"))
    return TestClient(app, base_url="http://127.0.0.1:7860")


def picture(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


def listed(client: TestClient) -> dict[str, Any]:
    found = client.get("/api/directions", params={"id": MODEL["model"]}).json()
    return {d["id"]: d for d in found["directions"]} | {"problem": found["problem"]}


def test_models_that_are_looked_at_in_turn_are_each_loaded_once(tmp_path: Path) -> None:
    """Four on Compare and another on Explore; and no more than there is room for."""
    loaded: list[Path] = []
    models = Models(tmp_path / "runs", tmp_path / "assets", load=lambda path: loaded.append(path) or pvswgan.load(path))
    for name in "abcdef":
        write_model(tmp_path / "assets" / f"{name}.safetensors")
    for _ in range(3):
        for name in "abcdef":
            models.open(f"asset:{name}")
    assert len(loaded) == 6
    models._opened.limit = 1
    write_model(tmp_path / "assets" / "g.safetensors")
    for name in "gga":
        models.open(f"asset:{name}")
    assert [path.stem for path in loaded[6:]] == ["g", "a"], "the one that is looked at stays, and no other"


def test_a_model_says_what_it_was_trained_on_and_how_its_ends_are_drawn(tmp_path: Path) -> None:
    write_model(tmp_path / "net.safetensors")
    model = pvswgan.load(tmp_path / "net.safetensors")
    sentence = trained_on(model)
    assert sentence.startswith("Trained on ") and sentence.endswith(f"loss {model.config['loss']['name']}.")
    steady = build_generator(model.config, replicate=True)
    save_network(tmp_path / "net.safetensors", steady, model.config, clips=1, stage=model.stage, alpha=1)
    assert "first and last frame repeated in time" in trained_on(pvswgan.load(tmp_path / "net.safetensors"))


def test_rows_and_the_walk_show_the_points(client: TestClient) -> None:
    points = [{"seed": 1}, {"seed": 2, "moves": {"sefa:0": 2}, "truncation": 0.5}]
    rows = picture(client.post("/api/rows", json=MODEL | {"points": points}))
    walk = picture(client.post("/api/walk", json=MODEL | {"keyframes": points, "at": [0, 1]}))
    assert np.abs(rows - walk).mean() < 2
    one = picture(client.post("/api/render", json=MODEL | points[1]))
    assert np.abs(one - rows[len(one):]).mean() < 10
    assert client.post("/api/render", json=MODEL | {"moves": {"pca:99": 1}}).status_code == 404


def test_directions_are_measured_named_made_and_forgotten_and_a_broken_file_stays(
    client: TestClient, tmp_path: Path
) -> None:
    wish = MODEL | {"direction": "pca:1"}
    measured = client.post("/api/directions/measure", json=wish).json()
    assert measured["label"] in ("moves", "looks", "both")
    client.post("/api/directions/name", json=wish | {"name": "wind", "kept": True})
    assert listed(client)["pca:1"] | {"explained": 0} == {
        "id": "pca:1", "kind": "pca", "name": "wind", "kept": True, "explained": 0, "measured": measured}
    groups = {"vector_from": [{"seed": 0}], "vector_to": [{"seed": 1}]}
    own = client.post("/api/directions/own", json=MODEL | {"name": "mine"} | groups).json()["id"]
    assert listed(client)[own]["name"] == "mine"
    picture(client.post("/api/render", json=MODEL | {"moves": {own: 2}}))
    client.post("/api/directions/forget", json=MODEL | {"direction": own})
    assert own not in listed(client)
    picture(client.post("/api/render", json=MODEL | {"moves": {own: 2}}))  # for whoever takes the step back
    client.post("/api/directions/restore", json=MODEL | {"direction": own})
    assert listed(client)[own]["name"] == "mine"
    client.post("/api/directions/forget", json=MODEL | {"direction": own})
    file = tmp_path / "runs" / ".studio" / "kept.json"
    file.write_text("{broken")
    assert "pca:1" in listed(client) and "damaged" in listed(client)["problem"]
    refused = client.post("/api/directions/name", json=wish | {"name": "x"})
    assert refused.status_code == 409 and file.read_text() == "{broken"
