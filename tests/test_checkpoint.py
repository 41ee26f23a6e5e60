import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

import pvswgan
from pvswgan import checkpoint, video
from pvswgan.checkpoint import CheckpointError, build_generator, read_tensors, save_network, save_tensors
from train.config import parse


@pytest.fixture
def config():
    return parse({"data": {"source": "toyfaces"}, "growth": {"resolution": 8, "frames": 8},
                  "network": {"fmap_max": 8, "latent_dim": 16}}).model_dump(mode="json")


@pytest.fixture
def saved(config, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    save_network(path, build_generator(config), config, clips=1234, stage=1, alpha=0.5)
    return path


def test_a_saved_model_is_the_model(saved, config):
    model = pvswgan.load(saved)
    assert (model.clips, model.stage, model.alpha) == (1234, 1, 0.5)
    assert (model.frames, model.resolution, model.latent_dim) == (8, 8, 16)
    assert model.config == config
    torch.manual_seed(0)
    with torch.no_grad():
        fresh = build_generator(config)(pvswgan.latents.sample_latents(3, 16, 5), 1, 0.5).clamp(-1, 1)
    torch.testing.assert_close(model.sample(3, seed=5), fresh)


def test_how_the_ends_are_drawn_is_in_the_header_and_else_as_in_the_training(config, tmp_path):
    """A network that was trained with zeros in time may be drawn with its end frames repeated: the file says so."""
    path, older = tmp_path / "steady.safetensors", tmp_path / "older.safetensors"
    torch.manual_seed(0)
    save_network(path, build_generator(config, replicate=True), config, clips=1, stage=1, alpha=1)
    tensors, info = read_tensors(path)
    del info["replicate"]
    clips = {}
    for still in (False, True):
        info["config"]["network"]["still"] = still
        save_tensors(older, tensors, info)
        clips[still] = pvswgan.load(older).sample(2, seed=3)
    assert info["config"] != config                      # its training had zeros
    assert torch.equal(pvswgan.load(path).sample(2, seed=3), clips[True])
    apart = (clips[True] - clips[False]).abs().amax((0, 1, 3, 4))
    assert apart[0] > 0.01 and apart[-1] > 0.01


def test_samples_do_not_depend_on_their_company(saved):
    """One clip goes another way through the CPU than many, and fast is bfloat16: the pictures must agree."""
    model = pvswgan.load(saved)
    many = video.to_uint8(model.sample(20, seed=1)).astype(int)
    one = video.to_uint8(model.sample(1, seed=1)).astype(int)
    assert abs(many[:1] - one).max() <= 2
    fast = video.to_uint8(model.generate(pvswgan.latents.sample_latents(20, 16, 1), fast=True)).astype(int)
    assert abs(many - fast).mean() < 2


@pytest.mark.slow
def test_one_seed_gives_one_clip_in_another_process_and_on_one_thread(saved):
    code = ("import sys, torch; torch.set_num_threads(1); import pvswgan; from pvswgan import video;"
            "sys.stdout.buffer.write(video.to_uint8(pvswgan.load(sys.argv[1]).sample(2, seed=3)).tobytes())")
    out = subprocess.run([sys.executable, "-c", code, str(saved)], capture_output=True, check=True).stdout
    ours = video.to_uint8(pvswgan.load(saved).sample(2, seed=3))
    theirs = torch.frombuffer(bytearray(out), dtype=torch.uint8).view(ours.shape).int()
    assert (theirs - torch.from_numpy(ours).int()).abs().max() <= 2


def test_truncation_draws_all_clips_to_one(saved):
    model = pvswgan.load(saved)
    spread = [model.sample(8, seed=0, truncation=t).std(0).mean().item() for t in (0.0, 0.5, 1.0)]
    assert spread[0] < 1e-5 < spread[1] < spread[2]


@pytest.mark.parametrize("call, words", [
    (lambda m: m.sample(1, truncation=1.5), "truncation is 1.5; allowed: 0 to 1"),
    (lambda m: m.generate(torch.zeros(2, 7)), r"\(2, 7\); this model wants \(n, 16\)"),
])
def test_impossible_requests_are_named(saved, call, words):
    with pytest.raises(ValueError, match=words):
        call(pvswgan.load(saved))


def test_what_cannot_be_loaded_is_named(saved, tmp_path, config):
    with pytest.raises(CheckpointError, match="there is no model 'nowhere'"):
        pvswgan.load("nowhere")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        pvswgan.load(tmp_path / "none.safetensors")
    (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointError, match="has no network checkpoint yet"):
        pvswgan.load(tmp_path / "run")
    half = tmp_path / "half.safetensors"
    half.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        pvswgan.load(half)
    other = tmp_path / "other.safetensors"
    save_tensors(other, {"x": torch.zeros(1)}, {"kind": "training"})
    with pytest.raises(CheckpointError, match="holds a training checkpoint"):
        pvswgan.load(other)
    wrong = tmp_path / "wrong.safetensors"
    tensors, info = read_tensors(saved)
    growth = config["growth"]
    vast = config | {"network": config["network"] | {"fmap_base": 10**6, "fmap_max": 10**6}}  # 100 TB and more
    for broken in (config, config | {"network": [1]}, config | {"growth": growth | {"fade_kimg": float("inf")}}, vast):
        save_tensors(wrong, {"x": torch.zeros(1)} if broken is config else tensors, info | {"config": broken})
        with pytest.raises(CheckpointError, match="does not fit its own configuration"):
            pvswgan.load(wrong)
    for header in (f'{{"clips": {"9" * 5000}}}', "[" * 100000, "{"):      # of more digits than Python reads
        save_file(tensors, wrong, metadata={"format": checkpoint.FORMAT, "info": header})
        with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
            pvswgan.load(wrong)


def test_a_name_never_leaves_the_assets_folder(saved, monkeypatch, tmp_path):
    assets = tmp_path / "assets"
    assets.mkdir()
    monkeypatch.setattr(checkpoint, "ASSETS", assets)
    (assets / "ours.safetensors").write_bytes(saved.read_bytes())
    (tmp_path / "secret.safetensors").write_bytes(saved.read_bytes())
    assert pvswgan.load("ours").clips == 1234
    with pytest.raises(CheckpointError):
        pvswgan.load("../secret")


def test_a_write_that_fails_leaves_the_file_before(saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_tensors(saved, {"x": torch.zeros(1)}, {})
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_half_precision_files_are_half_as_large_and_load(config, tmp_path, saved):
    path = tmp_path / "half.safetensors"
    torch.manual_seed(0)
    save_network(path, build_generator(config), config, clips=1234, stage=1, alpha=0.5, half=True)
    assert path.stat().st_size < 0.6 * saved.stat().st_size
    difference = pvswgan.load(path).sample(4) - pvswgan.load(saved).sample(4)
    assert difference.abs().mean() < 0.01


def test_the_header_is_json(saved):
    tensors, info = read_tensors(saved)
    assert json.loads(json.dumps(info)) == info and all(t.dtype == torch.float32 for t in tensors.values())
