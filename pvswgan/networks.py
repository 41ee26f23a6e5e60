"""Generator and discriminator that grow in space and time (Acharya et al. 2018, section 3; the released code).

Both are built whole, with the layers of every stage, and called with the stage they have reached and with alpha,
how far that stage has faded in. Clips are (N, 3, T, H, W) in [-1, 1]; T, H and W are those of the stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pvswgan.activation import bias_act, bias_act_norm, leaky, wide
from pvswgan.conv import enlarge, shrink
from pvswgan.growth import check_sizes, factors
from pvswgan.layers import SQRT2, Conv, Linear, Pointwise, leaky_relu, minibatch_stddev, pixel_norm

COLOURS = 3


def channels(resolution: int, fmap_base: int, fmap_max: int) -> int:
    """Feature channels at a resolution: fmap_base / 2^(log2 H - 1), at most fmap_max, at least 1."""
    return max(1, min(fmap_base * 2 // resolution, fmap_max))


def feature_size(fmap_base: int, fmap_max: int) -> int:
    """Length of the discriminator's feature vector f(x)."""
    return min(fmap_base, fmap_max)


class Network(nn.Module):
    """What both share. With `checkpointing` the two convolutions of each stage, and with the last stage's the colours,
    keep their input alone and are computed again in the backward pass: the same numbers, less memory, more time."""

    checkpointing = False

    def _part(self, part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if not (self.checkpointing and torch.is_grad_enabled()):
            return part(x)
        # Not the reentrant kind: that has no second derivative, which the gradient penalty takes.
        return checkpoint(part, x, use_reentrant=False, preserve_rng_state=False)


class Generator(Network):
    """z (N, latent_dim), brought to a sphere by its pixel norm -> clips (N, 3, T, H, W), linear colours (no tanh).

    sizes: (frames, resolution) of each stage, as GrowthPlan.sizes. still (not in the paper): all frames of the first
    layer begin alike, and in time the end frames are repeated (`replicate`) where the released code has zeros. `dtype`
    is what the 3x3x3 convolutions compute in (float32 or bfloat16); weights, first layer and colours stay float32.
    """

    dtype = torch.float32

    def __init__(self, sizes: Sequence[tuple[int, int]], latent_dim: int = 128, fmap_base: int = 1024,
                 fmap_max: int = 128, still: bool = False) -> None:
        super().__init__()
        check_sizes(sizes)
        self.sizes = [(int(t), int(r)) for t, r in sizes]
        self.latent_dim, self.replicate = latent_dim, still
        self.parts: dict[str, slice] = {}       # of z, by name: here it has none (pvswgan.baselines has one that does)
        width = [channels(r, fmap_base, fmap_max) for _, r in self.sizes]
        self.base = (width[0], self.sizes[0][0], self.sizes[0][1], self.sizes[0][1])
        first = torch.randn(width[0], 1 if still else self.base[1], self.base[2] ** 2, latent_dim)
        self.dense = nn.Parameter(first.expand(-1, self.base[1], -1, -1).reshape(-1, latent_dim))
        self.dense_bias = nn.Parameter(torch.zeros(width[0]))    # one a channel, not one a unit
        self.dense_scale = SQRT2 / 4 / latent_dim**0.5
        self.first = Conv(width[0], width[0], after=bias_act_norm, replicate=still)
        self.blocks = nn.ModuleList()
        for i in range(1, len(self.sizes)):
            up = factors(self.sizes[i - 1], self.sizes[i])
            self.blocks.append(nn.ModuleList([Conv(width[i - 1], width[i], up=up, after=bias_act_norm, replicate=still),
                                              Conv(width[i], width[i], after=bias_act_norm, replicate=still)]))
        self.to_rgb = nn.ModuleList(Pointwise(w, COLOURS, gain=1) for w in width)

    def forward(self, z: Tensor, stage: int | None = None, alpha: float = 1.0) -> Tensor:
        """Clips of `stage` (default: the last) whose layers have faded in by `alpha`."""
        return self.grow(self.start(z), stage, alpha)

    def start(self, z: Tensor) -> Tensor:
        """The first layer's activations, (N, C, T0, H0, W0): where latents.py truncates and looks for directions."""
        x = nn.functional.linear(pixel_norm(z), self.dense * self.dense_scale).view(-1, *self.base)
        return pixel_norm(leaky_relu(x + self.dense_bias.view(-1, 1, 1, 1)))

    def grow(self, x: Tensor, stage: int | None = None, alpha: float = 1.0) -> Tensor:
        """From the first layer's activations to clips."""
        stage = len(self.sizes) - 1 if stage is None else stage
        x = self.first(to_layout(x).to(self.dtype))
        if stage == 0:
            return self.to_rgb[0](wide(x))
        for block in self.blocks[: stage - 1]:
            x = self._part(partial(_features, block), x)
        return self._part(partial(self._last, stage, alpha), x)

    def _last(self, stage: int, alpha: float, before: Tensor) -> Tensor:
        """The last stage's block and the colours, from the features of the stage before."""
        rgb = self.to_rgb[stage](wide(_features(self.blocks[stage - 1], before)))
        if alpha < 1:
            up = factors(self.sizes[stage - 1], self.sizes[stage])
            rgb = torch.lerp(enlarge(self.to_rgb[stage - 1](wide(before)), up), rgb, alpha)
        return rgb


class Discriminator(Network):
    """Clips (N, 3, T, H, W) -> feature vectors f(x) (N, F), F = min(fmap_base, fmap_max).

    The mirror of the generator; a head of losses.py makes a score of f(x). `dtype` as in the generator: colours come
    in and features go out in float32.
    """

    dtype = torch.float32

    def __init__(self, sizes: Sequence[tuple[int, int]], fmap_base: int = 1024, fmap_max: int = 128,
                 mbstd_group: int = 4) -> None:
        super().__init__()
        check_sizes(sizes)
        self.sizes = [(int(t), int(r)) for t, r in sizes]
        self.mbstd_group = mbstd_group
        self.features = feature_size(fmap_base, fmap_max)
        width = [channels(r, fmap_base, fmap_max) for _, r in self.sizes]
        self.from_rgb = nn.ModuleList(Pointwise(COLOURS, w) for w in width)
        self.blocks = nn.ModuleList()
        for i in range(1, len(self.sizes)):
            down = factors(self.sizes[i - 1], self.sizes[i])
            self.blocks.append(nn.ModuleList([Conv(width[i], width[i], after=bias_act),
                                              Conv(width[i], width[i - 1], down=down, after=bias_act)]))
        self.last = Conv(width[0] + 1, width[0], after=bias_act)
        frames, resolution = self.sizes[0]
        self.dense = Linear(width[0] * frames * resolution**2, self.features)

    def forward(self, x: Tensor, stage: int | None = None, alpha: float = 1.0, parts: int = 1) -> Tensor:
        """`parts`: x holds that many batches one after another, each with its own minibatch statistics."""
        stage = len(self.sizes) - 1 if stage is None else stage
        x = to_layout(x)
        y = self._part(partial(self._first, stage, alpha), x) if stage else self._enter(0, x)
        for i in range(stage - 1, 0, -1):
            y = self._part(partial(self.level, i), y)
        y = minibatch_stddev(y, self.mbstd_group, parts)
        y = self.last(y).flatten(1)
        return leaky_relu(self.dense(wide(y)))

    def _first(self, stage: int, alpha: float, x: Tensor) -> Tensor:
        """The colours and the newest stage's layers: clips -> features of the size before."""
        y = self.level(stage, self._enter(stage, x))
        if alpha < 1:
            small = shrink(x, factors(self.sizes[stage - 1], self.sizes[stage]))
            y = torch.lerp(self._enter(stage - 1, small), y, alpha)
        return y

    def _enter(self, stage: int, x: Tensor) -> Tensor:
        # Mixed in float32: bfloat16 has 8 bits, too few for colours.
        return leaky(self.from_rgb[stage](x).to(self.dtype))

    def level(self, i: int, y: Tensor) -> Tensor:
        """The layers that stage i added: features of its size -> features of the size before."""
        for layer in self.blocks[i - 1].children():
            y = layer(y)
        return y


def blend_real(x: Tensor, before: tuple[int, int], after: tuple[int, int], alpha: float) -> Tensor:
    """Reals as they are shown while a stage fades in: blended with their own down-then-up-sampled version in the axes
    that the stage grows. x (N, 3, T, H, W) of the new size."""
    up = factors(before, after)
    return torch.lerp(enlarge(shrink(x, up), up), x, alpha)


def temporal_contrast(x: Tensor, contrast: float) -> Tensor:
    """Clips (N, 3, T, H, W) with their difference from the mean over time `contrast` times as large; 1: x itself.

    Not in the paper. A critic whose slope is held to 1 tells movement from standing still by no more than the little
    that it changes the pixels; between clips seen with more contrast the distance of what moves counts for more. It can
    be undone, so nothing is hidden from the critic.
    """
    if contrast == 1 or x.shape[2] == 1:
        return x
    return torch.lerp(x.mean(2, keepdim=True), x, contrast)


def to_layout(x: Tensor) -> Tensor:
    """(N, C, T, H, W) with the channels innermost in memory, which is where the fast kernels are. One fixed layout
    everywhere, since the last bits of a float32 convolution depend on it."""
    return x.contiguous(memory_format=torch.channels_last_3d)


def _features(block: nn.Module, x: Tensor) -> Tensor:
    for layer in block.children():
        x = layer(x)
    return x
