"""An untrained model, drawn clips, and what evaluating it against them gives: made once for all tests."""

import pytest
import torch

from pvswgan import checkpoint
from pvswgan.checkpoint import build_generator, save_network
from pvswgan.data.sources import open_store
from pvswgan.metrics.evaluate import evaluate
from train.config import parse


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return open_store("toyfaces", None, 16, frames=8, clips=96, cache=tmp_path_factory.mktemp("stores"))


def write_network(path, seed=0, **growth):
    """An untrained generator of 8x16x16 in a file."""
    config = parse({"data": {"source": "toyfaces"}, "growth": {"stages": [[4, 4], [8, 8], [8, 16]]} | growth,
                    "network": {"fmap_max": 8, "latent_dim": 16}}).model_dump(mode="json")
    torch.manual_seed(seed)
    save_network(path, build_generator(config), config, clips=1000, stage=2, alpha=1.0)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return checkpoint.load(write_network(tmp_path_factory.mktemp("model") / "net.safetensors"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def result(model, store, cache):
    return evaluate(model, store, clips=48, cache=cache)
