"""The critic of a run: what its discriminator makes of clips. It is only in the files that a training resumes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pvswgan.checkpoint import CheckpointError, plan_of, read_tensors
from pvswgan.networks import Discriminator, blend_real, temporal_contrast

UNDER = "D/"  # the discriminator's tensors in a training file (train/engine.py)
TOGETHER = 16  # clips of a batch, where the minibatch's groups allow it


def critic_file(network: Path) -> Path | None:
    """The training file written with this network file; None where it is not kept (the older ones, and assets)."""
    path = network.with_name(network.name.replace("-network.", "-training."))
    return path if path != network and path.is_file() else None


class Critic:
    """The discriminator at the stage and alpha it was trained to, and with the contrast (networks.temporal_contrast).

    `features` are the vector f(x) that the loss's head turns into a score: the discriminator's last layer, with its
    minibatch statistics. Those see `batch` clips at once, real or generated, as in training.
    """

    def __init__(self, discriminator: Discriminator, stage: int, alpha: float, contrast: float = 1.0) -> None:
        self.discriminator = discriminator.eval().requires_grad_(False)
        self.stage, self.alpha, self.contrast = stage, alpha, contrast
        group = discriminator.mbstd_group
        self.batch = max(1, TOGETHER // group) * group

    @torch.no_grad()
    def features(self, clips: Tensor) -> Tensor:
        """f(x) (N, F) of clips (N, 3, T, H, W), N a multiple of `batch`, which follow one another in batches."""
        parts = [self.discriminator(temporal_contrast(part, self.contrast), self.stage, self.alpha)
                 for part in clips.split(self.batch)]
        return torch.cat(parts)

    def as_shown(self, real: Tensor) -> Tensor:
        """Real clips as the training shows them while a stage fades in."""
        if self.alpha >= 1 or self.stage == 0:
            return real
        sizes = self.discriminator.sizes
        return blend_real(real, sizes[self.stage - 1], sizes[self.stage], self.alpha)


def load(path: Path, config: Mapping[str, Any], stage: int, alpha: float) -> Critic:
    """The critic in a training file, with its network's configuration, stage and alpha. Raises CheckpointError."""
    net = config["network"]
    # Only the discriminator: the optimisers' state beside it is several times as large.
    tensors, info = read_tensors(path, UNDER)
    if info.get("kind") != "training":
        raise CheckpointError(f"{path.name} is not a training checkpoint of this project.")
    try:
        group = int(net.get("mbstd_group", 4))
        discriminator = Discriminator(plan_of(config).sizes, net["fmap_base"], net["fmap_max"], group)
        discriminator.load_state_dict({name.removeprefix(UNDER): value for name, value in tensors.items()})
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"The critic in {path.name} cannot be read: {error!s:.200}") from error
    return Critic(discriminator, stage, alpha, float(config.get("train", {}).get("temporal_contrast", 1)))
