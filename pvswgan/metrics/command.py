"""python -m pvswgan evaluate: how good a model is, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
        model: Annotated[str, typer.Argument(help="run folder, .safetensors file, or a name from assets/")],
        data: Annotated[Path, typer.Option(help="a built store of real clips (python -m pvswgan data)")],
        clips: Annotated[int, typer.Option(min=32, help="samples; as many real clips and as many others")] = 1000,
        extractor: Annotated[str, typer.Option(help="clipnet, inception, c3d or i3d")] = "clipnet",
        weights: Annotated[Path | None, typer.Option(help="the extractor's file, where it is not ours")] = None,
        run_code: Annotated[bool, typer.Option("--run-code", help="i3d's file is a program: trust it")] = False,
        seed: Annotated[int, typer.Option(min=0)] = 0,
        split: Annotated[str | None, typer.Option(help="real clips of this split only")] = None,
        device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N")] = "cpu",
        out: Annotated[Path | None, typer.Option(help="also write the result to this JSON file")] = None,
        nearest: Annotated[Path | None, typer.Option(
            help="write a .png of samples, each above the nearest real clip")] = None) -> None:
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
    loaded, store = checkpoint.load(model, device), ClipStore.open(data)
    seen_by = make(extractor, weights, trust=run_code, device=device)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}")
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("real clips", total=None)
        result = measure(loaded, store, clips=clips, extractor=seen_by, seed=seed, split=split,
                         tell=lambda what, done, total: bar.update(task, description=what, completed=done, total=total))
    if result.protocol["clips"] < clips:
        print(f"the store allows {result.protocol['clips']} clips of each kind, not {clips}")
    Console(width=None if Console().is_terminal else 120).print(report.table(result))
    print(report.sentence(result))
    run = Path(model)
    places = [out] if out else []
    if run.is_dir():
        places.append(run / "metrics" / f"{result.model['clips']:09d}-{result.key}.json")
    for place in places:
        print(save(result, place))
    if nearest is not None:
        video.write_png(nearest, video.sprite_sheet(report.nearest_pairs(result, loaded, store)))
        print(nearest)
