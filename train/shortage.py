"""Where a step does not fit into the memory: what is given up for it, in which order, and when nothing is left."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

# The last one: cuDNN, where no algorithm's workspace fits (PyTorch swallows their shortages and says only this).
ALLOCATION_FAILED = ("out of memory", "can't allocate memory", "bad_alloc", "_STATUS_ALLOC_FAILED",
                     "ALLOCATION_FAILED", "unable to find an engine to execute this computation")


class NotEnoughMemory(RuntimeError):
    """A step does not fit though all is given up that may be; the message says where, and what may help."""


@dataclass(frozen=True)
class Shortage:
    """A step that did not fit, and how that stage goes on: with `batch` clips, and activation checkpointing or not."""

    stage: int
    batch_before: int
    batch: int
    checkpointing: bool

    def event(self) -> dict[str, Any]:
        """For stats.jsonl."""
        return {"event": "out_of_memory"} | asdict(self)

    def sentence(self) -> str:
        """For people."""
        what = (f"the batch falls from {self.batch_before} to {self.batch} clips" if self.batch < self.batch_before
                else "activation checkpointing comes on: less memory, more time")
        return f"memory ran out at stage {self.stage} with {self.batch_before} clips a step; {what}"


def is_shortage(error: BaseException) -> bool:
    """Whether an allocation failed: on a GPU, on a CPU or in Python."""
    return (isinstance(error, (torch.OutOfMemoryError, MemoryError))
            or (isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATION_FAILED)))


def give_up(stage: int, size: str, batch: int, group: int, checkpointing: bool, may_checkpoint: bool) -> Shortage:
    """What a stage of that size gives up next: first activations, then clips, down to one group.

    group: clips of which a batch must be a multiple. may_checkpoint: checkpointing can still come on. Raises
    NotEnoughMemory where nothing is left.
    """
    if may_checkpoint and not checkpointing:
        return Shortage(stage, batch, batch, True)
    less = (batch - 1) // group * group
    if less:
        return Shortage(stage, batch, less, checkpointing)
    raise NotEnoughMemory(
        f"memory ran out at stage {stage} ({size}) with {batch} clips a step, one group (network.mbstd_group) or less, "
        f"{'with' if checkpointing else 'without'} activation checkpointing. What may help: "
        f"{'' if checkpointing else 'train.checkpointing=on, '}precision=bfloat16, a smaller growth.resolution, "
        "growth.frames, network.fmap_base, network.fmap_max or network.mbstd_group, a device with more memory")
