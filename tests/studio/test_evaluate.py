"""The Evaluate page's routes: measuring as a job, results by protocol, the nearest real clips."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pvswgan.metrics import evaluate as ev
from pvswgan.metrics.evaluate import Result
from pvswgan.studio import Settings
from pvswgan.studio import evaluate as page
from pvswgan.studio.server import our_routes
from tests.studio.test_latents import CONFIG, write_run

pytestmark = pytest.mark.slow
FACES = CONFIG | {"data": {"source": "toyfaces", "path": None, "clips": 200}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate")
    write_run(root / "runs" / "one", config=FACES)
    write_run(root / "runs" / "two", seed=1, config=FACES)
    return root / "runs"


@pytest.fixture(scope="module")
def client(runs: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVSWGAN_CACHE", str(runs.parent / "cache"))
        app = our_routes(Settings(runs=runs, assets=runs.parent / "none"))
        with TestClient(app, base_url="http://127.0.0.1") as client:
            yield client


def measure(client: TestClient, wish: dict[str, Any]) -> dict[str, Any]:
    """Asks as the page does, until it is done."""
    for _ in range(600):
        answer = client.post("/api/evaluate/measure", json=wish)
        assert answer.status_code == 200, answer.text
        if answer.json()["state"] == "done":
            return answer.json()
        assert answer.json()["sentence"]
        time.sleep(0.05)
    raise AssertionError("it does not end")


@pytest.fixture(scope="module")
def measured(client: TestClient) -> list[dict[str, Any]]:
    return [measure(client, {"model": f"run:{name}", "clips": 100}) for name in ("one", "two")]


def test_two_models_by_one_protocol_are_in_one_table(client: TestClient, measured: list[Any], runs: Path) -> None:
    [table] = client.get("/api/evaluate/results").json()["tables"]
    assert {column["name"] for column in table["columns"]} == {"one", "two"}
    assert table["key"] == measured[0]["key"] == measured[1]["key"]
    assert "100 clips of 4x8x8" in table["sentence"]
    kept = {path.parent.parent.name: Result.from_json(path.read_text()) for path in runs.glob("*/metrics/*.json")}
    for row in table["rows"]:
        for column, value in zip(table["columns"], row["values"], strict=True):
            known = kept[column["name"]].values[row["id"]]
            assert value == known["value"]
            assert (row["floor"], row["ceiling"]) == pytest.approx((known["floor"], known["ceiling"]))


def test_another_protocol_has_a_table_of_its_own_and_says_why(client: TestClient, measured: list[Any]) -> None:
    done = measure(client, {"model": "run:one", "clips": 100, "seed": 5})
    tables = client.get("/api/evaluate/results").json()["tables"]
    assert [len(table["columns"]) for table in tables] == [1, 2]  # the newest first
    assert tables[0]["key"] == done["key"] and tables[0]["apart"] == []
    assert tables[1]["apart"] == ["seed: 5 and 0"]


def test_the_nearest_real_clips_are_shown_while_model_and_clips_are_the_same(
        client: TestClient, measured: list[Any], runs: Path) -> None:
    column = client.get("/api/evaluate/results").json()["tables"][-1]["columns"][0]
    sheet = client.get("/api/evaluate/nearest", params={"id": column["id"]})
    assert (sheet.headers["X-Rows"], sheet.headers["X-Frames"], sheet.headers["X-Resolution"]) == ("32", "4", "8")
    [file] = [path for path in runs.glob(f"{column['name']}/metrics/*.json") if path.stem in column["id"]]
    text = file.read_text()
    try:
        found = json.loads(text)
        found["model"]["sha256"] = "0"
        file.write_text(json.dumps(found))
        failed = client.get("/api/evaluate/nearest", params={"id": column["id"]})
        assert failed.status_code == 409 and "not the one that was measured" in failed.json()["detail"]
    finally:
        file.write_text(text)
    assert client.get("/api/evaluate/nearest", params={"id": "run/../../etc"}).status_code == 404


def test_a_result_of_the_command_line_shows_its_pairs_and_a_renamed_run_does(
        client: TestClient, measured: list[Any], runs: Path) -> None:
    """It does not name model and clips as the page does: its folder tells the one, the store's contents the other."""
    [file] = [path for path in runs.glob("two/metrics/*.json") if path.stem.endswith(measured[1]["key"])]
    text, id = file.read_text(), f"run/two/{file.stem}"
    found = json.loads(text)
    for about in ({}, {"model": "run:as-it-was-called@000000001", "real": "own"}):
        found["about"] = {key: value for key, value in found["about"].items() if key not in ("model", "real")} | about
        file.write_text(json.dumps(found))
        assert client.get("/api/evaluate/nearest", params={"id": id}).status_code == 200
    file.write_text(text)


