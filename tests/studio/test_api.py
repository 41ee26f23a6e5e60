"""The public API, asked by gradio_client as a program would, on a server that listens."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError

import pvswgan
from pvswgan import latents, video
from pvswgan.studio import api, projections, server
from tests.browser import studio_here
from tests.browser.conftest import write_model
from tests.studio import fakerun
from tests.studio.conftest import pretend
from tests.studio.test_processes import until
from train.run import RunFolder

GUIDE = Path(__file__).parents[2] / "docs" / "API.md"
PUBLIC = {"/models", "/runs", "/sample", "/interpolate", "/project", "/start", "/stop"}
MODEL = "asset:small"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model in assets/, and trainings that are only pretended."""
    root = tmp_path_factory.mktemp("api")
    write_model(root / "assets" / "small.safetensors", "small", seed=1)
    with pytest.MonkeyPatch.context() as patch:
        pretend(root / "configs", patch)
        patch.setenv("GRADIO_TEMP_DIR", str(root / "gradio"))
        yield root


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[Client]:
    """Of an open studio."""
    with studio_here(runs=place / "runs", assets=place / "assets") as url:
        yield asked(url, place)


def asked(url: str, place: Path, **options: Any) -> Client:
    return Client(url, verbose=False, analytics_enabled=False, download_files=str(place / "downloads"), **options)


def refused(client: Client, *arguments: Any, **options: Any) -> str:
    with pytest.raises(AppError) as error:
        client.predict(*arguments, **options)
    return str(error.value)


def test_only_these_are_public_and_each_is_typed_and_described(client: Client) -> None:
    about = client.view_api(return_format="dict", print_info=False)
    assert set(about["named_endpoints"]) == PUBLIC and about["unnamed_endpoints"] == {}
    sample = about["named_endpoints"]["/sample"]
    wanted = {"model": "string", "n": "integer", "seed": "integer", "truncation": "number", "format": None,
              "parts": None}
    assert {p["parameter_name"]: p["type"].get("type") for p in sample["parameters"]} == wanted
    assert all(len(endpoint["description"]) > 40 for endpoint in about["named_endpoints"].values())


def test_a_clip_is_projected_and_only_what_was_uploaded_is_read(
    client: Client, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "STEPS", 8)
    monkeypatch.setattr(projections, "SAMPLES", 8)
    library = pvswgan.load(place / "assets" / "small.safetensors")
    mine = video.write(library.sample(1, seed=9), place / "mine.webp")
    held = np.load(client.predict(MODEL, handle_file(mine), "npz", api_name="/project"))
    assert held["clips"].shape == (1, 8, 16, 16, 3) and held["latents"].shape == (1, library.latent_dim)
    for path in (GUIDE, Path(get_upload_folder(), os.path.relpath(GUIDE, get_upload_folder())), ""):
        with pytest.raises(ValueError, match="not an uploaded one"):
            api._uploaded({"path": str(path)})
    (place / "mine.txt").write_text("words")
    assert "clip" in refused(client, MODEL, handle_file(place / "mine.txt"), api_name="/project")


def test_clips_are_those_of_the_library(client: Client, place: Path) -> None:
    (model,) = client.predict(api_name="/models")
    assert model == {"id": MODEL, "name": "small", "kind": "asset", "clips": None}
    library = pvswgan.load(place / "assets" / "small.safetensors")
    held = np.load(client.predict(MODEL, n=5, seed=3, format="npz", api_name="/sample"))
    wanted = video.to_uint8(library.sample(5, seed=3))
    assert held["clips"].shape == (5, 8, 16, 16, 3) and np.abs(held["clips"].astype(int) - wanted).max() <= 1
    walk = np.load(client.predict(MODEL, 3, 4, steps=3, format="npz", api_name="/interpolate"))
    ends = [latents.sample_latents(1, library.latent_dim, seed) for seed in (3, 4)]
    assert np.allclose(walk["latents"][[0, 2]], np.concatenate(ends), atol=1e-6)
    assert np.allclose(walk["latents"][1], latents.slerp(*ends, 0.5), atol=1e-6)
    movie, _ = video.read(client.predict(MODEL, n=4, api_name="/sample"))
    assert movie.shape == (8, 32, 32, 3)


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("/sample", ("asset:none",), "There is no model 'asset:none'"),
        ("/sample", (MODEL, 0), "n is 0: allowed: a whole number from 1 to 64"),
        ("/sample", (MODEL, 1, 0, 1.5), "truncation is 1.5"),
        ("/sample", (MODEL, 1, 0, 1.0, "exe"), "format is 'exe'"),
        ("/sample", (MODEL, 1, 0, 1.0, "mp4", {"content": 5}), "no part 'content': they are of one piece"),
        ("/sample", (MODEL, 1, 0, 1.0, "mp4", {"content": -5}), "parts['content'] is -5"),
        ("/sample", (MODEL, 1, 0, 1.0, "mp4", [1]), "parts is [1]: allowed: {part: seed}"),
        ("/start", ("tiny", "", ["seed"]), "changes is ['seed']: allowed: {key: value}"),
        ("/start", ("../x",), "There is no configuration"),
        ("/start", ("tiny", "../x"), "cannot be used for a run"),
        ("/start", ("tiny", "", {"train.lr": -1}), "train.lr is -1"),
        ("/start", ("tiny", "", {"data.source": "auto", "data.path": "/no/such"}), "There is no folder /no/such"),
        ("/stop", ("nobody",), "There is no run 'nobody'"),
    ],
)
def test_what_is_wrong_is_a_sentence(client: Client, call: str, arguments: tuple[Any, ...], words: str) -> None:
    assert words in refused(client, *arguments, api_name=call)


