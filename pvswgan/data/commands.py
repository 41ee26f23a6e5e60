"""python -m pvswgan data {import,faces,toyfaces,shapes,verify,info}: clips in, from the command line."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from pvswgan.data.build import Told
from pvswgan.data.format import DataError
from pvswgan.data.growing import check_place, growing_folder
from pvswgan.data.jobs import Cancelled, Job
from pvswgan.data.sources import DRAW, LEAST, Recipe, Wish, cache_folder, is_store, recipe
from pvswgan.data.store import ClipStore
from pvswgan.data.trailers import REPORT, SHEET, FaceSettings, faces_recipe
from pvswgan.data.verify import bytes_text, open_for_people, paper_bytes, summary, verify

app = typer.Typer(no_args_is_help=True, help="Clips for training: bring videos in, draw some, look at what is there.")
console = Console(markup=False, highlight=False, emoji=False)  # names of files are not markup
LINE_S = 10.0  # a line so often tells how far an import is, where no terminal shows a bar
# What would break a line, drive the terminal, or is no letter at all: names of files may hold any bytes but / and 0.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Out = Annotated[Path | None, typer.Option(help="folder of the new store; default: a name of its own in the cache")]
Resolution = Annotated[int, typer.Option(help="pixels a side, a power of two; the smaller ones come with it")]
Compact = Annotated[bool, typer.Option("--compact", help="keep the two greatest resolutions as video")]
HoldOut = Annotated[float, typer.Option(
    help="a share of the files, 0.2 say (of drawn sets: of runs of 16 clips), that trainings do not see and models are "
         "measured against")]
Workers = Annotated[int | None, typer.Option(min=1, help="processes that work; default: one a processor")]
JobFolder = Annotated[Path | None, typer.Option("--job", help="keep a status.json there; a file `cancel` in it stops")]


@app.callback()
def _any_name() -> None:
    """File names of bytes that are no text must not end a command: they are shown escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@app.command("import")
def import_(
    path: Annotated[str, typer.Argument(help="folder of videos, class folders, strips, numbered images, or an array")],
    out: Out = None,
    source: Annotated[str, typer.Option(help="auto, videos, ucf101, strips, frames or array")] = "auto",
    resolution: Resolution = 64,
    frames: Annotated[int, typer.Option(min=1, help="leave out shorter clips")] = LEAST,
    fps: Annotated[float | None, typer.Option(help="bring videos to so many frames a second; default: as they are")]
    = None,
    clips: Annotated[int | None, typer.Option(min=1, help="at most so many, spread over the files; default: all")]
    = None,
    fold: Annotated[int, typer.Option(min=1, max=3, help="which of UCF-101's train and test lists")] = 1,
    compact: Compact = False,
    hold_out: HoldOut = 0.0,
    workers: Workers = None,
    job: JobFolder = None,
) -> None:
    """Bring clips in: a folder of files becomes a store that trains well."""
    _make(lambda: recipe(Wish(source, path, resolution, frames, clips, 0, fps, fold, compact, hold_out)), out, workers,
          job, path=path, resolution=resolution)


@app.command()
def faces(
    trailers: Annotated[list[str], typer.Argument(help="films, or folders that are searched for films")],
    out: Out = None,
    settings: Annotated[Path | None, typer.Option(help="a YAML file of what to look for; the options here win")] = None,
    resolution: Annotated[int | None, typer.Option(help="pixels a side, a power of two; default: 256")] = None,
    frames: Annotated[int | None, typer.Option(help="of each clip; default: 32")] = None,
    margin: Annotated[float | None, typer.Option(
        help="space left at each side of a face, as a share of its size; default: 0.05")] = None,
    detector: Annotated[str | None, typer.Option(
        help="cascade, or the path of a YuNet model (.onnx); default: cascade")] = None,
    compact: Compact = False,
    workers: Workers = None,
    job: JobFolder = None,
) -> None:
    """Cut clips of faces out of film trailers, as TrailerFaces was made."""
    options: dict[str, Any] = {"resolution": resolution, "frames": frames, "margin": margin, "detector": detector}
    given = {name: value for name, value in options.items() if value is not None}

    def find() -> Recipe:
        if not all(trailers):  # Path("") is the current folder
            raise DataError("the path of a trailer is empty; name a film, or a folder of films")
        wanted = FaceSettings() if settings is None else FaceSettings.load(settings)
        return faces_recipe([Path(trailer) for trailer in trailers], replace(wanted, **given), compact=compact)

    store = _make(find, out, workers, job, path=", ".join(trailers), resolution=resolution)
    dropped = json.loads((store.folder / REPORT).read_text(encoding="utf-8"))["dropped"]
    _say("dropped: " + (", ".join(f"{kind} {count}" for kind, count in dropped.items()) or "nothing"))
    _say(f"contact sheet: {store.folder / SHEET}")
    _say(f"report: {store.folder / REPORT}")


