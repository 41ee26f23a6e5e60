"""python -m train.benchmark: training steps of the engine, of a plain reference, and the roofline, stage by stage.

With a command (where, clip, reads, codec, import, draw): other tables of what this machine does, with machine and date.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from pvswgan.data.format import DataError
from pvswgan.data.store import ClipStore
from train import heap
from train.config import ConfigError, load
from train.machine import machine

console = Console(markup=False, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback(invoke_without_command=True)
def steps(context: typer.Context,
          config: Annotated[Path, typer.Option(help="configuration")] = Path("configs/paper.yaml"),
          overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value of the configuration")] = None,
          stages: Annotated[str | None, typer.Option(help="such as 0-3,5; default: all")] = None,
          device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
          precision: Annotated[str, typer.Option(help="of the engine: auto, float32 or bfloat16")] = "auto",
          batch: Annotated[int | None, typer.Option(min=1, help="clips a step; default: the configuration's")] = None,
          seconds: Annotated[float, typer.Option(min=0, help="at each stage")] = 20.0,
          threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None,
          tf32: Annotated[bool, typer.Option(help="TF32 in the reference's float32 convolutions")] = True,
          out: Annotated[Path | None, typer.Option(help="folder for NAME.json, NAME.md and NAME.svg")] = None,
          name: Annotated[str, typer.Option(help="NAME of the files")] = "steps") -> None:
    """Whole training steps: clips a second of the engine and of plain PyTorch, memory, and the least time possible."""
    heap.give_back()                                         # as in a training
    if context.invoked_subcommand:
        return
    from train.benchmark import report
    from train.benchmark.roofline import measure_rates
    from train.benchmark.steps import against, steps_table
    from train.engine import choose_device
    from train.precision import choose_precision

    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = tf32
    more = [f"precision={precision}", *([f"train.batch={batch}"] if batch else [])]
    settings = load(config, [*(overrides or []), *more])
    chosen, where = report.parse_stages(stages, len(settings.plan().stages)), choose_device(device)
    settings = settings.model_copy(update={"precision": choose_precision(settings, where)})
    dtype = getattr(torch, settings.precision)
    rates = measure_rates(where, dtype)
    rows: list[report.Row] = []
    result = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "command": _command(), "config": str(config),
              "precision": settings.precision, "tf32": tf32 and where.type == "cuda",
              "rows": rows}
    for stage in chosen:                                     # written as it goes: on a lent machine time may run out
        rows += steps_table(settings, where, [stage], seconds, lambda text: console.print(text, style="dim"))
        rates = rates.best(measure_rates(where, dtype))      # the machine may have been busy before: not a high share
        against(rows, settings, rates)
        result |= {"matrix_tflops": rates.flops / 1e12, "bandwidth_gbs": rates.bandwidth / 1e9}
        if out:
            report.write(out, name, result)
    table = Table(*report.COLUMNS, caption=report.caption(result))
    for row in rows:
        table.add_row(*report.cells(row))
    console.print(table)
    console.print(report.schedule(rows))
    if out:
        console.print("written: " + ", ".join(map(str, report.write(out, name, result))), soft_wrap=True)


@app.command()
def show(result: Annotated[Path, typer.Argument(help="NAME.json of training steps")],
         out: Annotated[Path, typer.Option(help="folder for NAME.json, NAME.md and NAME.svg")] = Path("docs")) -> None:
    """Table and picture of an earlier measurement: `make gpu` brings back its JSON alone."""
    from train.benchmark import report

    written = report.write(out, result.stem, json.loads(result.read_text(encoding="utf-8")))
    console.print("written: " + ", ".join(map(str, written)), soft_wrap=True)


@app.command()
def reads(config: Annotated[Path, typer.Argument(help="configuration")] = Path("configs/toyfaces-cpu.yaml"),
          store: Annotated[Path | None, typer.Option(help="a built store; default: the configuration's data")] = None,
          overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value of the configuration")] = None,
          seconds: Annotated[float, typer.Option(min=0.1, help="of reading at each stage")] = 2.0,
          threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None) -> None:
    """Clips a second that the store gives, against what the trainer takes, stage by stage."""
    from train.benchmark.reads import reads_table
    from train.clips import store_of

    if threads:
        torch.set_num_threads(threads)
    settings = load(config, overrides or [])
    opened = ClipStore.open(store) if store else store_of(settings)
    rows = reads_table(settings, opened, seconds, say=lambda text: console.print(text, style="dim"))
    table = Table("stage", "size TxHxW", "batch", "read clips/s", "trained clips/s", "times",
                  title=f"{len(opened)} clips of {opened.folder.name}")
    for row in rows:
        trained = ("" if row["timed"] else "~") + f"{row['trained']:.4g}"
        table.add_row(str(row["stage"]), row["size"], str(row["batch"]), f"{row['read']:,.0f}", trained,
                      f"{row['times']:.1f}")
    _show(table)


@app.command("codec")
def codec_(clips: Annotated[int, typer.Option(min=1, help="clips of each kind")] = 8,
           videos: Annotated[Path, typer.Option(help="folder of 256-pixel videos")] = Path(
               "../shared/data/trailerfaces")) -> None:
    """The compact form of a store beside other ways to keep clips: bytes, milliseconds, quality."""
    from train.benchmark.clips import drawn_clips, real_clips
    from train.benchmark.codec import codec_table

    for name, found in (("drawn faces", drawn_clips(clips)), (str(videos), real_clips(videos, clips))):
        if not found:
            console.print(f"{name}: no clips, left out")
            continue
        table = Table("codec", "pixels", "bytes a clip", "smaller", "encode ms", "decode ms", "PSNR dB", "worst",
                      "SSIM", "worst", "motion", title=f"{name}: clips of 32 frames, one core")
        for row in codec_table(found):
            table.add_row(row["codec"], str(row["resolution"]), f"{row['bytes']:,}", f"{row['smaller']:.1f}x",
                          f"{row['encode_ms']:.1f}", f"{row['decode_ms']:.1f}", f"{row['psnr']:.1f}",
                          f"{row['worst_psnr']:.1f}", f"{row['ssim']:.4f}", f"{row['worst_ssim']:.4f}",
                          f"{row['motion']:.3f}")
        _show(table)


@app.command("import")
def import_(path: Annotated[Path, typer.Argument(help="folder of clips")],
            resolution: int = 64, workers: Annotated[list[int] | None, typer.Option(help="processes; several")] = None,
            compact: bool = False, clips: Annotated[int | None, typer.Option(help="at most so many")] = None) -> None:
    """Files and clips a second that an import decodes, the memory that its processes take; needs room in the cache."""
    from pvswgan.data.sources import cache_folder
    from train.benchmark.importing import import_row

    table = Table("workers", "files/s", "clips/s", "MB/s of pixels", "seconds", "MiB, main", "MiB, greatest worker",
                  title=f"{path} at {resolution} pixels" + (", compact" if compact else ""))
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    for count in workers or [1, 2]:
        with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=cache) as folder:
            row = import_row(path, Path(folder) / "store", resolution, count, compact, clips)
        table.add_row(str(count), f"{row['files_s']:.1f}", f"{row['clips_s']:.1f}", f"{row['mb_s']:.0f}",
                      f"{row['seconds']:.1f}", f"{row['main_mib']:.0f}", f"{row['worker_mib']:.0f}")
    _show(table)


@app.command()
def draw(resolutions: Annotated[list[int] | None, typer.Option("--resolution", help="pixels; several")] = None,
         seconds: Annotated[float, typer.Option(min=0.1, help="of drawing for each")] = 4.0,
         workers: Annotated[int | None, typer.Option(min=1, help="processes; default: one a core")] = None) -> None:
    """Clips of 32 frames a second that toyfaces and shapes are drawn with."""
    from train.benchmark.drawing import draw_rows

    count = workers or len(os.sched_getaffinity(0))
    table = Table("set", "pixels", "clips/s", title=f"clips of 32 frames, {count} processes")
    for row in draw_rows(resolutions or [32, 64, 128, 256], seconds, count):
        table.add_row(row["set"], str(row["resolution"]), f"{row['clips_s']:.1f}")
    _show(table)


@app.command()
def clip(draws: Annotated[int, typer.Option(min=2, help="clips of each size")] = 100,
         threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None) -> None:
    """Milliseconds from a latent to one clip, as the page draws it, on the CPU."""
    from train.benchmark.clip import clip_rows

    if threads:
        torch.set_num_threads(threads)
    table = Table("size TxHxW", "channels", "precision", "clip p50 ms", "p95 ms", "with its JPEG sheet, p50 ms",
                  title=f"{draws} clips, one at a time")
    for row in clip_rows(draws):
        table.add_row(row["size"], str(row["channels"]), row["precision"], f"{row['clip_p50']:.1f}",
                      f"{row['clip_p95']:.1f}", f"{row['sheet_p50']:.1f}")
    _show(table)


@app.command()
def where(stages: Annotated[list[int], typer.Argument(help="number of the stage; several")],
          config: Annotated[Path, typer.Option(help="configuration")] = Path("configs/toyfaces-cpu.yaml"),
          overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value of the configuration")] = None,
          device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
          threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None) -> None:
    """Where the time of a step goes, in the engine and in plain PyTorch: the profiler's operators in groups."""
    from train.benchmark.where import where_rows
    from train.engine import choose_device
    from train.precision import choose_precision

    if threads:
        torch.set_num_threads(threads)
    settings, chosen = load(config, overrides or []), choose_device(device)
    settings = settings.model_copy(update={"precision": choose_precision(settings, chosen)})
    for stage in stages:
        if not 0 <= stage < len(settings.plan().stages):
            raise ValueError(f"stage is {stage}; allowed: 0 to {len(settings.plan().stages) - 1}")
    for stage in stages:
        size, batch = settings.plan().stages[stage].name, settings.batches()[stage]
        table = Table("operators", "engine ms", "share", "plain PyTorch ms", "share",
                      title=f"a step of {size}, {batch} clips, {config}, {settings.precision}")
        for row in where_rows(settings, chosen, stage):
            table.add_row(row["group"], f"{1000 * row['engine']:.1f}", f"{row['engine_share']:.0%}",
                          f"{1000 * row['reference']:.1f}", f"{row['reference_share']:.0%}")
        _show(table)


def _show(table: Table) -> None:
    table.caption = f"{machine()}, {time.strftime('%Y-%m-%d')}"
    console.print(table)


def _command() -> str:
    return "python -m train.benchmark " + " ".join(sys.argv[1:])


if __name__ == "__main__":
    try:
        app()
    except (ConfigError, DataError, ValueError, OSError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
