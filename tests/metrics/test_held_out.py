"""Models that are measured against clips that were held out of their training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pvswgan.data.format import DataError
from pvswgan.data.sources import open_store
from pvswgan.metrics import report
from pvswgan.metrics.against import Against
from pvswgan.metrics.evaluate import evaluate
from pvswgan.video import to_uint8

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """64 clips to train on, 32 held out."""
    return open_store("toyfaces", None, 16, frames=8, clips=96, hold_out=1 / 3, cache=tmp_path_factory.mktemp("halves"))


@pytest.fixture(autouse=True)
def holds_out(request, model, monkeypatch):
    """A model whose training held clips out, where the store does."""
    if "halves" in request.fixturenames:
        monkeypatch.setitem(model.config["data"], "hold_out", 1 / 3)


@pytest.fixture
def pictures(model):
    """A model that gives the clips it is told."""

    class Pictures:
        given: torch.Tensor

        def __getattr__(self, name):
            return getattr(model, name)

        def generate(self, z):
            return self.given[:len(z)]

    return Pictures()


def test_what_was_held_out_is_measured_against(model, store, result, halves, tmp_path):
    assert (halves.splits.count("train"), halves.splits.count("held-out")) == (64, 32)
    real = Against.of(model, halves, 0)
    assert real.held_out and (len(real.reals), len(real.others), len(real.training)) == (32, 64, 64)
    clips = {name: {halves.sources[clip] + str(halves.starts[clip]) for clip in one.sampler.usable}
             for name, one in (("reals", real.reals), ("training", real.training))}
    assert not clips["reals"] & clips["training"]
    found = evaluate(model, halves, clips=48, cache=tmp_path)
    assert found.protocol["clips"] == 32 and found.protocol["searched"] == 64
    assert found.protocol["reals"]["split"] == "held-out"
    assert found.protocol["training"]["held_out"] and found.protocol["training"]["split"] == "train"
    assert "which were held out of the training" in report.sentence(found)
    assert "training" not in result.protocol and "held out" not in report.sentence(result)
    [shipped] = (ROOT / "assets" / "toyfaces-swgan" / "metrics").glob("*.json")
    older = json.loads(shipped.read_text())["protocol"]
    assert older.keys() == result.protocol.keys() and older["reals"].keys() == result.protocol["reals"].keys(), (
        "without held-out clips nothing of a protocol is new, so results stay comparable")
    assert evaluate(model, halves, clips=48, cache=tmp_path).values == found.values, "with what was kept"
    real.close()


def test_the_floor_of_held_out_clips_is_of_those_that_were_trained_on(model, halves, tmp_path, pictures):
    real = Against.of(model, halves, 0)
    pictures.given = torch.cat(list(real.floor(32)))
    found = evaluate(pictures, halves, clips=32, cache=tmp_path)
    real.close()
    for name, columns in found.values.items():
        if not name.startswith("near_"):
            assert columns["value"] == pytest.approx(columns["floor"], rel=1e-4), name


def test_copies_of_held_out_clips_are_none(model, halves, tmp_path, pictures):
    """A model that repeats what it was trained on is found out; one that gives what it never saw is as near as clips
    are that it never saw."""
    real = Against.of(model, halves, 0)
    pictures.given = real.training.read(real.searched, slice(32))
    copied = evaluate(pictures, halves, clips=32, cache=tmp_path)
    pictures.given = torch.cat(list(real.reals.batches(0, 32)))
    new = evaluate(pictures, halves, clips=32, cache=tmp_path)
    pairs = report.nearest_pairs(new, model, halves, 4)
    assert copied.values["near_share"]["value"] == 1 and copied.values["near_ratio"]["value"] < 0.1
    assert copied.nearest == list(range(16))
    assert new.nearest == new.left_out, "the held-out clips themselves, twice"
    for column in ("value", "floor"):                  # all of them, and half of them, against the other half
        assert new.values["near_ratio"][column] == pytest.approx(1, abs=0.2), column
        assert new.values["near_share"][column] <= 0.15, column
    assert np.array_equal(pairs[8::2], to_uint8(pictures.given[:4]))
    assert np.array_equal(pairs[9::2], to_uint8(torch.cat([real.training.read(real.searched, slice(place, place + 1))
                                                           for place in new.left_out[:4]])))
    real.close()


def test_a_split_that_is_named_is_measured_against_and_copies_are_of_the_training(model, halves, tmp_path, pictures,
                                                                                  monkeypatch):
    """As of UCF-101: trained on one split, measured against it, another, or none in particular."""
    monkeypatch.setitem(model.config["data"], "hold_out", 0)
    monkeypatch.setitem(model.config["data"], "split", "train")
    real = Against.of(model, halves, 0, split="held-out")
    assert real.held_out and (len(real.reals), len(real.training)) == (32, 64)
    pictures.given = real.training.read(real.searched, slice(32))
    found = evaluate(pictures, halves, clips=32, split="held-out", cache=tmp_path)
    real.close()
    assert found.values["near_share"]["value"] == 1 and found.protocol["training"]["split"] == "train"
    own = evaluate(pictures, halves, clips=32, cache=tmp_path)
    assert own.protocol["reals"]["split"] == "train" and "training" not in own.protocol
    others = replace(own, protocol=own.protocol | {"reals": own.protocol["reals"] | {"chosen": "another fold's"}})
    with pytest.raises(DataError, match="not those that were compared with"):
        report.nearest_pairs(others, model, halves)


def test_what_a_store_holds_out_was_seen_by_a_model_from_elsewhere(model, halves, monkeypatch):
    monkeypatch.setitem(model.config["data"], "hold_out", 0)
    real = Against.of(model, halves, 0)
    assert not real.held_out and len(real.reals) == len(real.training) == 96
    real.close()
    monkeypatch.setitem(model.config["data"], "path", str(halves.folder))
    real = Against.of(model, halves, 0)
    assert real.held_out, "trained on this store"
    real.close()


def test_too_few_held_out_clips_are_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(model.config["data"], "hold_out", 1 / 3)
    few = open_store("toyfaces", None, 16, frames=8, clips=96, hold_out=1 / 6, cache=tmp_path)
    assert few.splits.count("held-out") == 16
    assert Against.of(model, few, 0).room() == 16
    fewer = open_store("toyfaces", None, 16, frames=8, clips=44, hold_out=1 / 3, cache=tmp_path)
    with pytest.raises(DataError, match=r"has \d+ clips that fit and were held out, and \d+ .* 16 of each at least"):
        evaluate(model, fewer, cache=tmp_path)
