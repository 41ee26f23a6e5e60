"""The Latents page's numbers: PCA, the critic's features, factors read off clips, directions; and its routes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from pvswgan import critic, factor_reader
from pvswgan.checkpoint import build_generator, plan_of, save_network, save_tensors
from pvswgan.data import toyfaces
from pvswgan.directions import between
from pvswgan.latents import on_sphere, sample_latents
from pvswgan.networks import Discriminator, blend_real, temporal_contrast
from pvswgan.studio import Settings
from pvswgan.studio import jobs as jobs_module
from pvswgan.studio.jobs import Jobs, Progress
from pvswgan.studio.latents_tables import Tables, coordinate, principal
from pvswgan.studio.models import Models
from pvswgan.studio.server import our_routes
from tests.studio.test_processes import until

CONFIG: dict[str, Any] = {
    "data": {"source": "toyfaces", "path": None, "clips": 64},
    "growth": {"stages": [[4, 4], [4, 8]], "fade_kimg": 1, "stable_kimg": 1, "total_kimg": 20},
    "network": {"latent_dim": 16, "fmap_base": 64, "fmap_max": 8, "mbstd_group": 4},
    "loss": {"name": "swgan"},
}


def write_run(folder: Path, alpha: float = 1.0, seed: int = 0, config: dict[str, Any] = CONFIG) -> Discriminator:
    """A run's newest checkpoint of an untrained model, with its critic."""
    torch.manual_seed(seed)
    net = config["network"]
    generator = build_generator(config)
    discriminator = Discriminator(plan_of(config).sizes, net["fmap_base"], net["fmap_max"], net["mbstd_group"])
    (folder / "checkpoints").mkdir(parents=True)
    path = folder / "checkpoints" / "000008000-network.safetensors"
    save_network(path, generator, config, clips=8000, stage=1, alpha=alpha)
    tensors = {f"D/{name}": value for name, value in discriminator.state_dict().items()} | {"G/x": torch.zeros(1)}
    save_tensors(path.with_name("000008000-training.safetensors"), tensors, {"kind": "training", "clips": 8000})
    return discriminator.eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Discriminator]]:
    """A runs folder with the runs "faces" and "fading", their store kept beside it."""
    root = tmp_path_factory.mktemp("latents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVSWGAN_CACHE", str(root / "cache"))
        discriminator = write_run(root / "runs" / "faces")
        yield root / "runs", discriminator


def silent(*_: Any) -> None:
    pass


# ---- numbers ----------------------------------------------------------------------------------------------------


def test_pca_is_the_svd() -> None:
    x = np.random.default_rng(0).normal(size=(200, 40)).astype(np.float32) * np.linspace(3, 0.5, 40, dtype=np.float32)
    found = principal(x)
    centred = x.astype(np.float64) - x.astype(np.float64).mean(0)
    _, s, rows = np.linalg.svd(centred, full_matrices=False)
    ours = centred @ rows[:8].T
    signs = np.sign((ours * found.coordinates).sum(0))
    assert np.allclose(found.coordinates, ours * signs, atol=1e-6)
    assert np.allclose(found.explained, s[:8] ** 2 / (s**2).sum())
    assert found.dimensions == 40 and found.explained.sum() <= 1


def test_all_of_few_dimensions_explain_everything() -> None:
    found = principal(np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32))
    assert found.explained.sum() == pytest.approx(1) and (found.explained[3:] == 0).all()
    assert found.coordinates.shape == (50, 8) and (found.coordinates[:, 3:] == 0).all()


def test_a_planted_factor_is_read_and_a_shuffled_one_is_not() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 30)).astype(np.float32)
    planted = x @ rng.normal(size=(30, 1)) + 0.1 * rng.normal(size=(600, 1))
    choice = np.eye(2)[(planted[:, 0] > 0).astype(int)]
    reader = factor_reader.fit(x, {"planted": planted, "choice": choice, "shuffled": rng.permutation(planted)})
    assert reader.r2["planted"] > 0.95 and 0.5 < reader.r2["choice"] < 0.8 and abs(reader.r2["shuffled"]) < 0.1
    assert reader.read(x)["choice"].shape == (600, 2)
    along = factor_reader.explained_by(planted[:, 0], reader.read(x)["planted"])
    across = factor_reader.explained_by(rng.normal(size=600), reader.read(x)["planted"])
    assert along > 0.95 and across < 0.02


def test_targets_are_toyfaces_own_numbers() -> None:
    who = [toyfaces.factors(i) for i in range(6)]
    known = {name: np.array([getattr(w, name) for w in who]) for name in who[0].as_dict()}
    found = factor_reader.toyfaces_targets(known, frames=8)
    assert found["skin"][3, 0] == who[3].skin and found["hair_style"][2].argmax() == who[2].hair_style
    assert found["turn_shown"][4, 0] == pytest.approx(toyfaces.motion(who[4], np.arange(8)).turn.mean())
    ring = next(factor for factor in factor_reader.TOYFACES if factor.id == "background")
    assert np.allclose(factor_reader.as_values(ring, found["background"]), known["background"])
    assert set(found) == {factor.id for factor in factor_reader.TOYFACES}


