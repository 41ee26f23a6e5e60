"""The form of a new training: which configurations there are, which settings, and what they would do.

The form is data: FIELDS says each setting's key, meaning and kind, and the page draws what is listed there.
Every check is the trainer's own (train.config): the page shows its sentences beside the field they are about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pvswgan.growth import grown_axes
from pvswgan.networks import Discriminator, Generator, channels
from pvswgan.studio.processes import REPOSITORY, override
from pvswgan.studio.train_watch import plan_json
from train import config as schema

CONFIGS = REPOSITORY / "configs"


@dataclass(frozen=True)
class Field:
    """One setting: `key` as in the YAML file; `kind` integer, numbers (one, or one a stage) or choice."""

    id: str
    key: str
    label: str
    help: str
    kind: str
    choices: tuple[str, ...] = ()
    optional: bool = False  # emptied means null, where elsewhere it means the configuration's own value


FIELDS = (
    Field(
        "loss",
        "loss.name",
        "Loss",
        "swgan: sliced Wasserstein; wgan-gp: the comparison",
        "choice",
        ("swgan", "wgan-gp"),
    ),
    Field(
        "order",
        "growth.order",
        "Growth",
        "in which order frames and pixels double",
        "choice",
        ("paper", "joint", "space-first", "time-first"),
    ),
    Field(
        "resolution",
        "growth.resolution",
        "Pixels",
        "side of the last stage",
        "choice",
        ("4", "8", "16", "32", "64", "128", "256"),
    ),
    Field(
        "frames",
        "growth.frames",
        "Frames",
        "length of the last stage",
        "choice",
        ("1", "2", "4", "8", "16", "32"),
    ),
    Field(
        "fade_kimg", "growth.fade_kimg", "Fade (kimg)", "thousands of clips while a stage fades in", "numbers"
    ),
    Field(
        "stable_kimg", "growth.stable_kimg", "Stable (kimg)", "thousands of clips after its fade", "numbers"
    ),
    Field(
        "total_kimg",
        "growth.total_kimg",
        "Total (kimg)",
        "empty: as the stages add up",
        "numbers",
        optional=True,
    ),
    Field("batch", "train.batch", "Batch", "clips a step; one number, or one a stage: 32, 16, 8", "numbers"),
    Field("lr", "train.lr", "Learning rate", "one number, or one a stage", "numbers"),
    Field("seed", "seed", "Seed", "the same seed repeats the run", "integer"),
)
_RUN_FROM = REPOSITORY  # a relative data.path is relative to where the trainer is started
_SHAPES_OF_STAGES = ("order", "resolution", "frames")  # what an explicit list of stages would overrule


@dataclass(frozen=True)
class Configuration:
    """A YAML file that a training can start from, with its first comment line as description."""

    id: str
    path: Path
    description: str


class FormError(ValueError):
    """Settings that cannot be trained: {field id, or "": sentence}."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def configurations() -> list[Configuration]:
    """The configurations that come with the studio, by name."""
    return [Configuration(path.stem, path, schema.describe(path)) for path in sorted(CONFIGS.glob("*.yaml"))]


def find(name: str) -> Configuration:
    """The configuration of that id. Raises FormError if it is none of the list."""
    for item in configurations():
        if item.id == name:
            return item
    raise FormError(
        {
            "config": f"There is no configuration {name!r}; allowed: "
            f"{', '.join(c.id for c in configurations()) or 'none is installed'}."
        }
    )


def options() -> dict[str, Any]:
    """All that the page needs to draw the form. First come configurations that need no folder of clips: the
    form opens with the first, and is then ready to start on any machine."""
    drawn = sorted((_option(item) for item in configurations()), key=lambda option: option["needs_folder"])
    return {"fields": [asdict(field) for field in FIELDS], "configurations": drawn}


def overrides(item: Configuration, values: Mapping[str, str], data: str | None) -> dict[str, Any]:
    """What the form changes in the configuration, as {key: value}: nothing where a field is empty or equal.

    values: field id -> text as typed. data: a folder, or None for the configuration's own.
    """
    own = defaults(item)
    changed: dict[str, Any] = {}
    for field in FIELDS:
        text = str(values.get(field.id, "")).strip()
        if field.id in values and text != own[field.id] and (text or field.optional):
            changed[field.key] = parse(text) if text else None
    if "loss.name" in changed:  # the other loss has other weights: those of this one must not be carried over
        changed["loss"] = {"name": changed.pop("loss.name")}
    if _lists_stages(item) and any(f.key in changed for f in FIELDS if f.id in _SHAPES_OF_STAGES):
        changed["growth.stages"] = None
    if data:
        changed |= {"data.source": "auto", "data.path": str(typed_folder(data))}
    return changed


def check(item: Configuration, changed: Mapping[str, Any]) -> schema.Config:
    """The configuration as it would be trained. FormError: the trainer's sentences, each at its field."""
    return _load(item, [override(key, value) for key, value in changed.items()])


