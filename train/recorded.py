r"""python -m train.recorded: what the lesson on growing shows, from two trainings that differ in growing alone.

    python -m train.recorded --growing runs/study-toyfaces-cpu/swgan-0 \
        --fixed runs/study-toyfaces-cpu/no-growing-0

    OUT/recorded.json           what follows; where parameters, work, memory and time go, stage by stage; and real and
                                generated clips as the growing one's critic sees them, along two of its learned slices
    OUT/growing-00.png ...      the same latents at equal times of training: a row is a latent, a column a frame
    OUT/fixed-00.png ...
    OUT/stage-00.png ...        and as they were when each stage ended
    OUT/fade-1.safetensors ...  the network in the middle of each stage's fade, with its old and its new path, float16

Needs what the studio needs, not only what a training does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from pvswgan import checkpoint
from pvswgan import critic as critics
from pvswgan.checkpoint import ASSETS, CheckpointError, network_checkpoints, read_tensors, save_network
from pvswgan.data.hold_out import training_split
from pvswgan.files import write_text
from pvswgan.latents import sample_latents
from pvswgan.metrics.sets import Reals
from pvswgan.networks import Discriminator, Generator, channels
from pvswgan.video import sprite_sheet, to_uint8, write_png
from train.clips import store_of
from train.command import one_sentence
from train.config import Config, load
from train.machine import machine
from train.memory import step_memory
from train.run import RunFolder, folder_bytes, replaced
from train.study.measure import seconds_at
from train.study.plan import clock
from train.work import step_flops

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "configs" / "paper.yaml"
LATENTS = 6
CLIPS = 192             # a multiple of what a critic sees at once
TIMES = 12


def main(growing: Annotated[Path, typer.Option(help="run folder of the one that grows")],
         fixed: Annotated[Path, typer.Option(help="run folder of the one that does not")],
         out: Annotated[Path, typer.Option(help="folder to fill")] = ASSETS / "recorded") -> None:
    """Read both runs, draw, and fill the folder; what was in it is replaced once all of it is there."""
    with one_sentence(), replaced(out) as made:
        record(growing, fixed, made)
    print(f"{out}: {len(list(out.iterdir()))} files, {folder_bytes(out) / 1e6:.2f} MB")


def record(growing: Path, fixed: Path, out: Path) -> None:
    """Fill an empty folder. Raises CheckpointError where a run does not have what is wanted of it."""
    runs = {"growing": Run(growing), "fixed": Run(fixed)}
    until = min(run.until for run in runs.values())
    found: dict[str, Any] = {"machine": machine(), "clock": runs["growing"].clock, "latents": LATENTS}
    for name, run in runs.items():
        parameters = sum(p.numel() for p in checkpoint.load(run.networks[-1]).generator.parameters())
        found[name] = {"run": run.path.name, "parameters": parameters,
                       "moments": [run.moment(until * (i + 1) / TIMES, out / f"{name}-{i:02d}.png")
                                   for i in range(TIMES)]}
    grown = runs["growing"]
    sizes = grown.config.plan().sizes
    found["stages"] = [grown.end_of(stage, out / f"stage-{stage:02d}.png") for stage in range(len(sizes))]
    found["fades"] = [grown.fade(stage, out / f"fade-{stage}.safetensors") for stage in range(1, len(sizes))]
    found["critic"] = grown.critic()
    found["costs"] = {"recorded": costs(grown.config, grown), "paper": costs(load(PAPER), None)}
    write_text(out / "recorded.json", json.dumps(found, indent=1) + "\n")


class Run:
    """A run folder, and when each of its networks was saved. Raises CheckpointError where it has none."""

    def __init__(self, path: Path) -> None:
        self.path, folder = path, RunFolder(path)
        self.config, status = load(path / "config.yaml"), folder.status() or {}
        self.clock = clock(status)
        self.ticks = [line for line in folder.stats() if self.clock in line]
        self.networks = [file for file in network_checkpoints(path) if int(file.name[:9])]
        if not self.networks or not self.ticks:
            raise CheckpointError(f"{path} has no network, or no statistics with {self.clock}")
        self.seconds = {file: seconds_at(int(file.name[:9]), self.ticks, self.clock) for file in self.networks}
        self.until = max(self.seconds.values())

    def moment(self, seconds: float, sheet: Path) -> dict[str, Any]:
        """Draw the network that is nearest to this time."""
        return self._drawn(min(self.networks, key=lambda file: abs(self.seconds[file] - seconds)), sheet)

    def end_of(self, stage: int, sheet: Path) -> dict[str, Any]:
        """Draw the last network of the stage."""
        plan = self.config.plan()
        edge = plan.start(stage + 1) if stage + 1 < len(plan.stages) else plan.total
        return self._drawn(max(file for file in self.networks if int(file.name[:9]) <= edge), sheet)

    def _drawn(self, file: Path, sheet: Path) -> dict[str, Any]:
        model = checkpoint.load(file)
        clips = model.generate(sample_latents(LATENTS, model.latent_dim, 0))
        write_png(sheet, sprite_sheet(to_uint8(clips)))
        return {"file": sheet.name, "seconds": round(self.seconds[file], 1), "clips": model.clips, "stage": model.stage,
                "alpha": round(model.alpha, 3), "frames": model.frames, "resolution": model.resolution}

    def fade(self, stage: int, out: Path) -> dict[str, Any]:
        """Save the network that is nearest to the middle of the stage's fade."""
        plan = self.config.plan()
        middle = plan.start(stage) + plan.stages[stage].fade // 2
        model = checkpoint.load(min(self.networks, key=lambda file: abs(int(file.name[:9]) - middle)))
        if model.stage != stage or not 0 < model.alpha < 1:
            raise CheckpointError(f"{self.path} has no network from the fade of stage {stage}: "
                                  f"log.snapshot_kimg is {self.config.log.snapshot_kimg:g}, let it be less than that")
        save_network(out, model.generator, model.config, clips=model.clips, stage=stage, alpha=model.alpha, half=True)
        return {"file": out.name, "stage": stage, "alpha": round(model.alpha, 3), "clips": model.clips}

    def critic(self) -> dict[str, Any]:
        """CLIPS real and as many generated clips along the two of the last critic's slices on which they differ most,
        in -1 ... 1: one scale for both. distances: of all slices, the greatest first, in the critic's own unit."""
        model = checkpoint.load(self.networks[-1])
        file = critics.critic_file(self.networks[-1])
        if file is None:
            raise CheckpointError(f"{self.path} does not keep the critic of its last network")
        critic = critics.load(file, model.config, model.stage, model.alpha)
        slices = read_tensors(file, "loss/")[0]["loss/head.slices"][0]
        store = store_of(self.config)
        reals = Reals.of(model, store, seed=0, split=training_split(self.config.data.split, store.splits))
        real = torch.cat(list(reals.batches(0, CLIPS)))
        fake = model.generate(sample_latents(CLIPS, model.latent_dim, 1))
        seen = [critic.features(clips) @ slices for clips in (real, fake)]
        distances = (seen[0].sort(0).values - seen[1].sort(0).values).abs().mean(0)
        order = distances.argsort(descending=True)
        both = torch.stack(seen)[..., order[:2]]
        both = both - both.mean((0, 1))
        both = both / both.abs().max()
        return {"slices": order[:2].tolist(), "distances": [round(x, 4) for x in distances[order].tolist()],
                "real": _rounded(both[0]), "fake": _rounded(both[1])}


