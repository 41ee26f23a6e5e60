"""What follows a convolution against the same in plain PyTorch: values, gradients, gradients of gradients."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pvswgan import conv
from pvswgan.activation import VECTOR, bias_act, bias_act_norm, leaky
from pvswgan.layers import leaky_relu, pixel_norm


def _plain(x, bias, norm):
    y = leaky_relu(x + bias.to(x.dtype).view(-1, 1, 1, 1))
    return pixel_norm(y) if norm else y


def _given(dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(2, 5, 2, 3, 3, dtype=dtype, requires_grad=True), torch.randn(5, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("after, norm", [(bias_act, False), (bias_act_norm, True)])
def test_values_are_those_of_the_steps_alone(after, norm, dtype):
    x, bias = (t.detach() for t in _given())
    x, bias = x.to(dtype), bias.float()                      # weights stay float32 where a network computes narrower
    result = after(x, bias)
    assert result.dtype == dtype
    # A norm's squares may be summed in another order.
    torch.testing.assert_close(result, _plain(x, bias, norm), rtol=norm * 2 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("after, norm", [(bias_act, False), (bias_act_norm, True)])
def test_gradients(after, norm):
    x, bias = _given()
    assert gradcheck(after, (x, bias))
    given = torch.randn_like(x)
    ours = torch.autograd.grad(after(x, bias), (x, bias), given)
    theirs = torch.autograd.grad(_plain(x, bias, norm), (x, bias), given)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [VECTOR // 2, VECTOR])
@pytest.mark.parametrize("after, norm", [(bias_act, False), (bias_act_norm, True)])
def test_few_channels_in_bfloat16(after, norm, channels):
    """They are added and multiplied by whole rows, in the layout that they came in."""
    torch.manual_seed(0)
    x, given = torch.randn(2, 2, channels, 2, 3, 5).bfloat16()
    x, given = (t.contiguous(memory_format=torch.channels_last_3d) for t in (x, given))
    bias = torch.randn(channels)

    def both(f):
        inputs = x.clone().requires_grad_(), bias.clone().requires_grad_()
        y = f(*inputs)
        return y, *torch.autograd.grad(y, inputs, given)

    ours, theirs = both(after), both(lambda x, bias: _plain(x, bias, norm))
    torch.testing.assert_close(ours[0], theirs[0], rtol=norm * 2**-7, atol=0)
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        assert (a - b).float().norm() < 0.01 * b.float().norm()
    assert all(t.is_contiguous(memory_format=torch.channels_last_3d) for t in ours[:2])


def test_gradients_of_gradients():
    assert gradgradcheck(bias_act, _given())
    assert gradgradcheck(leaky, _given()[:1])


def test_the_norm_says_that_it_has_no_second_derivative():
    x, bias = _given()
    (gx,) = torch.autograd.grad(bias_act_norm(x, bias).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gx.sum().backward()


@pytest.mark.parametrize("after", [bias_act, bias_act_norm])
def test_no_bias_gradient_is_computed_for_a_penalty(after):
    x, bias = _given()
    with conv.input_gradients_only():
        (gx, none) = torch.autograd.grad(after(x, bias).sum(), (x, bias), allow_unused=True)
    assert gx is not None and none is None


def test_only_the_result_is_kept():
    x, bias = _given(torch.float32)
    for after, most in ((bias_act, 1.0), (bias_act_norm, 1.3)):
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            after(x, bias)
        assert sum(kept) <= most * x.numel()
