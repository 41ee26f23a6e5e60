"""How good a model is, by a protocol that can be repeated.

    result = evaluate(pvswgan.load("runs/NAME"), ClipStore.open("STORE"))
    result.values["fid"]                # {"value": 12.3, "floor": 1.1, "ceiling": 900.0}
    result.protocol                     # what it depends on; results are compared where `key` is the same

Every measure is taken three times against the same real clips: of the model's samples, of other real clips (the floor:
no model needs to be better), and of noise (the ceiling). Where the training held clips out, they are measured against,
and the others are those that it saw.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pvswgan.checkpoint import Model
from pvswgan.data.store import ClipStore
from pvswgan.files import write_text
from pvswgan.latents import sample_latents
from pvswgan.metrics import features, memorisation, motion, swd
from pvswgan.metrics.against import LEAST, Against
from pvswgan.metrics.diversity import feature_distance
from pvswgan.metrics.extractors import Extractor, file_hash, make
from pvswgan.metrics.memorisation import Nearest
from pvswgan.metrics.sets import Library, Set, Tell, describe, joined_logits, kept, library, noise, samples, with_logits

VERSION = 3  # of the measures: raised when a number changes its meaning

# id: (name, which way is better); a level of the SWD is "swd TxHxW"
MEASURES: dict[str, tuple[str, str]] = {
    "fid": ("FID", "lower"), "kid": ("KID", "lower"), "is": ("Inception Score", "higher"),
    "precision": ("precision", "higher"), "recall": ("recall", "higher"),
    "swd": ("SWD, mean of the levels", "lower"),
    "diversity": ("diversity: distance of two clips", "as the reals"),
    "ms_ssim": ("MS-SSIM of two clips", "as the reals"),
    "motion": ("motion: change of a step", "as the reals"), "motion_distance": ("distance of motion", "lower"),
    "direction_distance": ("distance of directions", "lower"), "frozen": ("frozen steps", "as the reals"),
    "flicker": ("flicker", "as the reals"),
    "near_share": ("nearer to a training clip than those are", "as the reals"),
    "near_ratio": ("distance to training clips, of theirs", "as the reals"),
}

# extractor: the published number that it is known for, which part of a protocol says of how many clips, and of how many
PUBLISHED = {"i3d": ("StyleGAN-V's FVD", "clips", 2048), "c3d": ("TGAN's Inception Score", "scored", 10_000)}


@dataclass(frozen=True)
class Result:
    """protocol: what the numbers depend on; key: its hash. model: which one, how far trained. values: of each measure
    value, floor and ceiling. about: the extractor's accuracy, seconds, date. nearest: for the first samples, the place
    of the nearest training clip among those that were searched (Against.searched); left_out: the same for the first
    clips that were held out, or without any for the first of those searched, one from another clip."""

    protocol: dict[str, Any]
    key: str
    model: dict[str, Any]
    values: dict[str, dict[str, float]]
    about: dict[str, Any]
    nearest: list[int]
    left_out: list[int] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raises ValueError where it is none, or its protocol is not that of its key."""
        try:
            result = cls(**json.loads(text))
            sound = result.key == key_of(result.protocol)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a result of an evaluation: {error}") from error
        if not sound:
            raise ValueError(f"the result's protocol is not that of its key {result.key}")
        return result


