"""The studio's server without a browser: the login on every route, other sites, the command line."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from pvswgan.studio import Settings, create_app, our_routes
from pvswgan.studio.login import is_open

ROOT = Path(__file__).parents[2]
REQUEST = {"model": "asset:none"}


def client(tmp_path: Path, make: Callable[[Settings], FastAPI] = our_routes, **settings: Any) -> TestClient:
    """Without Gradio's page, which takes a second to build, but where that is asked for (create_app)."""
    app = make(Settings(runs=tmp_path / "runs", assets=tmp_path / "assets", **settings))
    return TestClient(app, base_url="http://127.0.0.1:7860")


def paths(test: TestClient) -> list[tuple[str, str]]:
    """(method, path) of every route that is not Gradio's own, placeholders filled in."""
    routes = list(_flat(test.app.routes))  # type: ignore[attr-defined]
    return [(m, re.sub(r"{[^}]*}", "x", route.path)) for route in routes for m in route.methods or ()]


def _flat(routes: list[Any]) -> Iterator[APIRoute]:
    """The routes, with those of routers that were included (they stay behind one entry each)."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        yield from _flat(getattr(getattr(route, "original_router", None), "routes", []))


def test_every_route_wants_the_login(tmp_path: Path) -> None:
    test = client(tmp_path, create_app, auth=("anna", "secret"))
    routes = paths(test)
    known = {"/api/models", "/api/model", "/api/render", "/api/export", "/api/train/start", "/api/data/list"}
    assert known <= {path for _, path in routes}
    for method, path in routes:
        assert test.request(method, path).status_code == 401, f"{method} {path} is open without a login"
    wrong = test.post("/login", data={"username": "anna", "password": "guess"})
    assert wrong.status_code == 400 and test.get("/api/models").status_code == 401
    assert test.post("/login", data={"username": "anna", "password": "secret"}).status_code == 200
    assert test.get("/api/models").json() == {"models": [], "read_only": False}
    test.cookies.clear()
    assert test.get("/api/models").status_code == 401


def test_gradios_own_routes_want_the_login_too(tmp_path: Path) -> None:
    test = client(tmp_path, create_app, auth=("anna", "secret"))
    gradio = test.app.state.studio.gradio  # type: ignore[attr-defined]
    asked = {(m, re.sub(r"{[^}]*}", "x", route.path)) for route in _flat(gradio.routes) for m in route.methods or ()}
    closed = [(method, path) for method, path in asked if not is_open(path)]
    assert {("POST", "/gradio_api/cancel"), ("GET", "/gradio_api/heartbeat/x"), ("GET", "/config")} <= set(closed)
    assert len(closed) > 30
    for method, path in closed:
        assert test.request(method, path).status_code == 401, f"{method} {path} is open without a login"
    assert "secret" not in test.get("/").text and test.get("/gradio_api/user").json() is None
    assert {path for _, path in asked if is_open(path)} & {"/", "/login", "/theme.css"}


def test_a_page_elsewhere_cannot_post(tmp_path: Path) -> None:
    test = client(tmp_path)
    for method, path in paths(test):
        if method != "GET":
            answer = test.request(method, path, headers={"Origin": "http://evil.example"})
            assert answer.status_code == 403, f"{method} {path} takes a request from another site"
    own = {"Origin": "http://127.0.0.1:7860"}
    assert test.post("/api/render", json=REQUEST, headers=own).status_code == 404


def test_a_name_pointed_at_this_machine_is_not_this_machine(tmp_path: Path) -> None:
    """DNS rebinding: a site that makes its own name mean 127.0.0.1 is same-origin with itself."""
    other = {"Host": "evil.example:7860"}
    assert client(tmp_path).get("/api/models", headers=other).status_code == 403
    assert client(tmp_path, host="0.0.0.0").get("/api/models", headers=other).status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        {"model": "../../etc/passwd"},
        {"model": "asset:../../secret"},
        {"model": "run:../x@000001000"},
        {"model": 7},
        {"model": "asset:x", "seed": -1},
        {"model": "asset:x", "truncation": 2},
        {"model": "asset:x", "moves": {f"pca:{i}": 1 for i in range(33)}},
        {"model": "asset:x", "moves": {"pca:0": "a"}},
        {"model": "asset:x", "moves": {"pca:0": 7}},
        {"model": "asset:x", "moves": {"../x": 1}},
        {"model": "asset:x", "latent": "../x"},
    ],
)
def test_nothing_but_a_listed_id_and_sane_numbers_is_taken(tmp_path: Path, bad: dict[str, Any]) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"x")
    (tmp_path / "assets").mkdir()
    answer = client(tmp_path).post("/api/render", json=bad)
    assert answer.status_code in (404, 422) and answer.json()["detail"]


def test_what_is_no_number_is_answered_with_a_sentence(tmp_path: Path) -> None:
    test, kind = client(tmp_path), {"content-type": "application/json"}
    for nonsense in ("NaN", "Infinity", "1e999"):
        body = f'{{"model": "asset:none", "truncation": {nonsense}}}'
        answer = test.post("/api/render", content=body, headers=kind)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "truncation"]


def test_what_comes_in_by_gradio_passes_the_same_gate(tmp_path: Path) -> None:
    file = {"files": ("clip.mp4", b"0000", "video/mp4")}
    upload = "/gradio_api/upload"
    test = client(tmp_path, create_app)
    assert test.post(upload, files=file).status_code == 200
    assert test.post(upload, files=file, headers={"origin": "https://elsewhere.org"}).status_code == 403
    assert test.get("/config", headers={"host": "elsewhere.org"}).status_code == 403
    refused = client(tmp_path, create_app, read_only=True).post(upload, files=file)
    assert refused.status_code == 403 and "read-only" in refused.json()["detail"]
    for path in (upload, "/api/render"):
        much = test.post(path, headers={"content-length": str(10**9)}, content=b"")
        assert much.status_code == 413 and "allowed: 64 MB" in much.json()["detail"]


def test_static_files_are_a_fixed_list(tmp_path: Path) -> None:
    test = client(tmp_path)
    script = test.get("/studio/static/player.js")
    assert script.status_code == 200 and "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    assert len(test.get("/studio/static/plotly.min.js").content) > 1_000_000
    for name in ("server.py", "..%2Fserver.py", "__init__.py", "explore.html"):
        assert test.get(f"/studio/static/{name}").status_code == 404


def app(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_a_taken_port_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = app("--port", str(port))
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert f"Cannot open the studio on 127.0.0.1:{port}" in ended.stderr


@pytest.mark.parametrize("flags", ["--port 0", "--auth nopassword", "--auth :x", "--nonsense"])
def test_impossible_flags_are_refused(flags: str) -> None:
    ended = app(*flags.split())
    assert ended.returncode == 2 and "error:" in ended.stderr
