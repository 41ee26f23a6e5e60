"""Reading a configuration: from YAML and key=value, checked, every fault told in a sentence. Its keys: schema.py.

A YAML file gives some of the keys; the rest have the schema's defaults. Unknown keys, wrong types and impossible values
are refused, all at once, each with its key, its value and what is allowed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pvswgan.baselines import SYSTEMS
from train import checks
from train.run import YAML_ERRORS
from train.schema import LOSSES as LOSSES
from train.schema import Config as Config
from train.schema import Section as Section


class ConfigError(ValueError):
    """What is wrong with a configuration, a line for each key."""


def parse(data: Any, overrides: list[str] | None = None, origin: str = "configuration") -> Config:
    """A configuration from a mapping and `key=value` overrides (dotted keys). Raises ConfigError."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: expected keys and values, got {type(data).__name__}")
    for text in overrides or []:
        _override(data, text)
    _name_loss(data)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {text}" for text in _sentences(error))) from None
    if wrong := checks.wrong_together(config):
        raise ConfigError("\n".join(f"{origin}: {w}" for w in wrong))
    return config


def load(path: str | Path, overrides: list[str] | None = None) -> Config:
    """A configuration from a YAML file. Raises ConfigError."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file") from None
    try:
        data = yaml.safe_load(text)
    except YAML_ERRORS as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    return parse(data, overrides, str(path))


def describe(path: str | Path) -> str:
    """The first comment line of a configuration: one sentence on what it is for."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
    return ""


def installed(folder: Path, *, studies: bool = False) -> list[Path]:
    """The configurations of trainings in a folder; or its studies (train/study), which have arms."""
    return [path for path in sorted(folder.glob("*.yaml"))
            if studies == any(line.startswith("arms:") for line in path.read_text(encoding="utf-8").splitlines())]


def dump(config: Config) -> str:
    """The whole resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _name_loss(data: dict) -> None:
    """A loss without a name is the system's usual one."""
    network = data.get("network")
    system = SYSTEMS.get(str(network.get("system"))) if isinstance(network, dict) else None
    if system is not None and data.get("loss") is None:
        data["loss"] = {}
    if isinstance(data.get("loss"), dict):
        data["loss"].setdefault("name", system.loss if system else "swgan")


def _override(data: dict, text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {text!r}: allowed is key=value, such as train.batch=8")
    *parents, last = key.strip().split(".")
    place = data
    for parent in parents:
        if place.get(parent) is None:
            place[parent] = {}
        place = place[parent]
        if not isinstance(place, dict):
            raise ConfigError(f"override {text!r}: {parent} holds a value, not further keys")
    try:
        place[last] = yaml.safe_load(value)
    except YAML_ERRORS as error:
        raise ConfigError(f"override {text!r:.200} is not valid YAML: {error}") from None


def _sentences(error: ValidationError) -> list[str]:
    """pydantic's findings, one for each place: key is VALUE: what is allowed.

    Where a key takes a value or a list, pydantic reports both ways of failing; only the one that was meant is told.
    """
    told: dict[str, str] = {}
    for finding in error.errors():
        place, branch = _place(finding["loc"])
        value = finding["input"]
        if branch and (branch == "list") != isinstance(_given(finding, place), list):
            continue
        name = finding["type"]
        if name == "extra_forbidden":
            section = place.rpartition(".")[0]
            where = f"in {section}" if section else "here"
            told[place] = f"{place} is not a key; allowed {where}: {', '.join(_keys(finding['loc']))}"
        elif name in ("union_tag_invalid", "union_tag_not_found"):
            told[place] = f"{place}.name is {value.get('name')!r}: allowed: {', '.join(LOSSES)}"
        else:
            told.setdefault(place, f"{place} is {value!r}: {_allowed(finding)}")
    return list(told.values())


def _place(loc: tuple) -> tuple[str, str]:
    """('train.batch.1', 'list') from pydantic's location, in which it names the alternatives that it tried."""
    parts, branch = [], ""
    for part in loc:
        if part in LOSSES:
            continue
        if isinstance(part, str) and (part in ("int", "float", "str") or "[" in part or "constrained" in part):
            branch = "list" if part.startswith("list") else "value"
            continue
        parts.append(str(part))
    return ".".join(parts), branch


def _given(finding: Any, place: str) -> Any:
    """What stood at the key itself: a list, where the finding is about one of its entries."""
    return [] if place.rpartition(".")[2].isdigit() else finding["input"]


def _allowed(finding: Any) -> str:
    """What pydantic would have taken, in our words where we have some."""
    limits = finding.get("ctx", {})
    for name, words in (("gt", "more than"), ("ge", "at least"), ("lt", "less than"), ("le", "at most")):
        if name in limits:
            return f"allowed: {words} {limits[name]:g}"
    known = {"literal_error": f"allowed: {limits.get('expected')}", "int_type": "allowed: a whole number",
             "int_from_float": "allowed: a whole number", "float_type": "allowed: a number",
             "model_type": "allowed: keys and values", "model_attributes_type": "allowed: keys and values",
             "too_short": f"allowed: {limits.get('min_length')} values", "string_type": "allowed: text",
             "too_long": f"allowed: {limits.get('max_length')} values", "finite_number": "allowed: a finite number",
             "string_pattern_mismatch": "allowed: auto, cpu, cuda or cuda:N", "string_too_short": "allowed: some text"}
    return known.get(finding["type"], finding["msg"])


def _keys(loc: tuple) -> list[str]:
    section: Any = Config
    for part in loc[:-1]:
        if part in LOSSES:
            section = LOSSES[part]
        elif part != "loss":
            section = section.model_fields[part].annotation
    return list(section.model_fields)


def check_processes(config: Config, world: int) -> None:
    """Raise ConfigError where `world` processes cannot train this together."""
    if wrong := checks.wrong_with_processes(config, world):
        raise ConfigError("\n".join(wrong))