def preview(config: schema.Config) -> dict[str, Any]:
    """The growth plan as the ruler draws it; at each stage what grows, the batch, and the networks so far."""
    plan, net = config.plan(), config.network
    drawn = plan_json(plan)
    assert drawn is not None
    sizes = tuple(plan.sizes)
    weights = _parameters(sizes, net.latent_dim, net.fmap_base, net.fmap_max, net.mbstd_group)
    rows = zip(drawn["stages"], config.batches(), weights, strict=True)
    for number, (stage, batch, (generator, critic)) in enumerate(rows):
        stage["grows"] = grown_axes(plan.sizes[number - 1], plan.sizes[number]) if number else ""
        stage["batch"] = batch
        stage["channels"] = channels(stage["resolution"], net.fmap_base, net.fmap_max)
        stage["parameters"] = {"generator": generator, "critic": critic}
    return drawn


@lru_cache(maxsize=64)
def _parameters(
    sizes: tuple[tuple[int, int], ...], latent_dim: int, base: int, most: int, group: int
) -> list[tuple[int, int]]:
    """(generator's, critic's) numbers to learn with the layers up to each stage. Counted without any memory."""
    counts = []
    for stages in range(1, len(sizes) + 1):
        with torch.device("meta"):
            generator = Generator(sizes[:stages], latent_dim, base, most)
            critic = Discriminator(sizes[:stages], base, most, group)
        counts.append((_count(generator), _count(critic)))
    return counts


def _count(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def typed_folder(text: str) -> Path:
    """The path that a person typed, absolute, ~ expanded. Raises FormError where it is none at all."""
    try:
        return Path(text.strip()).expanduser().absolute()
    except (OSError, ValueError, RuntimeError) as error:
        raise FormError({"data": f"{text.strip()!r} is not a path: {error}."}) from error


def data_problem(folder: str | None, typed: bool) -> str:
    """A sentence where the folder of clips is not there to be read, else "". None: no folder is needed."""
    if folder is None:
        return ""
    path = _RUN_FROM / folder
    try:
        if path.is_file():
            return f"{path} is a file; a folder of clips is wanted."
        if not path.is_dir():
            named = "" if typed else ", though the configuration names it"
            return f"There is no folder {path} on this machine{named}. Write the path of a folder of clips."
        return "" if next(path.iterdir(), None) else f"The folder {path} is empty."
    except (OSError, ValueError) as error:
        return f"The folder {path} cannot be read: {getattr(error, 'strerror', None) or error}."


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
    if isinstance(value, (list, tuple)):
        return ", ".join(show(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def defaults(item: Configuration) -> dict[str, str]:
    """Each field's text in the configuration itself."""
    given = _load(item, []).model_dump()
    texts = {field.id: show(_at(given, field.key)) for field in FIELDS}
    # Listed stages win over a named order, so what they overrule is not shown as if it held.
    return texts | dict.fromkeys(_SHAPES_OF_STAGES, "") if _lists_stages(item) else texts


def _lists_stages(item: Configuration) -> bool:
    return bool(_load(item, []).growth.stages)


@lru_cache(maxsize=32)
def _parsed(path: Path, modified: int) -> schema.Config:
    return schema.load(path, [])


def _load(item: Configuration, changes: list[str]) -> schema.Config:
    try:
        return (
            schema.load(item.path, changes) if changes else _parsed(item.path, item.path.stat().st_mtime_ns)
        )
    except (schema.ConfigError, OSError) as error:
        raise FormError(_problems(str(error), item.path)) from error


def _problems(text: str, origin: Path) -> dict[str, str]:
    """The sentences of a ConfigError, each at the field whose key it names."""
    found: dict[str, list[str]] = {}
    for line in filter(None, text.splitlines()):
        line = line.removeprefix(f"{origin}: ").strip()
        field = next((f.id for f in FIELDS if re.search(rf"(?<![\w.]){re.escape(f.key)}(?!\w)", line)), "")
        if not field and line.startswith("data."):
            field = "data"
        found.setdefault(field, []).append(line)
    return {field: " ".join(_to_the_point(lines)) for field, lines in found.items()}


def _to_the_point(lines: list[str]) -> list[str]:
    """Where a key takes one value or a list, pydantic complains of both: leave out what was not meant."""
    meant = [line for line in lines if not line.endswith("valid list") and " is [" not in line]
    return meant or lines


def _option(item: Configuration) -> dict[str, Any]:
    option = {"id": item.id, "description": item.description, "error": None}
    try:
        data = _load(item, []).data
        values = defaults(item)
    except FormError as error:
        return option | {"values": {}, "data": "", "needs_folder": True, "error": str(error)}
    return option | {
        "values": values,
        "data": data.path or data.source,
        "needs_folder": data.path is not None,
    }


def _at(settings: Mapping[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
