r"""python -m train.agreement MODEL: what do critics of both losses tell one generator, and do they tell it the same?

A generator stands still, and new critics are fitted to it, several of each arm, which differ in nothing but what the
arm says and their seed. Then each is asked in which direction it would move the generator's clips. How alike the
directions of two arms are means something only beside how alike those of two seeds of one arm are.

    python -m train.agreement toyfaces-swgan --kimg 8
    python -m train.agreement RUN --arm "loss.name=swgan" --arm "loss.name=swgan train.temporal_contrast=1"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, product
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import torch
import typer
from rich.progress import Progress
from torch import Tensor

from pvswgan import checkpoint
from pvswgan.checkpoint import Model
from pvswgan.data.store import ClipStore
from pvswgan.files import write_text
from pvswgan.growth import Position
from pvswgan.latents import sample_latents
from pvswgan.metrics.extractors import file_hash
from train.clips import sampler_of, store_of
from train.command import one_sentence
from train.config import Config, ConfigError, parse
from train.engine import Engine
from train.machine import machine
from train.precision import choose_precision

LOSSES = ["loss.name=swgan", "loss.name=wgan-gp"]
PARTS = ("whole", "still", "moving")
ASKED = 1000        # seed of the latents whose clips are asked about: no critic was fitted to them


@dataclass
class Directions:
    """Downhill in the generator's loss: where a critic would move clips, pixels (N, 3, T, H, W), and for all of them
    together the generator's weights (P,)."""

    pixels: Tensor
    weights: Tensor

    def part(self, name: str) -> Tensor:
        """(N, D): the whole, its mean over time (`still`), or what is left of it (`moving`)."""
        still = self.pixels.mean(2, keepdim=True).expand_as(self.pixels)
        return {"whole": self.pixels, "still": still, "moving": self.pixels - still}[name].flatten(1)

    @property
    def moving(self) -> float:
        """The share of the squared length that changes from frame to frame, 0 ... 1."""
        return float(self.part("moving").square().sum() / self.pixels.square().sum())


def main(model: Annotated[str, typer.Argument(help="run folder, .safetensors file, or a name in assets/")],
         arm: Annotated[list[str], typer.Option(help="key=value ..., what is different in it")] = LOSSES,
         seeds: Annotated[int, typer.Option(min=2, max=20, help="critics of each arm")] = 3,
         kimg: Annotated[float, typer.Option(min=0.001, max=1e5, help="thousands of clips that each is shown")] = 8,
         clips: Annotated[int, typer.Option(min=1, max=100000, help="clips they are asked about")] = 256,
         threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all")] = None,
         out: Annotated[Path | None, typer.Option(help="JSON file for what was found")] = None) -> None:
    """Fit critics to a generator that stands still, and compare what they tell it."""
    if threads is not None:
        torch.set_num_threads(threads)
    with one_sentence():
        found = compare(checkpoint.load(model), arm, seeds, kimg, clips)
        print(table(found))                                  # before a disk may be full
        if out is not None:
            write_text(out, json.dumps(found, indent=1) + "\n")


def compare(model: Model, arms: Sequence[str], seeds: int, kimg: float, clips: int) -> dict[str, Any]:
    """All arms against each other. Raises ConfigError and DataError."""
    if twice := [arm for arm in arms if arms.count(arm) > 1]:
        raise ConfigError(f"--arm {twice[0]!r} is there twice; allowed: once each")
    configs = {arm: [config_of(model, arm, seed) for seed in range(seeds)] for arm in arms}
    store = store_of(configs[arms[0]][0])
    precision = choose_precision(configs[arms[0]][0], torch.device("cpu"))
    told: dict[str, list[Directions]] = {arm: [] for arm in arms}
    distances: dict[str, list[list[float]]] = {arm: [] for arm in arms}
    with Progress(transient=True) as progress:
        task = progress.add_task("fitting critics", total=len(arms) * seeds * kimg * 1000)
        for arm in arms:
            for config in configs[arm]:
                engine = Engine(config, torch.device("cpu"), precision)
                distances[arm].append(fit(engine, model, store, kimg, lambda n: progress.advance(task, n)))
                told[arm].append(ask(engine, model, clips))
    return {"model": model.path.name, "sha256": file_hash(model.path), "clips_seen": model.clips,
            "size": [model.frames, model.resolution],
            "alpha": model.alpha, "arms": [*arms], "seeds": seeds, "kimg": kimg, "clips": len(told[arms[0]][0].pixels),
            "real": store.folder.name, "precision": precision, "machine": machine(), "date": str(date.today()),
            "moving": {arm: [round(d.moving, 4) for d in all_of_it] for arm, all_of_it in told.items()},
            "distance": distances, "agreement": agreement(told)}


