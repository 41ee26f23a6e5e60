"""python -m train.failures: make what the lesson "When it goes wrong" shows again, from nothing: one training for each
file of configs/failures, and of each in OUT/NAME/ a run folder without its networks:

    config.yaml, status.json        as the training left them
    stats.jsonl                     what the page plots and the monitor reads, four digits of each number
    samples/                        the pinned latents' clips at every snapshot, and the real clips

A training that ends because a loss is no number is what nan.yaml is for: it is kept as it is. Cut off, the same command
goes on.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from pvswgan.checkpoint import ASSETS
from pvswgan.files import write_text
from train.command import one_sentence
from train.config import installed
from train.machine import machine
from train.process import train_on
from train.run import RunFolder, folder_bytes, replaced

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "failures"
DIGITS = 4
KEPT = ("clips", "kimg", "stage", "phase", "alpha", "clips_per_s", "loss_G", "loss_D", "score_real", "score_fake",
        "distance", "gradient_penalty", "slope_penalty", "grad_norm_G", "grad_norm_D", "mask")
STATUS = ("state", "message", "error", "device", "clips", "kimg", "total_kimg", "snapshot", "seconds", "cpu_seconds")


def main(only: Annotated[list[str] | None, typer.Option(help="a file's name without .yaml; may be repeated")] = None,
         work: Annotated[Path, typer.Option(help="folder of the run folders")] = Path("runs/failures"),
         out: Annotated[Path, typer.Option(help="folder to fill")] = ASSETS / "failures",
         threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1) -> None:
    """Train all of them (or go on), one after the other, and keep what the lesson needs."""
    torch.set_num_threads(threads)      # what machine() tells of the trainings
    configs = {path.stem: path for path in installed(CONFIGS)}
    if unknown := sorted(set(only or []) - set(configs)):
        print(f"--only is {unknown[0]}; allowed: {', '.join(configs)}", file=sys.stderr)
        raise typer.Exit(2)
    for name in only or configs:
        run = work / name
        if not ended(run):
            code = train_on(configs[name], run, [], threads)
            if not ended(run):
                raise typer.Exit(code or 130)
        with one_sentence():
            keep(run, out / name)
        print(f"{out / name}: {folder_bytes(out / name) / 1e6:.2f} MB")


def ended(run: Path) -> bool:
    """Whether the training came to its end, or to that of all numbers."""
    status = RunFolder(run).status() or {}
    return status.get("state") == "finished" or (
        status.get("state") == "failed" and "not finite" in str(status.get("error")))


def keep(run: Path, out: Path) -> None:
    """Write OUT, whole or not at all; what was in it is replaced."""
    folder = RunFolder(run)
    status = folder.status() or {}
    with replaced(out) as made:
        shutil.copy(run / "config.yaml", made)
        write_text(made / "status.json", json.dumps({key: status.get(key) for key in STATUS}
                                                    | {"machine": machine()}, indent=1) + "\n")
        write_text(made / "stats.jsonl", "".join(
            json.dumps({key: rounded(line[key]) for key in KEPT if key in line}) + "\n"
            for line in folder.stats() if "event" not in line))
        (made / "samples").mkdir()
        for sample in folder.samples():
            shutil.copy(sample.path, made / "samples")


def rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    typer.run(main)
