"""The arithmetic and the memory traffic of a training step, layer by layer: what it cannot do without.

Counted are the multiplications of the fused algorithm (an enlarging or shrinking convolution is one strided kernel
with 4 taps in each axis that it scales), and each layer's input, weights and output once: bias, activation and
normalisation are taken to happen on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from pvswgan.growth import factors
from pvswgan.networks import COLOURS, channels, feature_size
from train.config import Config


@dataclass(frozen=True)
class Layer:
    """One convolution or dense layer, for one clip: floating-point operations, and elements of its three tensors."""

    flops: float
    inputs: int
    weights: int
    outputs: int
    images: bool = False        # its input or output are colours, which stay float32


def generator_layers(config: Config, stage: int) -> list[Layer]:
    """The layers that a fully faded-in generator runs at that stage."""
    net, sizes = config.network, config.plan().sizes[: stage + 1]
    width = [channels(r, net.fmap_base, net.fmap_max) for _, r in sizes]
    first = width[0] * _voxels(sizes[0])
    layers = [_dense(net.latent_dim, first), *_body(sizes, width), _conv(width[0], width[0], sizes[0])]
    return [*layers, _rgb(width[stage], sizes[stage])]


def critic_layers(config: Config, stage: int) -> list[Layer]:
    """The layers of the discriminator at that stage; its head is too small to count."""
    net, sizes = config.network, config.plan().sizes[: stage + 1]
    width = [channels(r, net.fmap_base, net.fmap_max) for _, r in sizes]
    first = width[0] * _voxels(sizes[0])
    features = feature_size(net.fmap_base, net.fmap_max)
    return [_rgb(width[stage], sizes[stage]), *_body(sizes, width), _conv(width[0] + 1, width[0], sizes[0]),
            _dense(first, features)]


def step_flops(config: Config, stage: int) -> float:
    """Floating-point operations of one step (critic with its penalty, generator) a clip."""
    return sum(passes * clips * layer.flops for layer, passes, clips in step_layers(config, stage))


def shares(config: Config) -> list[float]:
    """A step's work a clip at each stage, to scale times by from one stage to the next. Another system has one stage,
    and nothing to scale: its arithmetic is not counted."""
    if config.network.system != "pvswgan":
        return [1.0]
    return [step_flops(config, stage) for stage in range(len(config.plan().stages))]


def convolution_size(config: Config, clips: int, most: int) -> tuple[int, int, int, int, int]:
    """(clips, channels, T, H, W) of the plan's last size with at most so many elements, else of its first: a stage's
    convolution, to be timed."""
    net = config.network
    shapes = [(clips, channels(r, net.fmap_base, net.fmap_max), t, r, r) for t, r in config.plan().sizes]
    return next((shape for shape in reversed(shapes) if prod(shape) <= most), shapes[0])


def passes(config: Config) -> list[int]:
    """How often a step passes through a layer at each stage, whatever the batch. Another system: as in shares."""
    if config.network.system != "pvswgan":
        return [1]
    return [sum(times for _, times, _ in step_layers(config, stage)) for stage in range(len(config.plan().stages))]


def step_layers(config: Config, stage: int) -> list[tuple[Layer, int, int]]:
    """(layer, passes, batches in a pass) of one step: forward, gradient in the input and gradient in the weights cost
    the same."""
    generator = [(layer, passes, 1) for layer in generator_layers(config, stage) for passes in (1, 3)]
    critic = critic_layers(config, stage)
    # Reals and fakes together: forward and both gradients. Mixed clips: forward and input gradient, the derivatives of
    # that (2), and, because minibatch stddev is not piecewise linear, of the forward pass (2). Then the generator's
    # fakes, forward and input gradient. The first layer's input is data: it needs no gradient, but for the penalty.
    return generator + [(layer, passes, clips) for number, layer in enumerate(critic)
                        for passes, clips in ((3 - (number == 0), 2), (6 - (number == 0), 1), (2, 1))]


def _body(sizes: list[tuple[int, int]], width: list[int]) -> list[Layer]:
    """The two convolutions of each stage after the first; the generator's and the critic's cost the same."""
    layers = []
    for i in range(1, len(sizes)):
        scale = factors(sizes[i - 1], sizes[i])
        taps = prod(4 if f == 2 else 3 for f in scale)
        small, large = width[i - 1] * _voxels(sizes[i - 1]), width[i] * _voxels(sizes[i])
        weights = taps * width[i - 1] * width[i]
        layers.append(Layer(2.0 * weights * _voxels(sizes[i - 1]), small, weights, large))
        layers.append(_conv(width[i], width[i], sizes[i]))
    return layers


def _conv(inputs: int, outputs: int, size: tuple[int, int]) -> Layer:
    voxels, weights = _voxels(size), 27 * inputs * outputs
    return Layer(2.0 * weights * voxels, inputs * voxels, weights, outputs * voxels)


def _rgb(width: int, size: tuple[int, int]) -> Layer:
    voxels, weights = _voxels(size), COLOURS * width
    return Layer(2.0 * weights * voxels, COLOURS * voxels, weights, width * voxels, images=True)


def _dense(inputs: int, outputs: int) -> Layer:
    return Layer(2.0 * inputs * outputs, inputs, inputs * outputs, outputs)


def _voxels(size: tuple[int, int]) -> int:
    return size[0] * size[1] ** 2
