"""python -m train.assets: make what assets/ ships again, from nothing: a SWGAN and a WGAN-GP generator that differ in
nothing but the loss, each with its run's configuration, statistics, samples, metrics and named directions.

Stopped (Ctrl-C) or cut off, the same command goes on. Needs what the studio needs, not only what a training does.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from pvswgan import checkpoint, factor_reader
from pvswgan.checkpoint import ASSETS, CheckpointError, Model, network_checkpoints, save_network
from pvswgan.data.store import ClipStore
from pvswgan.factor_reader import Factor
from pvswgan.files import write_text
from pvswgan.latents import on_sphere, sample_latents
from pvswgan.video import sprite_sheet, to_uint8, write_png
from train.clips import store_of
from train.command import one_sentence
from train.config import Config
from train.process import train_on
from train.run import RunFolder, replaced
from train.snapshot import SHOWN

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "assets.yaml"
LOSSES = ("swgan", "wgan-gp")
NAMED = 12  # principal directions that are looked at
CLEAR = 0.1  # share of a factor's variance from which a direction is called by it
READABLE = 0.4  # R2 on real clips, from which a factor counts
FACES = 1024  # samples whose factors are read
WALKED = 64  # samples that are moved along a direction
STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # standard deviations
PLACE = ("stage", "frames", "resolution", "alpha", "phase")  # of the last line of statistics
TOLD = 0.05  # share of a factor's variance from which it is told of
say = Console(markup=False, highlight=False).print


def main(config: Annotated[Path, typer.Option(help="of both trainings, but for the loss")] = CONFIG,
         work: Annotated[Path, typer.Option(help="folder of their run folders")] = Path("runs"),
         out: Annotated[Path, typer.Option(help="folder to fill")] = ASSETS,
         name: Annotated[str, typer.Option(help="NAME-swgan and NAME-wgan-gp are made")] = "toyfaces",
         threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all")] = None,
         clips: Annotated[int, typer.Option(min=32, help="samples of the evaluation")] = 1000,
         train: Annotated[bool, typer.Option(help="train on; --no-train: ship what there is")] = True,
         kimg: Annotated[float | None, typer.Option(min=0, help="train no further, and ship the networks of then; "
                                                        "default: to the end of the plan")] = None,
         remeasure: Annotated[bool, typer.Option("--measure", help="train and ship nothing: measure again what is in "
                                                                   "the folder, as after a change of the measures")
                              ] = False,
         ) -> None:
    """Train both (or go on), evaluate, and fill the folder."""
    with one_sentence():
        if remeasure:
            for loss in LOSSES:
                measure_again(out / f"{name}-{loss}.safetensors", clips)
        else:
            _make([work / f"{name}-{loss}" for loss in LOSSES], config if train else None, out, threads, clips, kimg)


def _make(runs: Sequence[Path], config: Path | None, out: Path, threads: int | None, clips: int,
          kimg: float | None) -> None:
    """Train, where there is a configuration to train with, and ship both."""
    if config is not None:
        precision: list[str] = []   # the first one's: what `auto` finds may differ, and nothing but the loss is to
        for run, loss in zip(runs, LOSSES, strict=True):
            _train(config, run, [f"loss.name={loss}", "log.keep=1000", *precision], threads, kimg)
            precision = [f"precision={RunFolder(run).config()['precision']}"]
    at = common(runs, kimg)
    for run in runs:
        ship(run, at, out, clips)


def _train(config: Path, run: Path, words: list[str], threads: int | None, kimg: float | None) -> None:
    """Begin a training, or go on with it. Ends the command where it is stopped or fails."""
    def stop_in_time() -> None:
        if kimg is not None and over(run, kimg):
            RunFolder(run).request("stop")

    if over(run, kimg):
        return
    code = train_on(config, run, words, threads, stop_in_time)
    if not over(run, kimg):
        raise typer.Exit(code or 130)


def over(run: Path, kimg: float | None) -> bool:
    """Whether it has come to the end of its plan, or has come so far (thousands of clips)."""
    reached = kimg is not None and any(
        int(path.name[:9]) >= round(1000 * kimg) for path in network_checkpoints(run))
    return reached or (RunFolder(run).status() or {}).get("state") == "finished"


def common(runs: Sequence[Path], kimg: float | None = None) -> int:
    """The most clips (or `kimg` thousand) after which all runs have a checkpoint: only so can they be compared.

    Raises CheckpointError.
    """
    have = [{int(path.name.split("-")[0]) for path in network_checkpoints(run)} for run in runs]
    both = set.intersection(*have)
    if kimg is not None and round(1000 * kimg) not in both:
        have_both = ", ".join(f"{clips / 1000:g}" for clips in sorted(both))
        raise CheckpointError(f"--kimg is {kimg:g}; both have checkpoints at {have_both}")
    if kimg is not None:
        return round(1000 * kimg)
    if not both:
        raise CheckpointError(f"{' and '.join(map(str, runs))} have no checkpoint after the same number of clips")
    return max(both)


def ship(run: Path, at: int, out: Path, clips: int) -> None:
    """Write OUT/NAME.safetensors, half precision, and OUT/NAME/, a run folder without its trainer: config.yaml,
    status.json, stats.jsonl, samples/ (at the edges of stages), metrics/, directions.json."""
    target, aside = out / f"{run.name}.safetensors", out / f".{run.name}.tmp"
    if (out / run.name).resolve() == run.resolve():
        raise CheckpointError(f"--out is {out}, where the run {run} lies: it would take that one's place")
    with replaced(out / run.name) as folder:                 # what was shipped before stays until all of it is there
        told = _fill(run, at, folder, clips)
        shutil.move(folder / target.name, aside)
    aside.replace(target)
    say(f"{target} ({target.stat().st_size / 1e6:.2f} MB) {told}")


def _fill(run: Path, at: int, folder: Path, clips: int) -> str:
    """All of it into an empty folder, the network's file beside the rest; returns what was measured, for people."""
    source = next(path for path in network_checkpoints(run) if path.name.startswith(f"{at:09d}-"))
    model = checkpoint.load(source)
    target = folder / f"{run.name}.safetensors"
    save_network(target, model.generator, model.config, clips=model.clips, stage=model.stage, alpha=model.alpha,
                 half=True)
    (folder / "samples").mkdir(parents=True)
    shutil.copy(run / "config.yaml", folder)
    _statistics(run, at, folder)
    for path in shown(run, at):
        shutil.copy(path, folder / "samples")
    shipped = checkpoint.load(target)  # shown, measured and named as it is shipped: in half precision
    config = _config_of(shipped)
    last = folder / "samples" / f"{at:09d}-{shipped.frames}x{shipped.resolution}.png"
    write_png(last, sprite_sheet(to_uint8(shipped.sample(SHOWN, seed=config.seed))))
    store = store_of(config)
    named = name_directions(shipped, store)
    write_text(folder / "directions.json", json.dumps(named, indent=1) + "\n")
    told = _measure(shipped, store, config, folder / "metrics", clips)
    return told + "".join(f"\n    {direction}: {found['name']}" for direction, found in named.items())


