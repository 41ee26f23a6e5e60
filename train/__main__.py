"""python -m train CONFIG.yaml [--run-dir runs/NAME] [key=value ...] [--dry-run] [--resume]"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from pvswgan.data.store import DataError
from train import heap
from train.baselines import make_engine
from train.config import Config, ConfigError, dump, load
from train.cost import duration, measure
from train.distributed import Group, GroupError, join
from train.engine import NotFinite, choose_device
from train.loop import Stopped, start_or_resume
from train.memory import free_memory, own_memory, process_memory, step_memory
from train.pace import remaining
from train.precision import choose_precision
from train.run import RunError
from train.shortage import NotEnoughMemory

console = Console(markup=False, highlight=False)          # names of runs are not markup
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path | None, typer.Argument(help="configuration, such as configs/toyfaces-cpu.yaml")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, such as train.batch=8")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="run folder; default runs/CONFIG-DATE")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in --run-dir")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print plan, networks and cost, train nothing")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all")] = None,
) -> None:
    """Train a growing video GAN.

    On several GPUs, or several machines: torchrun --nproc-per-node N -m train CONFIG.yaml ...
    """
    heap.give_back()
    if threads:
        torch.set_num_threads(threads)
    try:
        group = join()
        console.quiet = group.rank > 0                     # all say the same: once is enough
        settings = group.first(lambda: _settings(config, overrides or [], run_dir, resume))
        if dry_run:
            if settings is None or group.world > 1:
                raise RunError("--dry-run is for a run that has not begun and for one process: it goes neither with "
                               "--resume nor with torchrun")
            _dry_run(settings)
            return
        _train(settings, group.first(lambda: _folder(config, run_dir)), resume, group)
        group.close()
    except (ConfigError, DataError, RunError, ValueError) as error:
        _exit(str(error), 2)
    except GroupError as error:
        _exit(str(error), 1)


def _settings(config: Path | None, overrides: list[str], run_dir: Path | None, resume: bool) -> Config | None:
    if not resume:
        if config is None:
            raise ConfigError("which configuration? Such as: python -m train configs/toyfaces-cpu.yaml")
        return load(config, overrides)
    if run_dir is None:
        raise RunError("--resume goes on with a run: say which with --run-dir runs/NAME")
    if config is not None or overrides:
        raise RunError("--resume goes on exactly as the run began: it takes no configuration and no key=value")
    return None


def _folder(config: Path | None, run_dir: Path | None) -> Path:
    if run_dir is not None:
        return run_dir
    assert config is not None
    return Path("runs") / f"{config.stem}-{time.strftime('%Y%m%d-%H%M%S')}"


def _train(settings: Config | None, folder: Path, resume: bool, group: Group) -> None:
    bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                   TextColumn("{task.percentage:>5.1f} %  {task.fields[rest]}", markup=False), console=console,
                   disable=not console.is_terminal)
    task = bar.add_task("preparing", total=1.0, rest="")

    def progress(status: dict) -> None:
        if not status.get("total_kimg"):
            bar.update(task, description=status["message"])
            return
        rate, eta = status.get("clips_per_s"), status.get("eta_s")
        bar.update(task, completed=status["kimg"] / status["total_kimg"], description=status["message"],
                   rest=f"{status['kimg']:.1f} kimg" + (f", {rate:.1f} clips/s" if rate else "")
                        + (f", {duration(eta)} left" if eta is not None else ""))

    began = time.monotonic()
    try:
        with bar:
            trainer = start_or_resume(settings, folder, resume, group, say=_say, progress=progress)
            if settings is not None and not console.is_terminal:
                _say(f"statistics in {folder / 'stats.jsonl'}")
            trainer.run()
    except Stopped as stop:
        command = "python" if group.world == 1 else f"torchrun --nproc-per-node {group.world}"
        _say(f"{stop}; go on with: {command} -m train --resume --run-dir {folder}")
    except (NotFinite, NotEnoughMemory) as error:
        _exit(str(error), 1)
    except KeyboardInterrupt:
        _exit("stopped at once; the last checkpoint is from before", 130)
    except OSError as error:
        _exit(f"cannot write to {folder}: {error}", 1)
    _say(f"{folder}: {duration(time.monotonic() - began)}")


def _dry_run(settings: Config) -> None:
    """The resolved settings, the plan with its time, the networks: nothing is written."""
    device = choose_device(settings.device)
    settings = settings.model_copy(update={"precision": choose_precision(settings, device)})
    console.print(dump(settings))
    engine = make_engine(settings, device, settings.precision)
    for name, module in (("generator", engine.G), ("discriminator", engine.D),
                         (f"{settings.loss.name} head", engine.loss)):
        count = sum(p.numel() for p in module.parameters())
        if count:                                          # another system's loss has no head
            console.print(f"{name}: {count:,} parameters")
    dim = partial(console.print, style="dim")
    per_clip, timed = measure(engine, say=dim)
    for shortage in engine.shortages:
        dim(shortage.sentence())
    dim("counting memory")
    memory = _memory_columns(settings, device, own_memory(engine))
    table = Table("stage", "size TxHxW", "batch", "lr", "fade kimg", "stable kimg", "clips/s", "time", *memory,
                  title="plan")
    for i, stage in enumerate(engine.plan.stages):
        rate = ("" if i < timed else "~") + f"{1 / per_clip[i]:.3g}" if per_clip[i] else "-"
        table.add_row(str(i), stage.name, str(engine.batches[i]), f"{engine.rates[i]:g}", f"{stage.fade / 1000:g}",
                      f"{stage.stable / 1000:g}", rate,
                      duration((stage.fade + stage.stable) * per_clip[i]), *(column[i] for column in memory.values()))
    console.print(table)
    if timed < len(per_clip):
        console.print("~ too slow to time here: scaled by arithmetic from the stage before")
    console.print(f"GB: the most memory that a step takes; {free_memory(device) / 1e9:.3g} are free on {device} now")
    console.print(f"{engine.plan.total / 1000:g} kimg on {device} with {settings.precision}: about "
                  f"{duration(remaining(engine.plan, 0, per_clip))}")


def _memory_columns(settings: Config, device: torch.device, own: int) -> dict[str, list[str]]:
    """{heading: text for each stage}; of `auto` both with and without activation checkpointing."""
    found, setting = step_memory(settings, settings.precision), settings.train.checkpointing

    def column(name: str) -> list[str]:
        return [f"{process_memory(getattr(m, name), device, own) / 1e9:.2f}" if m else "-" for m in found]

    columns = {} if setting == "on" else {"GB": column("plain")}
    return columns if setting == "off" else columns | {"checkpointing GB": column("checkpointing")}


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)                       # paths and commands in one piece, to be copied


def _exit(text: str, code: int) -> None:
    if console.quiet:
        time.sleep(1)               # torchrun ends all when it sees one end: the first one is to speak before that
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
