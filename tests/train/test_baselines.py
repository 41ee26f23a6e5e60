"""VideoGAN, TGAN and MoCoGAN in the project's own loop: they train, stop, go on, and their files are models. With few
channels: the networks as they are have tests of their own (tests/baselines)."""

from pathlib import Path

import pytest
import torch

import pvswgan
from pvswgan import directions, projection, video
from pvswgan.baselines import SYSTEMS, mocogan, tgan, videogan
from pvswgan.checkpoint import read_tensors, training_checkpoints
from pvswgan.inference import Plain
from pvswgan.metrics.report import flat
from tests.train import tiny
from train import __main__ as command_line
from train.baselines import BaselineEngine, make_engine
from train.config import ConfigError, check_processes, load, parse
from train.loop import Stopped, Trainer
from train.memory import step_memory
from train.run import RunFolder
from train.study import plan

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True)
def narrow(one_thread, monkeypatch):
    for module in (videogan, tgan, mocogan):
        monkeypatch.setattr(module, "CHANNELS", (16, 8, 4, 4))
    monkeypatch.setattr(tgan, "IMAGE", (16, 8, 4, 4, 2))
    monkeypatch.setattr(tgan, "HALF", 8)


def _config(system, **changes):
    rmsprop = {"optimiser": "rmsprop", "lr": 5e-5} if system == "tgan" else {"lr": 2e-4, "betas": [0.5, 0.999]}
    data = {"device": "cpu", "precision": "float32", "network": {"system": system},
            "data": {"source": "toyfaces", "clips": 12}, "growth": {"stages": [[8, 16]], "stable_kimg": 0.032},
            "train": {"batch": 4, "ema_half_life_kimg": 0.01, **rmsprop},
            "log": {"tick_kimg": 0.008, "snapshot_kimg": 0.02}}
    for section, values in changes.items():
        data[section] = data.get(section, {}) | values if isinstance(values, dict) else values
    return parse(data)


def _run(folder, settings, **kwargs):
    trainer = Trainer(settings, folder, say=lambda text: None, **kwargs)
    trainer.run()
    return trainer


def _engine(system, **changes):
    return make_engine(_config(system, **changes), torch.device("cpu"), "float32")


def _reals(position, n, size):
    return torch.rand(n, 3, size[0], size[1], size[1], generator=torch.Generator().manual_seed(position)) * 2 - 1


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_its_files_and_its_resume(tmp_path, system):
    settings = _config(system, train={"augment": ["shift"]})
    whole = _run(tmp_path / "whole", settings)
    run = RunFolder(tmp_path / "whole")
    assert run.status()["state"] == "finished" and run.status()["clips"] == 32
    stats = run.stats()[-1]
    assert {"loss_G", "loss_D", "score_real", "distance", "clips_per_s"} <= stats.keys()
    assert ("mask" in stats) == (system == "videogan") and ("image_distance" in stats) == (system == "mocogan")

    model = pvswgan.load(tmp_path / "whole")
    assert model.config["network"]["system"] == system and not model.generator.training
    sheet = video.split_sheet(_pixels(run.samples()[-1].path), 8)
    assert abs(sheet.astype(int) - video.to_uint8(model.sample(12, seed=0))).max() <= 1
    assert all(torch.equal(a, b) for a, b in zip(model.generator.state_dict().values(),
                                                 whole.engine.G_ema.state_dict().values(), strict=True))

    trainer = Trainer(settings, tmp_path / "parts", say=lambda text: None)
    step = trainer._step

    def step_and_stop():
        step()
        trainer._stop = trainer.engine.clips >= 12

    trainer._step = step_and_stop
    with pytest.raises(Stopped):
        trainer.run()
    _run(tmp_path / "parts", settings, resume=True)
    ours, theirs = (read_tensors(training_checkpoints(tmp_path / part)[-1])[0] for part in ("whole", "parts"))
    assert ours.keys() == theirs.keys() and any("running_var" in name for name in ours)
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def _pixels(path):
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(path))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_step_changes_all(system):
    engine = _engine(system)
    before = {name: value.clone() for name, value in engine.state()[0].items()}
    for _ in range(2):
        engine.step(_reals)
    engine.check()
    after = engine.state()[0]
    same = [name for name in before if torch.equal(before[name], after[name])]
    # A bias before BatchNorm has no gradient of its own: Adam follows its rounding, rmsprop need not.
    assert [name for name in same if not name.endswith("bias")] == []
    assert not engine.G_ema.training and not any(p.requires_grad for p in engine.G_ema.parameters())


