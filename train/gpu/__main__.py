"""python -m train.gpu: tests, benchmark and trainings on a borrowed GPU machine, for so many minutes (`make gpu`)."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from train.config import ConfigError
from train.gpu import BEGAN
from train.gpu.outbox import Outbox, OutboxError
from train.gpu.visit import Visit, Wishes
from train.process import ROOT

MODELS = "toyfaces-swgan,toyfaces-wgan-gp"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    minutes: Annotated[float, typer.Option(min=0.05, help="of the whole visit, from beginning to end")] = 8.0,
    out: Annotated[Path, typer.Option(help="folder of what comes back: at most 8 files under 16 MiB")] = Path("out"),
    source: Annotated[Path | None, typer.Option("--from", help="OUT of an earlier visit, to go on from")] = None,
    store: Annotated[Path | None, typer.Option(help="a store carried along; default: faces are drawn")] = None,
    models: Annotated[str, typer.Option(help="in this order, NAME or NAME:SHARE of the time; of configs/")] = MODELS,
    tests: Annotated[float, typer.Option(min=0, help="seconds at most for the GPU tests; 0: none")] = 60.0,
    benchmark: Annotated[float, typer.Option(min=0, help="seconds at most for the benchmark; 0: none")] = 120.0,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value for the models")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="rehearse: everything tiny, on the CPU")] = False,
) -> None:
    """GPU tests, the benchmark, then training of a pair at 64x64, written to OUT as it goes."""
    if not dry and not torch.cuda.is_available():
        raise OutboxError("PyTorch sees no GPU here; to rehearse on the CPU: make gpu DRY=1")
    signal.signal(signal.SIGTERM, _interrupt)
    wishes = Wishes(minutes, tests, benchmark, parse_models(models), store, overrides or [], dry)
    began = BEGAN if __name__ == "__main__" else time.monotonic()
    box = Outbox(out, [name for name, *_ in wishes.models], source, began)
    try:
        good = Visit(wishes, box).go()
    except KeyboardInterrupt:
        box.say(f"stopped; to go on: make gpu FROM={out}")
        raise typer.Exit(130) from None
    raise typer.Exit(0 if good else 1)


def parse_models(text: str) -> list[tuple[str, Path, float]]:
    """'a:2,b' -> (name, configuration, share of the time) of each. Raises ConfigError."""
    found = []
    for part in text.split(","):
        name, _, share = part.strip().partition(":")
        path = ROOT / "configs" / f"{name}.yaml"
        try:
            found.append((name, path, float(share or 1)))
        except ValueError:
            raise ConfigError(f"--models has {part!r}; allowed: NAME or NAME:SHARE, such as {MODELS}") from None
        if not path.is_file() or not found[-1][2] > 0:
            raise ConfigError(f"--models has {part!r}; allowed: a name in configs/, with a share above 0")
    if len({name for name, *_ in found}) < len(found):
        raise ConfigError(f"--models is {text!r}; allowed: each model once")
    return found


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        app()
    except (ConfigError, OutboxError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