@pytest.mark.slow
@pytest.mark.parametrize("times", [(1, 3), (600, 3600)], ids=["by age", "at the end"])
def test_files_that_went_through_are_cleared(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: tuple[int, int]
) -> None:
    monkeypatch.setattr(server, "CLEARED_S", times)
    for name in ("GRADIO_TEMP_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "TMPDIR").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)  # it has been asked for before
    monkeypatch.setattr(projections, "STEPS", 8)
    monkeypatch.setattr(projections, "SAMPLES", 8)

    def left() -> list[Path]:
        folders = (tmp_path / "GRADIO_TEMP_DIR", tmp_path / "TMPDIR")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    mine = video.write(pvswgan.load(place / "assets" / "small.safetensors").sample(1, seed=9), tmp_path / "mine.webp")
    with studio_here(runs=place / "runs", assets=place / "assets") as url:
        client = asked(url, place)
        client.predict(MODEL, api_name="/sample")
        client.predict(MODEL, handle_file(mine), "npz", api_name="/project")
        if times[0] == 1:
            until(lambda: not left())
        else:
            assert {path.name for path in left()} == {"mine.webp", "sample-seed0.mp4", "projection.npz"}
    until(lambda: not left())


def test_while_clips_are_fitted_a_training_can_be_stopped(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(projections.Projections, "_fit", lambda self, job, opened: go_on.wait(60) or "")
    fakerun.make(tmp_path / "runs" / "mine", 500, "running", pid=os.getpid())
    mine = video.write(pvswgan.load(place / "assets" / "small.safetensors").sample(1, seed=9), tmp_path / "mine.webp")
    with studio_here(runs=tmp_path / "runs", assets=place / "assets") as url:
        client = asked(url, place)
        waiting = [client.submit(MODEL, handle_file(mine), "npz", api_name="/project") for _ in range(3)]
        try:
            until(lambda: sum(job.status().code.name == "PROCESSING" for job in waiting) == 2)
            assert client.submit("mine", api_name="/stop").result(30) == "running"
            assert client.submit(MODEL, 1, 5, 1.0, "npz", api_name="/sample").result(30)
            assert not any(job.done() for job in waiting)
        finally:
            go_on.set()
    assert (tmp_path / "runs" / "mine" / "requests" / "stop").exists()


def test_no_file_of_this_machine_is_taken(client: Client, place: Path) -> None:
    secret = place / "secret.txt"
    secret.write_text("not for you")
    # Not by the client, which would upload it.
    body = {"data": [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}, 1, 0, 1.0, "mp4"]}
    call = f"{client.src}gradio_api/call/sample"
    event = httpx.post(call, json=body).json()["event_id"]
    assert "event: error" in httpx.get(f"{call}/{event}").text
    assert not list((place / "gradio").rglob("secret.txt")), "nor copied to where it could be fetched"


@pytest.mark.slow
def test_the_guide_does_what_it_says(client: Client, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    snippet = snippet.replace("http://127.0.0.1:7860", client.src).replace("toyfaces-cpu", "tiny")
    with chdir(place):
        exec(snippet, names := {})  # the one in docs/API.md
    assert capsys.readouterr().out.strip() in ("starting", "running")
    assert video.read(names["video"])[0].shape == (8, 32, 32, 3) and names["clips"].shape == (5, 8, 16, 16, 3)
    run = RunFolder(place / "runs" / "from-afar")
    until(lambda: run.state() == "stopped")
    assert run.config()["seed"] == 3


def test_with_a_login_nothing_goes_without_it(place: Path) -> None:
    fakerun.make(place / "more" / "mine", 500, "running", pid=os.getpid())
    with studio_here(runs=place / "more", assets=place / "assets", auth=("anna", "secret")) as url:
        for wrong in ({}, {"auth": ("anna", "guess")}):
            with pytest.raises((AuthenticationError, ValueError)):
                asked(url, place, **wrong)
        for path in ("config", "gradio_api/info", "gradio_api/queue/data", "gradio_api/file=/etc/passwd"):
            assert httpx.get(f"{url}/{path}").status_code == 401, path
        for path in ("queue/join", "run/start", "api/start", "call/start", "call/v2/start", "upload"):
            body = {"data": ["tiny"], "session_hash": "x", "fn_index": 0}
            assert httpx.post(f"{url}/gradio_api/{path}", json=body).status_code == 401, path
        anna = asked(url, place, auth=("anna", "secret"))
        assert anna.predict("mine", api_name="/stop") == "running"
    assert (place / "more" / "mine" / "requests" / "stop").exists()


def test_a_read_only_studio_starts_and_stops_nothing(place: Path) -> None:
    with studio_here(runs=place / "more", assets=place / "assets", read_only=True) as url:
        client = asked(url, place)
        for arguments, call in ((("tiny",), "/start"), (("mine",), "/stop")):
            assert "read-only" in refused(client, *arguments, api_name=call)
        assert MODEL in [model["id"] for model in client.predict(api_name="/models")]
