"""Results for people: a table of one, and several side by side, each protocol in columns of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rich.table import Table

from pvswgan import video
from pvswgan.checkpoint import Model
from pvswgan.data.format import DataError
from pvswgan.data.store import ClipStore
from pvswgan.metrics.against import Against
from pvswgan.metrics.evaluate import VERSION, Result, about_level, better, label, wanting


def figure(value: float) -> str:
    """A number in four figures, for a table."""
    return f"{value:.4g}"


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of the sample, to the deviation's second digit: "309 ± 117"; "-" of nothing."""
    if len(values) < 2:
        return figure(values[0]) if values else "-"
    middle, off = float(np.mean(values)), float(np.std(values, ddof=1))
    if not off > 0:
        return f"{figure(middle)} ± {figure(off)}"
    places = max(0, 1 - math.floor(math.log10(off)))
    return f"{middle:.{places}f} ± {off:.{places}f}"


def table(results: Sequence[Result]) -> Table:
    """One result for a terminal; of several, that differ in the seed alone, means and deviations."""
    shown = Table()
    for title in ("measure", "model", "floor: other reals", "ceiling: noise", "better"):
        shown.add_column(title, justify="left" if title in ("measure", "better") else "right")
    for name in results[0].values:
        found = [result.values[name] for result in results if name in result.values]
        columns = (spread([one[column] for one in found]) for column in ("value", "floor", "ceiling"))
        level = about_level(name, results[0].values)
        named = label(name, results[0].protocol)
        shown.add_row(f"{named}: {level}" if level else named, *columns, better(name))
    return shown


def sentence(result: Result) -> str:
    """The protocol in words."""
    p, real = result.protocol, result.protocol["reals"]
    size = f"{p['frames']}x{p['resolution']}x{p['resolution']}"
    scored = p.get("scored", p["clips"])
    more = f" (the Inception Score is of {scored:,} samples, and of as much noise)" if scored != p["clips"] else ""
    unseen = ", which were held out of the training" if held_out(result) else ""
    return (f"{p['clips']:,} clips of {size}{more}, seen by {p['extractor']['name']} "
            f"(weights {p['extractor']['weights']}); real clips {real['sha256']}{unseen}, seed {p['seed']}; "
            f"torch-fidelity {p['torch_fidelity']}. Protocol {result.key}.{_as_published(result)}")


def _as_published(result: Result) -> str:
    """Whether it is the number of a paper that has one by this extractor, and if not, why; "" of the others."""
    name, lacking = wanting(result.protocol)
    if not name:
        return ""
    seeds = ", which is the mean of four seeds" if result.protocol["extractor"]["name"] == "c3d" else ""
    return f" It is not {name}: {'; '.join(lacking)}." if lacking else f" By the protocol of {name}{seeds}."


def accuracy(result: Result) -> str:
    """How far what saw the clips can be trusted, a line; "" where that is not known."""
    right = (result.about.get("held_out") or {}).get("kind")
    return f"clipnet tells the six motions of toyfaces apart in {100 * right:.1f} % of unseen clips.\n" if right else ""


def held_out(result: Result) -> bool:
    """Whether no clip that was measured against had been trained on."""
    return bool(result.protocol.get("training", {}).get("held_out"))


def groups(results: Sequence[Result]) -> list[list[int]]:
    """Which results may stand in one table: places in `results`, those of one protocol together."""
    found: dict[str, list[int]] = {}
    for place, result in enumerate(results):
        found.setdefault(result.key, []).append(place)
    return list(found.values())


def differences(a: Result, b: Result) -> list[str]:
    """In what two protocols differ: "clips: 1000 and 500", for the reader of two tables."""
    left, right = flat(a.protocol), flat(b.protocol)
    return [f"{name}: {left.get(name)} and {right.get(name)}" for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)]


def flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    """{"reals.split": None, ...} of nested dictionaries."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return found


def nearest_pairs(result: Result, model: Model, store: ClipStore, count: int = 16) -> video.Pixels:
    """The first samples, each followed by the nearest training clip (clipnet's features); then as many clips that were
    held out, likewise, or without any as many training clips, each followed by the nearest other one: uint8
    (4 * count, T, R, R, 3), count at most 16.

    Raises DataError where the result is of measures that found them another way.
    """
    if result.protocol["measures"] != VERSION:
        raise DataError("This was measured by an earlier version, which searched otherwise: measure it again.")
    p = result.protocol
    real = Against.of(model, store, p["seed"], p["reals"]["split"], p["reals"]["mirror"])
    if not real.are_of(result.protocol):
        real.close()
        raise DataError("The real clips, or which of them were trained on, are not those that were compared with.")
    near, unseen = ([real.training.read(real.searched, slice(place, place + 1)) for place in places[:count]]
                    for places in (result.nearest, result.left_out))
    own = (next(real.reals.batches(0, len(unseen))) if real.held_out
           else real.training.read(real.searched, slice(len(unseen))))
    real.close()
    pairs = [(model.sample(len(near), p["seed"]), torch.cat(near)), (own, torch.cat(unseen))]
    both = [np.stack([video.to_uint8(clips) for clips in pair], axis=1) for pair in pairs]
    return np.concatenate([one.reshape(-1, *one.shape[2:]) for one in both])
