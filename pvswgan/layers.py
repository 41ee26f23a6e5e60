"""The layers of the progressive GANs (Karras et al. 2018), in 3-D: equalised weights, pixel norm, minibatch stddev."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pvswgan import conv
from pvswgan.activation import SLOPE, wide

SQRT2 = math.sqrt(2)
Triple = tuple[int, int, int]
After = Callable[[Tensor, Tensor], Tensor]


class Conv(nn.Module):
    """A convolution with an equalised learning rate: weights ~ N(0, 1), multiplied by gain/sqrt(fan_in) when used.

    (N, in, T, H, W) -> (N, out, T', H', W'). `up` and `down` are the factors (T, H, W), ones and twos, by which it
    enlarges before or averages after the convolution, in one fused operation. `after` takes the result and the bias:
    add_bias, or what activation.py has. `replicate`: before the first and after the last frame stands that frame once
    more (kernels of 3, not with `down`); else zeros, as everywhere in space.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, gain: float = SQRT2,
                 up: Triple = (1, 1, 1), down: Triple = (1, 1, 1), after: After | None = None,
                 replicate: bool = False) -> None:
        super().__init__()
        self.up, self.down, self.after, self.replicate = up, down, after or add_bias, replicate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**3)

    def forward(self, x: Tensor) -> Tensor:
        w = (self.weight * self.scale).to(x.dtype)
        if self.up != (1, 1, 1):
            y = conv.conv_up(x, w, self.up, self.replicate)
        elif self.down != (1, 1, 1):
            y = conv.conv_down(x, w, self.down)
        else:
            y = conv.conv3d_same(x, w, self.replicate)
        return self.after(y, self.bias)


class Pointwise(Conv):
    """A Conv of one voxel, with its bias alone after it: (N, in, T, H, W) -> (N, out, T, H, W). On a CPU it is a
    product of matrices, which takes a third of the time and, at any derivative, leaves the channels innermost."""

    def __init__(self, inputs: int, outputs: int, gain: float = SQRT2) -> None:
        super().__init__(inputs, outputs, kernel=1, gain=gain)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        w = (self.weight * self.scale).flatten(1)
        return nn.functional.linear(x.movedim(1, -1), w, self.bias).movedim(-1, 1)


class Linear(nn.Module):
    """A dense layer with an equalised learning rate. (N, inputs) -> (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, gain: float = SQRT2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight * self.scale, self.bias)


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """x (N, C, T, H, W) plus one number a channel, in x's dtype."""
    return x + bias.to(x.dtype).view(-1, 1, 1, 1)


def leaky_relu(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)


def pixel_norm(x: Tensor, eps: float = 1e-8) -> Tensor:
    """Each voxel's feature vector brought to unit mean square (Karras et al. 2018, 4.2). (N, C, ...) -> same."""
    # Squares are summed in float32: in bfloat16 a sum over 128 channels would lose its last addends.
    return x * torch.rsqrt(wide(x).square().mean(1, keepdim=True) + eps).to(x.dtype)


def minibatch_stddev(x: Tensor, group: int = 4, parts: int = 1, eps: float = 1e-8) -> Tensor:
    """Append a map that holds each group's mean standard deviation. (N, C, T, H, W) -> (N, C+1, T, H, W).

    Clip i is grouped with those of equal index modulo N/group, as in the released code. `parts`: x holds that many
    batches one after another (reals, then fakes), each grouped by itself. Raises ValueError where a batch is not a
    multiple of its group.
    """
    n = x.shape[0] // parts
    group = min(group, n)
    if n % group or x.shape[0] % parts:
        raise ValueError(f"minibatch stddev: a batch of {n} clips cannot be split into groups of {group}; "
                         f"allowed: a multiple of network.mbstd_group, or fewer clips than one group")
    y = wide(x).view(parts, group, n // group, *x.shape[1:])
    y = y - y.mean(1, keepdim=True)
    y = (y.square().mean(1) + eps).sqrt()                       # (parts, N/G, C, T, H, W)
    y = y.mean([2, 3, 4, 5], keepdim=True)                      # one scalar a group
    y = y.unsqueeze(1).expand(parts, group, n // group, 1, 1, 1, 1)
    y = y.reshape(x.shape[0], 1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
    return torch.cat([x, y.to(x.dtype)], 1)