def test_without_an_average_the_sampled_generator_is_the_trained_one():
    engine = _engine("mocogan", train={"ema_half_life_kimg": 0})
    engine.step(_reals)
    for ours, theirs in zip(engine.G.state_dict().values(), engine.G_ema.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_running_statistics_are_averaged_as_weights_are():
    engine = _engine("mocogan", train={"ema_half_life_kimg": 1000})          # at first a twentieth of what was shown
    engine.step(_reals)
    kept = [b.clone() for b in engine.G_ema.buffers()]
    engine.step(_reals)                                       # of 8 clips: half-life 0.4, and 4 clips have passed
    keep = 0.5 ** (4 / 0.4)
    for before, after, now in zip(kept, engine.G_ema.buffers(), engine.G.buffers(), strict=True):
        wanted = keep * before + (1 - keep) * now if now.is_floating_point() else now
        torch.testing.assert_close(after, wanted)


def test_singular_values_are_clipped_at_the_interval():
    engine = _engine("tgan", loss={"name": "wgan-svc", "clip_interval": 2})

    def largest():
        return max(torch.linalg.matrix_norm(p.detach().flatten(1), 2) for p in engine.D.parameters() if p.ndim == 5)

    with torch.no_grad():
        for parameter in engine.D.parameters():
            parameter *= 10
    engine.step(_reals)
    assert largest() > 1
    engine.step(_reals)
    assert largest() <= 1 + 1e-4
    assert isinstance(engine.opt_D, torch.optim.RMSprop)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_explore_has_what_it_needs(tmp_path, system):
    _run(tmp_path, _config(system, growth={"stable_kimg": 0.008}))
    model = pvswgan.load(tmp_path)
    z = torch.randn(2, model.latent_dim)
    assert isinstance(model._renderer(z, fast=True), Plain)
    clips = model.generate(z, fast=True)
    assert clips.shape == (2, 3, 8, 16, 16) and torch.equal(clips, model.generate(z))
    one, other = model.generate(z, truncation=0.0)
    assert torch.allclose(one, other)
    assert model.parts == ({"content": slice(0, 50), "motion": slice(50, 140)} if system == "mocogan" else {})
    if system != "mocogan":
        with pytest.raises(ValueError, match="no part 'content': they are of one piece"):
            model.latent(0, content=1)
    for find in (directions.pca, directions.sefa):
        found = find(model.generator, k=3)
        assert found.vectors.shape == (3, model.latent_dim) and found.vectors.isfinite().all()
    assert projection.project(model, clips[0], steps=8, samples=4).z.shape == (1, model.latent_dim)


def test_content_and_motion_of_mocogan_are_changed_one_by_one(tmp_path):
    _run(tmp_path, _config("mocogan", growth={"stable_kimg": 0.008}))
    model = pvswgan.load(tmp_path)
    generator, (content, motion) = model.generator, model.parts.values()
    here, there = model.latent(3), model.latent(5)
    assert torch.equal(here, pvswgan.latents.sample_latents(1, 140, 3))
    looks, moves = model.latent(3, content=5), model.latent(3, motion=5)
    assert torch.equal(looks, torch.cat([there[:, content], here[:, motion]], 1))
    assert torch.equal(moves, torch.cat([here[:, content], there[:, motion]], 1))
    assert torch.equal(model.latent(3, content=5, motion=5), there)
    with pytest.raises(ValueError, match="no part 'colour': it has content and motion"):
        model.latent(0, colour=1)
    # What the network does with them: the first layer is linear up to its normalisation, each part adds its own.
    assert torch.equal(generator.motion(looks), generator.motion(here))
    assert (generator.motion(moves) - generator.motion(here)).abs().amin(2).gt(0).all()
    added = _added(generator, looks) - _added(generator, here)                  # (T, C, 4, 4)
    assert added.abs().max() > 1e-4 and torch.allclose(added, added[:1].expand_as(added), atol=1e-6), "in every frame"
    assert _still_share(_added(generator, moves) - _added(generator, here)) < 0.9, "not in every frame the same"
    a, b, c = model.generate(torch.cat([here, looks, moves]))
    assert not torch.equal(a, b) and not torch.equal(a, c) and not torch.equal(b, c)
    # Directions of one part.
    for name, part in model.parts.items():
        found = directions.pca(generator, k=4, samples=256, part=part)
        rest = torch.ones(140, dtype=torch.bool)
        rest[part] = False
        assert not found.vectors[:, rest].any() and found.vectors[:, part].norm(dim=1).min() > 0.3, name
        assert found.explained.diff().max() <= 0 and 0 < found.explained.sum() <= 1
    assert directions.pca(generator, k=99, samples=256, part=content).vectors.shape == (50, 140)


def _added(generator, z):
    """What the first layer's convolution makes of one latent, before it is normalised: (T, C, 4, 4)."""
    motion = generator.motion(z)[0]
    code = torch.cat([z[:, generator.parts["content"]].expand(len(motion), -1), motion], 1)
    return generator.first[0](code[:, :, None, None])


def _still_share(change):
    """Of a change (T, ...), the share that all frames have in common."""
    return float(change.mean(0).square().mean() / change.square().mean())


@pytest.mark.slow
@pytest.mark.parametrize("system", ["videogan", "tgan", "mocogan"])
def test_a_dry_run_and_its_memory(system):
    settings = _config(system, train={"checkpointing": "off"})
    with command_line.console.capture() as printed:
        command_line._dry_run(settings)
    text = printed.get()
    assert "generator:" in text and "discriminator:" in text and "gan head" not in text and "GB" in text
    (memory,) = step_memory(settings, "float32")
    weights = _engine(system).state()[0].values()
    assert memory.plain > sum(t.nbytes for t in weights)


@pytest.mark.parametrize("name", [*SYSTEMS])
def test_shipped_configurations_also_at_a_laptops_size(name):
    whole = load(CONFIGS / f"{name}.yaml")
    assert whole.network.system == name and whole.loss.name == SYSTEMS[name].loss
    assert load(CONFIGS / f"{name}.yaml", ["growth.stages=[[8,16]]"]).plan().sizes == [(8, 16)]


ADAM = {"train.optimiser": "adam", "train.lr": 0.0002, "train.betas": [0.5, 0.999]}
RMSPROP = {"train.optimiser": "rmsprop", "train.lr": 0.00005}
PUBLISHED = {  # ../shared/reference/baselines.md
    "videogan": ADAM | {"train.batch": 64, "growth.stages": [[32, 64]], "loss.name": "gan", "loss.mask": 0.1},
    "videogan-one-stream": ADAM | {"train.batch": 64, "growth.stages": [[32, 64]], "loss.name": "gan"},
    "tgan": RMSPROP | {"growth.stages": [[16, 64]], "loss.name": "wgan-svc", "loss.clip_interval": 5},
    "mocogan": ADAM | {"train.weight_decay": 0.00001, "train.batch": 32, "growth.stages": [[16, 64]],
                       "data.stride": 2, "loss.name": "gan"},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shipped_configurations_are_the_published_ones(name):
    """And the optimisers are what they say."""
    assert PUBLISHED.keys() == SYSTEMS.keys()
    said = {"train.ema_half_life_kimg": 0, "train.gp_interval": 1} | PUBLISHED[name]
    found = flat(load(CONFIGS / f"{name}.yaml").model_dump(mode="json"))
    assert {key: found[key] for key in said} == said
    engine = make_engine(load(CONFIGS / f"{name}.yaml", ["growth.stages=[[8,16]]", "device=cpu"]),
                         torch.device("cpu"), "float32")
    assert list(engine.rates) == [said["train.lr"]]
    for optimiser in (engine.opt_G, engine.opt_D):
        (group,) = optimiser.param_groups
        assert type(optimiser) is (torch.optim.RMSprop if name == "tgan" else torch.optim.Adam)
        assert group["weight_decay"] == said.get("train.weight_decay", 0)
        assert list(group.get("betas", ())) == said.get("train.betas", [])


@pytest.mark.parametrize("name", ["study.yaml", "study-gpu.yaml", "study-shapes.yaml"])
def test_studies_train_the_systems_as_published(name):
    """But for the size, and every frame in place of every second: the clips are the same for all."""
    cells = [cell for cell in plan.trainings(plan.load(CONFIGS / name)) if cell.seed == 0 and cell.arm in PUBLISHED]
    assert "mocogan" in {cell.arm for cell in cells}
    for cell in cells:
        said = {key: value for key, value in PUBLISHED[cell.arm].items() if key not in ("growth.stages", "data.stride")}
        found = flat(cell.config.model_dump(mode="json"))
        assert {key: found[key] for key in said} == said, cell.arm


@pytest.mark.parametrize("changes, words", [
    ({"growth": {"stages": [[4, 8], [8, 16]]}}, r"growth gives 2 stages, but network.system mocogan does not grow: "
                                                r"allowed: growth.stages with one, such as \[\[8, 16\]\]"),
    ({"growth": {"stages": [[8, 8]]}}, r"growth.stages\[0\] is \[8, 8\]: mocogan has no clips of 8 frames of 8x8"),
    ({"loss": {"name": "swgan"}}, "loss.name is 'swgan': allowed with network.system mocogan: gan"),
    ({"loss": {"name": "gan", "gp": 1}}, "loss.gp is not a key; allowed in loss: name, mask"),
    ({"network": {"latent_dim": 64}}, "network.latent_dim is 64: allowed with network.system mocogan: 128"),
    ({"train": {"batch": 1}}, "train.batch is 1: allowed with network.system mocogan: 2 or more"),
    ({"train": {"gp_interval": 2}}, "train.gp_interval is 2: allowed with network.system mocogan: 1"),
    ({"train": {"temporal_contrast": 4.0}}, "train.temporal_contrast is 4.0: allowed with network.system mocogan: 1"),
    ({"train": {"checkpointing": "on"}}, "train.checkpointing is 'on': allowed with network.system mocogan: auto, off"),
    ({"precision": "bfloat16"}, "precision is 'bfloat16': allowed with network.system mocogan: auto, float32"),
    ({"network": {"system": "dvdgan"}}, "network.system is 'dvdgan': allowed: 'pvswgan', 'videogan'"),
])
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        _config("mocogan", **changes)


def test_refused_elsewhere_too():
    with pytest.raises(ConfigError, match="loss.name is 'gan': allowed with network.system pvswgan: swgan, wgan-gp"):
        tiny.config(loss={"name": "gan"})
    with pytest.raises(ConfigError, match="network.system is 'tgan': trained by one process, not by 2"):
        check_processes(_config("tgan"), 2)
    assert isinstance(_engine("tgan"), BaselineEngine)
    assert type(make_engine(tiny.config(), torch.device("cpu"), "float32")) is not BaselineEngine
