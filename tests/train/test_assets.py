"""What assets/ ships is made from nothing, from runs of equal length; and what is shipped is sound."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import typer
import yaml
from safetensors import safe_open

from pvswgan import checkpoint, factor_reader
from pvswgan.checkpoint import ASSETS, CheckpointError
from pvswgan.directions import pca
from pvswgan.latents import on_sphere, sample_latents
from pvswgan.metrics.evaluate import Result
from pvswgan.metrics.extractors import file_hash
from train import assets
from train.run import RunFolder

CONFIG = {"data": {"source": "toyfaces", "clips": 96}, "growth": {"stages": [[4, 4], [4, 8]], "fade_kimg": 0.064,
          "stable_kimg": 0.064}, "network": {"latent_dim": 16, "fmap_base": 64, "fmap_max": 8},
          "train": {"batch": 16}, "log": {"tick_kimg": 0.032, "snapshot_kimg": 0.064}, "precision": "float32"}
SHIPPED = [f"toyfaces-{loss}" for loss in assets.LOSSES]


@pytest.mark.slow
def test_a_pair_is_trained_measured_and_shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    config = tmp_path / "pair.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    out = tmp_path / "assets"
    assets.main(config=config, work=tmp_path / "runs", out=out, name="pair", threads=1, clips=48, train=True,
                kimg=None, remeasure=False)
    models = {loss: checkpoint.load(out / f"pair-{loss}.safetensors") for loss in assets.LOSSES}
    assert models["swgan"].clips == models["wgan-gp"].clips == 192
    differ = {key for key in models["swgan"].config if models["swgan"].config[key] != models["wgan-gp"].config[key]}
    assert differ == {"loss"}
    for loss in assets.LOSSES:
        folder = out / f"pair-{loss}"
        run = RunFolder(folder)
        assert run.state() == "finished" and run.stats()[-1]["clips"] == 192
        assert {(s.frames, s.resolution) for s in run.samples() if s.clips > 0} == {(4, 4), (4, 8)}
        [result] = (folder / "metrics").iterdir()
        assert Result.from_json(result.read_text()).protocol["clips"] == 48
        assert isinstance(json.loads((folder / "directions.json").read_text()), dict)
        whole = checkpoint.load(tmp_path / "runs" / f"pair-{loss}")
        assert (whole.sample(2) - models[loss].sample(2)).abs().max() < 0.05  # half precision
    newest = tmp_path / "runs" / "pair-swgan" / "checkpoints" / "000000192-network.safetensors"
    newest.unlink()  # the last one that both have is an earlier one
    for loss in assets.LOSSES:                                        # an older result is there: it goes
        [file] = (out / f"pair-{loss}" / "metrics").iterdir()
        first = json.loads(file.read_text())
        file.rename(file.with_name("000000192-older.json"))
        assets.measure_again(out / f"pair-{loss}.safetensors", 48)
        [again] = (out / f"pair-{loss}" / "metrics").iterdir()
        assert again.name == file.name and json.loads(again.read_text())["values"] == first["values"]
    assert assets.common([tmp_path / "runs" / f"pair-{loss}" for loss in assets.LOSSES]) == 128


def test_both_compute_in_the_number_format_that_the_first_one_found(tmp_path, monkeypatch):
    finds, asked = iter(["bfloat16", "float32"]), []

    def train_on(config, run, words, threads, meanwhile):
        asked.append(words)
        given = dict(word.split("=") for word in words)
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump({"precision": given.get("precision") or next(finds)}))
        (run / "status.json").write_text('{"state": "finished"}')
        return 0

    monkeypatch.setattr(assets, "train_on", train_on)
    monkeypatch.setattr(assets, "common", lambda *_: 0)
    monkeypatch.setattr(assets, "ship", lambda *_: None)
    assets.main(config=tmp_path, work=tmp_path / "runs", out=tmp_path, name="pair", threads=1, clips=48, train=True,
                kimg=None, remeasure=False)
    assert [RunFolder(tmp_path / "runs" / f"pair-{loss}").config()["precision"] for loss in assets.LOSSES] == [
        "bfloat16", "bfloat16"]
    assert [words[0] for words in asked] == ["loss.name=swgan", "loss.name=wgan-gp"]


def test_a_pair_is_trained_no_further_than_asked(tmp_path, monkeypatch, capsys):
    """Half an hour of more training is not to be waited for; and a second call finds that all is done."""
    asked = []

    def train_on(config, run, words, threads, meanwhile):
        """A training that has its network of then, and goes on until it is told to stop."""
        asked.append(run.name)
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.yaml").write_text("precision: float32")
        (run / "checkpoints" / "000001000-network.safetensors").touch()
        (run / "checkpoints" / "000002000-network.safetensors").touch()
        until = time.monotonic() + 30
        while not (run / "requests" / "stop").exists():
            assert time.monotonic() < until
            meanwhile()
        return 130

    monkeypatch.setattr(assets, "train_on", train_on)
    monkeypatch.setattr(assets, "ship", lambda run, at, *_: asked.append((run.name, at)))
    for _ in range(2):
        assets.main(config=tmp_path, work=tmp_path / "runs", out=tmp_path, name="pair", threads=1, clips=48, train=True,
                    kimg=2.0, remeasure=False)
    assert asked == ["pair-swgan", "pair-wgan-gp", *2 * [("pair-swgan", 2000), ("pair-wgan-gp", 2000)]]
    with pytest.raises(typer.Exit) as end:
        assets.main(config=tmp_path, work=tmp_path / "runs", out=tmp_path, name="pair", threads=1, clips=48, train=True,
                    kimg=1.5, remeasure=False)  # there is no network of then, and none will come
    assert end.value.exit_code == 2 and "--kimg is 1.5; both have checkpoints at 1, 2" in capsys.readouterr().err
    with pytest.raises(typer.Exit):  # one that ends before has failed, or was stopped by hand
        monkeypatch.setattr(assets, "train_on", lambda *_: 130)
        assets.main(config=tmp_path, work=tmp_path / "other", out=tmp_path, name="pair", threads=1, clips=48,
                    train=True, kimg=2.0, remeasure=False)


@pytest.mark.slow
def test_what_cannot_be_read_off_real_clips_names_no_direction(monkeypatch):
    """Its reader still says something of samples, which a direction may explain: the mean brightness, say."""
    monkeypatch.setattr(assets, "FACES", 128)               # for the time they take
    model = checkpoint.load(SHIPPED[0])
    z = on_sphere(sample_latents(assets.FACES, model.latent_dim, 0).double())
    along = (z @ pca(model.generator, 1).vectors[0].double()).numpy()[:, None]
    readers = {"lips": 0.1, "skin": 0.9}
    reader = SimpleNamespace(r2={factor.id: readers.get(factor.id, 0.0) for factor in factor_reader.TOYFACES},
                             read=lambda _: {factor.id: along for factor in factor_reader.TOYFACES})
    monkeypatch.setattr(factor_reader, "learn", lambda *_: reader)
    named = assets.name_directions(model, None)
    assert {id: (row["name"], row["share"]) for id, row in named.items()} == {"pca:0": ("skin", 1.0)}
    assert [factor["label"] for factor in named["pca:0"]["factors"]] == ["skin"]


def test_runs_that_cannot_be_compared_are_not_shipped(tmp_path):
    for name, clips in (("a", 100), ("b", 200)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "checkpoints" / f"{clips:09d}-network.safetensors").touch()
    with pytest.raises(CheckpointError, match="the same number of clips"):
        assets.common([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "b" / "checkpoints" / "000000100-network.safetensors").touch()
    both = [tmp_path / "a", tmp_path / "b"]
    assert assets.common(both) == assets.common(both, 0.1) == 100
    with pytest.raises(CheckpointError, match=r"--kimg is 0\.2; both have checkpoints at 0\.1"):
        assets.common(both, 0.2)


@pytest.mark.skipif(not (ASSETS / f"{SHIPPED[0]}.safetensors").is_file(), reason="nothing is shipped")
def test_what_is_shipped_is_a_pair_that_differs_in_the_loss_alone():
    swgan, wgan = (checkpoint.load(name) for name in SHIPPED)
    assert (swgan.clips, swgan.stage, swgan.sizes) == (wgan.clips, wgan.stage, wgan.sizes)
    assert (swgan.frames, swgan.resolution) >= (16, 32)
    assert {key for key in swgan.config if swgan.config[key] != wgan.config[key]} == {"loss"}
    results = []
    for name in SHIPPED:
        [file] = (ASSETS / name / "metrics").iterdir()
        results.append(Result.from_json(file.read_text()))
        assert RunFolder(ASSETS / name).stats()
        with safe_open(ASSETS / f"{name}.safetensors", "pt") as weights:
            assert {weights.get_tensor(key).dtype for key in weights.keys()} == {torch.float16}  # noqa: SIM118
        assert results[-1].model["sha256"] == file_hash(ASSETS / f"{name}.safetensors"), "measured as it is shipped"
        assert all(found["name"] for found in json.loads((ASSETS / name / "directions.json").read_text()).values())
        assert len(json.loads((ASSETS / name / "directions.json").read_text())) >= 4
        config = RunFolder(ASSETS / name).config()
        assert config == {key: checkpoint.load(name).config[key] for key in config}
    assert results[0].key == results[1].key
    assert sum(file.stat().st_size for file in ASSETS.rglob("*") if file.is_file()) <= 16e6
    text = [file for file in ASSETS.rglob("*") if file.suffix in (".json", ".jsonl", ".yaml", ".safetensors")]
    assert text and not [file for file in text if str(Path.home()).encode() in file.read_bytes()]
