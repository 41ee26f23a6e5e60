"""The processes that train together under torchrun: who they are, what they average, what they agree on.

Each holds the same networks, draws the same random numbers for the whole batch and computes its share of it, the clips
rank, rank + world, rank + 2 world ... One process alone is a group too (ALONE), for which all of this costs nothing.

They talk in two ways: by gloo about what is done next, waiting as long as it takes, and about gradients by nccl from
GPU to GPU (by gloo between CPUs). A process that ends breaks its connections, which the others notice when they next
talk to it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

WAIT = timedelta(days=30)     # for one another: a store is built in minutes or hours, a pause lasts
GRACE = 20.0                  # seconds from SIGTERM to the last words; torchrun kills after 30


class GroupError(RuntimeError):
    """Another process of the group failed, or is gone; the message says what is known of it."""


class Group:
    """`world` processes, of which this is number `rank`, and number `local_rank` on its machine."""

    def __init__(self, rank: int = 0, world: int = 1, local_rank: int = 0, store: dist.Store | None = None) -> None:
        self.rank, self.world, self.local_rank = rank, world, local_rank
        self._store = store                          # a small table that all can read: why one of them failed
        self._gradients: dist.ProcessGroup | None = None          # None: gloo
        self._left = False                           # the last words are said

    # --- tensors ----------------------------------------------------------------------------------------------

    def share(self, x: Tensor) -> Tensor:
        """This process's clips of a whole batch (N, ...).

        Strided, so that minibatch stddev sees the groups of one process: clips are grouped by their index modulo N/G;
        where `world` divides N/G the clips of a group all come to one process, and are grouped there by the same rule.
        """
        return x if self.world == 1 else x[self.rank::self.world]

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes: one all-reduce for all of them, the same bits on all.

        What is not finite on one process is not finite on any.
        """
        if self.world > 1:
            flat = torch.cat([t.flatten() for t in tensors])
            with self._talking():
                dist.all_reduce(flat, group=self._gradients)
            _unflatten(flat.div_(self.world), tensors)

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the first process's: unlike machines round unlike, and that would add up."""
        if self.world > 1:
            flat = torch.cat([t.flatten() for t in tensors])
            with self._talking():
                dist.broadcast(flat, 0, group=self._gradients)
            _unflatten(flat, tensors)

    def connect(self, device: torch.device) -> None:
        """Gradients travel from GPU to GPU, where each process has one."""
        if self.world > 1 and device.type == "cuda":
            torch.cuda.set_device(device)
            self._gradients = dist.new_group(backend="nccl")

    # --- decisions --------------------------------------------------------------------------------------------

    def first(self, work: Callable[[], T]) -> T:
        """What work() returns on the first process, on all; what it raises there is raised on all."""
        if self.world == 1:
            return work()
        told: list[Any] = [None, None]
        if self.rank == 0:
            told = list(_tried(work))
        with self._talking():
            dist.broadcast_object_list(told, 0)
        if told[1] is not None:
            raise told[1]
        return told[0]

    def together(self, work: Callable[[], T]) -> T:
        """What work() returns here, when all have done theirs; what it raises on one is raised on all."""
        if self.world == 1:
            return work()
        result, error = _tried(work)
        errors: list[Any] = [None] * self.world
        with self._talking():
            dist.all_gather_object(errors, error)
        for other in errors:
            if other is not None:
                raise error or other
        return result

    def in_turn(self, work: Callable[[], T]) -> T:
        """`together`, but on the first process first, then on one of every other machine, then on the rest: what one of
        them builds on a disk the next one finds there."""
        if self.world == 1:
            return work()
        mine = 0 if self.rank == 0 else 1 if self.local_rank == 0 else 2
        done: list[T] = []
        for turn in range(3):
            self.together(lambda: done.append(work()) if turn == mine else None)  # noqa: B023
        return done[0]

    def decide(self, flags: list[bool]) -> list[bool]:
        """The first process's yes and no, on all: `first` for every step."""
        if self.world == 1:
            return flags
        told = torch.tensor(flags, dtype=torch.uint8)
        with self._talking():
            dist.broadcast(told, 0)
        return [bool(x) for x in told.tolist()]

    def any(self, flag: bool) -> bool:
        """Whether it is so on one of the processes, on all."""
        if self.world == 1:
            return flag
        told = torch.tensor([flag], dtype=torch.uint8)
        with self._talking():
            dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told)

    # --- ends -------------------------------------------------------------------------------------------------

    def leaves(self, reason: str | None) -> None:
        """This process is about to end: from here on no SIGTERM cuts its last words short. A reason of its own is left
        for the first process, whose status says it."""
        self._left = True
        if self._store is None:
            return
        with contextlib.suppress(ValueError):        # not in the main thread: it is last_words that speaks
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if reason:
            with contextlib.suppress(RuntimeError):
                self._store.set(f"failed/{self.rank}", reason)

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise GroupError(self._reason()) from error

    def _reason(self) -> str:
        store = self._store
        with contextlib.suppress(RuntimeError):
            for rank in range(self.world):
                if store is not None and store.check([f"failed/{rank}"]):
                    return f"process {rank} of {self.world} failed: {store.get(f'failed/{rank}').decode()}"
        return (f"another of the {self.world} processes ended without a word (killed, out of memory, or its machine is "
                "gone); the last checkpoint is from before")

    def last_words(self, say: Callable[[str], None]) -> None:
        """Where this process is told to end (SIGTERM) but cannot hear it, since it waits inside a call for a process
        that hangs: say(reason) after GRACE seconds, and the end. To be called in the main thread."""
        if self.world == 1:
            return
        heard, arrived = os.pipe()
        os.set_blocking(arrived, False)
        signal.set_wakeup_fd(arrived, warn_on_full_buffer=False)

        def wait() -> None:
            while os.read(heard, 1)[0] != signal.SIGTERM:
                pass
            time.sleep(GRACE)
            if not self._left:
                say("told to end (SIGTERM) while it waited for another process, as torchrun does when one has failed; "
                    "the last checkpoint is from before")
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()

    def close(self) -> None:
        """Leave the group, at the end of the training."""
        if self.world > 1:
            self._left = True
            dist.destroy_process_group()


ALONE = Group()


def join() -> Group:
    """The group that torchrun's environment variables name; without them this process ALONE.

    Waits for all of them. Raises ValueError where a variable is missing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    signal.signal(signal.SIGTERM, _ended)
    store, rank, world = next(dist.rendezvous("env://"))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=WAIT)
    return Group(rank, world, int(os.environ.get("LOCAL_RANK", "0")), store)


def _ended(number: int, frame: FrameType | None) -> None:
    raise GroupError("told to end (SIGTERM), as torchrun does when another process has failed")


def _tried(work: Callable[[], T]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _unflatten(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy the parts of `flat` back into the tensors that it was made of."""
    parts = flat.split([t.numel() for t in tensors])
    with torch.no_grad():
        torch._foreach_copy_(list(tensors), [part.view(t.shape) for part, t in zip(parts, tensors, strict=True)])
