"""The generator made ready to draw: the same pictures as Generator.grow, sooner, for a page that answers a slider.

Scaling, widening and converting the weights at every call costs more than the convolutions of a single small clip. Here
that is done once, the bias goes into the convolution, and the activations are changed in place. Nothing can be trained.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvswgan.activation import inverse_size, spread
from pvswgan.baselines import Generator as OtherGenerator
from pvswgan.conv import Ends, Geometry, Triple, enlarge, longer, widen
from pvswgan.growth import factors
from pvswgan.layers import Conv
from pvswgan.networks import Generator, to_layout

CLEARLY = 1.3     # a processor with bfloat16 units is faster with them, one without several times slower: less is noise


class Renderer:
    """Generator.grow for a fixed generator, with its 3x3x3 convolutions in `dtype`."""

    def __init__(self, generator: Generator, dtype: torch.dtype) -> None:
        self.sizes, self.dtype = generator.sizes, dtype
        self.first = _Ready(generator.first, dtype)
        self.blocks = [[_Ready(layer, dtype) for layer in block.children()] for block in generator.blocks.children()]
        self.colours = [_ready_colours(layer) for layer in generator.to_rgb.children()]

    @torch.inference_mode()
    def __call__(self, x: Tensor, stage: int, alpha: float = 1.0) -> Tensor:
        """First-layer activations (N, C, T0, H0, W0) -> clips (N, 3, T, H, W), not yet clamped."""
        x = before = self.first(to_layout(x).to(self.dtype))
        for block in self.blocks[:stage]:
            before = x
            for layer in block:
                x = layer(x)
        rgb = self._colour(stage, x)
        if stage > 0 and alpha < 1:
            up = factors(self.sizes[stage - 1], self.sizes[stage])
            rgb = torch.lerp(enlarge(self._colour(stage - 1, before), up), rgb, alpha)
        return rgb

    def _colour(self, stage: int, x: Tensor) -> Tensor:
        weight, bias = self.colours[stage]
        return F.linear(x.permute(0, 2, 3, 4, 1).float(), weight, bias).permute(0, 4, 1, 2, 3)


class Plain:
    """Another system's generator (pvswgan.baselines), as it is and in float32."""

    def __init__(self, generator: OtherGenerator) -> None:
        self.generator = generator

    @torch.inference_mode()
    def __call__(self, x: Tensor, stage: int, alpha: float = 1.0) -> Tensor:
        return self.generator.grow(x, stage, alpha)


class _Ready:
    """One convolution with its weights as the kernel wants them, then LeakyReLU and pixel norm in place."""

    @torch.no_grad()
    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        assert isinstance(layer, Conv)
        weight = (layer.weight * layer.scale).to(dtype)
        self.up, self.bias = layer.up, layer.bias.detach().to(dtype)
        self.weight = _ready_weight(weight, self.up)
        self.replicate = layer.replicate
        ends: Ends = ("input" if self.up == (1, 1, 1) else "output") if self.replicate else ""
        self.padding = Geometry(self.up, (1, 1, 1), ends).padded

    def __call__(self, x: Tensor) -> Tensor:
        x = longer(x) if self.replicate else x
        y = F.leaky_relu_(_convolve(x, self.weight, self.up, self.bias, self.padding), 0.2)
        return y.mul_(spread(inverse_size(y), y))


def _ready_weight(weight: Tensor, up: Triple) -> Tensor:
    return to_layout(weight if up == (1, 1, 1) else widen(weight.transpose(0, 1), up, backwards=True))


def _convolve(x: Tensor, weight: Tensor, up: Triple, bias: Tensor, padding: Triple) -> Tensor:
    """conv3d, after enlarging by `up`. PyTorch sends a float32 batch of one on a CPU to its own kernel, which is 10 to
    20 times slower than oneDNN's; so that one is called by name."""
    ones = (1, 1, 1)
    if up != ones:
        return F.conv_transpose3d(x, weight, bias, stride=up, padding=padding)
    if len(x) == 1 and x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        return torch.ops.aten.mkldnn_convolution(x, weight, bias, padding, ones, ones, 1)
    return F.conv3d(x, weight, bias, padding=padding)


def quickest(generator: Generator, x: Tensor, stage: int) -> Renderer:
    """The renderer in the number format that draws `x` sooner on this machine."""
    if x.device.type != "cpu":
        return Renderer(generator, torch.bfloat16)
    if torch.backends.mkldnn.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        # Emulated, one clip takes minutes: too long even to try.
        return Renderer(generator, torch.float32)
    half, full = Renderer(generator, torch.bfloat16), Renderer(generator, torch.float32)
    seconds = {half: float("inf"), full: float("inf")}
    for trial in range(4):                             # in turn and the least of each: other work comes and goes
        for renderer in (half, full):
            begin = time.perf_counter()
            renderer(x, stage)
            if trial:
                seconds[renderer] = min(seconds[renderer], time.perf_counter() - begin)
    return full if seconds[half] > CLEARLY * seconds[full] else half


@torch.no_grad()
def _ready_colours(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, Conv)
    return (layer.weight * layer.scale).flatten(1), layer.bias.detach().clone()