def test_files_that_are_no_results_are_named_and_hide_nothing(client: TestClient, measured: list[Any],
                                                              runs: Path) -> None:
    bad = runs / "one" / "metrics" / "bad.json"
    try:
        bad.write_text('{"protocol": {}}')
        answer = client.get("/api/evaluate/results").json()
        assert answer["tables"] and answer["broken"] == [s for s in answer["broken"] if s.startswith("bad.json cannot")]
        bad.write_text(" " * (page.MOST_BYTES + 1))
        assert "too large" in client.get("/api/evaluate/results").json()["broken"][0]
        good = json.loads(next((runs / "one" / "metrics").glob("0*.json")).read_text())
        other = {key: value for key, value in good["protocol"].items() if key != "reals"}
        charm = {"charm": {"value": 1.0, "floor": 0.0, "ceiling": 2.0}}
        for change in ({"values": charm}, {"values": {"swd fine": {}}}, {"model": {}},
                       {"protocol": other, "key": ev.key_of(other)}):
            bad.write_text(json.dumps(good | change))
            answer = client.get("/api/evaluate/results").json()
            assert answer["tables"] and [s[:22] for s in answer["broken"]] == ["bad.json cannot be use"], change
    finally:
        bad.unlink()


def test_a_result_of_a_run_that_was_moved_is_kept_with_the_studio(client: TestClient, measured: list[Any],
                                                                  runs: Path) -> None:
    studio = client.app.state.studio  # type: ignore[attr-defined]
    opened = studio.models.open("run:two")
    result = Result.from_json(next((runs / "two" / "metrics").glob("0*.json")).read_text())
    (runs / "two").rename(runs / "away")
    try:
        kept = page.save(studio, opened, page.OWN, result)
        assert kept.parent == runs / ".studio" / "metrics" and not (runs / "two").exists()
        assert f"other/.studio/{kept.stem}" in page.found(studio)
        kept.unlink()
    finally:
        (runs / "away").rename(runs / "two")


@pytest.mark.parametrize(("wish", "status", "words"), [
    ({"model": "run:none"}, 404, "no model"), ({"model": "run:one", "store": "nowhere"}, 404, "nowhere"),
    ({"model": "run:one", "store": "../../etc"}, 404, "etc"), ({"model": "run:one", "clips": 7}, 422, ""),
    ({"model": "run:one", "seed": -1}, 422, "")])
def test_nonsense_is_answered_with_a_sentence(client: TestClient, wish: dict[str, Any], status: int,
                                              words: str) -> None:
    for _ in range(200):
        answer = client.post("/api/evaluate/measure", json=wish)
        if answer.status_code != 200:
            break
        time.sleep(0.02)
    assert answer.status_code == status
    assert words in str(answer.json()["detail"])


def test_the_stores_that_fit_can_be_chosen(client: TestClient, measured: list[Any]) -> None:
    found = client.get("/api/evaluate/stores", params={"model": "run:one"}).json()["stores"]
    assert found[0] == {"id": "own", "name": "the clips of its training"}
    assert any("200 clips" in one["name"] for one in found[1:])
    done = measure(client, {"model": "run:one", "store": found[1]["id"], "clips": 100})
    assert done["key"] == measured[0]["key"]  # the same clips by another way


def test_an_evaluation_can_be_stopped(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def slow(*_: Any, tell: Any, **__: Any) -> Any:
        try:
            for i in range(2000):
                time.sleep(0.01)
                tell("samples", i, 2000)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    monkeypatch.setattr(ev, "evaluate", slow)
    wish = {"model": "run:one", "clips": 250, "who": "me"}
    while client.post("/api/evaluate/measure", json=wish).json()["sentence"] != "samples":
        time.sleep(0.02)
    client.post("/api/evaluate/stop", json={"who": "me"})
    until = time.monotonic() + 5
    while not seen and time.monotonic() < until:
        time.sleep(0.02)
    assert seen == ["Abandoned"]


def test_a_classroom_reads_and_does_not_measure(runs: Path) -> None:
    app = our_routes(Settings(runs=runs, assets=runs.parent / "none", read_only=True))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/api/evaluate/results").status_code == 200
        assert client.get("/api/evaluate/stores", params={"model": "run:one"}).json()["read_only"]
        assert client.post("/api/evaluate/measure", json={"model": "run:one"}).status_code == 403
