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
# Channels of a voxel from which PyTorch's loops over bfloat16 on a CPU are fast: they are one vector of 512 bits. With
# fewer, adding one number a channel or multiplying by one a voxel takes five times as long as it does in full.
VECTOR = 32


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


def inverse_size(x: Tensor, eps: float = 1e-8) -> Tensor:
    """What pixel norm multiplies by: 1 / sqrt(mean of a voxel's squares + eps), (N, C, ...) -> (N, 1, ...) in x's
    dtype. Squares are summed in float32 or better: in bfloat16 a sum over 128 channels would lose its last addends."""
    kind = torch.promote_types(x.dtype, torch.float32)
    size = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=kind)
    return torch.rsqrt(size.square() / x.shape[1] + eps).to(x.dtype)


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU_0.2(x), of which only the result is kept. Differentiable to any order."""
    return _Leaky.apply(x)


def spread(scale: Tensor, like: Tensor) -> Tensor:
    """One number a voxel, (N, 1, ...), as it is multiplied fastest by `like` (N, C, ...): itself, or one a channel."""
    return torch.empty_like(like).copy_(scale) if _narrow(like) else scale


def _narrow(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.dim() > 2 and x.shape[1] < VECTOR


def _activate(x: Tensor, bias: Tensor) -> Tensor:
    return torch.nn.functional.leaky_relu_(_add(x, bias), SLOPE)


def _add(x: Tensor, bias: Tensor) -> Tensor:
    inner = x.movedim(1, -1)
    if not (_narrow(x) and inner.is_contiguous()):
        return x + bias.view(-1, *[1] * (x.dim() - 2))
    rows = inner.flatten(-2)                                # a row of voxels, channel by channel
    return (rows + bias.repeat(x.shape[-1])).view_as(inner).movedim(-1, 1)


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


class _Leaky(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.nn.functional.leaky_relu(x, SLOPE)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _ActGrad.apply(grads[0], ctx.saved_tensors[0])


class _BiasActNorm(Function):
    """Once only: `scale` is kept as a number, not as a function of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, eps: float) -> Tensor:
        y = _activate(x, bias)
        scale = inverse_size(y, eps)
        y *= spread(scale, y)
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,), (y, scale) = grads, ctx.saved_tensors
        # y = a s with s = (mean a^2 + eps)^(-1/2):  da = s (dy - y mean(y dy))
        along = wide(gy * y).mean(1, keepdim=True).to(y.dtype)
        gx = torch.addcmul(gy, y, spread(along, y), value=-1).mul_(spread(scale, y))
        gx = _ActGrad.apply(gx, y)
        return gx, _bias_gradient(ctx, gx), None
