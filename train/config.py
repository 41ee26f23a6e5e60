"""The schema of a configuration: every key, its default, its meaning and what is allowed.

A YAML file gives some of the keys; the rest have the defaults below. Unknown keys, wrong types and impossible values
are refused, all at once, each with its key, its value and what is allowed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pvswgan.growth import GrowthPlan, PlanError, make_plan

PerStage = list[Annotated[float, Field(ge=0)]]


class ConfigError(ValueError):
    """What is wrong with a configuration, a line for each key."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class Data(Section):
    source: Literal["auto", "toyfaces", "strips", "videos"] = Field(
        "auto", description="what the clips are; auto: from the folder's layout")
    path: str | None = Field(None, description="folder of clips; relative to where the command runs")
    mirror: bool = Field(True, description="show half of the clips mirrored left to right")
    time: Literal["average", "subsample", "window"] = Field(
        "average", description="how a stage with fewer frames sees a clip")
    stride: int = Field(1, ge=1, le=64, description="source frames from one frame of a clip to the next")
    clips: int = Field(2000, ge=1, description="how many toyfaces to draw; other sources use all they have")


class Growth(Section):
    order: Literal["paper", "joint", "space-first", "time-first"] = "paper"
    stages: list[tuple[int, int]] | None = Field(None, description="[[frames, pixels], ...] wins over order")
    resolution: int = Field(32, ge=4, le=256, description="pixels of the last stage")
    frames: int = Field(16, ge=1, le=64, description="frames of the last stage")
    fade_kimg: Annotated[float, Field(ge=0)] | PerStage = Field(
        600, description="thousands of clips over which a stage fades in; a list: one a stage")
    stable_kimg: Annotated[float, Field(ge=0)] | PerStage = Field(
        600, description="thousands of clips after the fade; a list: one a stage")
    total_kimg: float | None = Field(None, gt=0, description="where more, the last stage trains on")


class Network(Section):
    latent_dim: int = Field(128, ge=1, le=1024)
    fmap_base: int = Field(1024, ge=8, le=16384, description="channels at H pixels: fmap_base * 2 / H ...")
    fmap_max: int = Field(128, ge=1, le=1024, description="... but at most this many")
    mbstd_group: int = Field(4, ge=1, description="clips that share a minibatch standard deviation")


class SwganLoss(Section):
    name: Literal["swgan"] = "swgan"
    blocks: int = Field(1, ge=1, le=16, description="orthogonal matrices side by side")
    gp: float = Field(50.0, ge=0, description="weight of the gradient penalty")
    slope: float = Field(10.0, ge=0, description="weight of the slope penalty")
    k: float = Field(1.0, ge=0, description="slope that each slice's function is held to")
    slope_penalty: Literal["exact", "as_released"] = "exact"


class WganGpLoss(Section):
    name: Literal["wgan-gp"]
    gp: float = Field(10.0, ge=0, description="weight of the gradient penalty")
    drift: float = Field(0.001, ge=0, description="weight of E D(real)^2")


Augment = Literal["shift", "colour", "cutout"]


class Train(Section):
    batch: Annotated[int, Field(ge=1, le=4096)] | list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        16, description="clips a step; a list: one a stage")
    lr: Annotated[float, Field(gt=0, le=1)] | list[Annotated[float, Field(gt=0, le=1)]] = Field(
        1e-3, description="Adam's learning rate; a list: one a stage")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.99)
    ema_half_life_kimg: float = Field(10.0, ge=0, description="of the averaged generator, the one that is sampled")
    critic_steps: int = Field(1, ge=1, le=16, description="critic steps for each generator step")
    gp_interval: int = Field(1, ge=1, le=64, description="gradient penalty every so many critic steps, as many times "
                                                          "as strong (changes the mathematics)")
    augment: list[Augment] = Field([], description="differentiable augmentation of reals and fakes alike")


class Log(Section):
    tick_kimg: float = Field(1.0, gt=0, description="between lines of statistics")
    snapshot_kimg: float = Field(10.0, gt=0, description="between samples and checkpoints")
    keep: int = Field(3, ge=1, description="newest checkpoints kept (the last of each stage stays besides)")