def test_features_are_means_of_blocks() -> None:
    clips = np.random.default_rng(3).integers(0, 256, (2, 8, 32, 32, 3), dtype=np.uint8)
    found = factor_reader.features(clips)
    assert found.shape == (2, 4 * 16 * 16 * 3 + 16 * 16)
    assert found[1, 0] == pytest.approx(clips[1, :2, :2, :2, 0].mean() / 255, abs=1e-6)


def test_a_direction_leads_from_mean_to_mean_in_standard_deviations() -> None:
    z = sample_latents(400, 16, seed=5)
    axis = z[:, 3] + 0.1 * z[:, 7]
    order = axis.argsort().tolist()
    vector, gap = between(z[order[:100]], z[order[-100:]])
    seen = on_sphere(z)
    difference = seen[order[-100:]].mean(0) - seen[order[:100]].mean(0)
    assert torch.allclose(vector * gap, difference, atol=1e-5) and gap > 1.5
    assert float(vector.norm()) == pytest.approx(1, abs=1e-5) and int(vector.abs().argmax()) == 3
    assert coordinate(z, vector).std() == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="same place"):
        between(z[[1, 2]], z[[1, 2]])


# ---- the critic -------------------------------------------------------------------------------------------------


def test_critic_features_are_the_discriminators_last_layer(place: tuple[Path, Discriminator]) -> None:
    runs, discriminator = place
    models = Models(runs, runs / "none")
    opened, tables = models.open("run:faces"), Tables(models)
    found = tables.critic_features(opened, 64, silent)
    assert found.shape == (64, discriminator.features)
    z = torch.cat([sample_latents(1, 16, i) for i in range(16)])
    reals = tables.reals.get(opened.key, opened.model, silent).sampler.read(0, 16, (4, 8))
    with torch.no_grad():
        assert np.allclose(found[:16], discriminator(opened.model.generator(z)), atol=1e-5)
        assert np.allclose(found[32:48], discriminator(reals), atol=1e-5)
    assert np.abs(found[0] - found[32]).max() > 1e-3


def test_reals_of_a_stage_that_fades_in_are_blended_and_a_missing_critic_is_told(tmp_path: Path) -> None:
    discriminator = write_run(tmp_path / "fading", alpha=0.5)
    network = tmp_path / "fading" / "checkpoints" / "000008000-network.safetensors"
    found = critic.load(critic.critic_file(network), CONFIG, 1, 0.5)  # type: ignore[arg-type]
    x = torch.rand(4, 3, 4, 8, 8)
    assert torch.equal(found.as_shown(x), blend_real(x, (4, 4), (4, 8), 0.5))
    assert torch.allclose(found.features(x), discriminator(x, 1, 0.5))
    told = CONFIG | {"train": CONFIG.get("train", {}) | {"temporal_contrast": 4.0}}
    seen = critic.load(critic.critic_file(network), told, 1, 0.5).features(x)  # type: ignore[arg-type]
    assert torch.allclose(seen, discriminator(temporal_contrast(x, 4.0), 1, 0.5)), "as it was trained to see"
    with pytest.raises(critic.CheckpointError, match="training"):
        critic.load(network, CONFIG, 1, 0.5)
    network.with_name("000008000-training.safetensors").unlink()
    assert critic.critic_file(network) is None


# ---- routes -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(place: tuple[Path, Discriminator]) -> Iterator[TestClient]:
    with TestClient(our_routes(Settings(runs=place[0], assets=place[0] / "none")), base_url="http://127.0.0.1") as it:
        yield it