def _rounded(points: torch.Tensor) -> list[list[float]]:
    return [[round(x, 3) for x in point] for point in points.tolist()]


def costs(config: Config, run: Run | None) -> list[dict[str, Any]]:
    """For each stage: its size, channels, the parameters that it adds, the multiplications and additions of a training
    step a clip, the memory of a step of its batch in float32, and with a run the seconds of a thousand clips."""
    sizes, net = config.plan().sizes, config.network
    memory = step_memory(config, "float32")
    rows, before = [], {"generator": 0, "critic": 0}
    for stage, (frames, resolution) in enumerate(sizes):
        with torch.device("meta"):
            networks = {"generator": Generator(sizes[: stage + 1], net.latent_dim, net.fmap_base, net.fmap_max),
                        "critic": Discriminator(sizes[: stage + 1], net.fmap_base, net.fmap_max)}
        count = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
        step = memory[stage]
        rows.append({"frames": frames, "resolution": resolution,
                     "channels": channels(resolution, net.fmap_base, net.fmap_max),
                     "parameters": sum(count[name] - before[name] for name in count),
                     "flops": step_flops(config, stage), "batch": config.batches()[stage],
                     "memory": None if step is None else step.plain,
                     "seconds": None if run is None else _seconds(run, stage)})
        before = count
    return rows


def _seconds(run: Run, stage: int) -> float | None:
    """Of a thousand clips, at the stage and faded in."""
    ticks = [tick for tick in run.ticks if tick["stage"] == stage and tick["alpha"] == 1]
    if len(ticks) < 2 or ticks[-1]["clips"] == ticks[0]["clips"]:
        return None
    return 1000 * (ticks[-1][run.clock] - ticks[0][run.clock]) / (ticks[-1]["clips"] - ticks[0]["clips"])


if __name__ == "__main__":
    typer.run(main)
