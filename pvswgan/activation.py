"""What follows a convolution, in one autograd Function each: bias and LeakyReLU, and those with pixel norm.

PyTorch keeps the input of LeakyReLU and of each step of the norm for the backward pass. Here only the result is kept,
which the next convolution keeps anyway: the sign of a LeakyReLU's result tells which slope it took, and the norm's
derivative can be written with its result and one number a voxel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pvswgan.conv import weight_gradients

SLOPE = 0.2


def bias_act(x: Tensor, bias: Tensor) -> Tensor:
    """LeakyReLU_0.2(x + bias); x (N, C, ...), bias (C,), result in x's dtype. Differentiable to any order."""
    return _BiasAct.apply(x, bias.to(x.dtype))


def bias_act_norm(x: Tensor, bias: Tensor, eps: float = 1e-8) -> Tensor:
    """pixel_norm(LeakyReLU_0.2(x + bias)); shapes as bias_act. Differentiable once: a generator has no
    gradient penalty. Squares are summed in float32 or better."""
    return _BiasActNorm.apply(x, bias.to(x.dtype), eps)


def _bias_gradient(ctx: Any, gx: Tensor) -> Tensor | None:
    return gx.sum([0, *range(2, gx.dim())]) if ctx.needs_input_grad[1] and weight_gradients() else None


def wide(x: Tensor) -> Tensor:
    """x in float32 where it is narrower, else as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _activate(x: Tensor, bias: Tensor) -> Tensor:
    return torch.nn.functional.leaky_relu_(x + bias.view(-1, *[1] * (x.dim() - 2)), SLOPE)


class _BiasAct(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor) -> Tensor:
        y = _activate(x, bias)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,), (y,) = grads, ctx.saved_tensors
        gx = _ActGrad.apply(gy, y)
        return gx, _bias_gradient(ctx, gx)


class _ActGrad(Function):
    """gy times the slope that made y: linear in gy, and flat in y."""

    @staticmethod
    def forward(ctx: Any, gy: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return torch.ops.aten.leaky_relu_backward(gy, y, SLOPE, True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _ActGrad.apply(grads[0], y), None


class _BiasActNorm(Function):
    """Once only: `scale` is kept as a number, not as a function of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, eps: float) -> Tensor:
        y = _activate(x, bias)
        scale = torch.rsqrt(wide(y).square().mean(1, keepdim=True) + eps).to(y.dtype)
        y *= scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,), (y, scale) = grads, ctx.saved_tensors
        # y = a s with s = (mean a^2 + eps)^(-1/2):  da = s (dy - y mean(y dy))
        along = wide(gy * y).mean(1, keepdim=True).to(y.dtype)
        gx = _ActGrad.apply((gy - y * along) * scale, y)
        return gx, _bias_gradient(ctx, gx), None