def _draws(kind: str, help: str) -> None:
    """Add the command that makes one of the sets which the program draws itself."""
    def draw(out: Out = None, resolution: Resolution = 64,
             frames: Annotated[int, typer.Option(min=1, help="of each clip")] = 32,
             clips: Annotated[int, typer.Option(min=1, help="how many to draw")] = DRAW,
             seed: Annotated[int, typer.Option(min=0)] = 0, compact: Compact = False, hold_out: HoldOut = 0.0,
             workers: Workers = None, job: JobFolder = None) -> None:
        _make(lambda: recipe(Wish(kind, None, resolution, frames, clips, seed, compact=compact, hold_out=hold_out)),
              out, workers, job, path=kind, resolution=resolution)

    app.command(kind, help=help)(draw)


_draws("toyfaces", "Draw faces that turn, nod, blink, smile and talk, with every factor known.")
_draws("shapes", "Draw shapes that move along curved paths, with every factor known.")


@app.command("verify")
def verify_(store: Annotated[Path, typer.Argument(help="folder of a store")]) -> None:
    """Compare every byte of a store with its checksums."""
    opened = open_for_people(store)
    with _bar() as bar:
        task = bar.add_task("verifying", total=1.0, rest="")
        wrong = verify(opened, lambda done, total: bar.update(task, completed=done / total, rest=bytes_text(total)))
    for sentence in wrong:
        _say(sentence)
    if wrong:
        raise typer.Exit(1)
    _say(f"{store}: {len(opened)} clips, {bytes_text(sum(opened.bytes_on_disk().values()))}, all as written")


@app.command()
def info(store: Annotated[Path | None, typer.Argument(help="folder of a store; default: list the cache")] = None,
         skipped: Annotated[int, typer.Option(min=0, help="how many skipped files to name")] = 10) -> None:
    """What is in a store: clips, classes, bytes, what was skipped and why."""
    if store is None:
        _list_cache()
        return
    opened = open_for_people(store)
    _describe(opened)
    _describe_skipped(opened, skipped)


def _make(find: Callable[[], Recipe], out: Path | None, workers: int | None, job_folder: Path | None,
          **about: object) -> ClipStore:
    """Build a recipe's store with progress on the terminal, and in the job's folder where there is one."""
    job = Job(job_folder, **about) if job_folder else None
    place: Path | None = None
    try:
        if out is not None and is_store(out):
            raise DataError(f"{out} holds a store already; choose another folder, or remove it")
        place = None if out is None else check_place(out)  # before the files are looked at, which may take long
        made = find()
        place = place or cache_folder() / made.name
        with _bar() as bar:
            store = made.build(place, workers, _teller(bar, bar.add_task("importing", total=1.0, rest=""), job))
    except (Cancelled, KeyboardInterrupt) as stop:
        kept = place is not None and growing_folder(place).exists()
        if job:
            with suppress(DataError):
                job.end("cancelled")
        _say("stopped; the same command goes on from here" if kept else "stopped; there is nothing to go on with")
        raise typer.Exit(130) from stop
    except BaseException as error:
        if job:
            with suppress(DataError):  # a status that cannot be written must not hide why
                job.end("failed", error=str(error) if isinstance(error, ValueError | OSError) else repr(error))
        raise
    if job:
        job.end("done", store=store.folder.resolve())
    _describe_made(made, store)
    return store


