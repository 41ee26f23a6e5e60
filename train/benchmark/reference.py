"""The engine's step in plain PyTorch, to measure the engine against: what one would write first.

float32, contiguous tensors, nearest enlargement and then conv3d, conv3d and then avg_pool3d, PyTorch's own double
backward, reals and fakes each in a pass of their own, Adam and the average as PyTorch's defaults. It computes the same
numbers as train.engine: tests/train/test_reference.py holds loss and gradients together. On a GPU its float32
convolutions use TF32 where `tf32` is set; PyTorch's default is on for convolutions, off for matrices.

Parameters have the names of pvswgan.networks, so that a state_dict of one fits the other.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pvswgan.growth import factors
from pvswgan.losses import SWGAN, Loss, Mix
from pvswgan.networks import channels, feature_size
from train.config import Config
from train.engine import make_loss

SQRT2 = 2**0.5
ONES = (1, 1, 1)


class Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3, gain: float = SQRT2,
                 up: tuple[int, int, int] = ONES, down: tuple[int, int, int] = ONES, replicate: bool = False) -> None:
        super().__init__()
        self.up, self.down, self.pad, self.replicate = up, down, kernel // 2, replicate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / (inputs * kernel**3) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        x, pad = enlarge(x, self.up), (self.pad,) * 3
        if self.replicate:
            x, pad = F.pad(x, (0, 0, 0, 0, 1, 1), mode="replicate"), (0, 1, 1)
        return shrink(F.conv3d(x, self.weight * self.scale, self.bias, padding=pad), self.down)


class Linear(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = SQRT2 / inputs**0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class Generator(nn.Module):
    def __init__(self, sizes: list[tuple[int, int]], latent_dim: int, fmap_base: int, fmap_max: int,
                 still: bool = False) -> None:
        super().__init__()
        self.sizes = sizes
        width = [channels(r, fmap_base, fmap_max) for _, r in sizes]
        frames, side = sizes[0]
        self.base = (width[0], frames, side, side)
        self.dense = nn.Parameter(torch.randn(width[0] * frames * side * side, latent_dim))
        self.dense_bias = nn.Parameter(torch.zeros(width[0]))
        self.dense_scale = SQRT2 / 4 / latent_dim**0.5
        self.first = Conv(width[0], width[0], replicate=still)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Conv(width[i - 1], width[i], up=factors(sizes[i - 1], sizes[i]), replicate=still),
                           Conv(width[i], width[i], replicate=still)])
            for i in range(1, len(sizes)))
        self.to_rgb = nn.ModuleList(Conv(w, 3, kernel=1, gain=1) for w in width)

    def forward(self, z: Tensor, stage: int, alpha: float) -> Tensor:
        x = F.linear(pixel_norm(z), self.dense * self.dense_scale).view(-1, *self.base)
        x = pixel_norm(F.leaky_relu(x + self.dense_bias.view(-1, 1, 1, 1), 0.2))
        x = before = pixel_norm(F.leaky_relu(self.first(x), 0.2))
        for block in self.blocks[:stage]:
            before = x
            for layer in block.children():
                x = pixel_norm(F.leaky_relu(layer(x), 0.2))
        rgb = self.to_rgb[stage](x)
        if stage and alpha < 1:
            old = enlarge(self.to_rgb[stage - 1](before), factors(self.sizes[stage - 1], self.sizes[stage]))
            rgb = old + alpha * (rgb - old)
        return rgb


class Discriminator(nn.Module):
    def __init__(self, sizes: list[tuple[int, int]], fmap_base: int, fmap_max: int, group: int) -> None:
        super().__init__()
        self.sizes, self.group, self.features = sizes, group, feature_size(fmap_base, fmap_max)
        width = [channels(r, fmap_base, fmap_max) for _, r in sizes]
        self.from_rgb = nn.ModuleList(Conv(3, w, kernel=1) for w in width)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Conv(width[i], width[i]),
                           Conv(width[i], width[i - 1], down=factors(sizes[i - 1], sizes[i]))])
            for i in range(1, len(sizes)))
        self.last = Conv(width[0] + 1, width[0])
        frames, side = sizes[0]
        self.dense = Linear(width[0] * frames * side * side, self.features)

    def forward(self, x: Tensor, stage: int, alpha: float) -> Tensor:
        y = F.leaky_relu(self.from_rgb[stage](x), 0.2)
        for i in range(stage, 0, -1):
            for layer in self.blocks[i - 1].children():
                y = F.leaky_relu(layer(y), 0.2)
            if i == stage and alpha < 1:
                old = F.leaky_relu(self.from_rgb[i - 1](shrink(x, factors(self.sizes[i - 1], self.sizes[i]))), 0.2)
                y = old + alpha * (y - old)
        y = minibatch_stddev(y, self.group)
        return F.leaky_relu(self.dense(F.leaky_relu(self.last(y), 0.2).flatten(1)), 0.2)


def enlarge(x: Tensor, up: tuple[int, int, int]) -> Tensor:
    return x if up == ONES else F.interpolate(x, scale_factor=up, mode="nearest")


def shrink(x: Tensor, down: tuple[int, int, int]) -> Tensor:
    return x if down == ONES else F.avg_pool3d(x, down)


def pixel_norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def minibatch_stddev(x: Tensor, group: int) -> Tensor:
    n = min(group, len(x))
    y = x.view(n, len(x) // n, *x.shape[1:])
    spread = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean([1, 2, 3, 4])        # one a group, (N/G,)
    return torch.cat([x, spread.repeat(n).view(-1, 1, 1, 1, 1).expand(-1, 1, *x.shape[2:])], 1)


class Reference:
    """The plain counterpart of train.engine.Engine: the same configuration, draws and updates, one stage at a time."""

    def __init__(self, config: Config, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        net, sizes = config.network, config.plan().sizes
        self.config, self.device, self.sizes = config, device, list(sizes)
        self.G = Generator(self.sizes, net.latent_dim, net.fmap_base, net.fmap_max, net.still).to(device)
        self.D = Discriminator(self.sizes, net.fmap_base, net.fmap_max, net.mbstd_group).to(device)
        self.loss: Loss = make_loss(config, self.D.features).to(device)
        self.G_ema = copy.deepcopy(self.G).requires_grad_(False)
        beta1, beta2 = config.train.betas
        self.opt_G = torch.optim.Adam(self.G.parameters(), lr=1e-3, betas=(beta1, beta2))
        self.opt_D = torch.optim.Adam([*self.D.parameters(), *self.loss.parameters()], lr=1e-3, betas=(beta1, beta2))
        self.generator = torch.Generator().manual_seed(config.seed)

    def step(self, real: Tensor, stage: int, alpha: float = 1.0) -> dict[str, Tensor]:
        """One step of the critic on `real` (N, 3, T, H, W), one of the generator, and the average."""
        terms = self.critic_step(real, stage, alpha) | self.generator_step(len(real), stage, alpha)
        with torch.no_grad():
            for average, p in zip(self.G_ema.parameters(), self.G.parameters(), strict=True):
                average.lerp_(p, 0.001)
        return terms

    def critic_step(self, real: Tensor, stage: int, alpha: float) -> dict[str, Tensor]:
        if alpha < 1:
            up = factors(self.sizes[stage - 1], self.sizes[stage])
            small = enlarge(shrink(real, up), up)
            real = small + alpha * (real - small)
        with torch.no_grad():
            fake = self.G(self._latents(len(real)), stage, alpha)
        mix = Mix.draw(len(real), self.generator, self.device)
        mixed = (real + mix.clips * (fake - real)).requires_grad_(True)
        loss = self._critic_loss(real, fake, mixed, mix, stage, alpha)
        self.opt_D.zero_grad()
        loss.backward()
        self.loss.before_step()
        self.opt_D.step()
        self.loss.after_step()
        return {"loss_D": loss.detach()}

    def _critic_loss(self, real: Tensor, fake: Tensor, mixed: Tensor, mix: Mix, stage: int, alpha: float) -> Tensor:
        f_real, f_fake = self.D(real, stage, alpha), self.D(fake, stage, alpha)
        head, loss = self.loss.head, self.loss
        (gradient,) = torch.autograd.grad(head(self.D(mixed, stage, alpha)).sum(), mixed, create_graph=True)
        squares = gradient.square().flatten(1).sum(1)
        if isinstance(loss, SWGAN):
            f_mixed = f_real + mix.features * (f_fake - f_real)
            slope = (loss.head.slopes(f_mixed, loss.kind) - loss.k).square().mean()
            penalty = ((1 - mix.clips.flatten()).square() * squares).mean()
            return head(f_real).mean() - head(f_fake).mean() + loss.slope * slope + loss.gp * penalty
        penalty = ((squares + 1e-12).sqrt() - 1).square().mean()
        d_real = head(f_real)
        return head(f_fake).mean() - d_real.mean() + loss.gp * penalty + loss.drift * d_real.square().mean()

    def generator_step(self, batch: int, stage: int, alpha: float) -> dict[str, Tensor]:
        fake = self.G(self._latents(batch), stage, alpha)
        score = self.loss.head(self.D(fake, stage, alpha)).mean()
        loss = score if isinstance(self.loss, SWGAN) else -score
        self.opt_G.zero_grad()
        loss.backward()
        self.opt_G.step()
        return {"loss_G": loss.detach()}

    def _latents(self, n: int) -> Tensor:
        return torch.randn(n, self.config.network.latent_dim, generator=self.generator).to(self.device)
