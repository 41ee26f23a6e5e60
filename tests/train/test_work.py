"""The arithmetic of a step against PyTorch's own count, and of a layer against the networks' tensors."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pvswgan.layers import Conv, Linear
from tests.train import tiny
from train.engine import Engine
from train.work import critic_layers, generator_layers, step_flops


class _Counter(TorchDispatchMode):
    """Adds up PyTorch's own counts. (Its FlopCounterMode cannot be used: its hooks refuse autograd.grad.)"""

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def _counted(config, stage):
    """Operations of one step a clip at a stage."""
    engine = Engine(config, torch.device("cpu"), "float32")
    engine.clips = engine.plan.starts[stage] + engine.plan.stages[stage].fade
    frames, resolution = engine.plan.sizes[stage]
    batch = torch.zeros(engine.batches[stage], 3, frames, resolution, resolution)
    with _Counter() as counter:
        engine.step(lambda *_: batch)
    return counter.total / len(batch)


@pytest.mark.parametrize("loss", ["swgan", "wgan-gp"])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_step_takes_as_many_operations_as_pytorch_counts(loss, stage):
    config = tiny.config(network={"fmap_max": 16, "fmap_base": 256}, loss={"name": loss})
    assert step_flops(config, stage) == pytest.approx(_counted(config, stage), rel=0.05)


def test_layers_have_the_sizes_of_the_networks_tensors():
    config = tiny.config(network={"fmap_max": 16, "fmap_base": 64})
    engine, stage = Engine(config, torch.device("cpu"), "float32"), 2
    frames, side = engine.plan.sizes[stage]
    for network, layers, example in (
        (engine.G, generator_layers(config, stage), torch.randn(1, 8)),
        (engine.D, critic_layers(config, stage), torch.randn(1, 3, frames, side, side)),
    ):
        seen = []
        for module in network.modules():
            if isinstance(module, Conv | Linear):
                module.register_forward_hook(lambda m, x, y, seen=seen: seen.append({x[0].numel(), y.numel()}))
        network(example, stage)
        counted = [{layer.inputs, layer.outputs} for layer in layers]     # which is which does not matter for traffic
        if network is engine.G:
            counted.remove({8, engine.G.dense.shape[0]})                  # its first layer is no module
        assert sorted(map(sorted, seen)) == sorted(map(sorted, counted))