def key_of(protocol: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits: the same for the same protocol, whatever order its keys have."""
    return hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()[:12]


def evaluate(model: Model, store: ClipStore, *, clips: int = 1000, extractor: Extractor | None = None, seed: int = 0,
             split: str | None = None, tell: Tell = lambda what, done, total: None,
             cache: Path | None = None) -> Result:
    """Measure a model against the real clips of a store, `clips` of each kind (fewer where the store has not twice as
    many, or has held fewer out; the Inception Score by C3D is of so many samples all the same, as TGAN's protocol has
    it, its ceiling of as much noise, its floor of as many real clips as there are).

    split: of the real clips; None: what the training held out, else what it was trained on, else all. Copies are looked
    for among the clips that it was trained on, as far as the store tells, whatever is measured against.
    tell(what, done, total) hears of the progress; an error that it raises ends it. cache: see sets.kept.
    Raises DataError where the store has too few clips, of another size, or too short ones.
    """
    begin = time.perf_counter()
    facts = _model_facts(model)                              # a training may clear its file away meanwhile
    extractor = extractor or make("clipnet", device=model.device)
    real = Against.of(model, store, seed, split, extractor.mirrors)
    count = min(clips, real.room())
    if count < LEAST:
        raise ValueError(f"clips is {clips}; allowed: {LEAST} and more")
    eyes = extractor if extractor.name == "clipnet" else make("clipnet", device=model.device)
    shape = (3, model.frames, model.resolution, model.resolution)
    scored = max(count, clips if extractor.scores_all else 0)
    latents = sample_latents(scored, model.latent_dim, seed)
    sources = {"real clips": real.reals.batches(0, count), "other real clips": real.floor(count),
               "samples": samples(model, latents[:count]), "noise": noise(shape, count, seed)}
    protocol = _protocol(model, real, extractor, eyes, count, seed)
    key = _cache_key(protocol, model)
    protocol |= {"scored": scored}                           # real clips do not depend on it
    steps = len(sources) * count
    total = steps + 2 * (scored - count) + len(real.searched.clip)
    sets = {}
    for step, (what, batches) in enumerate(sources.items()):
        def heard(done: int, what: str = what, before: int = step * count) -> None:
            tell(what, before + done, total)

        turn = real.turns and (what == "samples" or (real.held_out and what == "real clips"))
        measured = partial(describe, batches, count, extractor, eyes, heard, turn)
        file = f"{key}-{what.replace(' ', '-')}"
        sets[what] = measured() if what == "samples" else kept(Set, file, measured, cache)
    if scored > count:
        rest = {"samples": samples(model, latents[count:]), "noise": noise(shape, scored - count, seed + 1)}
        for what, batches in rest.items():
            def scoring(done: int, what: str = what, before: int = steps) -> None:
                tell(f"{what} for the Inception Score", before + done, total)

            longer = partial(with_logits, sets[what], batches, extractor, scoring)
            sets[what] = longer() if what == "samples" else kept(Set, f"{key}-{what}-{scored}", longer, cache)
            steps += scored - count
    if extractor.scores_all:
        sets["other real clips"] = joined_logits(sets["other real clips"], sets["real clips"], scored)
    looked_at = kept(Library, f"{key}-training-clips", partial(
        library, real.training, real.searched, 2 * count if real.turns else 0, eyes,
        lambda done: tell("training clips", steps + done, total)), cache)
    real.close()
    splits = extractor.protocol.get("splits", features.SPLITS)
    values, near, left_out = _compared(sets, looked_at, real.held_out, seed, splits)
    about = extractor.about | {"seconds": round(time.perf_counter() - begin, 1), "date": datetime.now(UTC).isoformat(
        timespec="seconds"), "torch": str(torch.__version__), "store": store.folder.name}
    return Result(protocol, key_of(protocol), facts, values, about, near, left_out)


def _cache_key(protocol: Mapping[str, Any], model: Model) -> str:
    """Features are the same to rounding only with one torch on one kind of device: enough to compare results, not to
    mix them within one."""
    return key_of({**protocol, "torch": str(torch.__version__), "device": model.device.type})


def _protocol(model: Model, real: Against, extractor: Extractor, eyes: Extractor, count: int,
              seed: int) -> dict[str, Any]:
    return {"measures": VERSION, "extractor": extractor.protocol, "eyes": eyes.protocol, "clips": count,
            "frames": model.frames, "resolution": model.resolution, "seed": seed,
            "torch_fidelity": version("torch-fidelity"), "torchmetrics": version("torchmetrics")} | real.protocol()


def _model_facts(model: Model) -> dict[str, Any]:
    return {"file": model.path.name, "sha256": file_hash(model.path), "clips": model.clips, "stage": model.stage,
            "alpha": model.alpha, "loss": model.config.get("loss", {}).get("name"),
            "system": model.config.get("network", {}).get("system", "pvswgan")}


def _compared(sets: dict[str, Set], training: Library, held_out: bool, seed: int,
              splits: int) -> tuple[dict[str, dict[str, float]], list[int], list[int]]:
    """(values of each measure; the nearest training clip of each of the first samples; that of each of the first clips
    that were not trained on). Two halves of these: one says what is near, the other is the floor."""
    real, made = sets["real clips"], sets["samples"]
    scale = real.seen.std(0).clamp_min(1e-6)
    unseen = _unseen(real if held_out else None, training, scale, len(real.seen))
    first, second = unseen.halves()
    near = {"samples": memorisation.nearest(made.seen, training.seen, scale, made.turned), "other real clips": second,
            "noise": memorisation.nearest(sets["noise"].seen, training.seen, scale)}
    values: dict[str, dict[str, float]] = {}
    for column, what in (("value", "samples"), ("floor", "other real clips"), ("ceiling", "noise")):
        found = _measures(real, sets[what], scale, seed, splits) | memorisation.compare(near[what], first)
        for name, number in found.items():
            values.setdefault(name, {})[column] = number
    return values, near["samples"].index[:16].tolist(), unseen.index[:16].tolist()


def _unseen(held_out: Set | None, training: Library, scale: torch.Tensor, count: int) -> Nearest:
    """Nearest training clips of clips that were not trained on: those that were held out; without any, training clips
    that are left out of the search stand in for them, twice as many."""
    if held_out is not None:
        return memorisation.nearest(held_out.seen, training.seen, scale, held_out.turned)
    many = 2 * min(count, len(training.clip.unique()) // 2)
    turned = None if training.turned is None else training.turned[:many]
    left_out = training.clip[:many], training.clip
    return memorisation.nearest(training.seen[:many], training.seen, scale, turned, left_out)


def _measures(real: Set, other: Set, scale: torch.Tensor, seed: int, splits: int) -> dict[str, float]:
    found = features.compare(real.features, other.features, other.logits, seed, splits)
    levels = swd.distances(real.patches, other.patches)
    found["swd"] = sum(levels.values()) / len(levels)
    found |= {f"swd {size}": value for size, value in levels.items()}
    found["diversity"] = feature_distance(other.seen, scale)
    if other.similarity is not None:
        found["ms_ssim"] = other.similarity
    if real.motion is not None and other.motion is not None:
        found |= motion.compare(real.motion, other.motion)
    return found


def wanting(protocol: Mapping[str, Any]) -> tuple[str, list[str]]:
    """(the published number that this extractor is known for, or "", in what a result with this protocol is not it):
    ("StyleGAN-V's FVD", ["500 clips, not 2,048"])."""
    extractor = protocol["extractor"]
    name, part, wanted = PUBLISHED.get(extractor["name"], ("", "clips", 0))
    having = protocol.get(part, protocol["clips"])
    found = [f"{having:,} {'samples' if part == 'scored' else 'clips'}, not {wanted:,}"] * (having != wanted)
    found += [f"{protocol['frames']} frames, not 16"] * (protocol["frames"] < 16)
    if extractor["name"] == "c3d" and extractor.get("classes") != 101:
        found.append(f"{extractor.get('classes')} classes, not UCF-101's")
    if extractor["name"] == "i3d" and protocol.get("reals", {}).get("reverse"):
        found.append("half of the real clips run backwards")
    return name, found if name else []


def label(measure: str, protocol: Mapping[str, Any] | None = None) -> str:
    """A measure's name for people; by its protocol, where that is given, a published one."""
    if measure == "fid" and protocol is not None and protocol["extractor"]["name"] == "i3d":
        return "Fréchet distance by I3D" if wanting(protocol)[1] else "FVD"
    if measure.startswith("swd "):
        return f"SWD at {measure[4:]}"
    if measure.endswith("_deviation"):
        return f"{MEASURES[measure.removesuffix('_deviation')][0]}, deviation"
    return MEASURES[measure][0]


def about_level(measure: str, measures: Iterable[str]) -> str:
    """What a level of the SWD holds, among those that were measured: "quick change of large areas"; "" of others, and
    of the levels of before version 3, which space and time share."""
    def size(name: str) -> tuple[int, int]:
        frames, side, _ = map(int, name.removeprefix("swd ").split("x"))
        return frames, side

    levels = [size(name) for name in measures if name.startswith("swd ")]
    times, sides = {t for t, _ in levels}, {r for _, r in levels}
    if not measure.startswith("swd ") or len(levels) < 2 or len(levels) != len(times) * len(sides):
        return ""
    frames, side = size(measure)
    if (frames, side) == (min(times), min(sides)):
        return "the clips as a whole"
    quick = "quick" if frames == max(times) else "slow" if frames == min(times) else "slower"
    where = "fine detail" if side == max(sides) else "large areas" if side == min(sides) else "coarser detail"
    if len(times) == 1:
        return where
    return f"{quick} change of {where}" if len(sides) > 1 else f"{quick} change"


def better(measure: str) -> str:
    """Which way is better: "lower", "higher", "as the reals", or nothing to say."""
    if measure.endswith("_deviation"):
        return ""
    return "lower" if measure.startswith("swd ") else MEASURES[measure][1]


def save(result: Result, path: str | Path) -> Path:
    """Write it as JSON, complete or not at all. Raises OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, result.as_json())
    return path
