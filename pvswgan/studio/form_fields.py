"""The fields of the form of a new training: every key of the configuration, taken from its schema (train.config).

Key, meaning, default and limits are the schema's own. Here is only what a page adds: a label, the kind of input, which
keys come first, and how a value is written by hand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from train import config as schema

FIRST = (
    "loss.name", "growth.order", "growth.resolution", "growth.frames", "growth.fade_kimg", "growth.stable_kimg",
    "growth.total_kimg", "train.batch", "train.lr", "seed",
)  # fmt: skip
GROUPS = {"data": "Clips", "growth": "Growth", "network": "Networks", "loss": "Loss", "train": "Training",
          "log": "Statistics and snapshots", "": "Machine"}  # fmt: skip
LABELS = {
    "loss.name": "Loss", "growth.order": "Growth", "growth.resolution": "Pixels", "growth.frames": "Frames",
    "growth.fade_kimg": "Fade (kimg)", "growth.stable_kimg": "Stable (kimg)", "growth.total_kimg": "Total (kimg)",
    "train.lr": "Learning rate", "train.ema_half_life_kimg": "Average’s half-life (kimg)",
    "train.gp_interval": "Penalty every", "train.checkpointing": "Activation checkpointing",
    "network.latent_dim": "Latent length", "network.fmap_base": "Channels, base", "network.fmap_max": "Channels, most",
    "network.mbstd_group": "Minibatch group", "network.still": "Begin as stills",
    "loss.gp": "Gradient penalty", "loss.k": "Slope wanted (k)",
    "loss.slope": "Slope penalty’s weight", "loss.slope_penalty": "Slope penalty’s form",
    "log.tick_kimg": "Statistics every (kimg)", "log.snapshot_kimg": "Snapshot every (kimg)",
    "log.keep": "Checkpoints kept", "data.time": "Fewer frames by", "data.fps": "Frames a second",
    "data.path": "Folder", "data.clips": "Clips to draw", "data.compact": "Compact store", "data.reverse": "Backwards",
    "data.offset": "Random start", "data.hold_out": "Held out", "data.stride": "Frame stride",
}  # fmt: skip
DOUBLINGS = {"growth.resolution": (4, 256), "growth.frames": (1, 64)}  # only these can be planned: a list to choose
LOSSES = schema.LOSSES
_SIZE = re.compile(r"(\d+)\s*[x×]\s*(\d+)")


@dataclass(frozen=True)
class Field:
    """One key. kind: choice, switch (true or false), several (of choices), text, numbers (one, or a list where the
    schema takes one) or stages ("4x4, 8x8": frames x pixels). allowed: its limits, for people."""

    key: str
    label: str
    help: str
    kind: str
    allowed: str
    choices: tuple[str, ...]
    group: str
    first: bool

    def parse(self, text: str) -> Any:
        """The value that was typed; what cannot be one stays text, for the schema to judge."""
        text = text.strip()
        if self.kind == "switch":
            return {"true": True, "false": False}.get(text, text)
        if self.kind == "several":
            return [part.strip() for part in text.split(",") if part.strip()]
        if self.kind == "stages":
            sizes = _SIZE.findall(text)
            whole = sizes and max(map(len, chain(*sizes))) < 10 and not re.sub(r"[\s,;]", "", _SIZE.sub("", text))
            return [[int(t), int(h)] for t, h in sizes] if whole else parse(text)
        if self.kind == "text" or (self.kind == "choice" and not self.choices[0].isdigit()):
            return text
        return parse(text)


@lru_cache
def fields() -> dict[str, Field]:
    """Every key of the configuration: the first ones, then in the order of the schema; those of either loss once."""
    found: dict[str, Field] = {}
    for section, properties in _sections():
        for name, about in properties.items():
            key = f"{section}.{name}" if section else name
            known = found.get(key)
            choices = (*known.choices, *_choices(key, about)) if known else _choices(key, about)
            limits = "" if choices else _allowed(about)
            found[key] = Field(key, _label(key), about.get("description", ""), _kind(key, about), limits, choices,
                               GROUPS[section], key in FIRST)  # fmt: skip
    return {key: found[key] for key in (*FIRST, *found)}


def defaults(loss: str) -> dict[str, Any]:
    """{key: default} of the configuration with that loss (the schema's default where there is none of that name)."""
    settings = schema.Config().model_dump(mode="json")
    loss = loss if loss in LOSSES else "swgan"
    settings["loss"] = LOSSES[loss].model_validate({"name": loss}).model_dump()
    return flat(settings)


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """{"train.batch": 8, ...} of nested settings."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and name in GROUPS:
            out |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            out[str(name)] = value
    return out


def parse(text: str) -> Any:
    """A number, a list of numbers ("32, 16" or "[32, 16]"), or the text itself for the schema to judge."""
    if "," in text or text.startswith("["):
        return [parse(part.strip()) for part in text.strip("[] ").split(",") if part.strip()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def show(value: Any) -> str:
    """A value as a person would type it; the inverse of parse."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(v, list) and len(v) == 2 for v in value):
            return ", ".join(f"{frames}x{pixels}" for frames, pixels in value)
        return ", ".join(show(part) for part in value)
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(value)
    return json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)


