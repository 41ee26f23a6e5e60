"""What the other systems share: the interface of a generator and a critic, the sizes, and the layers of a level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Size = tuple[int, int]           # (frames, resolution)

COLOURS = 3
CHANNELS = (512, 256, 128, 64)   # at 4, 8, 16 and 32 pixels, of every generator and critic here
BASE = 4                         # pixels of the first level
PIXELS = (16, 32, 64)


def check_size(system: str, size: Size) -> None:
    """Raise ValueError, naming the size, where a system cannot have clips of that (frames, resolution)."""
    frames, resolution = size
    name = f"{frames} frames of {resolution}x{resolution} pixels"
    if resolution not in PIXELS:
        raise ValueError(f"{system} has no clips of {name}; allowed: {', '.join(map(str, PIXELS))} pixels")
    least = resolution // BASE
    if system != "mocogan" and frames < least:        # its levels halve time as often as space
        raise ValueError(f"{system} has no clips of {name}; allowed at {resolution} pixels: {least} frames or more")


def levels(size: Size) -> int:
    """How often the resolution doubles from 4 pixels: 2, 3 or 4."""
    return (size[1] // BASE).bit_length() - 1


class Generator(nn.Module, ABC):
    """z (N, latent_dim), standard normal -> clips (N, 3, T, R, R) in [-1, 1]. Everything random is in z.

    In the two steps that pvswgan.networks.Generator has, so that truncation, directions and projection work alike:
    `start`, the activations of the first level, (N, *base), and `grow`, the rest. `stage` and `alpha` are there for the
    same reason: there is one stage only. parts: slices of z by name, where its parts do different things.
    """

    base: tuple[int, int, int, int]      # (C, T0, 4, 4) of `start`
    replicate = False                    # pvswgan.networks: whether the end frames are repeated in time
    dense_scale = 1.0
    dtype = torch.float32

    def __init__(self, size: Size, latent_dim: int, parts: dict[str, slice] | None = None) -> None:
        super().__init__()
        self.sizes = [(int(size[0]), int(size[1]))]
        self.latent_dim = latent_dim
        self.parts = parts or {}

    def forward(self, z: Tensor, stage: int | None = None, alpha: float = 1.0) -> Tensor:
        return self.grow(self.start(z))

    @abstractmethod
    def start(self, z: Tensor) -> Tensor:
        """The activations of the first level, (N, *base)."""

    def grow(self, x: Tensor, stage: int | None = None, alpha: float = 1.0) -> Tensor:
        return self.masked(x)[0]

    @abstractmethod
    def masked(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """From the first level to (clips, the foreground's mask (N, 1, T, R, R) in 0..1; None where it has none)."""

    @property
    @abstractmethod
    def dense(self) -> Tensor:
        """The matrix (rows, latent_dim) that z meets first: what SeFa looks at (directions.py)."""


class Critic(nn.Module, ABC):
    """Clips (N, 3, T, R, R) -> scores, a tensor for each of its discriminators, the video's first; high: real.

    draw: where a critic sees only a part of a clip, from this CPU generator it draws which."""

    @abstractmethod
    def forward(self, x: Tensor, draw: torch.Generator) -> list[Tensor]: ...


def matrix(first: nn.Module) -> Tensor:
    """The weights of a layer that latents meet, as a matrix (rows, latents)."""
    weight = first.weight
    assert isinstance(weight, Tensor)
    return weight if isinstance(first, nn.Linear) else weight.flatten(1).T      # transposed: (latents, C, ...)


def up3d(widths: Sequence[int]) -> nn.Sequential:
    """Levels that double time and space: transposed convolution, BatchNorm, ReLU."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.ConvTranspose3d(a, b, 4, 2, 1), nn.BatchNorm3d(b), nn.ReLU(True)]
    return nn.Sequential(*layers)


def up2d(widths: Sequence[int], bias: bool = True) -> nn.Sequential:
    """Levels that double space: transposed convolution, BatchNorm, ReLU."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=bias), nn.BatchNorm2d(b), nn.ReLU(True)]
    return nn.Sequential(*layers)


def down3d(widths: Sequence[int]) -> nn.Sequential:
    """Levels that halve time and space: convolution, BatchNorm (not at the first), LeakyReLU. 3 -> widths[0] -> ..."""
    layers: list[nn.Module] = []
    for a, b in zip((COLOURS, *widths), widths, strict=False):
        layers += [nn.Conv3d(a, b, 4, 2, 1), *([nn.BatchNorm3d(b)] if layers else []), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers)


def to_frames(x: Tensor) -> Tensor:
    """(N, C, T, H, W) -> (N T, C, H, W), for layers that see a frame at a time."""
    return x.transpose(1, 2).flatten(0, 1)


def to_clips(x: Tensor, n: int) -> Tensor:
    """(N T, C, H, W) -> (N, C, T, H, W), the inverse of to_frames."""
    return x.unflatten(0, (n, -1)).transpose(1, 2)
