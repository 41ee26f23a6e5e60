"""The other systems of the comparison: VideoGAN, TGAN and MoCoGAN, each written anew from its published description.

They do not grow: one stage, as large as the clips. A system's generator and critic are made by its name and the clips'
(frames, resolution):

    generator, critic = make_generator("mocogan", (16, 64)), make_critic("mocogan", (16, 64))
    clips = generator(torch.randn(8, generator.latent_dim))        # (8, 3, 16, 64, 64) in [-1, 1]
    scores = critic(clips, torch.Generator())                      # one tensor of scores for each of its discriminators

Published for 64 pixels. At 32 and 16 the levels above are left out, and those that remain keep their channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvswgan.baselines import mocogan, tgan, videogan
from pvswgan.baselines.system import Critic, Generator, Size, check_size


@dataclass(frozen=True)
class System:
    """How to make the two networks of a system; the loss that it trains with, by its name in a configuration."""

    generator: Callable[[Size], Generator]
    critic: Callable[[Size], Critic]
    loss: str


SYSTEMS = {
    "videogan": System(videogan.TwoStreams, videogan.VideoCritic, "gan"),
    "videogan-one-stream": System(videogan.OneStream, videogan.VideoCritic, "gan"),
    "tgan": System(tgan.TemporalGenerator, tgan.TemporalCritic, "wgan-svc"),
    "mocogan": System(mocogan.MotionContent, mocogan.ImageAndVideoCritic, "gan"),
}


def make_generator(system: str, size: Size) -> Generator:
    """An untrained generator of clips of that size. Raises ValueError for a size that it cannot have."""
    check_size(system, size)
    return SYSTEMS[system].generator(size)


def make_critic(system: str, size: Size) -> Critic:
    """An untrained critic of clips of that size. Raises ValueError for a size that it cannot have."""
    check_size(system, size)
    return SYSTEMS[system].critic(size)
