from pathlib import Path

import pytest
import yaml

from train.config import Config, ConfigError, describe, dump, load, parse

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
FACES = {"data": {"source": "toyfaces"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_are_whole(path):
    config = load(path)
    assert len(config.batches()) == len(config.rates()) == len(config.plan().stages)
    assert len(describe(path)) > 20


def test_the_resolved_configuration_is_the_configuration():
    config = load(CONFIGS[0], ["train.lr=0.002", "loss={name: wgan-gp, gp: 5}"])
    assert parse(yaml.safe_load(dump(config))) == config
    assert config.rates()[0] == 0.002 and config.loss.name == "wgan-gp" and config.loss.gp == 5


def test_defaults_stand_on_their_own():
    config = parse(dict(FACES))
    assert config.train.betas == (0.0, 0.99) and isinstance(config.train.betas[0], float)
    assert parse(FACES | {"train": {"betas": [0, 0.99]}}).train.betas == (0.0, 0.99)      # Adam refuses the integer


@pytest.mark.parametrize("data, words", [
    ({"sead": 1}, "sead is not a key; allowed here: seed, device"),
    ({"train": {"batchsize": 4}}, "train.batchsize is not a key; allowed in train: batch, lr"),
    ({"loss": {"name": "wgan-gp", "k": 1}}, "loss.k is not a key; allowed in loss: name, gp, drift"),
    ({"loss": {"name": "lsgan"}}, "loss.name is 'lsgan': allowed: swgan, wgan-gp"),
    ({"train": {"lr": -1}}, "train.lr is -1"),
    ({"train": {"lr": "fast"}}, "train.lr is 'fast'"),
    ({"train": {"batch": [8, 8]}}, "train.batch lists 2 values, but the plan has 4 stages"),
    ({"train": {"batch": 6}}, r"train.batch is 6 at stage 0: allowed: a multiple of network.mbstd_group \(4\)"),
    ({"train": {"augment": ["zoom"]}}, "train.augment.0 is 'zoom'"),
    ({"growth": {"resolution": 48}}, "growth.resolution is 48"),
    ({"growth": {"stages": [[4, 4], [4, 16]]}}, "stage 1"),
    ({"growth": {"fade_kimg": float("nan")}}, "growth.fade_kimg"),
    ({"device": "tpu"}, "device is 'tpu'"),
    ({"data": {"source": "strips"}}, "data.path is missing"),
    ({"data": {"source": "toyfaces", "stride": 0}}, "data.stride is 0"),
])
def test_what_is_wrong_is_named_with_its_value(data, words):
    with pytest.raises(ConfigError, match=words):
        parse(FACES | data)


def test_all_faults_at_once():
    with pytest.raises(ConfigError) as error:
        parse(FACES | {"seed": -1, "train": {"lr": 0}, "log": {"keep": 0}})
    assert all(key in str(error.value) for key in ("seed is -1", "train.lr is 0", "log.keep is 0"))


@pytest.mark.parametrize("text, words", [
    ("a: [", "is not valid YAML"),
    ("- 1\n- 2", "expected keys and values, got list"),
    ("!!python/object/apply:os.system ['true']", "is not valid YAML"),
])
def test_files_that_are_no_configuration(tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(path)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("override, words", [("train.batch", "allowed is key=value"), ("seed.x=1", "holds a value"),
                                             ("seed=[", "not valid YAML"), ("train.nope=1", "train.nope is not a key")])
def test_overrides_are_checked_too(override, words):
    with pytest.raises(ConfigError, match=words):
        parse({"seed": 1} | FACES, [override])


def test_every_key_says_what_it_means():
    def undescribed(section, prefix=""):
        for name, field in section.model_fields.items():
            if field.description is None and field.annotation in (float, int) and name not in ("seed", "latent_dim"):
                yield prefix + name

    for name, field in Config.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            assert not list(undescribed(field.annotation, f"{name}."))
