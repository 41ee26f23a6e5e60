"""What follows a convolution against the same in plain PyTorch: values, gradients, gradients of gradients."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pvswgan import conv
from pvswgan.activation import bias_act, bias_act_norm
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
    assert torch.equal(result, _plain(x, bias, norm))


@pytest.mark.parametrize("after, norm", [(bias_act, False), (bias_act_norm, True)])
def test_gradients(after, norm):
    x, bias = _given()
    assert gradcheck(after, (x, bias))
    given = torch.randn_like(x)
    ours = torch.autograd.grad(after(x, bias), (x, bias), given)
    theirs = torch.autograd.grad(_plain(x, bias, norm), (x, bias), given)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_gradients_of_gradients():
    assert gradgradcheck(bias_act, _given())


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
