"""The training step of the other systems (pvswgan.baselines): the Engine's, with their critics and losses in it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from pvswgan import baselines
from pvswgan.baselines.losses import GAN, WGAN
from pvswgan.baselines.tgan import clip_singular_values
from pvswgan.growth import Position
from train.distributed import ALONE, Group
from train.engine import Engine, Reals
from train.schema import Config, GanLoss, WganSvcLoss


def make_engine(config: Config, device: torch.device, precision: str, group: Group = ALONE) -> Engine:
    """What trains the system that a configuration names."""
    kind = Engine if config.network.system == "pvswgan" else BaselineEngine
    return kind(config, device, precision, group)


class BaselineEngine(Engine):
    """One stage, no penalty and no mixed clips. Both networks stay in training mode, where BatchNorm takes a batch's
    own statistics, real and fake apart; G_ema takes their running mean, averaged as its weights are.

    Where memory runs out a step is taken again with fewer clips, as ever; the running statistics then have seen the
    fakes of both tries.
    """

    G: baselines.Generator       # type: ignore[assignment]
    D: baselines.Critic          # type: ignore[assignment]
    loss: GAN                    # type: ignore[assignment]

    def _build(self) -> None:
        config, size = self.config, self.plan.sizes[-1]
        self.G = baselines.make_generator(config.network.system, size).to(self.device)
        self.D = baselines.make_critic(config.network.system, size).to(self.device)
        self.loss = WGAN() if isinstance(config.loss, WganSvcLoss) else GAN(cast(GanLoss, config.loss).mask)

    def critic_step(self, reals: Reals, at: Position) -> dict[str, Tensor]:
        terms = super().critic_step(reals, at)
        loss = self.config.loss
        if isinstance(loss, WganSvcLoss) and self.critic_steps % loss.clip_interval == 0:
            clip_singular_values(self.D)
        return terms

    def _critic_gradients(self, reals: Reals, at: Position, batch: int) -> dict[str, Tensor]:
        real = self._read(reals, batch, at.stage)
        self.D.requires_grad_(True)
        with torch.no_grad():
            real, fake = self._augment(real), self._augment(self.G(self._latents(batch)))
        loss, terms = self.loss.critic_loss(self.D, real, fake, self.generator)
        self.opt_D.zero_grad()
        loss.backward()
        return terms | {"loss_D": loss.detach()}

    def _generator_gradients(self, at: Position, batch: int) -> dict[str, Tensor]:
        self.D.requires_grad_(False)
        fake, mask = self.G.masked(self.G.start(self._latents(batch)))
        loss = self.loss.generator_loss(self.D, self._augment(fake), self.generator, mask)
        self.opt_G.zero_grad()
        loss.backward()
        terms = {"loss_G": loss.detach()}
        return terms if mask is None else terms | {"mask": mask.detach().mean()}

    @torch.no_grad()
    def _average(self, clips: int) -> float:
        keep = super()._average(clips)
        for average, now in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
            if now.is_floating_point():
                average.lerp_(now, 1 - keep)
            else:
                average.copy_(now)                    # how many batches BatchNorm has seen
        return keep
