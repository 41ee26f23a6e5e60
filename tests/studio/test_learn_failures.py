"""The routes of the lesson on failures, and that what is recorded shows what the lesson says of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from pvswgan.checkpoint import ASSETS
from pvswgan.studio import Settings, alerts, train_watch
from pvswgan.studio.learn_failures import CASES, CONFIGS, KNOWN, recorded
from pvswgan.studio.server import our_routes
from train.config import installed, load
from train.failures import keep
from train.run import RunFolder

FOLDER = ASSETS / "failures"


def client(runs: Path, assets: Path = ASSETS) -> TestClient:
    return TestClient(our_routes(Settings(runs=runs, assets=assets)), base_url="http://127.0.0.1")


def test_every_case_is_recorded_and_can_be_had(tmp_path: Path) -> None:
    app = client(tmp_path)
    assert app.get("/api/learn/failures").json() == {"cases": list(CASES)}
    assert {path.stem for path in installed(CONFIGS)} == set(KNOWN) == {path.name for path in FOLDER.iterdir()}
    for name in KNOWN:
        found = app.get(f"/api/learn/failures/{name}").json()
        snapshots = [one for one in RunFolder(FOLDER / name).samples() if one.clips >= 0]
        assert [one["clips"] for one in found["moments"]] == [one.clips for one in snapshots]
        answer = app.get(f"/api/learn/failures/{name}/sheet", params={"at": 1})
        assert answer.content == snapshots[1].path.read_bytes()
        assert (found["moments"][1]["frames"], found["moments"][1]["resolution"]) == (
            snapshots[1].frames, snapshots[1].resolution), "by which the page cuts the sheet"
        reals = app.get(f"/api/learn/failures/{name}/sheet", params={"at": 1, "real": True})
        size = f"{snapshots[1].frames}x{snapshots[1].resolution}"
        assert reals.content == (FOLDER / name / "samples" / f"reals-{size}.png").read_bytes()
        assert app.get(f"/api/learn/failures/{name}/sheet", params={"at": len(snapshots)}).status_code == 404
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 4_000_000


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    app = client(tmp_path)
    for name in ("..", "none", "%2e%2e%2frecorded"):
        assert app.get(f"/api/learn/failures/{name}").status_code == 404
    assert "allowed: collapse" in app.get("/api/learn/failures/none").json()["detail"]
    shutil.copytree(FOLDER / "healthy", tmp_path / "assets" / "failures" / "healthy")
    app = client(tmp_path / "runs", tmp_path / "assets")
    assert app.get("/api/learn/failures").json() == {"cases": []}
    assert "train.failures" in app.get("/api/learn/failures/collapse").json()["detail"]


@pytest.mark.parametrize("name", CASES)
def test_the_monitor_warns_of_what_a_case_is_about(name: str) -> None:
    found = recorded(FOLDER / name)
    warned = [{alert["kind"] for alert in said} for said in found.said]
    assert name in set().union(*warned) and not warned[0]
    if name == "nan":
        assert warned[-1] >= {"nan"} and not any("nan" in kinds for kinds in warned[:-1])
        assert found.status["state"] == "failed" and "not finite" in found.status["error"]
    else:
        assert found.status["state"] == "finished"


@pytest.mark.parametrize(("name", "healthy"), CASES.items())
def test_without_the_cause_it_does_not_warn_of_it(name: str, healthy: str) -> None:
    said = recorded(FOLDER / healthy).said
    assert said and not any(alert["kind"] == name for alerts_then in said for alert in alerts_then)


@pytest.mark.slow
def test_a_failure_differs_from_the_healthy_one_in_its_cause_alone() -> None:
    causes = {"collapse": {"train.lr"}, "flicker": {"train.lr"}, "runaway": {"loss.gp", "loss.drift"},
              "nan": {"train.lr", "loss.gp", "loss.slope"}, "frozen": {"loss.mask"}}
    for name, keys in causes.items():
        app_says = {one["key"] for one in client(FOLDER).get(f"/api/learn/failures/{name}").json()["differs"]}
        assert app_says == keys, name
        resolved = load(FOLDER / name / "config.yaml").model_dump(mode="json")  # keys that came later: as they were
        written = load(CONFIGS / f"{name}.yaml").model_dump(mode="json")
        assert resolved == written, "it was made by this file"


def test_a_moment_is_what_the_monitor_saw_then(tmp_path: Path) -> None:
    """Cut off at a snapshot, the recorded run gives the same warnings by the rules of Train."""
    found, cut = recorded(FOLDER / "runaway"), tmp_path / "runaway"
    place = next(i for i, said in enumerate(found.said) if said)
    until = found.snapshots[place].clips
    shutil.copytree(FOLDER / "runaway", cut)
    lines = [line for line in (cut / "stats.jsonl").read_text().splitlines() if yaml.safe_load(line)["clips"] <= until]
    (cut / "stats.jsonl").write_text("\n".join(lines) + "\n")
    for sample in RunFolder(cut).samples():
        if sample.clips > until:
            sample.path.unlink()
    assert alerts.of_run(RunFolder(cut)) == found.said[place]


def test_a_run_is_kept_with_what_the_monitor_needs(tmp_path: Path) -> None:
    run = FOLDER / "collapse"
    keep(run, tmp_path / "again")
    assert train_watch.plan_of(RunFolder(tmp_path / "again").config()) == train_watch.plan_of(RunFolder(run).config())
    assert recorded(tmp_path / "again").said == recorded(run).said
    assert not list(tmp_path.glob("tmp*")), "what was written aside is gone"
