"""A new training: which configurations there are, what a person makes of one, and what that would train.

What is edited is the YAML text; the form's fields (form_fields.py) are written into it and read out of it
(form_yaml.py), so that both show the same. Every check is the trainer's own (train.config), its sentences shown at the
key and at the line that they are about.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pvswgan import baselines
from pvswgan.baselines.system import CHANNELS, levels
from pvswgan.data.sources import is_store
from pvswgan.growth import grown_axes
from pvswgan.networks import Discriminator, Generator, channels
from pvswgan.studio import form_fields, form_yaml
from pvswgan.studio.processes import REPOSITORY
from pvswgan.studio.train_watch import plan_json
from train import config as schema
from train.schema import Data

CONFIGS = REPOSITORY / "configs"
FIRST = "toyfaces-cpu"  # the form opens with it: the first thing to train
_RUN_FROM = REPOSITORY  # a relative data.path is relative to where the trainer is started
_OVERRULED = ("growth.order", "growth.resolution", "growth.frames")  # by a list of stages
_KEY = re.compile(r"[a-z]\w*(\.\w+)*")


@dataclass(frozen=True)
class Configuration:
    """A YAML file that a training can start from, with its first comment line as description."""

    id: str
    path: Path
    description: str


class FormError(ValueError):
    """Settings that cannot be trained: {key, or "yaml", or "": sentence}."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


@dataclass
class Reading:
    """What a text and the edits to it come to.

    config: the checked configuration, None where something is wrong. fields: {key: {value, default, changed}} as the
    form shows them, None where the text cannot be read. problems: {key, "yaml" or "": sentence}; lines: the same for
    the text, [{line, text}].
    """

    text: str
    fields: dict[str, dict[str, Any]] | None = None
    config: schema.Config | None = None
    problems: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)


# ---- configurations -------------------------------------------------------------------------------------------


def configurations() -> list[Configuration]:
    """The configurations that come with the studio, by name."""
    return [Configuration(path.stem, path, schema.describe(path)) for path in schema.installed(CONFIGS)]


def find(name: str) -> Configuration:
    """The configuration of that id. Raises FormError if it is none of the list."""
    every = configurations()
    for item in every:
        if item.id == name:
            return item
    known = ", ".join(c.id for c in every) or "none is installed"
    raise FormError({"config": f"There is no configuration {name!r}; allowed: {known}."})


def nearest(config: schema.Config | None) -> Configuration:
    """The installed configuration that differs from this one in the fewest keys: where a copied run starts from."""
    valid = [item for item in configurations() if _option(item)["error"] is None]
    if not valid:
        raise FormError({"config": "No configuration is installed: the folder configs/ is empty."})
    return min(valid, key=lambda item: len(overrides(item, config)) if config else 0)


def load(item: Configuration) -> schema.Config:
    """The configuration as its file has it. Raises FormError."""
    try:
        return _parsed(item.path, item.path.stat().st_mtime_ns)
    except (schema.ConfigError, OSError) as error:
        text = str(error).replace(f"{item.path}: ", "")
        raise FormError({"": f"The configuration {item.id} cannot be used. {text}"}) from error


def options() -> dict[str, Any]:
    """All that the page needs to draw the form. First comes FIRST, then configurations that need no folder of clips:
    the form opens with the first, and is then ready to start on any machine."""
    drawn = sorted((_option(item) for item in configurations()),
                   key=lambda option: (option["id"] != FIRST, option["needs_folder"]))
    return {"fields": [vars(field) for field in form_fields.fields().values()], "configurations": drawn}


def _option(item: Configuration) -> dict[str, Any]:
    option = {"id": item.id, "description": item.description, "error": None, "needs_folder": True, "system": None}
    try:
        config = load(item)
        return option | {"needs_folder": config.data.path is not None, "system": config.network.system}
    except FormError as error:
        return option | {"error": str(error)}


@lru_cache(maxsize=32)
def _parsed(path: Path, modified: int) -> schema.Config:
    return schema.load(path, [])


# ---- from text and edits to a configuration --------------------------------------------------------------------


