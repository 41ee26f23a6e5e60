import urllib.error

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pvswgan.metrics import extractors
from pvswgan.metrics.extractors import C3D, ExtractorError, file_hash, make


class Twelve(torch.nn.Module):
    """As an I3D file is called."""

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        assert rescale and resize and return_features
        return x.mean(dim=[3, 4]).flatten(1)[:, :12]


def test_a_torchscript_file_is_run_only_for_who_trusts_it(tmp_path):
    path = tmp_path / "i3d.pt"
    torch.jit.script(Twelve()).save(str(path))
    with pytest.raises(ExtractorError, match=r"program.*--run-code"):
        make("i3d", path)
    clips = torch.rand(2, 3, 8, 16, 16) * 2 - 1
    extractor = make("i3d", path, trust=True)
    features, logits = extractor.describe(clips)
    assert logits is None
    frames = (((clips + 1) * 127.5).round().mean((3, 4)))[:, 0]  # of red; eight frames are each shown twice
    torch.testing.assert_close(features, frames.repeat_interleave(2, 1)[:, :12])
    assert extractor.protocol["weights"] == extractors.file_hash(path)


@pytest.mark.parametrize(("name", "words"), [("c3d", "--weights FILE"), ("i3d", "--weights FILE"), ("x", "allowed")])
def test_what_cannot_be_had_is_said(name, words):
    with pytest.raises(ExtractorError, match=words):
        make(name)


def test_files_that_are_not_weights_are_named(tmp_path):
    with pytest.raises(ExtractorError, match=r"no file .*gone\.npz"):
        make("c3d", tmp_path / "gone.npz")
    for suffix in (".npz", ".safetensors", ".pt"):
        path = tmp_path / f"junk{suffix}"
        path.write_bytes(b"not weights at all")
        with pytest.raises(ExtractorError, match=r"junk"):
            make("c3d", path)
    path = tmp_path / "other.safetensors"
    save_file({"fc8.bias": torch.zeros(101), "x": torch.zeros(1)}, path)
    with pytest.raises(ExtractorError, match=r"does not fit C3D"):
        make("c3d", path)
    save_file({"fc8.bias": torch.tensor(1.0)}, path)
    with pytest.raises(ExtractorError, match=r"does not fit C3D"):
        make("c3d", path)
    with pytest.raises(ExtractorError, match="no TorchScript file"):
        make("i3d", tmp_path / "junk.pt", trust=True)
    with pytest.raises(ExtractorError, match=r"junk\.pt does not hold Inception-v3's weights"):
        make("inception", tmp_path / "junk.pt")


def test_chainers_names_and_the_mean_are_read(tmp_path):
    path = tmp_path / "c3d.npz"
    np.savez(path, **{"conv1a/W": np.ones((2, 3)), "conv1a/b": np.zeros(2), "mean": np.array([1.0, 2.0, 3.0])})
    weights, mean = extractors._c3d_weights(path)
    assert set(weights) == {"conv1a.weight", "conv1a.bias"}
    assert mean.shape == (3, 1, 1, 1)
    assert mean.flatten().tolist() == [1, 2, 3]
    np.savez(path, **{"conv1a/W": np.ones((2, 3)), "mean": np.zeros(7)})
    with pytest.raises(ExtractorError, match="7 values"):
        extractors._c3d_weights(path)
    np.savez(path, **{"conv1a/W": np.array([object()])})  # a pickle inside: refused, never loaded
    with pytest.raises(ExtractorError, match="pickle"):
        extractors._c3d_weights(path)


