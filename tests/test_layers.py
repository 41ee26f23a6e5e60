import math

import pytest
import torch
from torch.nn import functional as F

from pvswgan.conv import conv3d_same, enlarge, shrink
from pvswgan.layers import Conv, Linear, Pointwise, minibatch_stddev, pixel_norm
from tests import oracle

TOLERANCE = 1e-4


@oracle.needs_oracle
def test_layers_are_the_authors(record_property):
    v = oracle.arrays("layers")

    def check(name, ours):
        difference = oracle.relative(ours, v[f"{name}/out"])
        record_property(name, difference)
        assert difference < TOLERANCE, name

    def weight(name, gain, transposed=False):
        w = oracle.conv_weight(v[f"{name}/weight"], transposed)
        # oddity 4: the fan_in of their fused up-convolution counts k^2 instead of k^3
        fan_in = w[0].numel() / (3 if transposed else 1)
        return w * gain / math.sqrt(fan_in)

    up, root2 = (2, 2, 2), math.sqrt(2)
    check("conv3d_k3", conv3d_same(v["conv3d_k3/in"], weight("conv3d_k3", root2)))
    check("conv3d_k1_gain1", conv3d_same(v["conv3d_k1_gain1/in"], weight("conv3d_k1_gain1", 1)))
    down = Conv(3, 5, down=up)
    down.weight.data = oracle.conv_weight(v["conv3d_downscale3d_temporal/weight"])
    check("conv3d_downscale3d_temporal", down(v["conv3d_downscale3d_temporal/in"]))
    name = "upscale3d_conv3d_temporal"
    check(name, conv3d_same(enlarge(v[f"{name}/in"], up), weight(name, root2, transposed=True)))
    for axes, factors in (("122", (1, 2, 2)), ("222", up)):
        check(f"upscale3d_{axes}", enlarge(v[f"upscale3d_{axes}/in"], factors))
        check(f"downscale3d_{axes}", shrink(v[f"downscale3d_{axes}/in"], factors))
    for name, gain in (("dense_gainsqrt2over4", root2 / 4), ("dense_flatten5d", None)):
        layer = Linear(*v[f"{name}/weight"].shape, **({} if gain is None else {"gain": gain}))
        layer.weight.data = v[f"{name}/weight"].T.contiguous()
        check(name, layer(v[f"{name}/in"].flatten(1)))
    check("leaky_relu", F.leaky_relu(v["leaky_relu/in"], 0.2))


@oracle.needs_oracle
def test_pixel_norm_is_the_authors(record_property):
    v = oracle.arrays("pixelnorm")
    for name in ("5d", "2d"):
        difference = oracle.relative(pixel_norm(v[f"{name}/in"]), v[f"{name}/out"])
        record_property(f"pixelnorm {name}", difference)
        assert difference < TOLERANCE


@oracle.needs_oracle
def test_minibatch_stddev_is_the_authors(record_property):
    v = oracle.arrays("mbstd")
    for n, g in ((4, 4), (8, 4), (2, 4), (8, 2)):
        difference = oracle.relative(minibatch_stddev(v[f"n{n}_g{g}/in"], g), v[f"n{n}_g{g}/out"])
        record_property(f"mbstd n{n} g{g}", difference)
        assert difference < TOLERANCE


def test_minibatch_stddev_of_two_batches_is_that_of_each():
    a, b = torch.randn(2, 8, 3, 2, 4, 4)
    both = minibatch_stddev(torch.cat([a, b]), 4, parts=2)
    assert torch.equal(both, torch.cat([minibatch_stddev(a, 4), minibatch_stddev(b, 4)]))


def test_a_batch_that_does_not_fit_its_group_is_named():
    with pytest.raises(ValueError, match="a batch of 6 clips cannot be split into groups of 4"):
        minibatch_stddev(torch.randn(6, 2, 1, 4, 4), 4)


def test_equalised_weights_give_unit_variance():
    torch.manual_seed(0)
    x = torch.randn(4, 64, 4, 8, 8)
    assert Conv(64, 64, gain=1)(x)[:, :, 1:-1, 1:-1, 1:-1].std().item() == pytest.approx(1, abs=0.1)
    assert Linear(256, 64, gain=1)(torch.randn(64, 256)).std().item() == pytest.approx(1, abs=0.1)


def test_pixel_norm_leaves_unit_mean_square():
    y = pixel_norm(torch.randn(2, 16, 2, 3, 3) * 50)
    torch.testing.assert_close(y.square().mean(1), torch.ones(2, 2, 3, 3))


def test_pointwise_is_a_convolution_of_one_voxel():
    """Values and gradients, also those of a gradient, and the channels stay innermost in memory."""
    torch.manual_seed(0)
    ours = Pointwise(3, 7, gain=1).double()
    plain = Conv(3, 7, kernel=1, gain=1).double()
    plain.load_state_dict(ours.state_dict())
    clips = torch.randn(2, 3, 2, 4, 4, dtype=torch.float64)

    def derivatives(layer):
        x = clips.contiguous(memory_format=torch.channels_last_3d).requires_grad_()
        y = layer(x)
        (gx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return y, gx, *torch.autograd.grad(gx.square().sum(), [x, *layer.parameters()])

    got = derivatives(ours)
    for a, b in zip(got, derivatives(plain), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert all(t.is_contiguous(memory_format=torch.channels_last_3d) for t in got[:3])
