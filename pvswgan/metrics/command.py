"""python -m pvswgan evaluate: how good a model is, on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pvswgan.metrics.evaluate import Result


def evaluate(
        model: Annotated[str, typer.Argument(help="run folder, .safetensors file, or a name from assets/")],
        data: Annotated[Path, typer.Option(help="a built store of real clips (python -m pvswgan data)")],
        clips: Annotated[int, typer.Option(min=16, help="samples; as many real clips and as many others")] = 1000,
        extractor: Annotated[str, typer.Option(help="clipnet, inception, c3d or i3d")] = "clipnet",
        weights: Annotated[Path | None, typer.Option(help="the extractor's file, where it is not ours")] = None,
        run_code: Annotated[bool, typer.Option("--run-code", help="i3d's file is a program: trust it")] = False,
        seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
        seeds: Annotated[int, typer.Option(min=1, max=100, help="measure so many times, with this seed and those after "
                                                                "it: mean and deviation")] = 1,
        split: Annotated[str | None, typer.Option(
            help="real clips of this split; default: what was held out of the training, else what it was trained on")
        ] = None,
        device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N")] = "cpu",
        out: Annotated[Path | None, typer.Option(help="also write the result to this JSON file; of several "
                                                             "seeds each to NAME-seedN.json")] = None,
        nearest: Annotated[Path | None, typer.Option(
            help="write a .png of samples (the first seed's), each above the nearest training clip; then of held-out "
                 "or training clips likewise")
        ] = None) -> None:
    """Measure a model against real clips: IS, FID, KID, precision, recall, SWD, diversity, motion, memorisation.

    Every number stands beside its floor (other real clips) and its ceiling (noise).
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pvswgan import checkpoint, video
    from pvswgan.data.store import ClipStore
    from pvswgan.metrics import report
    from pvswgan.metrics.evaluate import evaluate as measure
    from pvswgan.metrics.evaluate import save
    from pvswgan.metrics.extractors import make

    if nearest is not None and nearest.suffix.lower() != ".png":
        raise ValueError(f"--nearest is {str(nearest)!r}; allowed: a name that ends in .png")
    for file in (out, nearest):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)  # now, not after minutes of measuring
    _check(device)
    loaded, store = checkpoint.load(model, device), ClipStore.open(data)
    seen_by = make(extractor, weights, trust=run_code, device=device)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}")
    results: list[Result] = []
    kept: list[Path] = []
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("real clips", total=None)

        def tell(what: str, done: int, total: int) -> None:
            now = what if seeds == 1 else f"seed {seed + len(results)}: {what}"
            bar.update(task, description=now, completed=len(results) * total + done, total=seeds * total)

        try:
            for number in range(seed, seed + seeds):
                result = measure(loaded, store, clips=clips, extractor=seen_by, seed=number, split=split, tell=tell)
                results.append(result)
                kept += [save(result, place) for place in _places(result, loaded.path, out, seeds)]
        except KeyboardInterrupt:
            places = "".join(f"\n{place}" for place in kept)
            print(f"stopped; measured with {len(results)} of {seeds} seeds{places}", file=sys.stderr)
            raise typer.Exit(130) from None
    if result.protocol["clips"] < clips:
        score = " (but for the Inception Score)" if result.protocol["scored"] == clips else ""
        print(f"the store allows {result.protocol['clips']} clips of each kind, not {clips}{score}")
    Console(width=None if Console().is_terminal else 120).print(report.table(results))
    for result in results:
        print(report.sentence(result))
    print(report.accuracy(results[0]), end="")
    for place in kept:
        print(place)
    if not kept:
        print("this result is kept nowhere; --out FILE.json keeps it")
    if nearest is not None:
        video.write_png(nearest, video.sprite_sheet(report.nearest_pairs(results[0], loaded, store)))
        print(nearest)


def _places(result: Result, path: Path, out: Path | None, seeds: int) -> list[Path]:
    """Where a result is kept: with its run, where Evaluate finds it, and in `out`, of several seeds each by its own."""
    places = []
    if path.parent.name == "checkpoints":
        places.append(path.parent.parent / "metrics" / f"{result.model['clips']:09d}-{result.key}.json")
    if out is not None:
        places.append(out if seeds == 1 else out.with_stem(f"{out.stem}-seed{result.protocol['seed']}"))
    return places


def _check(device: str) -> None:
    """Raises ValueError where PyTorch has no such device here."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        gpus = [f"cuda:{place}" for place in range(torch.cuda.device_count())]
        raise ValueError(f"--device is {device!r}; allowed here: {', '.join(['cpu', *gpus])}") from None
