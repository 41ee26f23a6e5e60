"""The routes of the Train page: what they tell, what they refuse, and who may ask."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pvswgan.studio import Settings, processes, train_watch
from pvswgan.studio.server import our_routes
from tests.studio import fakerun


@pytest.fixture
def client(tmp_path: Path, configs: Path) -> TestClient:
    fakerun.make(tmp_path / "runs" / "done", 9_000, "stopped", message="stopped by request")
    return opened(Settings(runs=tmp_path / "runs", assets=tmp_path))


def opened(settings: Settings) -> TestClient:
    return TestClient(our_routes(settings), base_url="http://127.0.0.1:7860")  # another Host is refused


# ---- the runs --------------------------------------------------------------------------------------------


def test_runs_are_found_wherever_they_were_started(client: TestClient, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / "a #1 50%", 500, "running", pid=os.getpid())
    runs = {run["id"]: run for run in client.get("/api/runs").json()["runs"]}
    assert runs["done"]["state"] == "stopped" and runs["a #1 50%"]["state"] == "running"
    status = client.get("/api/runs/a%20%231%2050%25/status").json()
    assert status["checkpoints"] == [500]
    assert status["can"] == ["pause", "stop", "snapshot"] and len(status["plan"]["stages"]) == 4
    first = client.get("/api/runs/a%20%231%2050%25/samples").json()["snapshots"][0]
    assert client.get(f"/{first['url']}").content.startswith(b"\x89PNG")


def test_names_that_are_no_text_hide_nothing(client: TestClient, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / os.fsdecode(b"caf\xe9"), 500, "stopped")
    fakerun.make(tmp_path / "runs" / "films", 500, "failed", error=os.fsdecode(b"caf\xe9.mp4 cannot be decoded"))
    runs = {run["id"]: run for run in client.get("/api/runs").json()["runs"]}
    assert set(runs) == {"done", "films", "caf?"} and runs["films"]["message"] == "caf?.mp4 cannot be decoded"
    assert client.get("/api/runs/films/status").status_code == client.get("/api/models").status_code == 200


@pytest.mark.parametrize("file, text", [
    ("config.yaml", "seed: 2024-13-45"), ("config.yaml", "seed: !!bool maybe"), ("config.yaml", "[" * 5000),
    ("config.yaml", "growth: {resolution: 16, frames: 8, fade_kimg: .inf, stable_kimg: 1}"),
    ("config.yaml", "network: x"),
    ("status.json", '{"pid": Infinity}'), ("status.json", '{"pid": PID, "process_started": null}'),
    ("status.json", "[" * 100000)])
def test_a_damaged_run_hides_no_other(client: TestClient, tmp_path: Path, file: str, text: str) -> None:
    fakerun.make(tmp_path / "runs" / "damaged", 500, "running")
    (tmp_path / "runs" / "damaged" / file).write_text(text.replace("PID", str(os.getpid())))
    assert {run["id"] for run in client.get("/api/runs").json()["runs"]} == {"done", "damaged"}
    for route in ("runs/damaged/status", "runs/damaged/alerts", "compare/choices", "compare/facts?ids=run:damaged"):
        assert client.get(f"/api/{route}").status_code != 500, route


def test_a_process_that_is_gone_is_not_called_running(client: TestClient, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / "killed", 500, "running")
    assert client.get("/api/runs/killed/status").json()["state"] == "stopped"
    assert client.get("/api/runs/killed/status").json()["can"] == ["resume"]


def test_a_training_that_died_at_birth_says_why(client: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "stillborn"
    folder.mkdir()
    (folder / processes.LAUNCH_LOG).write_text("Traceback\nModuleNotFoundError: No module named 'torch'\n")
    os.utime(folder / processes.LAUNCH_LOG, (0, 0))
    status = client.get("/api/runs/stillborn/status").json()
    assert status["state"] == "failed" and "No module named 'torch'" in status["message"]
    assert "Traceback" in client.get("/api/runs/stillborn/log").json()["lines"]


ELSEWHERE = ("..%2F..%2Fconfig.yaml", "config.yaml", "%2Fetc%2Fpasswd")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["nobody/status", "..%2Fruns/log", *(f"done/sample/{file}" for file in ELSEWHERE)]
)
def test_names_are_looked_up_never_opened(client: TestClient, path: str) -> None:
    assert client.get(f"/api/runs/{path}").status_code == 404


def test_statistics_come_in_parts_and_start_over_when_the_file_does(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    assert train_watch.new_rows(path, 0) == {"rows": [], "next": 0, "reset": False}
    path.write_bytes(b'{"clips": 1, "loss_G": 0.5, "unknown": 1}\n{"clips": 2, "loss_G"')
    first = train_watch.new_rows(path, 0)
    assert first["rows"] == [{"clips": 1, "loss_G": 0.5}]
    path.write_bytes(path.read_bytes() + b': NaN}\nrubbish\n[1]\n{"clips": 3}\n')
    second = train_watch.new_rows(path, first["next"])
    assert second["rows"] == [{"clips": 2, "loss_G": None}, {"clips": 3}] and not second["reset"]
    assert train_watch.new_rows(path, second["next"])["rows"] == []
    path.write_bytes(b'{"clips": 9}\n')
    assert train_watch.new_rows(path, second["next"]) == {"rows": [{"clips": 9}], "next": 13, "reset": True}
    json.dumps(second, allow_nan=False)


@pytest.mark.parametrize("since", [-1, 2**70])
def test_statistics_begin_where_a_file_can(client: TestClient, since: int) -> None:
    assert client.get(f"/api/runs/done/stats?since={since}").status_code == 422


# ---- who may ask -----------------------------------------------------------------------------------------


def test_read_only_shows_all_and_changes_nothing(tmp_path: Path, configs: Path) -> None:
    fakerun.make(tmp_path / "runs" / "done", 500)
    client = opened(Settings(runs=tmp_path / "runs", assets=tmp_path, read_only=True))
    status = client.get("/api/runs/done/status").json()
    assert status["can"] == [] and status["read_only"]
    assert client.post("/api/runs/done/request", json={"name": "resume"}).status_code == 403
    for route in ("start", "queue", "cost"):
        assert client.post(f"/api/train/{route}", json={"config": "tiny"}).status_code == 403


def test_every_route_wants_the_login(tmp_path: Path, configs: Path) -> None:
    fakerun.make(tmp_path / "runs" / "done", 500)
    client = opened(Settings(runs=tmp_path / "runs", assets=tmp_path, auth=("me", "secret")))
    for path in ("runs", "runs/done/status", "runs/done/stats", "runs/done/samples", "runs/done/log",
                 "runs/done/sample/000000500-4x4.png", "train/options"):  # fmt: skip
        assert client.get(f"/api/{path}").status_code == 401, path
    for path, body in (("runs/done/request", {"name": "stop"}), ("train/start", {"config": "tiny"}),
                       ("train/plan", {"config": "tiny"}), ("train/cost", {"config": "tiny"})):  # fmt: skip
        assert client.post(f"/api/{path}", json=body).status_code == 401, path
    assert not list((tmp_path / "runs" / "done" / "requests").iterdir())