def test_c3d_has_the_published_sizes():
    with torch.device("meta"):
        net = C3D()
        features, logits = net(torch.zeros(2, 3, 16, 112, 112))
    assert features.shape == (2, 4096)
    assert logits.shape == (2, 101)
    kernels = [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    parameters = sum(27 * a * b + b for a, b in kernels) + 8192 * 4096 + 4096 + 4096**2 + 4096 + 4096 * 101 + 101
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_c3d_sees_clips_as_tgans_evaluator_does():
    """Against the same arithmetic in numpy, frame by frame: blue first, the mean's columns 29 to 141, no stretching."""
    rng = np.random.default_rng(0)
    mean = rng.uniform(80, 120, (3, 16, 128, 171)).astype(np.float32)
    flat = rng.integers(0, 256, (2, 3, 16)).astype(np.float32)           # every frame of one colour: no resampling
    clips = torch.from_numpy(flat / 127.5 - 1)[..., None, None].expand(2, 3, 16, 64, 64)
    found = extractors.c3d_input(clips, torch.from_numpy(mean)).numpy()
    expected = flat[:, ::-1, :, None, None] - mean[None, :, :, 8:120, 29:141]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    half = torch.full((1, 3, 16, 64, 64), -1.0)
    half[..., 32:] = 1.0                                                 # black | white: the edge stays in the middle
    found = extractors.c3d_input(half, torch.zeros(3, 1, 1, 1))[0, 0, 0]
    assert found[56, 50] < 5 and found[56, 61] > 250


def test_c3ds_last_pooling_covers_the_edge():
    """Seven pixels become four, of which the last sees the last alone: Caffe's way."""
    net = C3D()
    with torch.no_grad():
        for name, *_ in C3D.WIDTHS:                                      # each passes its first channel on
            conv = getattr(net, f"conv{name}")
            conv.weight.zero_()
            conv.bias.zero_()
            conv.weight[:, 0, 1, 1, 1] = 1
        net.fc6.weight.zero_()
        net.fc6.bias.zero_()
        net.fc6.weight[:16] = torch.eye(16, 8192)
        net.fc7.weight.copy_(torch.eye(4096))
        net.fc7.bias.zero_()
    clips = torch.zeros(1, 3, 16, 112, 112)
    clips[..., 111, 111] = 5.0
    features, _ = net(clips)
    assert features[0, :16].view(4, 4).nonzero().tolist() == [[3, 3]]


def test_without_a_network_inception_says_how_to_bring_its_file(monkeypatch):
    def offline(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(ExtractorError, match=r"Name or service.*https://\S+ elsewhere.*--weights FILE"):
        make("inception")


@pytest.mark.slow
def test_inception_sees_four_frames_of_each_clip(monkeypatch, tmp_path):
    """With random weights: its own cannot be fetched here."""
    torch.save({}, tmp_path / "inception.pth")
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
    extractor = make("inception", tmp_path / "inception.pth")
    assert extractor.protocol["weights"] == file_hash(tmp_path / "inception.pth"), "as anyone can compute it"
    features, logits = extractor.describe(torch.rand(2, 3, 8, 16, 16) * 2 - 1)
    assert features.shape == (8, 2048)
    assert logits.shape == (8, 1008)


NOT_INCEPTION = [None, {"x": torch.zeros(3)}, torch.zeros(3), [1, 2]]


@pytest.mark.parametrize("held", range(len(NOT_INCEPTION)))
def test_a_file_that_is_not_inceptions_is_named(tmp_path, held):
    path = tmp_path / "other.pth"
    if NOT_INCEPTION[held] is None:
        path.touch()
    else:
        torch.save(NOT_INCEPTION[held], path)
    with pytest.raises(ExtractorError, match=r"other\.pth does not hold Inception-v3's weights"):
        make("inception", path)


class Pair(torch.nn.Module):
    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool):
        return x, x


class Voxels(torch.nn.Module):
    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        return x


@pytest.mark.parametrize(("program", "words"), [(Pair, "with tuple"), (Voxels, r"with \(2, 3, 16, 8, 8\)")])
def test_a_program_that_answers_otherwise_is_named(tmp_path, program, words):
    path = tmp_path / "strange.pt"
    torch.jit.script(program()).save(str(path))
    extractor = make("i3d", path, trust=True)
    with pytest.raises(ExtractorError, match=rf"strange\.pt does not answer as StyleGAN-V's I3D does.*{words}"):
        extractor.describe(torch.zeros(2, 3, 16, 8, 8))