class Config(Section):
    seed: int = Field(0, ge=0, lt=2**31)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the convolutions; auto: the faster of the two on this machine")
    data: Data = Data()
    growth: Growth = Growth()
    network: Network = Network()
    loss: Annotated[SwganLoss | WganGpLoss, Field(discriminator="name")] = SwganLoss()
    train: Train = Train()
    log: Log = Log()

    def plan(self) -> GrowthPlan:
        """The growth plan. Raises PlanError."""
        return make_plan(**self.growth.model_dump())

    def batches(self) -> list[int]:
        """Clips a step, one for each stage."""
        return [int(b) for b in per_stage(self.train.batch, len(self.plan().stages))]

    def rates(self) -> list[float]:
        """Learning rate, one for each stage."""
        return per_stage(self.train.lr, len(self.plan().stages))


def per_stage(value: float | list, count: int) -> list:
    return list(value) if isinstance(value, list) else [value] * count


def parse(data: Any, overrides: list[str] | None = None, origin: str = "configuration") -> Config:
    """A configuration from a mapping and `key=value` overrides (dotted keys). Raises ConfigError."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: expected keys and values, got {type(data).__name__}")
    for text in overrides or []:
        _override(data, text)
    if isinstance(data.get("loss"), dict):
        data["loss"].setdefault("name", "swgan")
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {_sentence(e)}" for e in error.errors())) from None
    _check_together(config, origin)
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
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    return parse(data, overrides, str(path))


def describe(path: str | Path) -> str:
    """The first comment line of a configuration: one sentence on what it is for."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
    return ""


def dump(config: Config) -> str:
    """The whole resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


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
    except yaml.YAMLError as error:
        raise ConfigError(f"override {text!r} is not valid YAML: {error}") from None


def _sentence(error: Any) -> str:
    """One of pydantic's findings as: key is VALUE: what is allowed."""
    key = ".".join(str(p) for p in error["loc"] if str(p) not in ("swgan", "wgan-gp"))
    key = key.split(".constrained")[0].split(".float")[0].split(".int")[0].split(".list[")[0]
    if error["type"] == "extra_forbidden":
        section = key.rpartition(".")[0]
        return f"{key} is not a key; allowed {'in ' + section if section else 'here'}: {', '.join(_keys(error['loc']))}"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{key}.name is {error['input'].get('name')!r}: allowed: swgan, wgan-gp"
    return f"{key} is {error['input']!r}: {_allowed(error)}"


def _allowed(error: Any) -> str:
    """What pydantic would have taken, in our words where we have some."""
    limits = error.get("ctx", {})
    for name, words in (("gt", "more than"), ("ge", "at least"), ("lt", "less than"), ("le", "at most")):
        if name in limits:
            return f"allowed: {words} {limits[name]}"
    if error["type"] == "literal_error":
        return f"allowed: {limits['expected']}"
    return error["msg"]


def _keys(loc: tuple) -> list[str]:
    section: Any = Config
    for part in loc[:-1]:
        if part in ("swgan", "wgan-gp"):
            section = SwganLoss if part == "swgan" else WganGpLoss
        elif part != "loss":
            section = section.model_fields[part].annotation
    return list(section.model_fields)


def _check_together(config: Config, origin: str) -> None:
    """What no key shows alone: the plan, lists of one value a stage, batches and groups, data and path."""
    wrong: list[str] = []
    try:
        plan = config.plan()
    except PlanError as error:
        raise ConfigError(f"{origin}: {error}") from None
    count = len(plan.stages)
    for name, value in (("train.batch", config.train.batch), ("train.lr", config.train.lr)):
        if isinstance(value, list) and len(value) != count:
            wrong.append(f"{name} lists {len(value)} values, but the plan has {count} stages")
    group = config.network.mbstd_group
    if not wrong:
        wrong += [f"train.batch is {b} at stage {i}: allowed: a multiple of network.mbstd_group ({group}), or fewer"
                  for i, b in enumerate(config.batches()) if b > group and b % group]
    if config.data.path is None and config.data.source not in ("toyfaces",):
        wrong.append(f"data.path is missing: source {config.data.source!r} wants a folder (source toyfaces needs none)")
    if wrong:
        raise ConfigError("\n".join(f"{origin}: {w}" for w in wrong))
