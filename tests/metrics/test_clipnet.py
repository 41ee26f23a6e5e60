import numpy as np
import pytest
import torch

from pvswgan.checkpoint import CheckpointError, save_tensors
from pvswgan.data import toyfaces
from pvswgan.metrics import clipnet
from pvswgan.metrics.clipnet import HIDDEN, KINDS, SHOWN, ClipNet
from pvswgan.video import to_float


def test_a_labelled_clip_does_what_its_label_says_and_little_else():
    frames = np.arange(clipnet.SIZE[0])
    seen = set()
    for index in range(45):
        who, kind = clipnet.labelled(index, 3)
        seen.add(kind)
        if kind < 0:
            assert who == toyfaces.factors(index, 3)
            continue
        path = toyfaces.motion(who, frames)
        for name in SHOWN:
            moves = np.ptp(getattr(path, name)) / SHOWN[name][0][1]  # of its greatest amplitude
            assert moves > 0.2 if KINDS[kind] == name else moves <= 2 * HIDDEN[name] / SHOWN[name][0][1] + 1e-9
        still = toyfaces.factors(index, 3)
        assert (who.skin, who.hair_style, who.shirt) == (still.skin, still.hair_style, still.shirt)
    assert seen == {-1, *range(len(KINDS))}


@pytest.mark.parametrize("size", [(4, 4, 4), (8, 16, 16), (16, 32, 32), (32, 64, 64), (1, 128, 128)])
def test_clips_of_every_size_are_brought_to_one(size):
    clips = torch.rand(2, 3, *size)
    ready = clipnet.prepare(clips)
    assert ready.shape == (2, 3, *clipnet.SIZE)
    torch.testing.assert_close(ready.mean(), clips.mean(), atol=0.05, rtol=0)
    if size == clipnet.SIZE:
        assert torch.equal(ready, clips)


@pytest.mark.slow
def test_the_shipped_network_knows_faces_that_it_has_not_seen():
    net, info = clipnet.load()
    clips, names, _ = clipnet.draw(0, 360, seed=13)  # trained on 11, measured on 12
    features, kinds = net(to_float(clips))
    assert features.shape == (360, clipnet.FEATURES)
    known = torch.from_numpy(names[:, 0]) >= 0
    right = (kinds.argmax(1) == torch.from_numpy(names[:, 0]))[known].float().mean()
    assert right == pytest.approx(info["held_out"]["kind"], abs=0.06)
    assert right > 0.85
    shirt = (net.choices["shirt"](features).argmax(1).numpy() == names[:, 5]).mean()
    assert shirt == pytest.approx(info["held_out"]["shirt"], abs=0.06)
    assert clipnet.FILE.stat().st_size <= 4e6


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match="no checkpoint"):
        clipnet.load(path)
    save_tensors(path, {"a": torch.zeros(1)}, {"kind": "network"})
    with pytest.raises(CheckpointError, match="holds a network"):
        clipnet.load(path)
    save_tensors(path, {"a": torch.zeros(1)}, {"kind": "clipnet"})
    with pytest.raises(CheckpointError, match="not of this clipnet"):
        clipnet.load(path)


@pytest.mark.slow
def test_it_trains_and_its_file_says_how_good_it_is(tmp_path):
    from train.clipnet import main

    out = tmp_path / "net.safetensors"
    main(out=out, clips=256, test=36, epochs=2, seed=1, workers=1)
    net, info = clipnet.load(out)
    assert isinstance(net, ClipNet)
    assert 0 <= info["held_out"]["kind"] <= 1
    assert info["held_out"].keys() == {"kind", *clipnet.CHOICES, *clipnet.NUMBERS}
