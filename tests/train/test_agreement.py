"""What critics tell a generator that stands still: directions are gradients, agreement is what was asked."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from pvswgan import checkpoint
from pvswgan.checkpoint import Model, build_generator, save_network
from pvswgan.latents import sample_latents
from tests.train.tiny import config
from train import agreement
from train.agreement import ASKED, LOSSES, Directions
from train.clips import store_of
from train.config import ConfigError
from train.engine import Engine

CPU = torch.device("cpu")


def saved(folder: Path, clips: int = 80, stage: int = 2, **changes: object) -> Path:
    """An untrained generator."""
    settings = config(**changes).model_dump(mode="json")
    torch.manual_seed(5)
    generator = build_generator(settings)
    save_network(folder / "model.safetensors", generator, settings, clips=clips, stage=stage, alpha=1.0)
    return folder / "model.safetensors"


@pytest.fixture
def model(tmp_path: Path, one_thread: None) -> Model:
    return checkpoint.load(saved(tmp_path))


def fitted(model: Model, arm: str = LOSSES[0], seed: int = 0) -> tuple[Engine, list[float]]:
    settings = agreement.config_of(model, arm, seed)
    engine = Engine(settings, CPU, "float32")
    return engine, agreement.fit(engine, model, store_of(settings), 0.04, lambda n: None)


def test_the_generator_stands_still_and_the_critic_learns(model: Model) -> None:
    engine, distances = fitted(model)
    new = Engine(engine.config, CPU, "float32")
    for name, weight in model.generator.state_dict().items():
        assert torch.equal(engine.G.state_dict()[name], weight)
    assert any(not torch.equal(a, b) for a, b in zip(engine.D.parameters(), new.D.parameters(), strict=True))
    assert len(distances) == 10 and engine.clips == 40
    again, told = fitted(model)
    assert told == distances
    assert torch.equal(agreement.ask(engine, model, 8).pixels, agreement.ask(again, model, 8).pixels)


@pytest.mark.parametrize("arm", [*LOSSES, "loss.name=swgan train.temporal_contrast=4"])
def test_a_direction_is_the_loss_s_gradient(model: Model, arm: str) -> None:
    """By central differences, along a direction by chance: of the clips, and of the generator's weights."""
    engine, _ = fitted(model, arm)
    told = agreement.ask(engine, model, 4)
    for network in (engine.G, engine.D, engine.loss):
        network.double()
    engine.G.dtype = engine.D.dtype = torch.float64
    z = sample_latents(4, model.latent_dim, ASKED).double()
    at = agreement.position(model)

    @torch.no_grad()
    def loss(pixels: torch.Tensor) -> float:
        return float(engine.loss.generator_loss(engine.critic(at), engine.shown(pixels))) * 4

    chance = torch.Generator().manual_seed(1)
    fake = engine.G(z, at.stage, at.alpha).detach()
    way = torch.randn(fake.shape, generator=chance, dtype=torch.float64)
    slope = (loss(fake + 1e-6 * way) - loss(fake - 1e-6 * way)) / 2e-6
    assert -float((told.pixels.double() * way).sum()) == pytest.approx(slope, rel=1e-3, abs=1e-6)

    weights = [p for p in engine.G.parameters() if p.grad is not None]
    ways = [torch.randn(p.shape, generator=chance, dtype=torch.float64) for p in weights]
    found = []
    for step in (1e-8, -2e-8):                                # small: pixel norm is steep where a voxel is near zero
        torch._foreach_add_([p.data for p in weights], torch._foreach_mul(ways, step))
        found.append(loss(engine.G(z, at.stage, at.alpha).detach()))
    slope = (found[0] - found[1]) / 2e-8
    along = float(told.weights.double() @ torch.cat([w.flatten() for w in ways]))
    assert -along == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_at_the_end_of_a_stage_its_clips_are_asked_about(tmp_path: Path, one_thread: None) -> None:
    """And not those of the next one, which begins with as many."""
    model = checkpoint.load(saved(tmp_path, clips=48, stage=1))
    assert config().plan().at(48).stage == 2
    engine, _ = fitted(model)
    assert agreement.ask(engine, model, 4).pixels.shape == (4, 3, 4, 8, 8)