def config_of(model: Model, arm: str, seed: int) -> Config:
    """That of its training, but for what the arm changes. Raises ConfigError."""
    given = {key: model.config[key] for key in Config.model_fields if key in model.config}
    if (system := given["network"].get("system", "pvswgan")) != "pvswgan":
        raise ConfigError(f"{model.path} is of {system}; allowed: models of pvswgan")
    words = arm.split()
    if not words:
        raise ConfigError(f"--arm {arm!r} says nothing; allowed: key=value, such as train.temporal_contrast=4")
    for word in words:
        if not word.startswith(("loss.", "train.")):         # clips and networks are the same for all
            raise ConfigError(f"--arm {arm!r}: {word} is not of loss or train; allowed: their keys")
        if word.startswith("loss.name=") and word != f"loss.name={given['loss']['name']}":
            given["loss"] = {}                               # another loss has settings of its own
    return parse(given | {"loss": {**given["loss"]}, "train": {**given["train"]}}, [*words, f"seed={seed}"],
                 f"--arm {arm!r}")


def position(model: Model) -> Position:
    """To where it was trained: at a stage's end that stage, not the next one, which begins with as many clips."""
    return Position(model.stage, model.alpha, "stable" if model.alpha == 1 else "fade")


def fit(engine: Engine, model: Model, store: ClipStore, kimg: float, step: Callable[[int], Any]) -> list[float]:
    """Train the engine's new critic against the model's generator, which stays as it is; returns the distance that the
    critic sees between reals and fakes, in its own unit, at tenths of the way."""
    engine.G.load_state_dict(model.generator.state_dict())
    engine.G.replicate = model.generator.replicate
    at = position(model)
    engine.enter_phase(at)
    sampler = sampler_of(engine.config, store)
    total = round(kimg * 1000)
    seen: list[float] = []
    try:
        while engine.clips < total:
            before = engine.clips
            terms = engine.critic_step(sampler.batch, at)
            step(engine.clips - before)
            if 10 * engine.clips >= (len(seen) + 1) * total:
                seen.append(round(float(terms["distance"]), 4))
    finally:
        sampler.close()
    return seen


def ask(engine: Engine, model: Model, clips: int) -> Directions:
    """What the engine's critic tells the generator of so many clips, or some more, in whole batches: a critic compares
    those of a batch. In float32."""
    at = position(model)
    batch = engine.batches[at.stage]
    engine.G.dtype = engine.D.dtype = torch.float32
    engine.D.requires_grad_(False)
    engine.loss.requires_grad_(False)
    engine.opt_G.zero_grad()
    pixels = []
    for z in sample_latents(-(-clips // batch) * batch, model.latent_dim, ASKED).split(batch):
        fake = engine.G(z, at.stage, at.alpha)
        fake.retain_grad()
        loss = engine.loss.generator_loss(engine.critic(at), engine.shown(fake))
        (loss * len(z)).backward()
        pixels.append(-fake.grad)
    weights = [p.grad.flatten() for p in engine.G.parameters() if p.grad is not None]
    return Directions(torch.cat(pixels).detach(), -torch.cat(weights))


def agreement(told: dict[str, list[Directions]]) -> list[dict[str, Any]]:
    """For each two arms, and each arm with itself, of critics with different seeds: the cosines between their
    directions, on average over clips, and the share of the generator's weights that both would move the same way
    (Adam moves each by about as much)."""
    rows = []
    for one, other in [(a, a) for a in told] + list(combinations(told, 2)):
        seeds = range(len(told[one]))
        pairs = list(combinations(seeds, 2)) if one == other else [(i, j) for i, j in product(seeds, seeds) if i != j]
        row: dict[str, Any] = {"arms": [one, other]}
        for part in PARTS:
            row[part] = [_cosine(told[one][i].part(part), told[other][j].part(part)) for i, j in pairs]
        row["weights"] = [_alike(told[one][i].weights, told[other][j].weights) for i, j in pairs]
        rows.append(row)
    return rows


def _cosine(a: Tensor, b: Tensor) -> float:
    return round(float(torch.nn.functional.cosine_similarity(a.double(), b.double()).mean()), 4)


def _alike(a: Tensor, b: Tensor) -> float:
    return round(float((a.sign() == b.sign()).double().mean()), 4)


def table(found: dict[str, Any]) -> str:
    """Markdown: a row for two arms, means over pairs of critics and from where to where they go."""
    lines = ["| critics of | " + " | ".join(("the clips", "their mean over time", "their movement",
                                             "weights moved the same way")) + " |", "| --- " * 5 + "|"]
    for row in found["agreement"]:
        one, other = row["arms"]
        named = f"two seeds of {one}" if one == other else f"{one} and {other}"
        cells = [f"{mean(row[key]):.2f} ({min(row[key]):.2f} to {max(row[key]):.2f})" for key in (*PARTS, "weights")]
        lines.append(f"| {named} | " + " | ".join(cells) + " |")
    for arm, shares in found["moving"].items():
        lines.append(f"{arm}: {mean(shares):.2f} of the direction is movement ({min(shares):.2f} to {max(shares):.2f})")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
