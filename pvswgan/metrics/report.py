"""Results for people: a table of one, and several side by side, each protocol in columns of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from rich.table import Table

from pvswgan import video
from pvswgan.checkpoint import Model
from pvswgan.data.store import ClipStore
from pvswgan.metrics.evaluate import Result, better, label
from pvswgan.metrics.sets import Reals


def figure(value: float) -> str:
    """A number in four figures, for a table."""
    return f"{value:.4g}"


def rows(result: Result) -> list[tuple[str, str, str, str, str]]:
    """(measure, value, floor, ceiling, which way is better) of one result."""
    return [(label(name), figure(v["value"]), figure(v["floor"]), figure(v["ceiling"]), better(name))
            for name, v in result.values.items()]


def table(result: Result) -> Table:
    """One result for a terminal."""
    shown = Table()
    for title in ("measure", "model", "floor: other reals", "ceiling: noise", "better"):
        shown.add_column(title, justify="left" if title in ("measure", "better") else "right")
    for row in rows(result):
        shown.add_row(*row)
    return shown


def sentence(result: Result) -> str:
    """The protocol in words."""
    p, real = result.protocol, result.protocol["reals"]
    size = f"{p['frames']}x{p['resolution']}x{p['resolution']}"
    return (f"{p['clips']:,} clips of {size}, seen by {p['extractor']['name']} "
            f"(weights {p['extractor']['weights']}); real clips {real['sha256']}, seed {p['seed']}; "
            f"torch-fidelity {p['torch_fidelity']}. Protocol {result.key}.")


def groups(results: Sequence[Result]) -> list[list[int]]:
    """Which results may stand in one table: places in `results`, those of one protocol together."""
    found: dict[str, list[int]] = {}
    for place, result in enumerate(results):
        found.setdefault(result.key, []).append(place)
    return list(found.values())


def differences(a: Result, b: Result) -> list[str]:
    """In what two protocols differ: "clips: 1000 and 500", for the reader of two tables."""
    left, right = _flat(a.protocol), _flat(b.protocol)
    return [f"{name}: {left.get(name)} and {right.get(name)}" for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)]


def _flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat


def nearest_pairs(result: Result, model: Model, store: ClipStore, count: int | None = None) -> video.Pixels:
    """The first samples, each followed by the nearest real clip (clipnet's features): uint8 (2 * count, T, R, R, 3)."""
    seed, places = result.protocol["seed"], result.nearest[:count]
    reals = Reals.of(model, store, seed, result.protocol["reals"]["split"])
    near = torch.cat([reals.sampler.read(place, 1, reals.size) for place in places])
    reals.sampler.close()
    both = np.stack([video.to_uint8(clips) for clips in (model.sample(len(places), seed), near)], axis=1)
    return both.reshape(-1, *both.shape[2:])