def test_agreement_of_known_directions() -> None:
    pixels = torch.randn(3, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    still = pixels.mean(2, keepdim=True).expand_as(pixels)
    one = Directions(pixels, torch.tensor([1.0, -2.0, 3.0, 4.0]))
    flipped = Directions(2 * still - pixels, torch.tensor([5.0, 2.0, 3.0, 4.0]))
    within, _, between = agreement.agreement({"a": [one, one], "b": [flipped, flipped]})
    assert within == {"arms": ["a", "a"], "whole": [1], "still": [1], "moving": [1], "weights": [1]}
    assert between["arms"] == ["a", "b"] and between["still"] == [1, 1]
    assert between["moving"] == [-1, -1] and between["weights"] == [0.75, 0.75]
    assert replace(one, pixels=still).moving == pytest.approx(0, abs=1e-12)
    assert replace(one, pixels=pixels - still).moving == pytest.approx(1)


def test_another_loss_has_its_own_settings_and_the_model_s_keeps_them(tmp_path: Path, one_thread: None) -> None:
    model = checkpoint.load(saved(tmp_path, loss={"name": "swgan", "gp": 7.0}))
    same, other = (agreement.config_of(model, arm, 3) for arm in LOSSES)
    assert same.loss.gp == 7 and other.loss.name == "wgan-gp" and other.loss.gp == 10
    assert same.seed == other.seed == 3
    assert agreement.config_of(model, "loss.gp=9 train.temporal_contrast=2", 0).train.temporal_contrast == 2
    assert model.config["loss"]["gp"] == 7 and model.config["train"]["temporal_contrast"] == 1, "the model's own stay"


@pytest.mark.parametrize(("arm", "said"), [
    ("loss.name=lsgan", "loss.name is 'lsgan'"), ("train.nonsense", "allowed is key=value"),
    ("data.clips=8", "data.clips=8 is not of loss or train"), ("train.lr=-1", "train.lr is -1"),
    ("", "--arm '' says nothing")])
def test_nonsense_in_an_arm_is_named(model: Model, arm: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        agreement.config_of(model, arm, 0)


def test_another_system_is_refused(model: Model) -> None:
    model.config["network"]["system"] = "mocogan"
    with pytest.raises(ConfigError, match="is of mocogan; allowed: models of pvswgan"):
        agreement.config_of(model, LOSSES[0], 0)


def run(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(agreement.main)
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_the_command(model: Model, tmp_path: Path) -> None:
    code, told = run(model.path, "--kimg", 0.01, "--seeds", 2, "--clips", 5, "--out", tmp_path / "found.json")
    assert code == 0 and "| loss.name=swgan and loss.name=wgan-gp |" in told
    code, again = run(model.path, "--kimg", 0.01, "--seeds", 2, "--clips", 5, "--out", tmp_path / "no" / "found.json")
    assert code == 2 and again.startswith(told), "told all the same"
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["size"] == [8, 8] and found["clips"] == 8, "whole batches"
    assert [len(row["whole"]) for row in found["agreement"]] == [1, 1, 2]
    assert all(len(found["moving"][arm]) == 2 for arm in LOSSES)


def test_the_command_says_what_is_wrong(model: Model) -> None:
    assert run("nobody") == (2, "there is no model 'nobody': not a run folder, not a .safetensors file, and not in "
                                f"{checkpoint.ASSETS}\n")
    assert run(model.path, "--arm", "loss.name=swgan", "--arm", "loss.name=swgan")[0] == 2
    assert run(model.path, "--seeds", 1)[0] == 2
