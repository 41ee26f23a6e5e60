"""The losses of the other systems. They have no head of their own; the critic's scores are theirs (system.Critic).

    loss.critic_loss(critic, real, fake, draw)       -> (scalar to minimise, {name: number for the statistics})
    loss.generator_loss(critic, fake, draw, mask)    -> scalar to minimise

Both critics score real high and fake low. Where a critic has two discriminators their losses are added.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pvswgan.baselines.system import Critic
from pvswgan.losses import Unbound

NAMES = ("", "image_")      # of a critic's scores in the statistics: clips, frames


class GAN(Unbound):
    """Cross-entropy (Goodfellow et al. 2014, with the generator's loss that does not saturate):

    L_D = E[-log p(real)] + E[-log (1 - p(fake))],  L_G = E[-log p(fake)] + mask E|m|,  p = sigmoid of the score

    m: the foreground's mask of VideoGAN with two streams (its equation 3, weight 0.1).
    """

    def __init__(self, mask: float = 0.1) -> None:
        super().__init__()
        self.mask = mask

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor,
                    draw: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        reals, fakes = critic(real, draw), critic(fake, draw)
        loss = sum((softplus(-r).mean() + softplus(f).mean() for r, f in zip(reals, fakes, strict=True)),
                   torch.zeros((), device=real.device))
        return loss, terms_of(reals, fakes)

    def generator_loss(self, critic: Critic, fake: Tensor, draw: torch.Generator, mask: Tensor | None = None) -> Tensor:
        loss = sum((softplus(-f).mean() for f in critic(fake, draw)), torch.zeros((), device=fake.device))
        return loss if mask is None else loss + self.mask * mask.abs().mean()


class WGAN(GAN):
    """Wasserstein (Arjovsky et al. 2017): L_D = E D(fake) - E D(real), L_G = -E D(fake). What keeps D 1-Lipschitz is
    tgan.clip_singular_values, after its steps."""

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor,
                    draw: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        reals, fakes = critic(real, draw), critic(fake, draw)
        terms = terms_of(reals, fakes)
        return fakes[0].mean() - reals[0].mean(), terms

    def generator_loss(self, critic: Critic, fake: Tensor, draw: torch.Generator, mask: Tensor | None = None) -> Tensor:
        return -critic(fake, draw)[0].mean()


def terms_of(reals: list[Tensor], fakes: list[Tensor]) -> dict[str, Tensor]:
    """Mean scores for the statistics, and how far they are apart: of clips, and of frames where there are such."""
    terms: dict[str, Tensor] = {}
    for name, real, fake in zip(NAMES, reals, fakes, strict=False):
        r, f = real.detach().mean(), fake.detach().mean()
        terms |= {f"{name}score_real": r, f"{name}score_fake": f, f"{name}distance": r - f}
    return terms
