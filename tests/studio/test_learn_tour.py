"""The stops of the latent tour, without a browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pvswgan.checkpoint import ASSETS
from pvswgan.studio import Settings
from pvswgan.studio.learn_tour import STEPS, stops
from pvswgan.studio.server import our_routes
from train import assets

GOOD = {"pca:0": {"name": "skin", "share": 0.5, "factors": [
    {"label": "skin", "unit": "", "share": 0.5, "along": [-3, -2, -1, 0, 1, 2, 3]}]}}


def test_the_steps_are_those_at_which_the_shipped_directions_were_measured() -> None:
    assert assets.STEPS == STEPS


def test_every_shipped_model_has_a_tour(tmp_path: Path) -> None:
    client = TestClient(our_routes(Settings(runs=tmp_path, assets=ASSETS)), base_url="http://127.0.0.1")
    for name in ("toyfaces-swgan", "toyfaces-wgan-gp"):
        answer = client.get("/api/learn/tour", params={"model": name}).json()
        assert name in answer["models"] and len(answer["stops"]) >= 3
        known = {row["id"]: row["name"] for row in client.get("/api/directions", params={
            "id": f"asset:{name}"}).json()["directions"]}
        moved = []
        for stop in answer["stops"]:
            assert known[stop["id"]] == stop["name"]
            shares = [factor["share"] for factor in stop["factors"]]
            assert shares == sorted(shares, reverse=True) and shares[0] == stop["share"]
            numbers = [factor["along"] for factor in stop["factors"] if factor["along"]]  # a choice has none
            assert all(along[STEPS.index(0)] == 0 for along in numbers)
            moved += [max(map(abs, along)) for along in numbers[:1]]
        assert len(moved) >= 3 and min(moved) > 0.2


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"pca:0": {"name": "x"}}),
                                  json.dumps({"pca:0": {**GOOD["pca:0"], "factors": []}}),
                                  json.dumps({"pca:0": {**GOOD["pca:0"], "share": 7}})])
def test_names_that_cannot_be_read_are_no_tour(tmp_path: Path, text: str) -> None:
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "directions.json"
    file.write_text(text)
    assert stops(tmp_path, "model") == {}
    file.write_text(json.dumps(GOOD))
    assert stops(tmp_path, "model")["pca:0"].factors[0].along == [-3, -2, -1, 0, 1, 2, 3]


def test_a_model_that_is_not_there_has_none(tmp_path: Path) -> None:
    client = TestClient(our_routes(Settings(runs=tmp_path, assets=ASSETS)), base_url="http://127.0.0.1")
    answer = client.get("/api/learn/tour", params={"model": "../toyfaces-swgan"})
    assert answer.status_code == 200 and answer.json()["stops"] == []
