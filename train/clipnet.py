"""python -m train.clipnet: draw labelled toyfaces and train the network that the metrics see clips with.

Eleven minutes beside other work on two cores of an AMD EPYC (2026-11-27). The file says how good it is on faces that
it has not seen.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import track
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, mse_loss

from pvswgan.checkpoint import save_tensors
from pvswgan.conv import shrink
from pvswgan.metrics.clipnet import CHOICES, FILE, KINDS, NUMBERS, SIZE, ClipNet, draw
from pvswgan.video import to_float

TRAIN_SEED, TEST_SEED = 11, 12  # of sets of faces: none is in both
BATCH = 64
LOOKS = 0.3  # weight of each choice's loss beside the kind's
PIECE = 200  # clips that a process draws at a time


class Set:
    """Labelled clips in memory: uint8 (N, 16, 32, 32, 3), kind and choices (N, 6), numbers (N, 17)."""

    def __init__(self, count: int, seed: int, workers: int) -> None:
        pieces = [(first, min(first + PIECE, count), seed) for first in range(0, count, PIECE)]
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            parts = list(track(pool.map(draw, *zip(*pieces, strict=True)), f"drawing {count} clips", len(pieces)))
        clips, names, numbers = zip(*parts, strict=True)
        self.clips = torch.cat([torch.from_numpy(part) for part in clips])
        self.names = torch.cat([torch.from_numpy(part) for part in names])
        self.numbers = torch.cat([torch.from_numpy(part) for part in numbers])

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(clips (B, 3, 16, 32, 32) in [-1, 1], kind and choices, numbers)."""
        return to_float(self.clips[index].numpy()), self.names[index], self.numbers[index]


def degrade(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the batches as a smaller stage shows them, all with a little noise: what is measured is seldom sharp."""
    factors = tuple(int(2 ** torch.randint(0, 2, (), generator=generator)) for _ in range(2))
    if torch.rand((), generator=generator) < 0.5 and factors != (1, 1):
        small = shrink(clips, (factors[0], factors[1], factors[1]))
        clips = interpolate(small, SIZE, mode="trilinear")
    return clips + 0.03 * torch.randn(clips.shape, generator=generator)


def loss_of(net: ClipNet, batch: tuple[Tensor, Tensor, Tensor], scale: tuple[Tensor, Tensor]) -> Tensor:
    """Of the kind (where a clip has one), the choices and the numbers, these by their mean and deviation, `scale`."""
    clips, names, numbers = batch
    features, kinds = net(clips)
    total = cross_entropy(kinds, names[:, 0], ignore_index=-1)
    for column, head in enumerate(net.choices.values(), start=1):
        total = total + LOOKS * cross_entropy(head(features), names[:, column])
    return total + mse_loss(net.numbers(features), (numbers - scale[0]) / scale[1])


@torch.no_grad()
def measure(net: ClipNet, test: Set, scale: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Held-out accuracy of the kind and of each choice; R2 of each number. All in 0..1."""
    hits = {name: 0 for name in ("kind", *CHOICES)}
    known = int((test.names[:, 0] >= 0).sum())
    errors = torch.zeros(len(NUMBERS))
    for index in torch.arange(len(test.clips)).split(BATCH):
        clips, names, numbers = test.batch(index)
        features, kinds = net(clips)
        hits["kind"] += int((kinds.argmax(1) == names[:, 0]).sum())
        for column, (name, head) in enumerate(net.choices.items(), start=1):
            hits[name] += int((head(features).argmax(1) == names[:, column]).sum())
        errors += (net.numbers(features) - (numbers - scale[0]) / scale[1]).square().sum(0)
    spread = ((test.numbers - test.numbers.mean(0)) / scale[1]).square().sum(0)
    found = {name: hit / (known if name == "kind" else len(test.clips)) for name, hit in hits.items()}
    return {name: round(value, 4) for name, value in (found | dict(zip(
        NUMBERS, (1 - errors / spread).tolist(), strict=True))).items()}


def fit(train: Set, epochs: int, seed: int) -> tuple[ClipNet, tuple[Tensor, Tensor]]:
    """(the network, mean and deviation of the numbers)."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = ClipNet().to(memory_format=torch.channels_last_3d).train()  # type: ignore[call-overload]
    scale = train.numbers.mean(0), train.numbers.std(0)
    steps = epochs * (len(train.clips) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    order = torch.cat([torch.randperm(len(train.clips), generator=generator)[:steps // epochs * BATCH]
                       for _ in range(epochs)])
    for index in track(order.split(BATCH), "training", steps):
        clips, names, numbers = train.batch(index)
        clips = degrade(clips, generator).contiguous(memory_format=torch.channels_last_3d)
        # In float32: oneDNN's bfloat16 weight gradient of 2x2x2 voxels, the last block's, is wrong (torch 2.13).
        loss = loss_of(net, (clips, names, numbers), scale)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0, error_if_nonfinite=True)
        optimiser.step()
        rate.step()
    return net.eval().requires_grad_(False), scale


def main(out: Annotated[Path, typer.Option(help="file to write")] = FILE,
         clips: Annotated[int, typer.Option(min=BATCH, help="labelled clips to train on")] = 14000,
         test: Annotated[int, typer.Option(min=18, help="labelled clips of other faces to measure on")] = 2400,
         epochs: Annotated[int, typer.Option(min=1)] = 6,
         seed: Annotated[int, typer.Option(min=0)] = 0,
         workers: Annotated[int, typer.Option(min=1, help="processes that draw")] = 2) -> None:
    """Train clipnet and write it, with its held-out accuracy."""
    begin = time.perf_counter()
    net, scale = fit(Set(clips, TRAIN_SEED, workers), epochs, seed)
    accuracy = measure(net, Set(test, TEST_SEED, workers), scale)
    info: dict[str, Any] = {
        "kind": "clipnet", "kinds": KINDS, "held_out": accuracy, "clips": clips, "held_out_clips": test,
        "epochs": epochs, "seed": seed, "seconds": round(time.perf_counter() - begin), "date": str(date.today()),
        "torch": str(torch.__version__)}
    out.parent.mkdir(parents=True, exist_ok=True)
    state = {name: t.half() if t.is_floating_point() else t for name, t in net.state_dict().items()}
    save_tensors(out, state, info)
    for name, value in accuracy.items():
        print(f"{name:16} {value:.3f}" + ("" if name in NUMBERS else "  of the clips right"))
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {info['seconds']} s")


if __name__ == "__main__":
    typer.run(main)
