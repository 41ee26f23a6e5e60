"""MoCoGAN (Tulyakov, Liu, Yang, Kautz 2018): content that stays over a clip, motion that a recurrent network makes of
noise, and two discriminators, one for frames and one for clips. Without categories."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvswgan.baselines.system import (
    CHANNELS,
    COLOURS,
    Critic,
    Generator,
    Size,
    levels,
    matrix,
    to_clips,
    to_frames,
    up2d,
)

CONTENT = 50       # z_C
MOTION = 10        # z_M of a frame, and the noise that drives it


class MotionContent(Generator):
    """z = [z_C (50) | h_0 (10) | e_1 ... e_T (10 each)]; z_M(t) = h_t = GRU(e_t, h_t-1) (equation 4). A frame is made
    of z_C, the same for all, and its z_M(t).

    parts: "content" is z_C, "motion" all that drives the motion. `start` is the first level of each frame's image,
    (N, 512, T, 4, 4).
    """

    def __init__(self, size: Size) -> None:
        frames, _ = size
        latent_dim = CONTENT + MOTION * (frames + 1)
        super().__init__(size, latent_dim, {"content": slice(0, CONTENT), "motion": slice(CONTENT, latent_dim)})
        widths = CHANNELS[:levels(size)]
        self.base = (widths[0], frames, 4, 4)
        self.recurrent = nn.GRUCell(MOTION, MOTION)
        self.first = nn.Sequential(nn.ConvTranspose2d(CONTENT + MOTION, widths[0], 4, bias=False),
                                   nn.BatchNorm2d(widths[0]), nn.ReLU(True))
        self.body = up2d(widths, bias=False)
        self.colours = nn.ConvTranspose2d(widths[-1], COLOURS, 4, 2, 1, bias=False)
        self.apply(initialise)

    def motion(self, z: Tensor) -> Tensor:
        """z_M of every frame, (N, T, 10)."""
        h, *noise = z[:, self.parts["motion"]].split(MOTION, 1)
        path = []
        for e in noise:
            h = self.recurrent(e, h)
            path.append(h)
        return torch.stack(path, 1)

    def start(self, z: Tensor) -> Tensor:
        motion = self.motion(z)                                              # (N, T, 10)
        content = z[:, None, self.parts["content"]].expand(-1, motion.shape[1], -1)
        code = torch.cat([content, motion], 2).flatten(0, 1)                 # (N T, 60)
        return to_clips(self.first(code[:, :, None, None]), len(z))

    def masked(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return to_clips(self.colours(self.body(to_frames(x))).tanh(), len(x)), None

    @property
    def dense(self) -> Tensor:
        """z_C meets the first level, noise and h_0 the recurrent cell's gates: blocks, one below the other."""
        drives = [self.recurrent.weight_hh, *[self.recurrent.weight_ih] * self.sizes[0][0]]
        return torch.block_diag(matrix(self.first[0])[:, :CONTENT], *drives)


class ImageAndVideoCritic(Critic):
    """D_V scores clips; D_I scores parts of one frame of each, drawn at random: (N, 1, 4, 4)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        widths = CHANNELS[:levels(size)][::-1]
        self.video, self.image = _video(widths, size[0]), _image(widths[:-1])
        self.apply(initialise)

    def forward(self, x: Tensor, draw: torch.Generator) -> list[Tensor]:
        n, _, frames = x.shape[:3]
        each = torch.randint(frames, (n,), generator=draw).to(x.device)
        return [self.video(x), self.image(x[torch.arange(n, device=x.device), :, each])]


def initialise(layer: nn.Module) -> None:
    """Weights from N(0, 0.02), as in DCGAN (Radford et al. 2016), whose layers these are: a choice of ours, the facts
    at hand do not say. PyTorch's own would begin with saturated colours at 16 pixels, where the last layer has 256
    channels to sum and not 64."""
    if isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, std=0.02)


def _video(widths: tuple[int, ...], frames: int) -> nn.Sequential:
    """Space halves at each level; time loses the three frames at the edges of a kernel of four. Of short clips fewer
    are left in the end, and the kernel is no longer than those."""
    layers: list[nn.Module] = []
    for a, b in zip((COLOURS, *widths), widths, strict=False):
        taps = min(4, frames)
        frames -= taps - 1
        layers += [nn.Conv3d(a, b, (taps, 4, 4), (1, 2, 2), (0, 1, 1), bias=False),
                   *([nn.BatchNorm3d(b)] if layers else []), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv3d(widths[-1], 1, (min(4, frames), 4, 4), bias=False))


def _image(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in zip((COLOURS, *widths), widths, strict=False):
        layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False), *([nn.BatchNorm2d(b)] if layers else []),
                   nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 2, 1, bias=False))