def measure_again(file: Path, clips: int) -> None:
    """Of a network that was shipped."""
    model = checkpoint.load(file)
    config = _config_of(model)
    say(f"{file} {_measure(model, store_of(config), config, file.with_suffix('') / 'metrics', clips)}")


def _config_of(model: Model) -> Config:
    """Of its training; what the file says besides is left out."""
    return Config.model_validate({key: model.config[key] for key in Config.model_fields if key in model.config})


def _measure(model: Model, store: ClipStore, config: Config, folder: Path, clips: int) -> str:
    """Into a file in the folder, which then is the only one; returns what was found, for people."""
    from pvswgan.metrics import evaluate

    with Progress(transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        result = evaluate.evaluate(model, store, clips=clips, tell=lambda what, done, total: bar.update(
            task, description=f"measuring {model.path.stem}: {what}", completed=done, total=total))
    result.about.update(model=f"asset:{model.path.stem}", real="own")   # as the Evaluate page finds them
    kept = evaluate.save(result, folder / f"{model.clips:09d}-{result.key}.json")
    for older in set(folder.glob("*.json")) - {kept}:
        older.unlink()
    fid, swd = (result.values[key] for key in ("fid", "swd"))
    return (f"after {model.clips / 1000:g} kimg: FID {fid['value']:.3g} "
            f"(floor {fid['floor']:.3g}), SWD {swd['value']:.3g} (floor {swd['floor']:.3g})")


def shown(run: Path, at: int) -> list[Path]:
    """The sample sheets to keep: reals, and of each stage the last one."""
    last: dict[tuple[int, int], Path] = {}
    samples = sorted(RunFolder(run).samples(), key=lambda sample: sample.clips)
    for sample in samples:
        if 0 <= sample.clips <= at:
            last[sample.frames, sample.resolution] = sample.path
    return [sample.path for sample in samples if sample.clips < 0] + list(last.values())


def _statistics(run: Path, at: int, folder: Path) -> None:
    """Statistics up to `at`, and a status that tells of a training that is over and done elsewhere."""
    read = RunFolder(run)
    lines = [line for line in read.stats() if line.get("clips", 0) <= at]
    write_text(folder / "stats.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    status = read.status() or {}
    place = {key: lines[-1][key] for key in PLACE if lines and key in lines[-1]}
    write_text(folder / "status.json", json.dumps({
        "state": "finished", "message": f"trained for {at / 1000:g} kimg", "clips": at, "kimg": at / 1000, **place,
        "device": status.get("device"), "total_kimg": at / 1000, "eta_s": 0.0, "error": None}, indent=1) + "\n")


def name_directions(model: Model, store: ClipStore) -> dict[str, dict[str, Any]]:
    """{"pca:0": {"name", "share", "factors"}}: the principal directions that clearly move known factors of toyfaces, as
    a regression reads them off the clips, each called by the one or two whose variance it explains most of. A factor
    that the regression cannot read off real clips names nothing: what it says of samples is chance.

    factors: [{"label", "unit", "share", "along"}], the clearest first: the share of the factor's variance over samples
    that the direction explains, and, of a number, its mean change at STEPS along it, in its standard deviations.
    """
    from pvswgan.directions import pca

    reader = factor_reader.learn(store, (model.frames, model.resolution), model.sizes[-1][0])
    factors = [factor for factor in factor_reader.TOYFACES if reader.r2[factor.id] >= READABLE]

    def read_off(z: Tensor) -> dict[str, NDArray[np.float64]]:
        clips = (factor_reader.features(to_uint8(model.generate(part))) for part in z.split(64))
        return reader.read(np.concatenate(list(clips)))

    z = sample_latents(FACES, model.latent_dim, 0)
    read, on = read_off(z), on_sphere(z.double())
    named, names = dict[str, dict[str, Any]](), Counter[str]()
    for place, vector in enumerate(pca(model.generator, NAMED).vectors):
        at = (on @ (vector / vector.norm()).double()).numpy()
        shares = {factor: factor_reader.explained_by(at, read[factor.id]) for factor in factors}
        order = sorted(factors, key=lambda factor: -shares[factor])
        clear = [factor for factor in order[:2] if shares[factor] >= CLEAR]
        if not clear:
            continue
        walked = [read_off(z[:WALKED] + step * vector) for step in STEPS]
        told = [{"label": factor.label, "unit": factor.unit, "share": round(shares[factor], 3),
                 "along": _along(factor, walked, read)} for factor in order if shares[factor] >= TOLD]
        name = ", ".join(factor.label.replace(", mean", "") for factor in clear)
        names[name] += 1
        named[f"pca:{place}"] = {"name": name if names[name] == 1 else f"{name} ({names[name]})",
                                 "share": round(shares[clear[0]], 3), "factors": told}
    return named


def _along(factor: Factor, walked: Sequence[dict[str, NDArray[np.float64]]],
           read: dict[str, NDArray[np.float64]]) -> list[float] | None:
    """A number's mean change at STEPS, in standard deviations over samples; None of a choice or a place on a ring."""
    spread = float(read[factor.id].std())
    if factor.kind != "number" or not spread:
        return None
    middle = walked[STEPS.index(0.0)][factor.id].mean()
    return [round(float((at[factor.id].mean() - middle) / spread), 3) for at in walked]


if __name__ == "__main__":
    typer.run(main)
