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
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pvswgan.checkpoint import ASSETS
from train.config import ConfigError, installed
from train.machine import machine
from train.process import train_on
from train.run import RunFolder, write_text

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "failures"
DIGITS = 4
KEPT = ("clips", "kimg", "stage", "phase", "alpha", "clips_per_s", "loss_G", "loss_D", "score_real", "score_fake",
        "distance", "gradient_penalty", "slope_penalty", "grad_norm_G", "grad_norm_D", "mask")
say = Console(markup=False, highlight=False).print


def main(only: Annotated[list[str] | None, typer.Option(help="a file's name without .yaml; may be repeated")] = None,
         work: Annotated[Path, typer.Option(help="folder of the run folders")] = Path("runs/failures"),
         out: Annotated[Path, typer.Option(help="folder to fill")] = ASSETS / "failures",
         threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1) -> None:
    """Train all of them (or go on), one after the other, and keep what the lesson needs."""
    configs = {path.stem: path for path in installed(CONFIGS)}
    if unknown := sorted(set(only or []) - set(configs)):
        say(f"--only is {unknown[0]}; allowed: {', '.join(configs)}")
        raise typer.Exit(2)
    for name in only or configs:
        run = work / name
        if not ended(run):
            code = train_on(configs[name], run, [], threads)
            if not ended(run):
                raise typer.Exit(code or 130)
        try:
            size = keep(run, out / name)
        except (OSError, ConfigError, ValueError) as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
        say(f"{out / name}: {size / 1e6:.2f} MB")


def ended(run: Path) -> bool:
    """Whether the training came to its end, or to that of all numbers."""
    status = RunFolder(run).status() or {}
    return status.get("state") == "finished" or (
        status.get("state") == "failed" and "not finite" in str(status.get("error")))


def keep(run: Path, out: Path) -> int:
    """Write OUT, whole or not at all; what was in it is replaced. Returns its bytes."""
    folder = RunFolder(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as made:
        path = Path(made)
        (path / "samples").mkdir()
        shutil.copy(run / "config.yaml", path)
        status = folder.status() or {}
        told = {key: status.get(key) for key in ("state", "message", "error", "device", "clips", "kimg", "total_kimg",
                                                 "snapshot", "seconds", "cpu_seconds")}
        write_text(path / "status.json", json.dumps(told | {"machine": machine()}, indent=1) + "\n")
        write_text(path / "stats.jsonl", "".join(
            json.dumps({key: rounded(line[key]) for key in KEPT if key in line}) + "\n"
            for line in folder.stats() if "event" not in line))
        for sample in folder.samples():
            shutil.copy(sample.path, path / "samples")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(path, out)
    return sum(file.stat().st_size for file in out.rglob("*") if file.is_file())


def rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    typer.run(main)
