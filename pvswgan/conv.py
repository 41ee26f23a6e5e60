"""3-D convolution with a fast second derivative, and its fused up- and down-scaling forms.

A gradient penalty differentiates a convolution twice. PyTorch's own double backward of conv3d does that by
convolutions of odd shapes (batch as channels), which no library has a fast kernel for. But the three maps

    conv(x, w),   input_grad(y, w),   weight_grad(y, x)

are linear in each argument and are each other's derivatives, so three autograd Functions that call one another
give derivatives of every order from the three kernels that cuDNN and oneDNN are fast at. Karras et al. do the
same in 2-D for StyleGAN2.

A clip can have its end frames repeated in time in place of zeros (Geometry.ends). It is made longer by a frame at each
end, or what such a clip gives is folded back: a copy, but one kernel. (Adding by itself what an end frame gives to one
more tap needs none, and takes longer: docs/ARCHITECTURE.md.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

Triple = tuple[int, int, int]
Ends = Literal["", "input", "output"]


@dataclass(frozen=True)
class Geometry:
    """Stride and zero padding of a convolution, each as (T, H, W). `ends`: whose end frames in time are repeated, those
    of its "input" (kernels of 3 in time, stride 1), of its "output" (which is what a transposed convolution takes), or
    "" of neither."""

    stride: Triple
    padding: Triple
    ends: Ends = ""

    @property
    def padded(self) -> Triple:
        """The zeros that are left to a convolution from and to the longer clips."""
        time = {"": 0, "input": -1, "output": self.stride[0]}[self.ends]
        return self.padding[0] + time, *self.padding[1:]


_weight_gradients = True


@contextmanager
def input_gradients_only() -> Iterator[None]:
    """Inside, a backward pass leaves out the weight gradients of these convolutions.

    For torch.autograd.grad with respect to the input, as a gradient penalty needs it: a custom Function is not
    told that nobody asked for its weight gradient, and would compute it in vain.
    """
    global _weight_gradients
    before, _weight_gradients = _weight_gradients, False
    try:
        yield
    finally:
        _weight_gradients = before


def weight_gradients() -> bool:
    """Whether a backward pass computes weight gradients: not inside input_gradients_only."""
    return _weight_gradients


def conv3d(x: Tensor, w: Tensor, stride: Triple = (1, 1, 1), padding: Triple = (0, 0, 0)) -> Tensor:
    """Cross-correlation of x (N, C, T, H, W) with w (D, C, kT, kH, kW), differentiable to any order."""
    return _Conv.apply(x, w, Geometry(stride, padding))


def conv3d_same(x: Tensor, w: Tensor, repeat: bool = False) -> Tensor:
    """conv3d for odd kernels that keeps T, H and W. `repeat`, for kernels of 3 in time: before the first and after the
    last frame stands that frame once more, not zeros."""
    kt, kh, kw = w.shape[2:]
    # Once a pass, with the channels innermost as the clips have them: each of its convolutions would do it again.
    w = w.contiguous(memory_format=torch.channels_last_3d)
    return _Conv.apply(x, w, Geometry((1, 1, 1), (kt // 2, kh // 2, kw // 2), "input" if repeat else ""))


def conv_up(x: Tensor, w: Tensor, factors: Triple, repeat: bool = False) -> Tensor:
    """Nearest enlargement of x by `factors` (ones and twos), then conv3d_same with w (D, C, 3, 3, 3): in one
    transposed convolution. x (N, C, T, H, W) -> (N, D, T*f0, H*f1, W*f2). `repeat` as there."""
    # y[2i+p] = sum_k w[k] x[(2i+p+k-1)//2]: the taps that meet the same input pixel add up, which is what
    # widening does. The transposed convolution reads its kernel backwards, with the channels exchanged.
    kernel = widen(w.transpose(0, 1), factors, backwards=True)
    out = [n * f for n, f in zip(x.shape[2:], factors, strict=True)]
    geometry = Geometry(factors, (1, 1, 1), "output" if repeat else "")
    return _InputGrad.apply(x, kernel, geometry, torch.Size([x.shape[0], w.shape[0], *out]))


def conv_down(x: Tensor, w: Tensor, factors: Triple) -> Tensor:
    """conv3d_same with w (D, C, 3, 3, 3), then the average over `factors` (ones and twos): in one strided
    convolution. x (N, C, T, H, W) -> (N, D, T/f0, H/f1, W/f2)."""
    scale = 1 / (factors[0] * factors[1] * factors[2])
    return conv3d(x, widen(w, factors, scale=scale), stride=factors, padding=(1, 1, 1))


def widen(w: Tensor, factors: Triple, backwards: bool = False, scale: float = 1.0) -> Tensor:
    """The kernel w (., ., 3, 3, 3) added to itself shifted by one, in each axis whose factor is 2: 3 -> 4 taps; times
    `scale`, and `backwards` in all three axes, if it is to be. In one product of matrices, that leaves the channels of
    the second axis innermost, as convolutions want them: shifting, adding, turning and copying took a tenth of a step
    where layers are wide and clips are small."""
    if any(factor not in (1, 2) for factor in factors):
        raise ValueError(f"scale factors must be 1 or 2 in each axis, got {tuple(factors)}")
    taps = _taps(tuple(factors), backwards, scale, w.device, w.dtype)
    wide = taps @ w.flatten(2).transpose(1, 2)                      # (., taps, .)
    return wide.unflatten(1, [2 + factor for factor in factors]).movedim(4, 1)


@lru_cache(maxsize=64)
def _taps(factors: Triple, backwards: bool, scale: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(taps of the wide kernel, 27): which taps of a kernel of 3x3x3 each of them is the sum of, times scale."""
    with torch.inference_mode(False), torch.device("cpu"):           # kept, whoever asks first
        whole = torch.full((1, 1), scale, dtype=torch.float64)
        for factor in factors:
            one = torch.eye(2 + factor, 3, dtype=torch.float64)
            one = one if factor == 1 else one + one.roll(1, 0)
            whole = torch.kron(whole, one.flip(0) if backwards else one)
        return whole.to(device, dtype)


