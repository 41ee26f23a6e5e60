"""The routes of the Data page: what they tell, what they refuse, and who may ask."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pvswgan.studio import Settings, data_jobs
from pvswgan.studio.server import create_app, our_routes
from tests.studio import stores
from tests.studio.test_server import paths

pytestmark = pytest.mark.usefixtures("cache")
STARTS = [("import", {"source": "shapes"}), ("cancel", {"id": "x"}), ("resume", {"id": "x"}), ("forget", {"id": "x"}),
          ("open", {"path": "/etc"}), ("close", {"id": "one"}), ("discard", {"id": "one"}),
          ("discard-unfinished", {"id": "one"}), ("restore", {"id": "x"}), ("empty-trash", {"ids": []})]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of the imports that would have been started."""
    seen: list[list[str]] = []
    monkeypatch.setattr(data_jobs, "start", lambda words: seen.append(words) or "one")
    return seen


def opened(folder: Path, **settings: Any) -> TestClient:
    app = (create_app if "auth" in settings else our_routes)(Settings(runs=folder / "runs", assets=folder, **settings))
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One app for all tests, as the page keeps nothing: each has a cache of its own."""
    return opened(tmp_path_factory.mktemp("studio"))


def refused(answer: Any, status: int = 422) -> str:
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, str) and detail.endswith((".", "again")), detail
    return detail


# ---- stores -----------------------------------------------------------------------------------------------------


def test_a_store_from_the_list_to_its_pictures(client: TestClient, cache: Path) -> None:
    stores.make(cache / "one")
    listed = client.get("/api/data/list").json()
    assert [store["id"] for store in listed["stores"]] == ["one"] and listed["folder"] == str(cache)
    assert client.get("/api/data/store", params={"id": "one"}).json()["clips"] == 6
    clips = client.get("/api/data/clips", params={"id": "one", "label": 2}).json()["clips"]
    assert [clip["clip"] for clip in clips] == [2, 5]
    wall = client.get("/api/data/wall", params={"id": "one", "clips": "2,5"})
    assert wall.headers["content-type"] == "image/jpeg" and wall.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(wall.content)).size == (12 * 16, 2 * 16)
    facts = client.get("/api/data/clip", params={"id": "one", "clip": 5}).json()
    assert (facts["source"], facts["class"], facts["split"]) == ("<b>jump</b>/5.mp4", "<b>jump</b>", "test")
    wish = {"id": "one", "clip": 5, "frames": 8, "start": 2}
    stages = client.get("/api/data/pyramid", params=wish).json()["stages"]
    picture = client.get("/api/data/stage", params={**wish, "stage": len(stages) - 1})
    assert Image.open(io.BytesIO(picture.content)).size == (8 * 16, 16)


NAMES = ["", "..", "../outside", "/etc", "one/../../outside", ".jobs", "%2e%2e/outside", "one\0"]


@pytest.mark.parametrize("id", NAMES)
def test_a_store_is_looked_up_by_name_on_every_route(client: TestClient, cache: Path, id: str) -> None:
    stores.make(cache / "one", (4,))
    stores.make(cache.parent / "outside", (4,))
    for path in ("store", "sheet", "clips", "wall", "clip", "pyramid", "stage"):
        query = {"id": id, "clips": "0", "clip": 0, "stage": 0}
        assert "There is no store" in refused(client.get(f"/api/data/{path}", params=query), 404)


WRONG = [
    ("clips", {"label": "x"}, "label is 'x'"), ("clips", {"page": -1}, "page is '-1'"),
    ("clips", {"seed": 10**30}, "seed"), ("wall", {"clips": "1,x"}, "clips is '1,x'"),
    ("wall", {"clips": ",".join("0" * 25)}, "up to 24"), ("wall", {"clips": "99"}, "no clip 99"),
    ("wall", {"clips": "0", "size": 64}, "allowed in this store: 16"), ("clips", {"size": "x"}, "size is 'x'"),
    ("wall", {}, "clips: Field required"), ("clip", {"clip": 6}, "clips 0 to 5"),
    ("pyramid", {"clip": 0, "frames": 5}, "allowed: 1 to 4"), ("pyramid", {"clip": 3, "frames": 5}, "5"),
    ("pyramid", {"clip": 0, "frames": 4, "order": "x"}, "x"),
    ("stage", {"clip": 0, "stage": 99, "frames": 4}, "no stage 99"),
    ("stage", {"clip": 0, "stage": 0, "frames": 4, "time": "x"}, "'x'"),
    ("stage", {"clip": 0, "stage": 0, "frames": 4, "start": 1}, "not at 1"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query", "words"), WRONG)
def test_impossible_wishes_are_refused_in_a_sentence(client: TestClient, cache: Path, path: str, query: dict[str, Any],
                                                     words: str) -> None:
    stores.make(cache / "one")
    answer = client.get(f"/api/data/{path}", params={"id": "one", **query})
    assert answer.status_code == 422 and words in answer.json()["detail"]


def test_a_store_that_is_damaged_or_goes_meanwhile_is_a_sentence(client: TestClient, cache: Path) -> None:
    folder = stores.make(cache / "one", (8, 8), compact=True).folder
    stage = {"id": "one", "clip": 0, "frames": 8, "stage": 2}
    assert client.get("/api/data/stage", params=stage).status_code == 200
    video = next(folder.glob("shard-00000-016.*"))
    video.write_bytes(b"\0" * video.stat().st_size)  # the size still fits
    (folder / "meta.json").touch()
    assert "clip 0" in client.get("/api/data/stage", params=stage).json()["detail"]
    video.unlink()
    (folder / "meta.json").touch()
    listed = client.get("/api/data/list").json()["stores"]
    assert "is missing" in listed[0]["problem"]
    for path in ("store", "clips", "wall?clips=0"):
        answer = client.get(f"/api/data/{path}{'&' if '?' in path else '?'}id=one")
        assert answer.status_code == 422 and "is missing" in answer.json()["detail"]


def test_a_contact_sheet_comes_from_a_store_of_faces_only(client: TestClient, cache: Path) -> None:
    folder = stores.make(cache / "faces", (4,)).folder
    assert "no contact sheet" in refused(client.get("/api/data/sheet?id=faces"), 404)
    Image.new("RGB", (96, 96)).save(folder / "contact-sheet.jpg")
    answer = client.get("/api/data/sheet?id=faces")
    assert answer.content == (folder / "contact-sheet.jpg").read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"


# ---- what comes into the list, and goes -------------------------------------------------------------------------


def test_a_store_is_deleted_put_back_deleted_and_freed(client: TestClient, cache: Path) -> None:
    stores.make(cache / "one", (4,))
    (cache / ".half.building").mkdir()
    first = client.post("/api/data/discard", json={"id": "one"}).json()["id"]
    second = client.post("/api/data/discard-unfinished", json={"id": "half"}).json()["id"]
    listed = client.get("/api/data/list").json()
    assert listed["stores"] == listed["unfinished"] == []
    assert {line["id"] for line in listed["trash"]} == {first, second}
    assert "no store 'one'" in refused(client.post("/api/data/discard", json={"id": "one"}), 404)
    assert client.post("/api/data/restore", json={"id": first}).json() == {"id": "one"}
    (cache / "one" / "mine.txt").touch()
    assert "mine.txt" in refused(client.post("/api/data/discard", json={"id": "one"}), 409)
    (cache / "one" / "mine.txt").unlink()
    again = client.post("/api/data/discard", json={"id": "one"}).json()["id"]
    assert client.post("/api/data/empty-trash", json={"ids": [again]}).json()["bytes"] > 1000
    assert [line["id"] for line in client.get("/api/data/list").json()["trash"]] == [second]
    for name in NAMES:
        for path in ("discard", "discard-unfinished", "restore", "close"):
            refused(client.post(f"/api/data/{path}", json={"id": name}), 404)


def test_a_store_elsewhere_is_looked_at_and_closed(client: TestClient, cache: Path, tmp_path: Path) -> None:
    there = stores.make(tmp_path / "elsewhere" / "mine", (4, 4)).folder
    assert "There is no store" in refused(client.get("/api/data/store", params={"id": str(there)}), 404)
    id = client.post("/api/data/open", json={"path": f" {there}"}).json()["id"]
    about = client.get("/api/data/store", params={"id": id}).json()
    assert (about["clips"], about["added"], about["folder"]) == (2, True, str(there))
    assert client.get("/api/data/wall", params={"id": id, "clips": "0,1"}).status_code == 200
    assert "nothing is deleted there" in refused(client.post("/api/data/discard", json={"id": id}), 409)
    assert client.post("/api/data/close", json={"id": id}).status_code == 200
    assert client.get("/api/data/list").json()["stores"] == [] and there.is_dir()


@pytest.mark.parametrize("path", ["", "/no/such", "/etc", "/etc/passwd", "/dev/zero", "\0", "\ud800", "~nobody/x", "."])
def test_what_is_no_store_is_not_opened(client: TestClient, path: str) -> None:
    body = json.dumps({"path": path})
    assert refused(client.post("/api/data/open", content=body, headers={"Content-Type": "application/json"}))
    assert client.get("/api/data/list").json()["stores"] == []


# ---- the form ---------------------------------------------------------------------------------------------------


def test_the_form_is_drawn_from_what_the_studio_knows(client: TestClient) -> None:
    options = client.get("/api/data/options").json()
    kinds = {kind["id"]: kind for kind in options["kinds"]}
    assert next(iter(kinds)) == "auto"
    assert {"videos", "ucf101", "strips", "frames", "array", "faces", "toyfaces", "shapes"} < set(kinds)
    assert kinds["faces"]["fields"] == ["path", "resolution", "frames", "compact"]
    assert kinds["faces"]["resolution"] == 256 and kinds["faces"]["frames"][2] == 32
    assert "paper" in options["orders"] and options["times"] == ["average", "subsample", "window"]


def test_the_plan_tells_the_command_the_room_and_what_is_wrong(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x.mp4").touch()
    plan = client.post("/api/data/plan", json={"source": "faces", "path": f"{tmp_path}/a b"}).json()
    assert plan["problems"] == {} and plan["room"] is None
    assert plan["command"] == f"python -m pvswgan data faces '{tmp_path}/a b' --resolution 256"
    plan = client.post("/api/data/plan", json={"source": "shapes", "clips": 10, "resolution": 16, "frames": 8}).json()
    assert plan["problems"] == {} and plan["room"]["bytes"] == 10 * 8 * 3 * 336 and plan["room"]["free"] > 0
    plan = client.post("/api/data/plan", json={"source": "webcam"}).json()
    assert set(plan["problems"]) == {"source"} and plan["command"] == ""


WISHES = [{"path": "/no/such"}, {"source": "shapes", "frames": "x"}, {"source": "shapes", "clips": 0}, {"path": "\0"},
          {"source": "nonsense"}, {"source": "toyfaces", "resolution": 33}, {"path": "\ud800"}, {"source": "\udcff"},
          {"source": "shapes", "clips": 9_999_999, "resolution": 512, "frames": 256}]  # fmt: skip


@pytest.mark.parametrize("wish", WISHES)
def test_nothing_is_started_while_anything_is_wrong(client: TestClient, started: list[list[str]],
                                                    wish: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    said = [client.post(f"/api/data/{path}", content=json.dumps(wish), headers=headers) for path in ("plan", "import")]
    assert said[0].json()["problems"] and refused(said[1]) and started == []


BODIES = [b"{}{", b"[]", b"7", b"null", b'{"source": []}', b'{"clips": {"a": 1}}', b'{"compact": "perhaps"}',
          b'{"pixels": 64}', b'{"path": null}', b"\xff\xfe", b"", b"[" * 100_000]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", ["plan", "import"])
def test_a_body_of_the_wrong_shape_is_a_sentence(client: TestClient, started: list[list[str]], path: str,
                                                 body: bytes) -> None:
    answer = client.post(f"/api/data/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and isinstance(answer.json()["detail"], str)
    assert len(answer.json()["detail"]) < 500 and started == []


def test_an_import_is_started_with_exactly_what_was_planned(client: TestClient, started: list[list[str]]) -> None:
    wish = {"source": "shapes", "clips": "12", "resolution": "16", "frames": "8", "compact": True}
    assert client.post("/api/data/import", json=wish).json() == {"id": "one"}
    assert started == [["shapes", "--resolution", "16", "--frames", "8", "--clips", "12", "--compact"]]


def test_jobs_whose_paths_are_no_text_are_listed(client: TestClient) -> None:
    folder = data_jobs.root() / "one"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"words": ["import", "/caf\udce9"], "began": 1, "cancel": False}))
    (folder / "status.json").write_text(json.dumps({"state": "failed", "error": "/caf\udce9 is <empty>", "pid": None}))
    job = client.get("/api/data/list").json()["jobs"][0]
    assert job["words"][1] == "/caf?" and job["error"] == "/caf? is <empty>"
    assert "needs no resume" not in client.post("/api/data/forget", json={"id": "one"}).text
    assert client.get("/api/data/list").json()["jobs"] == []


@pytest.mark.parametrize("path", ["cancel", "resume", "forget"])
def test_only_an_import_of_the_list_is_steered(client: TestClient, path: str) -> None:
    for id in NAMES:
        assert "There is no import" in refused(client.post(f"/api/data/{path}", json={"id": id}), 404)


# ---- who may ask ------------------------------------------------------------------------------------------------


def test_a_read_only_studio_shows_and_changes_nothing(tmp_path: Path, cache: Path, started: list[list[str]]) -> None:
    stores.make(cache / "one", (4,))
    client = opened(tmp_path, read_only=True)
    assert client.get("/api/data/list").json()["read_only"] is True
    assert client.get("/api/data/store?id=one").status_code == 200
    for path, body in STARTS:
        assert "read-only" in refused(client.post(f"/api/data/{path}", json=body), 403)
    plan = client.post("/api/data/plan", json={"path": "/no/such"}).json()
    assert plan["problems"] == {} and plan["room"] is None, "it must not tell which folders there are"
    assert started == []


def test_every_route_of_this_page_wants_the_login(tmp_path: Path, cache: Path, started: list[list[str]]) -> None:
    stores.make(cache / "one", (4,))
    client = opened(tmp_path, auth=("me", "secret"))
    routes = [(method, path) for method, path in paths(client) if path.startswith("/api/data/")]
    assert len(routes) >= 19
    for method, path in routes:
        answer = client.request(method, path, params={"id": "one", "clip": 0, "stage": 0, "clips": "0"}, json={})
        assert answer.status_code == 401, f"{method} {path} is open without a login"
    client.post("/login", data={"username": "me", "password": "secret"})
    assert client.get("/api/data/store?id=one").status_code == 200
    assert started == []
