"""The extractors that the Evaluate page offers: those on this machine, by name, each refusal with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import save_file

from pvswgan.metrics import extractors as library
from pvswgan.metrics.extractors import C3D, Extractor, ExtractorError
from pvswgan.studio import Settings, extractors
from pvswgan.studio.server import our_routes
from tests.studio.test_evaluate import FACES, measure
from tests.studio.test_latents import write_run


def write_c3d(path: Path, leave_out: str = "") -> Path:
    """A file with C3D's names in it (the real one has 300 MB)."""
    layers = [f"conv{name}" for name, *_ in C3D.WIDTHS] + ["fc6", "fc7", "fc8"]
    names = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.zeros(1) for name in names if name != leave_out}, path)
    return path


def pretend_c3d(path: Path, device: Any) -> Extractor:
    """In place of the network: eight means of each clip."""
    def describe(clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = torch.nn.functional.adaptive_avg_pool3d(clips, 2).flatten(1)
        return seen, 3 * seen[:, :5]

    return Extractor("c3d", describe, {"name": "c3d", "weights": library.file_hash(path), "classes": 5})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    return Settings(runs=tmp_path / "runs", assets=tmp_path / "assets")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(our_routes(settings), base_url="http://127.0.0.1") as client:
        yield client


def problems(settings: Settings) -> dict[str, str]:
    return {choice["id"]: choice["problem"] for choice in extractors.listed(settings)}


def test_what_is_on_this_machine_can_be_chosen_and_the_rest_says_why(settings: Settings) -> None:
    there = problems(settings)
    assert list(there) == ["clipnet", "inception", "c3d", "i3d"] and not there["clipnet"]
    assert "torch/hub/checkpoints" in there["inception"] and "https://" in there["inception"]
    assert str(settings.runs / ".studio" / "extractors") in there["c3d"]
    assert "program" in there["i3d"] and "--extractor i3d" in there["i3d"]

    library.inception_file().parent.mkdir(parents=True)
    library.inception_file().write_bytes(b"weights")
    own, shipped = settings.runs / ".studio" / "extractors", settings.assets / "extractors"
    write_c3d(own / "ucf.safetensors")
    write_c3d(shipped / library.clipnet.FILE.name)  # ours lies there too
    write_c3d(shipped / "half.safetensors", leave_out="fc7.bias")
    (own / "junk.npz").write_bytes(b"junk")
    (own / "notes.txt").write_text("no weights")
    (own / "a b.npz").write_bytes(b"junk")
    (own / "folder.npz").mkdir()
    there = problems(settings)
    assert list(there) == ["clipnet", "inception", "c3d/half.safetensors", "c3d/junk.npz", "c3d/ucf.safetensors", "i3d"]
    assert not there["inception"] and not there["c3d/ucf.safetensors"]
    assert "fc7.bias is missing" in there["c3d/half.safetensors"] and "cannot be read" in there["c3d/junk.npz"]
    assert "file" not in json.dumps([list(one) for one in extractors.listed(settings)])


def test_only_what_is_in_the_list_is_opened(settings: Settings, tmp_path: Path) -> None:
    write_c3d(tmp_path / "secret.safetensors")
    (settings.runs / ".studio" / "extractors").mkdir(parents=True)
    for id in ("c3d/../../../secret.safetensors", f"c3d/{tmp_path}/secret.safetensors", "c3d/secret.safetensors",
               "clipnet/../../secret.safetensors", "", "i3d/secret.safetensors"):
        with pytest.raises(ExtractorError, match=r"no extractor .* here; allowed: clipnet"):
            extractors.find(settings, id)
    with pytest.raises(ExtractorError, match=r"I3D cannot be used: .*program"):
        extractors.find(settings, "i3d")


@pytest.mark.slow
def test_a_model_is_measured_with_a_file_of_c3d(
        settings: Settings, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_c3d", pretend_c3d)
    write_run(settings.runs / "one", config=FACES)
    path = write_c3d(settings.runs / ".studio" / "extractors" / "ucf.safetensors")
    wish = {"model": "run:one", "clips": 100}
    assert {one["id"]: one["problem"] for one in client.get("/api/evaluate/extractors").json()["extractors"]
            }["c3d/ucf.safetensors"] == ""
    first, second = measure(client, wish), measure(client, wish | {"extractor": "c3d/ucf.safetensors"})
    assert first["key"] != second["key"]
    newest, before = client.get("/api/evaluate/results").json()["tables"]
    assert newest["key"] == second["key"]
    weights = [library.file_hash(file) for file in (path, library.clipnet.FILE)]
    assert "extractor.weights: {} and {}".format(*weights) in before["apart"]
    for id in ("c3d/other.safetensors", "i3d"):
        answer = client.post("/api/evaluate/measure", json=wish | {"extractor": id})
        assert answer.status_code == 422 and id.partition("/")[0] in answer.json()["detail"].lower()


def test_a_file_with_the_right_names_and_other_sizes_is_a_sentence(settings: Settings, client: TestClient) -> None:
    write_run(settings.runs / "one", config=FACES)
    write_c3d(settings.runs / ".studio" / "extractors" / "ucf.safetensors")
    with pytest.raises(AssertionError, match="does not fit C3D"):
        measure(client, {"model": "run:one", "clips": 100, "extractor": "c3d/ucf.safetensors"})