def enlarge(x: Tensor, factors: Triple) -> Tensor:
    """Nearest enlargement by whole factors: (N, C, T, H, W) -> (N, C, T*f0, H*f1, W*f2)."""
    for axis, factor in enumerate(factors, start=2):
        if factor != 1:
            x = x.repeat_interleave(factor, axis)
    return x


def shrink(x: Tensor, factors: Triple) -> Tensor:
    """The mean over blocks of `factors`: (N, C, T, H, W) -> (N, C, T/f0, H/f1, W/f2), in x's own dtype."""
    if tuple(factors) == (1, 1, 1):
        return x
    wide = x.float() if x.dtype == torch.bfloat16 else x            # the CPU has no bfloat16 pooling
    return torch.nn.functional.avg_pool3d(wide, tuple(factors)).to(x.dtype)


# ---- the three maps -----------------------------------------------------------------------------------------------


class _Conv(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.geometry = geometry
        return _conv(x, w, geometry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,) = grads
        x, w = ctx.saved_tensors
        gx = _InputGrad.apply(gy, w, ctx.geometry, x.shape) if ctx.needs_input_grad[0] else None
        wanted = ctx.needs_input_grad[1] and _weight_gradients
        gw = _WeightGrad.apply(gy, x, ctx.geometry, w.shape) if wanted else None
        return gx, gw, None


class _InputGrad(Function):
    """The derivative of conv in x, applied to gy: also a transposed convolution in its own right."""

    @staticmethod
    def forward(ctx: Any, gy: Tensor, w: Tensor, geometry: Geometry, x_shape: torch.Size) -> Tensor:
        ctx.save_for_backward(gy, w)
        ctx.geometry = geometry
        return _input_grad(gy, w, geometry, x_shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (ggx,) = grads
        gy, w = ctx.saved_tensors
        ggy = _Conv.apply(ggx, w, ctx.geometry) if ctx.needs_input_grad[0] else None
        wanted = ctx.needs_input_grad[1] and _weight_gradients
        gw = _WeightGrad.apply(gy, ggx, ctx.geometry, w.shape) if wanted else None
        return ggy, gw, None, None


class _WeightGrad(Function):
    """The derivative of conv in w, applied to gy."""

    @staticmethod
    def forward(ctx: Any, gy: Tensor, x: Tensor, geometry: Geometry, w_shape: torch.Size) -> Tensor:
        ctx.save_for_backward(gy, x)
        ctx.geometry = geometry
        return _weight_grad(gy, x, geometry, w_shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (ggw,) = grads
        gy, x = ctx.saved_tensors
        ggy = _Conv.apply(x, ggw, ctx.geometry) if ctx.needs_input_grad[0] else None
        gx = _InputGrad.apply(gy, ggw, ctx.geometry, x.shape) if ctx.needs_input_grad[1] else None
        return ggy, gx, None, None


def _conv(x: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
    x = longer(x) if geometry.ends == "input" else x
    y = torch.ops.aten.convolution(x, w, None, geometry.stride, geometry.padded, (1, 1, 1), False, (0, 0, 0), 1)
    return _fold(y) if geometry.ends == "output" else y


def _input_grad(gy: Tensor, w: Tensor, geometry: Geometry, x_shape: torch.Size) -> Tensor:
    gy = longer(gy) if geometry.ends == "output" else gy
    frames = x_shape[2] + 2 * (geometry.ends == "input")
    # What the stride left over: rows at the far end that no output saw.
    extra = [n - ((g - 1) * s - 2 * p + k) for n, g, s, p, k in
             zip((frames, *x_shape[3:]), gy.shape[2:], geometry.stride, geometry.padded, w.shape[2:], strict=True)]
    gx = torch.ops.aten.convolution(gy, w, None, geometry.stride, geometry.padded, (1, 1, 1), True, extra, 1)
    return _fold(gx) if geometry.ends == "input" else gx


def _weight_grad(gy: Tensor, x: Tensor, geometry: Geometry, w_shape: torch.Size) -> Tensor:
    gy = longer(gy) if geometry.ends == "output" else gy
    x = longer(x) if geometry.ends == "input" else x
    padding = geometry.padded
    if gy.device.type == "cpu" and not all(
            -p % s + k <= n for n, k, s, p in zip(x.shape[2:], w_shape[2:], geometry.stride, padding, strict=True)):
        # oneDNN's kernels for this read memory that they have not written, and write past its end, in clips so short
        # that no place of the kernel lies wholly inside (-p % s: the first one that begins inside): in bfloat16 those
        # of two frames, in float32 too those of four that were made of two with repeated ends (torch 2.13, measured).
        # With the zeros written out all places lie inside.
        x = torch.nn.functional.pad(x, [p for p in reversed(padding) for _ in range(2)])
        padding = (0, 0, 0)
    like = gy.new_empty(1).expand(w_shape)
    return torch.ops.aten.convolution_backward(gy, x, like, None, geometry.stride, padding, (1, 1, 1),
                                               False, (0, 0, 0), 1, (False, True, False))[1]


def longer(x: Tensor) -> Tensor:
    """A clip (N, C, T, H, W) with its first and its last frame once more."""
    return torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)


def _fold(x: Tensor) -> Tensor:
    """What is due to the frames of a longer clip, due to those of the clip: a view of x, which is changed."""
    inner = x.narrow(2, 1, x.shape[2] - 2)
    inner[:, :, :1] += x[:, :, :1]
    inner[:, :, -1:] += x[:, :, -1:]
    return inner