def read(text: str, edits: Mapping[str, str], folder: str | None = None) -> Reading:
    """The text with the edits in it, checked.

    edits: {key: as typed}; an empty one takes the key out, so that its default holds. folder: of clips, as typed.
    Raises FormError for an edit of something that is no key.
    """
    try:
        document = form_yaml.read(text)
    except form_yaml.YamlError as error:
        sentence = f"Line {error.line}: {error}"
        return Reading(text, problems={"yaml": sentence}, lines=[{"line": error.line, "text": str(error)}])
    for key, typed in edits.items():
        document = _edit(document, key, typed)
    if folder is not None:
        document = form_yaml.write(document, "data.source", "auto")
        document = _set(document, "data.path", typed_folder(folder))
    reading = Reading(document.text, _shown(document))
    try:
        reading.config = schema.parse(copy.deepcopy(document.data), origin="it")
    except schema.ConfigError as error:
        _place(str(error), document, reading)
    return reading


def from_changes(item: Configuration, changes: Mapping[str, Any]) -> schema.Config:
    """A configuration with {key: value} changed in it. Raises FormError."""
    document = form_yaml.read(item.path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if key not in form_fields.fields():
            raise FormError({key: f"{key} is not a key of a configuration."})
        document = _change(document, key, value)
    reading = Reading(document.text)
    try:
        return schema.parse(document.data, origin="it")
    except schema.ConfigError as error:
        _place(str(error), document, reading)
        raise FormError(reading.problems) from error


def overrides(item: Configuration, config: schema.Config) -> dict[str, Any]:
    """{key: value} by which a configuration differs from an installed one: what the command line is given."""
    before, after = load(item), config
    old, new = form_fields.flat(before.model_dump(mode="json")), form_fields.flat(after.model_dump(mode="json"))
    changed = {key: value for key, value in new.items() if old.get(key, ...) != value}
    if before.loss.name == after.loss.name:
        return changed
    # The other loss has other weights: those of the first must not be carried over.
    usual = form_fields.defaults(after.loss.name)
    loss = {key.removeprefix("loss."): value for key, value in new.items()
            if key.startswith("loss.") and (key == "loss.name" or value != usual[key])}  # fmt: skip
    return {key: value for key, value in changed.items() if not key.startswith("loss.")} | {"loss": loss}


def _edit(document: form_yaml.Document, key: str, typed: str) -> form_yaml.Document:
    about = form_fields.fields().get(key)
    if about is None:
        raise FormError({"": f"{key!r} is not a key of a configuration."})
    return _change(document, key, about.parse(typed) if typed.strip() else None)


def _change(document: form_yaml.Document, key: str, value: Any) -> form_yaml.Document:
    """The document with one key changed, and what cannot go with it taken out; None: back to its default."""
    if key == "loss.name" and value != document.at(key):
        weights = document.at("loss")
        for name in [name for name in weights if name != "name"] if isinstance(weights, dict) else []:
            document = form_yaml.remove(document, f"loss.{name}")
    if key in _OVERRULED and document.at("growth.stages"):
        document = form_yaml.remove(document, "growth.stages")
    return _set(document, key, value)


def _set(document: form_yaml.Document, key: str, value: Any) -> form_yaml.Document:
    """Nothing is written where the default says the same, unless the text names the key already."""
    if value is None or value == "":
        return form_yaml.remove(document, key)
    same = document.at(key) if document.has(key) else form_fields.defaults(_loss(document)).get(key)
    return document if same == value and type(same) is type(value) else form_yaml.write(document, key, value)


def _loss(document: form_yaml.Document) -> str:
    return str(document.at("loss.name") or "swgan")


def _shown(document: form_yaml.Document) -> dict[str, dict[str, Any]]:
    """What the form's fields show. Only the keys of the loss that is chosen are among them."""
    out = {}
    for key, default in form_fields.defaults(_loss(document)).items():
        value = document.at(key) if document.has(key) else default
        out[key] = {"value": form_fields.show(value), "default": form_fields.show(default), "changed": value != default}
    if document.at("growth.stages"):  # they win, so what they overrule is not shown as if it held
        out |= {key: {"value": "", "default": out[key]["default"], "changed": False} for key in _OVERRULED}
    return out


def _place(text: str, document: form_yaml.Document, reading: Reading) -> None:
    """The sentences of a ConfigError, each at the key and at the line that it is about."""
    for sentence in filter(None, (line.removeprefix("it: ").strip() for line in text.splitlines())):
        key, place = _about(sentence)
        # A missing key has no line of its own: its section's then, or the first.
        line = document.line(place or key) or 1
        if key not in (reading.fields or form_fields.fields()):
            key = "yaml" if document.line(place) else ""
            if key == "yaml":
                reading.problems[key] = _joined(reading.problems.get(key), f"Line {line}: {sentence}")
        if key != "yaml":
            reading.problems[key] = _joined(reading.problems.get(key), sentence)
        reading.lines.append({"line": line, "text": sentence})


def _about(sentence: str) -> tuple[str, str]:
    """(key, place) that a sentence of the schema begins with: ("train.batch", "train.batch.1"); ("", "") for none."""
    match = _KEY.match(sentence)
    place = match[0] if match else ""
    key = re.sub(r"(\.\d+)+$", "", place)
    if key in form_fields.fields() or sentence.startswith((f"{place} is ", f"{place}.name is ")):
        return key, place
    return ("growth.stages", "growth.stages") if place == "stage" else ("", "")


def _joined(before: str | None, sentence: str) -> str:
    return f"{before} {sentence}" if before else sentence


# ---- what it would train ---------------------------------------------------------------------------------------


def preview(config: schema.Config) -> dict[str, Any]:
    """The growth plan as the ruler draws it; at each stage what grows, the batch, and the networks so far."""
    plan, net = config.plan(), config.network
    drawn = plan_json(plan)
    assert drawn is not None
    sizes = tuple(plan.sizes)
    own = net.system == "pvswgan"
    weights = (_parameters(sizes, net.latent_dim, net.fmap_base, net.fmap_max, net.mbstd_group) if own
               else [_other_parameters(net.system, size) for size in sizes])
    rows = zip(drawn["stages"], config.batches(), weights, strict=True)
    for number, (stage, batch, (generator, critic)) in enumerate(rows):
        stage["grows"] = grown_axes(plan.sizes[number - 1], plan.sizes[number]) if number else ""
        stage["batch"] = batch
        stage["channels"] = (channels(stage["resolution"], net.fmap_base, net.fmap_max) if own
                             else CHANNELS[levels(sizes[number]) - 1])
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


@lru_cache(maxsize=64)
def _other_parameters(system: str, size: tuple[int, int]) -> tuple[int, int]:
    """The same of another system (pvswgan.baselines), which has one stage."""
    with torch.device("meta"):
        generator, critic = baselines.make_generator(system, size), baselines.make_critic(system, size)
    return _count(generator), _count(critic)


def _count(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def typed_folder(text: str) -> str:
    """The path that a person typed, absolute, ~ expanded; as it is where it is no path at all; "" for nothing."""
    text = text.strip()
    try:
        return str(Path(text).expanduser().absolute()) if text else ""
    except (OSError, ValueError, RuntimeError):
        return text


def data_problem(data: Data, typed: bool) -> str:
    """A sentence where the folder of clips is not there to be read, or cannot be read so, else ""."""
    folder = data.path
    if folder is None:
        return ""
    try:
        path = _RUN_FROM / Path(folder).expanduser()
        if path.is_file():
            return f"{path} is a file; a folder of clips is wanted."
        if not path.is_dir():
            named = "" if typed else ", though the configuration names it"
            return f"There is no folder {path} on this machine{named}. Write the path of a folder of clips."
        if data.hold_out and is_store(path):
            return (f"{path} is a store already, and data.hold_out is {data.hold_out:g}; allowed for a store: 0. "
                    "Import its clips again, with a share held out.")
        return "" if next(path.iterdir(), None) else f"The folder {path} is empty."
    except (OSError, ValueError, RuntimeError) as error:
        return f"The folder {folder} cannot be read: {getattr(error, 'strerror', None) or error}."
