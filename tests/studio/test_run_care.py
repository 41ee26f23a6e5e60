"""Runs are renamed, thrown away, put back and cloned; one that is being trained stays where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import yaml
from fastapi.testclient import TestClient

from pvswgan.studio import Settings, machine, run_care
from pvswgan.studio.kept import Kept
from pvswgan.studio.server import our_routes
from tests.studio import fakerun
from train.run import RunFolder, RunWriter


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("care")


@pytest.fixture(scope="module")
def client(place: Path) -> TestClient:
    settings = Settings(runs=place / "runs", assets=place)
    return TestClient(our_routes(settings), base_url="http://127.0.0.1:7860")


@pytest.fixture
def root(place: Path) -> Path:
    return place / "runs"


def told(client: TestClient, path: str, **body: object) -> tuple[int, object]:
    answer = client.post(f"/api/{path}", json=body)
    return answer.status_code, answer.json() if answer.is_success else answer.json()["detail"]


def test_there_and_back(client: TestClient, root: Path) -> None:
    fakerun.make(root / "one", 500)
    before = (root / "one" / "stats.jsonl").read_bytes()
    held = run_care.bytes_held(root / "one")
    kept: Kept = client.app.state.studio.kept  # type: ignore[attr-defined]
    own = kept.add_direction("run:one@000000500", "smile", torch.ones(4))
    kept.name("run:one@000000500", "pca:0", "nod", True)
    assert told(client, "runs/one/rename", name=" two ") == (200, {"id": "two"})
    assert told(client, "runs/one/rename", name="three")[0] == 404
    assert list(kept.own("run:two")) == [own] and kept.names("run:two@000000500")["pca:0"].name == "nod"
    assert kept.own("run:one") == {} == kept.names("run:one@000000500")
    code, thrown = told(client, "runs/two/delete")
    assert code == 200 and isinstance(thrown, dict)
    trash = client.get("/api/runs").json()["trash"]
    assert [(item["id"], item["name"]) for item in trash] == [(thrown["id"], "two")]
    assert held <= trash[0]["bytes"] and client.get("/api/runs").json()["runs"] == []
    assert told(client, "train/trash/restore", ids=[thrown["id"]]) == (200, {"runs": ["two"]})
    assert (root / "two" / "stats.jsonl").read_bytes() == before
    assert told(client, "train/trash/restore", ids=[thrown["id"]])[0] == 404
    code, thrown = told(client, "runs/two/delete")
    fakerun.make(root / "two", 500)
    code, why = told(client, "train/trash/restore", ids=[thrown["id"]])  # type: ignore[index]
    assert code == 409 and "another one of that name" in str(why)
    assert told(client, "train/trash/empty", ids=[])[1] == {"bytes": 0}
    assert told(client, "train/trash/empty", ids=[thrown["id"]])[1] == {"bytes": trash[0]["bytes"]}  # type: ignore[index]
    assert client.get("/api/runs").json()["trash"] == []


def test_what_is_at_work_stays(client: TestClient, root: Path) -> None:
    run = fakerun.make(root / "busy", 500, "running", pid=os.getpid())
    for state in ("running", "paused"):
        run.status(state)
        for path, body in (("rename", {"name": "idle"}), ("delete", {})):
            code, why = told(client, f"runs/busy/{path}", **body)
            assert code == 409 and f"busy is {state}: stop it first" in str(why)
    run.status("stopped")
    assert "still ending" in str(told(client, "runs/busy/delete")[1]), "its process lives"
    fakerun.make(root / "locked", 500)
    writer = RunWriter(root / "locked")  # a training that is only beginning there
    assert "at work" in str(told(client, "runs/locked/delete")[1])
    writer.close()
    assert told(client, "runs/locked/rename", name="busy")[0] == 409, "that name is taken"
    for name in ("../up", "", "a/b", ".hidden"):
        assert told(client, "runs/locked/rename", name=name)[0] == 422
    assert (root / "busy").is_dir() and (root / "locked").is_dir()


def test_a_clone_starts_from_the_configuration(client: TestClient, root: Path) -> None:
    fakerun.make(root / "model", 500, loss="wgan-gp")
    answer = client.get("/api/runs/model/config").json()
    assert answer["name"] == "model" and yaml.safe_load(answer["yaml"])["loss"] == {"name": "wgan-gp"}
    (root / "young").mkdir()
    (root / "young" / "launch.log").touch()
    assert client.get("/api/runs/young/config").status_code == 409


def test_the_machine_tells_of_a_training_and_its_gpus(
    client: TestClient, root: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakerun.make(root / "here", 500, "running", pid=os.getpid())
    smi = place / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    told = ("0, NVIDIA H100 80GB HBM3, 97, 1024, 81559, 61", "1, Old, [N/A], 3, 4, [N/A]")
    smi.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in told))
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(machine, "_kept", {})
    seen = client.get("/api/runs/here/status").json()["machine"]
    assert 0 <= seen["cpu"] <= 1 and 0 < seen["memory"] < seen["memory_total"]
    assert 0 < seen["disk_free"] < seen["disk_total"]
    assert seen["process"]["memory"] > 10 << 20
    assert seen["gpus"][0] == {"index": "0", "name": "NVIDIA H100 80GB HBM3", "busy": 0.97, "celsius": 61,
                               "memory": 1 << 30, "memory_total": 81559 << 20}
    assert seen["gpus"][1]["busy"] is None and seen["gpus"][1]["celsius"] is None
    assert machine.reading(RunFolder(root / "here"))["gpus"] == seen["gpus"]
    smi.write_text("#!/bin/sh\necho no devices; exit 9\n")
    monkeypatch.setattr(machine, "_kept", {})
    assert machine.reading(RunFolder(root / "nobody")) | {"process": None, "gpus": []}
    assert machine.reading(RunFolder(root / "here"))["gpus"] == []


def test_read_only_and_logged_out(place: Path) -> None:
    fakerun.make(place / "class" / "done", 500)
    (place / "class" / ".studio").mkdir()
    writes = [("runs/done/rename", {"name": "x"}), ("runs/done/delete", {}), ("train/queue", {"config": "tiny"}),
              ("train/trash/restore", {"ids": []}), ("train/trash/empty", {"ids": []}),
              ("train/queue/hold", {"held": True}), ("train/queue/move", {"id": "a"}),
              ("train/queue/remove", {"id": "a"}), ("train/queue/put-back", {"id": "a"})]
    for more, code in (({"read_only": True}, 403), ({"auth": ("me", "secret")}, 401)):
        app = our_routes(Settings(runs=place / "class", assets=place, **more))  # type: ignore[arg-type]
        other = TestClient(app, base_url="http://127.0.0.1:7860")
        for path, body in writes:
            assert told(other, path, **body)[0] == code, path
        for path in ("runs/done/alerts", "runs/done/config", "runs"):
            assert other.get(f"/api/{path}").status_code == (401 if code == 401 else 200), path
    assert (place / "class" / "done").is_dir() and not list((place / "class" / ".studio").iterdir())