# ---- out of the JSON schema ---------------------------------------------------------------------------------


def _sections() -> Iterator[tuple[str, dict[str, Any]]]:
    """(section, its properties in JSON schema); those of all losses; last the keys that stand alone."""
    alone: dict[str, Any] = {}
    for name, field in schema.Config.model_fields.items():
        kind = field.annotation
        if name == "loss":
            yield from (("loss", loss.model_json_schema()["properties"]) for loss in LOSSES.values())
        elif isinstance(kind, type) and issubclass(kind, schema.Section):
            yield name, kind.model_json_schema()["properties"]
        else:
            alone[name] = schema.Config.model_json_schema()["properties"][name]
    yield "", alone


def _branches(about: dict[str, Any]) -> list[dict[str, Any]]:
    return about.get("anyOf", [about])


def _label(key: str) -> str:
    return LABELS.get(key) or key.rpartition(".")[2].replace("_", " ").capitalize()


def _choices(key: str, about: dict[str, Any]) -> tuple[str, ...]:
    if key in DOUBLINGS:
        least, most = DOUBLINGS[key]
        return tuple(str(least << n) for n in range((most // least).bit_length()))
    inner = about.get("items", about)
    return tuple(inner.get("enum") or ([inner["const"]] if "const" in inner else []))


def _kind(key: str, about: dict[str, Any]) -> str:
    branches = _branches(about)
    types = {branch.get("type") for branch in branches}
    if about.get("items", {}).get("enum"):
        return "several"
    if _choices(key, about):
        return "choice"
    if "boolean" in types:
        return "switch"
    if any(branch.get("items", {}).get("type") == "array" for branch in branches):
        return "stages"
    return "text" if "string" in types else "numbers"


def _allowed(about: dict[str, Any]) -> str:
    """ "whole, 1 to 4096", "more than 0, at most 1", or "" where the choices or the meaning say it. """
    number = next((b for b in map(_innermost, _branches(about)) if b.get("type") in ("integer", "number")), None)
    if number is None:
        return ""
    low, high = number.get("minimum"), number.get("maximum")
    words = ["whole"] if number["type"] == "integer" else []
    if low is not None and high is not None:
        words.append(f"{show(low)} to {show(high)}")
    else:
        names = {"exclusiveMinimum": "more than", "minimum": "at least", "maximum": "at most",
                 "exclusiveMaximum": "less than"}  # fmt: skip
        words += [f"{word} {show(number[name])}" for name, word in names.items() if name in number]
    return ", ".join(words)


def _innermost(branch: dict[str, Any]) -> dict[str, Any]:
    return branch.get("items", branch)