def _describe_made(made: Recipe, store: ClipStore) -> None:
    _say(f"{store.folder}: {len(store)} clips of {store.resolution} pixels, "
         f"{bytes_text(sum(store.bytes_on_disk().values()))}; {len(store.skipped)} skipped")
    if made.rules.clips is not None and len(store) < made.rules.clips:
        _say(f"{made.rules.clips} clips were asked for; {len(store)} were found")
    if made.ignored:
        _say(f"{made.ignored} files of other kinds were left alone")
    _describe_skipped(store, 5)


def _teller(bar: Progress, task: TaskID, job: Job | None) -> Callable[[Told], None]:
    began = told = time.monotonic()
    first: int | None = None  # clips that an earlier try had made

    def tell(now: Told) -> None:
        nonlocal first, told
        first = now.clips if first is None else first
        left = "" if now.eta_s is None else f", {timedelta(seconds=round(now.eta_s))} left"
        rest = f"{now.done} of {now.total} ({_shown(now.item[-40:])}), {now.clips} clips, {now.skipped} skipped{left}"
        bar.update(task, completed=now.done / max(1, now.total), rest=rest)
        if bar.disable and time.monotonic() - told > LINE_S:
            told = time.monotonic()
            print(f"importing: {rest}, {(now.clips - first) / (told - began):.1f} clips/s", file=sys.stderr, flush=True)
        if job:
            job.tell(now)

    return tell


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>5.1f} %"),
               TextColumn("{task.fields[rest]}", markup=False))
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _describe(store: ClipStore) -> None:
    about = summary(store)
    frames, fps = about["frames"], about["fps"]
    _say(str(store.folder))
    _say(f"{about['clips']} clips, {frames['least']} to {frames['most']} frames "
         f"(median {frames['median']:g}) at {fps:g} frames a second")
    _say("clips with at least so many frames: " + ", ".join(f"{n}: {held}" for n, held in about["usable"].items()))
    if len(about["classes"]) > 1:
        _say("classes: " + ", ".join(f"{name} {held}" for name, held in about["classes"].items()))
    if set(about["splits"]) != {""}:
        _say("splits: " + ", ".join(f"{name or 'none'} {held}" for name, held in about["splits"].items()))
    if about["factors"]:
        _say("factors: " + ", ".join(about["factors"]))
    table = Table("pixels", "kept as", "bytes a clip", "in all")
    for size, held in about["bytes"].items():
        kind = "video" if size in store.compact else "bytes"
        table.add_row(str(size), kind, f"{about['bytes_per_clip'][size]:,.0f}", bytes_text(held))
    console.print(table)
    for name, held in paper_bytes(store).items():
        _say(f"kept like this, {name}, at 32x256x256: {bytes_text(held)}")


def _describe_skipped(store: ClipStore, most: int) -> None:
    if not store.skipped:
        return
    parts = sum("start" in entry for entry in store.skipped)
    _say(f"skipped: {len(store.skipped) - parts} files, {parts} parts of files")
    for entry in store.skipped[:most]:
        frames = f" (frames {entry['start']} to {entry['stop']})" if "start" in entry else ""
        _say(f"  {entry['file']}{frames} {entry['reason']}")
    if len(store.skipped) > most:
        name_all = f"python -m pvswgan data info {shlex.quote(str(store.folder))} --skipped {len(store.skipped)}"
        _say(f"  ... {len(store.skipped) - most} more; all: {name_all}")


def _list_cache() -> None:
    folder = cache_folder()
    table = Table("store", "clips", "pixels", "bytes", title=_shown(str(folder)))
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        if place.name.endswith(".building"):
            held = sum(file.stat().st_size for file in place.iterdir() if file.is_file())
            table.add_row(_shown(place.name), "unfinished", "", bytes_text(held))
        elif (place / "meta.json").is_file():
            try:
                store = ClipStore.open(place)
            except DataError as error:
                table.add_row(_shown(place.name), _shown(str(error)), "", "")
                continue
            held = sum(store.bytes_on_disk().values())
            table.add_row(_shown(place.name), str(len(store)), str(store.resolution), bytes_text(held))
    console.print(table)


def _say(line: str) -> None:
    console.print(_shown(line), soft_wrap=True)  # paths and commands in one piece, to be copied


def _shown(text: str) -> str:
    """The same in one line that any terminal can show."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
