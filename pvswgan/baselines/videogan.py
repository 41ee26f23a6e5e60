"""VideoGAN (Vondrick, Pirsiavash, Torralba 2016, "Generating Videos with Scene Dynamics"): a moving foreground over a
background that stands still; or one stream for all of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvswgan.baselines.system import CHANNELS, COLOURS, Critic, Generator, Size, down3d, levels, matrix, up2d, up3d

LATENT = 100


class OneStream(Generator):
    """z -> k(T0, 4, 4), 512 channels -> levels that double time and space -> tanh. T0 = 4 T / R: 2 for 32 x 64 x 64."""

    def __init__(self, size: Size) -> None:
        super().__init__(size, LATENT)
        widths = CHANNELS[:levels(size)]
        self.frames = size[0] >> levels(size)
        self.base = (widths[0], self.frames, 4, 4)
        self.first = nn.Sequential(nn.ConvTranspose3d(LATENT, widths[0], (self.frames, 4, 4)),
                                   nn.BatchNorm3d(widths[0]), nn.ReLU(True))
        self.body = up3d(widths)
        self.video = nn.ConvTranspose3d(widths[-1], COLOURS, 4, 2, 1)
        self.apply(initialise)

    def start(self, z: Tensor) -> Tensor:
        return self.first(z[:, :, None, None, None])

    def masked(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.video(self.body(x)).tanh(), None

    @property
    def dense(self) -> Tensor:
        return matrix(self.first[0])


class TwoStreams(OneStream):
    """m f + (1 - m) b (equation 2): the one stream is the foreground f, with a second head for the mask m, a sigmoid;
    the background b is one image, the same in all frames.

    `start` holds both first levels, the background's as one more frame after the foreground's.
    """

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        widths = CHANNELS[:levels(size)]
        self.base = (widths[0], self.frames + 1, 4, 4)
        self.mask = nn.ConvTranspose3d(widths[-1], 1, 4, 2, 1)
        self.still_first = nn.Sequential(nn.ConvTranspose2d(LATENT, widths[0], 4), nn.BatchNorm2d(widths[0]),
                                         nn.ReLU(True))
        self.still = nn.Sequential(up2d(widths), nn.ConvTranspose2d(widths[-1], COLOURS, 4, 2, 1), nn.Tanh())
        self.apply(initialise)

    def start(self, z: Tensor) -> Tensor:
        return torch.cat([super().start(z), self.still_first(z[:, :, None, None])[:, :, None]], 2)

    def masked(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        moving, mask, still = self.streams(x)
        return torch.lerp(still[:, :, None], moving, mask), mask

    def streams(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(foreground (N, 3, T, R, R), mask (N, 1, T, R, R) in 0..1, background (N, 3, R, R)) of the first levels."""
        features = self.body(x[:, :, :-1])
        return self.video(features).tanh(), self.mask(features).sigmoid(), self.still(x[:, :, -1])

    @property
    def dense(self) -> Tensor:
        return torch.cat([super().dense, matrix(self.still_first[0])])


class VideoCritic(Critic):
    """3 -> 64 -> 128 -> 256 -> 512 -> two logits, real and not. Their difference is the score: its binary cross-entropy
    is the cross-entropy of the two."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.body = down3d(CHANNELS[:levels(size)][::-1])
        self.last = nn.Conv3d(CHANNELS[0], 2, (size[0] >> levels(size), 4, 4))
        self.apply(initialise)

    def forward(self, x: Tensor, draw: torch.Generator) -> list[Tensor]:
        real, made = self.last(self.body(x)).flatten(1).unbind(1)
        return [real - made]


def initialise(layer: nn.Module) -> None:
    """Weights from N(0, 0.01), no bias at first (the released code)."""
    if isinstance(layer, (nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        nn.init.normal_(layer.weight, std=0.01)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
