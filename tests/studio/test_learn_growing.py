"""The routes of the lesson on growing, and what is recorded for it, without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pvswgan.checkpoint import ASSETS
from pvswgan.networks import Discriminator, Generator
from pvswgan.studio import Settings
from pvswgan.studio.learn_growing import FILE, read
from pvswgan.studio.server import our_routes
from train.config import load
from train.recorded import PAPER

FOLDER = ASSETS / "recorded"


def client(runs: Path, assets: Path = ASSETS) -> TestClient:
    return TestClient(our_routes(Settings(runs=runs, assets=assets)), base_url="http://127.0.0.1")


def test_all_that_is_recorded_can_be_had(tmp_path: Path) -> None:
    app = client(tmp_path)
    found = app.get("/api/learn/growing").json()["recorded"]
    moments = {"growing": found["growing"]["moments"], "fixed": found["fixed"]["moments"], "stages": found["stages"]}
    for of, listed in moments.items():
        for at, moment in enumerate(listed):
            answer = app.get("/api/learn/growing/moment", params={"of": of, "at": at})
            assert answer.content == (FOLDER / moment["file"]).read_bytes()
            assert answer.headers["X-Frames"] == str(moment["frames"])
    for at, fade in enumerate(found["fades"]):
        answer = app.get("/api/learn/growing/fade", params={"fade": at, "seed": 3})
        values = np.frombuffer(answer.content, "<f4").reshape(2, int(answer.headers["X-Frames"]), -1)
        assert np.isfinite(values).all() and np.abs(values[0] - values[1]).mean() > 0.01
        assert 0.2 < fade["alpha"] < 0.8
    assert {path.name for path in FOLDER.iterdir()} == {FILE} | {
        one["file"] for listed in [*moments.values(), found["fades"]] for one in listed}


def test_both_runs_had_the_same_networks_and_the_same_time() -> None:
    found = read(FOLDER)
    assert found is not None and found.growing.parameters == found.fixed.parameters
    for grown, fixed in zip(found.growing.moments, found.fixed.moments, strict=True):
        assert fixed.seconds == pytest.approx(grown.seconds, rel=0.25, abs=8)
    assert found.stages[0].resolution == 4 and found.growing.moments[-1].stage == len(found.stages) - 1


def test_parameters_are_the_networks_own() -> None:
    found, paper = read(FOLDER), load(PAPER)
    assert found is not None
    net, sizes = paper.network, paper.plan().sizes
    whole = [Generator(sizes, net.latent_dim, net.fmap_base, net.fmap_max),
             Discriminator(sizes, net.fmap_base, net.fmap_max)]
    count = sum(p.numel() for network in whole for p in network.parameters())
    assert sum(cost.parameters for cost in found.costs["paper"]) == count


@pytest.mark.parametrize(("what", "words"), [
    ("moment?of=growing&at=50", "at is 50; allowed: 0 to 11"), ("fade?fade=8", "fade is 8; allowed: 0 to 1")])
def test_what_is_not_there_is_named(tmp_path: Path, what: str, words: str) -> None:
    answer = client(tmp_path).get(f"/api/learn/growing/{what}")
    assert answer.status_code == 404 and words in answer.text


@pytest.mark.parametrize("what", ["moment?of=../x&at=0", "moment?of=growing&at=-1", "fade?fade=x",
                                  "fade?fade=0&seed=-1", "real?seed=1e9"])
def test_nonsense_is_refused(tmp_path: Path, what: str) -> None:
    assert client(tmp_path).get(f"/api/learn/growing/{what}").status_code == 422


def test_a_damaged_record_is_as_none(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    shutil.copytree(FOLDER, assets / "recorded")
    record = json.loads((FOLDER / FILE).read_text())
    record["growing"]["moments"][0]["file"] = "../../secret.png"
    (assets / "recorded" / FILE).write_text(json.dumps(record))
    app = client(tmp_path / "runs", assets)
    assert app.get("/api/learn/growing").json() == {"recorded": None}
    answer = app.get("/api/learn/growing/moment", params={"of": "growing", "at": 0})
    assert answer.status_code == 404 and "python -m train.recorded" in answer.text
