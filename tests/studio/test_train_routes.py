"""The routes of the Train page: what they tell, what they refuse, and who may ask."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pvswgan.studio import Settings, processes, train_form, train_watch
from pvswgan.studio.server import create_app
from tests.studio import fakerun


@pytest.fixture
def client(tmp_path: Path, configs: Path) -> TestClient:
    fakerun.make(tmp_path / "runs" / "done", 9_000, "stopped", message="stopped by request")
    return opened(Settings(runs=tmp_path / "runs", assets=tmp_path))


def opened(settings: Settings) -> TestClient:
    return TestClient(create_app(settings), base_url="http://127.0.0.1:7860")  # another Host is refused


def plan(client: TestClient, **wish: Any) -> dict[str, Any]:
    answer = client.post("/api/train/plan", json={"config": "tiny"} | wish)
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- the form --------------------------------------------------------------------------------------------


def test_options_list_configurations_with_their_values(client: TestClient) -> None:
    options = client.get("/api/train/options").json()
    tiny = next(item for item in options["configurations"] if item["id"] == "tiny")
    assert tiny["description"] == "Drawn faces, a few seconds."
    assert tiny["values"]["resolution"] == "16" and tiny["values"]["seed"] == "3"
    listed = next(item for item in options["configurations"] if item["id"] == "elsewhere")
    assert listed["values"]["resolution"] == "", "listed stages overrule it, so it is not shown as if it held"
    assert {f["id"] for f in options["fields"]} == set(tiny["values"])


def test_the_plan_follows_the_settings(client: TestClient) -> None:
    before, after = plan(client), plan(client, settings={"frames": "4", "total_kimg": ""})
    assert [(s["frames"], s["resolution"]) for s in before["plan"]["stages"]] == [(4, 4), (8, 8), (8, 16)]
    assert [(s["frames"], s["resolution"]) for s in after["plan"]["stages"]] == [(4, 4), (4, 8), (4, 16)]
    assert before["plan"]["total"] == 400_000 and after["plan"]["total"] == 10_000
    assert [stage["batch"] for stage in before["plan"]["stages"]] == [8, 8, 8]
    weights = [stage["parameters"]["generator"] for stage in before["plan"]["stages"]]
    assert weights == sorted(set(weights)), "the networks grow"
    assert "growth.frames=4" in after["command"] and "growth.total_kimg=null" in after["command"]


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"lr": "-1"}, "lr", "-1"),
        ({"batch": "many"}, "batch", "many"),
        ({"resolution": "33"}, "resolution", "33"),
        ({"seed": "0.5"}, "seed", "0.5"),
        ({"total_kimg": "1"}, "total_kimg", "growth.total_kimg is 1"),
        ({"batch": "8, 8"}, "batch", "2 values"),
    ],
)
def test_a_wrong_setting_is_a_sentence_at_its_field(
    client: TestClient, settings: dict[str, str], field: str, words: str
) -> None:
    answer = plan(client, settings=settings)
    assert answer["plan"] is None
    assert words in answer["problems"][field] and str(train_form.CONFIGS) not in answer["problems"][field]


def test_the_other_loss_comes_with_its_own_weights(client: TestClient) -> None:
    answer = plan(client, config="elsewhere", settings={"loss": "wgan-gp"})
    assert set(answer["problems"]) == {"data"}, "slope: 5 belongs to swgan and must not be carried over"
    assert "/nowhere/clips" in answer["problems"]["data"] and answer["plan"]["total"] == 3000


def test_a_typed_folder_is_checked(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "There is no folder" in plan(client, data="/no/such/folder")["problems"]["data"]
    assert "is empty" in plan(client, data=str(tmp_path / "empty"))["problems"]["data"]
    assert "is a file" in plan(client, data=str(tmp_path / "configs" / "tiny.yaml"))["problems"]["data"]
    assert "Write the path" in plan(client, data=" ")["problems"]["data"]
    assert plan(client, data=str(tmp_path / "configs"))["problems"] == {}


def test_start_refuses_what_is_wrong(client: TestClient, tmp_path: Path) -> None:
    for wish in ({"config": "../x"}, {"name": "../x"}, {"settings": {"lr": "-1"}}, {"data": "/no/such"}):
        answer = client.post("/api/train/start", json={"config": "tiny"} | wish)
        assert answer.status_code == 422 and isinstance(answer.json()["detail"], str)
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["done"]


@pytest.mark.parametrize("text", ["16", "0.001", "8, 4", "null-ish", "[4, 4]"])
def test_what_is_shown_can_be_typed(text: str) -> None:
    value = train_form.parse(text)
    assert train_form.parse(train_form.show(value)) == value


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


# ---- who may ask -----------------------------------------------------------------------------------------


def test_read_only_shows_all_and_changes_nothing(tmp_path: Path, configs: Path) -> None:
    fakerun.make(tmp_path / "runs" / "done", 500)
    client = opened(Settings(runs=tmp_path / "runs", assets=tmp_path, read_only=True))
    assert client.get("/api/runs/done/status").json()["can"] == []
    assert client.post("/api/runs/done/request", json={"name": "resume"}).status_code == 403
    assert client.post("/api/train/start", json={"config": "tiny"}).status_code == 403
    assert plan(client, data="/no/such/folder")["problems"] == {}, "it must not tell which folders there are"


def test_every_route_wants_the_login(tmp_path: Path, configs: Path) -> None:
    fakerun.make(tmp_path / "runs" / "done", 500)
    client = opened(Settings(runs=tmp_path / "runs", assets=tmp_path, auth=("me", "secret")))
    for path in ("runs", "runs/done/status", "runs/done/stats", "runs/done/samples", "runs/done/log",
                 "runs/done/sample/000000500-4x4.png", "train/options"):  # fmt: skip
        assert client.get(f"/api/{path}").status_code == 401, path
    for path, body in (("runs/done/request", {"name": "stop"}), ("train/start", {"config": "tiny"}),
                       ("train/plan", {"config": "tiny"})):  # fmt: skip
        assert client.post(f"/api/{path}", json=body).status_code == 401, path
    assert not list((tmp_path / "runs" / "done" / "requests").iterdir())
