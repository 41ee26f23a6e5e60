from pathlib import Path

import pytest
import yaml

from train.config import ConfigError, describe, dump, installed, load, parse
from train.schema import Data, Growth, Log, Network, SwganLoss, Train, WganGpLoss

CONFIGS = installed(Path(__file__).parents[2] / "configs")
FACES = {"data": {"source": "toyfaces"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_are_whole(path):
    config = load(path)
    assert len(config.batches()) == len(config.rates()) == len(config.plan().stages)
    assert len(describe(path)) > 20


def test_a_study_is_not_offered_as_a_training():
    names = {path.stem for path in CONFIGS}
    assert "study" not in names and {"paper", "toyfaces-cpu"} <= names


def test_the_resolved_configuration_is_the_configuration():
    config = load(CONFIGS[0], ["train.lr=0.002", "loss={name: wgan-gp, gp: 5}"])
    assert parse(yaml.safe_load(dump(config))) == config
    assert config.rates()[0] == 0.002 and config.loss.name == "wgan-gp" and config.loss.gp == 5


def test_defaults_stand_on_their_own():
    config = parse(dict(FACES))
    assert config.train.betas == [0.0, 0.99] and isinstance(config.train.betas[0], float)
    assert parse(FACES | {"train": {"betas": [0, 0.99]}}).train.betas == [0.0, 0.99]      # Adam refuses the integer


@pytest.mark.parametrize("text", ["1e-3", "+1E-3", "1.e-3", ".1e-2", "1.0e-3", "0.001"])
def test_a_number_is_one_however_its_exponent_is_written(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{source: toyfaces, split: 1e-3}}\ntrain: {{lr: {text}, betas: [0, 9e-1]}}\n")
    config = load(path, [f"growth.fade_kimg=[{text}, 2e1, 2, 2]", "train.batch=1"])
    assert config.train.lr == config.growth.fade_kimg[0] == 0.001 and config.growth.fade_kimg[1] == 20
    assert config.train.betas == [0, 0.9] and config.data.split == "1e-3"     # where text is wanted it stays text


@pytest.mark.parametrize("data, words", [
    ({"sead": 1}, "sead is not a key; allowed here: seed, device"),
    ({"train": {"batchsize": 4}}, "train.batchsize is not a key; allowed in train: batch, lr"),
    ({"loss": {"name": "wgan-gp", "k": 1}}, "loss.k is not a key; allowed in loss: name, gp, drift"),
    ({"loss": {"name": "lsgan"}}, "loss.name is 'lsgan': allowed: swgan, wgan-gp"),
    ({"train": {"lr": -1}}, "train.lr is -1"),
    ({"train": {"lr": "fast"}}, "train.lr is 'fast'"),
    ({"train": {"lr": "1e-3x"}}, "train.lr is '1e-3x': allowed: a number$"),
    ({"train": {"lr": "1e-"}}, "train.lr is '1e-': allowed: a number$"),
    ({"train": {"lr": "1e999"}}, "train.lr is inf: allowed: a finite number$"),
    ({"train": {"lr": [1e-3, "x"]}}, "train.lr.1 is 'x': allowed: a number$"),
    ({"seed": "1e3"}, "seed is '1e3': allowed: a whole number$"),
    ({"train": {"batch": [8, 8]}}, "train.batch lists 2 values, but the plan has 4 stages"),
    ({"train": {"batch": 6}}, r"train.batch is 6 at stage 0: allowed: a multiple of network.mbstd_group \(4\)"),
    ({"train": {"augment": ["zoom"]}}, "train.augment.0 is 'zoom'"),
    ({"growth": {"resolution": 48}}, "growth.resolution is 48"),
    ({"growth": {"stages": [[4, 4], [4, 16]]}}, "stage 1"),
    ({"growth": {"fade_kimg": float("nan")}}, "growth.fade_kimg"),
    ({"device": "tpu"}, "device is 'tpu'"),
    ({"data": {"source": "strips"}}, "data.path is missing"),
    ({"data": {"source": "toyfaces", "path": "clips"}}, "data.path is .clips.: .* null, as its clips are drawn"),
    ({"data": {"source": "toyfaces", "stride": 0}}, "data.stride is 0: allowed: at least 1$"),
    ({"train": {"batch": [4, 0, 4, 4]}}, "train.batch.1 is 0: allowed: at least 1$"),
    ({"train": {"batch": 1.5}}, "train.batch is 1.5: allowed: a whole number$"),
    ({"train": {"batch": True}}, "train.batch is True: allowed: a whole number$"),
    ({"train": {"betas": [0]}}, r"train.betas is \[0\]: allowed: 2 values$"),
    ({"train": {"augment": ["shift", "shift"]}}, "allowed: each once"),
    ({"data": {"source": "toyfaces", "hold_out": 0.2, "split": "train"}},
     "data.split is 'train': allowed with data.hold_out 0.2: null"),
    ({"train": 3}, "train is 3: allowed: keys and values$"),
    ({"loss": "wgan-gp"}, "loss is 'wgan-gp': allowed: keys and values$"),
    ({"seed": True}, "seed is True: allowed: a whole number$"),
    ({"data": {"source": "strips", "path": ""}}, "data.path is '': allowed: some text$"),
    ({"growth": {"stable_kimg": 1e306}}, "growth.stable_kimg is 1e[+]306: allowed: at most 1e[+]06$"),
    ({"growth": {"stages": [[1073741824, 4]]}}, "growth.stages.0. is .*: allowed: up to 64 frames and 256 pixels"),
    ({"growth": {"stable_kimg": 0.001}}, "stable_kimg is 0.001 at stage 0, less than a step of 16 clips"),
    ({"log": {"tick_kimg": 1e-320}}, "log.tick_kimg is .*: allowed: at least 0.001"),
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
    ("!!python/object/apply:os.system ['true']", "is not valid YAML"), ("seed: 2024-13-45", "c.yaml is not valid YAML"),
    ("seed: !!bool maybe", "c.yaml is not valid YAML"), ("[" * 5000, "c.yaml is not valid YAML"),
])
def test_files_that_are_no_configuration(tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(path)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("override, words", [
    ("train.batch", "allowed is key=value"), ("seed.x=1", "holds a value"), ("seed=[", "not valid YAML"),
    ("seed=2024-13-45", "'seed=2024-13-45' is not valid YAML"), ("seed=!!bool maybe", "not valid YAML"),
    ("seed=" + "[" * 5000, r"'seed=\[+ is not valid YAML"),
    ("train.nope=1", "train.nope is not a key")])
def test_overrides_are_checked_too(override, words):
    with pytest.raises(ConfigError, match=words):
        parse({"seed": 1} | FACES, [override])


def test_every_key_says_what_it_means():
    def undescribed(section):
        yield from (f"{section.__name__}.{name}" for name, field in section.model_fields.items()
                    if field.description is None and name != "name")

    sections = [Data, Growth, Network, SwganLoss, WganGpLoss, Train, Log]
    assert [name for section in sections for name in undescribed(section)] == []


def test_one_stride_or_several():
    assert parse({"data": {"source": "shapes", "stride": 3}}).data.strides() == [3]
    assert parse({"data": {"source": "toyfaces", "stride": [4, 1, 2]}}).data.strides() == [1, 2, 4]


@pytest.mark.parametrize("override, words", [
    ("data.stride=0", "data.stride is 0: allowed: at least 1"),
    ("data.stride=[1, 0]", "data.stride.1 is 0: allowed: at least 1"),
    ("data.stride=[]", "data.stride is .*: allowed: 1 values"),
    ("data.fold=4", "data.fold is 4: allowed: at most 3"),
    ("data.hold_out=0.6", "data.hold_out is 0.6: allowed: at most 0.5"),
    ("data.hold_out=some", "data.hold_out is 'some'"),
    ("data.hold_out=null", "data.hold_out is None"),
    ("data.fps=0", "data.fps is 0.*: allowed: more than 0"),
    ("data.split=''", "data.split is '': allowed: some text"),
    ("data.reverse=maybe", "data.reverse is 'maybe'"),
    ("data.source=films", "data.source is 'films': allowed: 'auto', 'toyfaces', 'shapes', 'videos', 'ucf101'"),
    ("data.source=ucf101", "data.path is missing: source 'ucf101' wants a folder"),
])
def test_impossible_data_is_refused_by_its_key(override, words):
    with pytest.raises(ConfigError, match=words):
        parse({"data": {"source": "shapes"}}, [override])
