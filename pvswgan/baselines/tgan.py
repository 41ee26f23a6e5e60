"""TGAN (Saito, Matsumoto, Saito 2017, "Temporal Generative Adversarial Nets with Singular Value Clipping"): one latent
is turned into a latent for each frame, and both into an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvswgan.baselines.system import (
    CHANNELS,
    COLOURS,
    Critic,
    Generator,
    Size,
    down3d,
    levels,
    matrix,
    to_clips,
    to_frames,
    up2d,
)

LATENT = 100
IMAGE = (*CHANNELS, 32)          # the image generator's channels at 4, 8, 16, 32 and 64 pixels
HALF = CHANNELS[0] // 2          # of its first level's channels z gives one half, the frame's latent the other


class TemporalGenerator(Generator):
    """z0 ~ U(-1, 1) -> latents of the frames -> frames. The z that is given is normal, as everywhere here: its normal
    distribution function makes it uniform.

    `start` is the first level of each frame's image, (N, 512, T, 4, 4).
    """

    def __init__(self, size: Size) -> None:
        super().__init__(size, LATENT)
        frames, _ = size
        self.base = (CHANNELS[0], frames, 4, 4)
        self.times = _times(frames)
        self.slow, self.fast = _dense(), _dense()
        widths = IMAGE[:levels(size) + 1]
        self.body = up2d(widths, bias=False)
        self.colours = nn.ConvTranspose2d(widths[-1], COLOURS, 3, 1, 1)
        for part in (self.slow, self.fast, self.body, self.colours):
            part.apply(initialise)

    def latents(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(z0 (N, 100) in -1..1, the frames' latents (N, 100, T) in -1..1)."""
        z0 = torch.erf(z / 2**0.5)
        return z0, self.times(z0[:, :, None])

    def start(self, z: Tensor) -> Tensor:
        z0, each = self.latents(z)
        slow = self.slow(z0).unflatten(1, (HALF, 1, 4, 4)).expand(-1, -1, each.shape[2], -1, -1)
        fast = self.fast(each.transpose(1, 2).flatten(0, 1)).unflatten(1, (HALF, 4, 4))
        return torch.cat([slow, to_clips(fast, len(z))], 1)

    def masked(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return to_clips(self.colours(self.body(to_frames(x))).tanh(), len(x)), None

    @property
    def dense(self) -> Tensor:
        return torch.cat([matrix(self.times[0]), matrix(self.slow[0])])


def initialise(layer: nn.Module) -> None:
    """Weights of the image generator from U(-0.01, 0.01) (the released code)."""
    if isinstance(layer, (nn.Linear, nn.ConvTranspose2d)):
        nn.init.uniform_(layer.weight, -0.01, 0.01)


def _times(frames: int) -> nn.Sequential:
    """(N, 100, 1) -> (N, 100, T): 512 channels at one instant, then time doubles to 256, 128, 128 ... and last 100."""
    doublings = frames.bit_length() - 1
    widths = [512, 256, *[128] * doublings][:doublings]
    layers: list[nn.Module] = [nn.ConvTranspose1d(LATENT, widths[0], 1)]
    for a, b in zip(widths, [*widths[1:], LATENT], strict=True):
        layers += [nn.BatchNorm1d(a), nn.ReLU(True), nn.ConvTranspose1d(a, b, 4, 2, 1)]
    return nn.Sequential(*layers, nn.Tanh())


def _dense() -> nn.Sequential:
    units = HALF * 16
    return nn.Sequential(nn.Linear(LATENT, units, bias=False), nn.BatchNorm1d(units), nn.ReLU(True))


class TemporalCritic(Critic):
    """3 -> 64 -> 128 -> 256 -> 512, then 4x4 -> 1; where more than one frame is left, the mean of theirs."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.body = down3d(CHANNELS[:levels(size)][::-1])
        self.last = nn.Conv3d(CHANNELS[0], 1, (1, 4, 4))

    def forward(self, x: Tensor, draw: torch.Generator) -> list[Tensor]:
        return [self.last(self.body(x)).flatten(1).mean(1)]


@torch.no_grad()
def clip_singular_values(critic: nn.Module) -> None:
    """Make each layer 1-Lipschitz (section 4): no singular value of a convolution's weights, as a matrix of a row for
    each output, above 1; and BatchNorm's factor between 0.01 and 1 times the standard deviation that it divides by."""
    for layer in critic.modules():
        if isinstance(layer, nn.Conv3d):
            layer.weight.copy_(clipped(layer.weight.flatten(1)).view_as(layer.weight))
        elif isinstance(layer, nn.BatchNorm3d):
            assert layer.running_var is not None
            deviation = layer.running_var.sqrt()
            layer.weight.copy_(torch.minimum(torch.maximum(layer.weight, 0.01 * deviation), deviation))


def clipped(w: Tensor) -> Tensor:
    """The matrix w (m, n), m <= n, with its singular values above 1 set to 1; the others stay, to the last bit where
    none is above.

    By the eigenvectors U of w w^T, which is small: w - U (1 - 1/s) U^T w over those with s > 1. A singular value
    decomposition of w itself takes 50 times as long (512 x 16384 on a CPU: 4.5 s)."""
    squares, u = torch.linalg.eigh((w @ w.T).double())
    excess = (1 - squares.clamp(min=1).rsqrt()).to(w.dtype)
    u = u.to(w.dtype)
    return w - (u * excess) @ (u.T @ w)
