"""How much memory a training step takes, found without taking it.

The step itself runs on PyTorch's meta device, whose tensors have sizes but no data, and what it allocates and frees is
counted: what torch.cuda.max_memory_allocated would tell, but for what a kernel takes for itself (cuDNN's workspace).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from train import heap
from train.baselines import make_engine
from train.config import Config
from train.engine import Engine

ROUND = 512          # bytes: PyTorch's allocator for CUDA gives out multiples of this
AROUND = 1.2         # on a CPU a process holds so many times what its tensors take: gaps, and scratch of oneDNN
BESIDES = 50 << 20   # bytes that a training on a CPU holds and a dry run does not: the clips' store, sample sheets


@dataclass(frozen=True)
class StepMemory:
    """The greatest memory of a step of a stage in bytes, all tensors: weights, average and optimisers included. As the
    networks are, and with activation checkpointing."""

    plain: int
    checkpointing: int


class LiveBytes(TorchDispatchMode):
    """Inside, counts the bytes of the tensors that are made and not yet freed: `now`, and the most so far, `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = _laid_out(function, args, function(*args, **(kwargs or {})))
        for value in tree_leaves(out):
            if isinstance(value, Tensor):
                self._add(value.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata                         # views and results in place share their storage
        if key not in self._known:
            self._known[key] = -(-storage.nbytes() // ROUND) * ROUND
            self.now += self._known[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._known.pop(key)


def _laid_out(function: Any, args: Any, out: Any) -> Any:
    """On the meta device convolutions forget that channels are innermost, and what copies them for it would go
    uncounted."""
    if function is not torch.ops.aten.convolution.default or not out.is_meta:
        return out
    innermost = any(t.is_contiguous(memory_format=torch.channels_last_3d) and not t.is_contiguous() for t in args[:2])
    return torch.empty_like(out, memory_format=torch.channels_last_3d) if innermost else out


def step_memory(config: Config, precision: str, stages: Iterable[int] | None = None) -> list[StepMemory | None]:
    """For each stage (or these); None for one without clips. While a stage fades in it takes the most, so that is
    counted where it does. Takes a few seconds a stage, and no memory."""
    config = config.model_copy(update={"train": config.train.model_copy(update={"critic_steps": 1})})
    with LiveBytes() as live:
        engine = make_engine(config, torch.device("meta"), precision)
        return [_of_stage(engine, live, stage) for stage in stages or range(len(engine.plan.stages))]


def _of_stage(engine: Engine, live: LiveBytes, stage: int) -> StepMemory | None:
    frames, resolution = engine.plan.sizes[stage]
    length = engine.plan.stages[stage]
    start = engine.plan.starts[stage] + length.fade // 2
    if not length.fade + length.stable:
        return None

    def peak() -> int:
        engine.clips, engine.critic_steps = start, 0            # a step with the penalty
        live.peak = live.now
        engine.step(lambda position, n, size: torch.empty(n, 3, frames, resolution, resolution, device="meta"))
        return live.peak

    peaks = []
    for checkpointing in (False, True):
        engine.checkpointing[stage] = checkpointing
        peak()                                                  # the optimisers' states are made
        peaks.append(peak())
    return StepMemory(*peaks)


def process_memory(tensors: int, device: torch.device, own: int) -> float:
    """Bytes that are taken for so many bytes of tensors: on a GPU those, on a CPU all of a process of which the program
    itself holds `own`."""
    return tensors if device.type == "cuda" else own + BESIDES + AROUND * tensors


def own_memory(engine: Engine) -> int:
    """Bytes that this process holds besides the tensors of an engine that has stepped: PyTorch's code, mostly."""
    heap.trim()
    grads = [p.grad for module in (engine.G, engine.D, engine.loss) for p in module.parameters() if p.grad is not None]
    return psutil.Process().memory_info().rss - sum(t.nbytes for t in (*engine.state()[0].values(), *grads))


def free_memory(device: torch.device) -> int:
    """Bytes that a training could have now. On a GPU with what PyTorch holds here: a training is another process, and
    begins when the estimate that asks has ended."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    return psutil.virtual_memory().available