def done(client: TestClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer once the job is done."""
    for _ in range(1000):
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        if answer.json()["state"] == "done":
            return answer.json()
        time.sleep(0.02)
    raise AssertionError("the job does not end")


def test_points_with_colours(client: TestClient) -> None:
    about = client.get("/api/latents/choices", params={"model": "run:faces"}).json()
    assert [layer["id"] for layer in about["layers"]] == ["layer:0", "layer:1"] and about["no_critic"] is None
    body = {"model": "run:faces", "space": "layer:1", "points": 256, "colour": "pca:1"}
    found = done(client, "/api/latents/points", body)
    assert np.array(found["coordinates"]).shape == (256, 8) and found["generated"] == 256
    assert len(found["colour"]["values"]) == 256 and found["colour"]["unit"] == "standard deviations"
    found = done(client, "/api/latents/points", body | {"space": "critic", "colour": "factor:skin"})
    assert found["generated"] == 128 and None not in found["colour"]["values"] and found["colour"]["r2"] is not None
    found = done(client, "/api/latents/points", body | {"space": "critic", "colour": "seed"})
    assert found["colour"]["values"][127:] == [127.0] + [None] * 128  # real clips have no seed
    found = done(client, "/api/latents/points", body | {"space": "z", "colour": "motion"})
    assert max(found["explained"]) < 0.15 and min(found["colour"]["values"]) > 0


def test_another_system_has_no_critics_features_to_show(tmp_path: Path) -> None:
    """Though the critic lies beside it."""
    network = tmp_path / "runs" / "other" / "checkpoints" / "000008000-network.safetensors"
    config = {"data": CONFIG["data"], "growth": {"stages": [[8, 16]], "stable_kimg": 9}, "loss": {"name": "gan"},
              "network": {"system": "mocogan"}}
    network.parent.mkdir(parents=True)
    save_network(network, build_generator(config), config, clips=8000, stage=0, alpha=1.0)
    save_tensors(network.with_name("000008000-training.safetensors"), {"D/image.0.weight": torch.zeros(1)},
                 {"kind": "training", "clips": 8000})
    with TestClient(our_routes(Settings(runs=tmp_path / "runs")), base_url="http://127.0.0.1") as client:
        about = client.get("/api/latents/choices", params={"model": "run:other"}).json()
        assert "other systems" in about["no_critic"] and about["layers"]
        body = {"model": "run:other", "space": "critic", "points": 256}
        while (answer := client.post("/api/latents/points", json=body)).json().get("state") == "running":
            time.sleep(0.02)
        assert "other systems" in answer.json()["detail"]


def test_what_cannot_be_is_told(client: TestClient) -> None:
    def refused(status: int, **body: Any) -> str:
        answer = client.post("/api/latents/points", json={"model": "run:faces", "space": "z", "points": 256} | body)
        assert answer.status_code == status
        return str(answer.json()["detail"])

    assert "layer:0 to layer:1" in refused(422, space="layer:5")
    assert "allowed" in refused(422, colour="taste") and "no model" in refused(404, model="run:gone")
    assert client.get("/api/latents/real", params={"model": "run:faces", "number": -1}).status_code == 422
    assert client.post("/api/latents/mean", json={"model": "run:faces"}).status_code == 422


def test_table_means_and_a_direction(client: TestClient, place: tuple[Path, Discriminator]) -> None:
    found = done(client, "/api/latents/table", {"model": "run:faces", "points": 256, "directions": ["pca:0", "sefa:1"]})
    assert {row["id"] for row in found["rows"]} >= {"skin", "hair_style", "turn_shown"}
    assert all(0 <= cell <= 1 for row in found["rows"] for cell in row["cells"]) and found["points"] == 256
    sheet = client.post("/api/latents/mean", json={"model": "run:faces", "generated": list(range(100)), "real": [0]})
    assert sheet.headers["X-Averaged"] == "65" and sheet.headers["X-Frames"] == "4"
    assert client.get("/api/latents/real", params={"model": "run:faces", "number": 3}).content[:2] == b"\xff\xd8"
    body = {"model": "run:faces", "name": "from low to high", "a": [0, 1, 2], "b": [3, 4, 5]}
    made = client.post("/api/latents/direction", json=body).json()
    models = Models(place[0], place[0] / "none")
    vector = models.direction(models.open("run:faces"), made["id"])
    z = torch.cat([sample_latents(1, 16, i) for i in range(6)])
    assert torch.allclose(vector, between(z[:3], z[3:])[0], atol=1e-5) and made["gap"] > 0
    with TestClient(our_routes(Settings(runs=place[0], read_only=True)), base_url="http://127.0.0.1") as reader:
        assert reader.post("/api/latents/direction", json=body).status_code == 403


def test_a_job_that_nobody_asks_for_is_given_up() -> None:
    jobs, steps = Jobs(1.0), list[int]()

    def work(tell: Progress) -> dict[str, Any]:
        for step in range(10_000):
            tell("Working", step, 10_000)
            steps.append(step)
            time.sleep(0.01)
        return {"answer": 42}

    assert jobs.ask("left", work)["state"] == "running"
    until(lambda: steps)
    until(lambda: jobs.ask("quick", lambda tell: {"answer": 1})["state"] == "done")  # there is one thread
    assert jobs.ask("quick", work) == {"state": "done", "answer": 1} and len(steps) < 5000


def test_a_page_that_wants_something_else_ends_what_it_wanted() -> None:
    jobs, steps = Jobs(), list[int]()

    def work(tell: Progress) -> dict[str, Any]:
        for step in range(10_000):
            tell("Working", step, 10_000)
            steps.append(step)
            time.sleep(0.01)
        return {}

    jobs.ask("first", work, "page")
    jobs.ask("second", lambda tell: {"answer": 2}, "page")
    until(lambda: jobs.ask("second", work, "page")["state"] == "done")
    assert jobs.ask("second", work, "page")["answer"] == 2 and len(steps) < 5000


def test_a_result_that_was_delivered_does_not_hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, done, now = Jobs(holds=60), list[int](), [0.0]
    monkeypatch.setattr(jobs_module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def work(tell: Progress) -> dict[str, Any]:
        done.append(1)
        return {"answer": len(done)}

    def ask() -> Any:
        while (answer := jobs.ask("wish", work))["state"] == "running":
            time.sleep(0.01)
        return answer["answer"]

    assert ask() == 1 and ask() == 1, "whoever waits for it too is given it"
    now[0] += 61
    assert ask() == 2
