"""The schema of a configuration: every key, its default, its meaning and what is allowed.

A YAML file gives some of the keys; the rest have the defaults below. Unknown keys, wrong types and impossible values
are refused, all at once, each with its key, its value and what is allowed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pvswgan.baselines import SYSTEMS, check_size
from pvswgan.growth import GrowthPlan, PlanError, make_plan

_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def _number(value: Any) -> Any:
    """1e-3 is a word to YAML 1.1, whose numbers with an exponent have a dot and a sign: 1.0e-3."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


# Strict: YAML's yes and no are not numbers, and 1.5 is no whole one.
Whole = Annotated[int, Field(strict=True)]
_Written = BeforeValidator(_number)     # behind the limits: before them they would be missing in the JSON schema
Real = Annotated[float, Field(strict=True), _Written]
Kimg = Annotated[float, Field(strict=True, ge=0, le=1e6), _Written]
Batch = Annotated[Whole, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(strict=True, gt=0, le=1), _Written]
Decay = Annotated[float, Field(strict=True, ge=0, lt=1), _Written]
Stride = Annotated[Whole, Field(ge=1, le=64)]


class ConfigError(ValueError):
    """What is wrong with a configuration, a line for each key."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class Data(Section):
    source: Literal["auto", "toyfaces", "shapes", "videos", "ucf101", "strips", "frames", "array"] = Field(
        "auto", description="what the clips are; auto: from the folder's layout")
    path: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="folder of clips; relative to where the command runs; null: none, the clips are drawn")
    mirror: bool = Field(True, description="show half of the clips mirrored left to right")
    time: Literal["average", "subsample", "window"] = Field(
        "average", description="how a stage with fewer frames sees a clip")
    reverse: bool = Field(False, description="show half of the clips backwards")
    offset: bool = Field(True, description="begin at a random frame of a clip; no: always at its first")
    stride: Stride | Annotated[list[Stride], Field(min_length=1, max_length=8)] = Field(
        1, description="source frames from one frame of a clip to the next; a list: one is drawn for each clip")
    fps: Annotated[float, Field(strict=True, gt=0, le=1000), _Written] | None = Field(
        None, description="frames a second that videos are brought to; null: each file's own")
    split: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="use the clips of this split only, such as train; null: all")
    fold: Whole = Field(1, ge=1, le=3, description="which of UCF-101's three train and test lists")
    compact: bool = Field(False, description="keep the two greatest resolutions as video: an eighth of the disk")
    clips: Whole = Field(2000, ge=1, description="how many toyfaces or shapes to draw; other sources use all they have")

    def strides(self) -> list[int]:
        """All strides, least first."""
        return sorted(self.stride) if isinstance(self.stride, list) else [self.stride]

    def drawn(self) -> bool:
        """Whether the program draws the clips itself."""
        return self.source in ("toyfaces", "shapes")


class Growth(Section):
    order: Literal["paper", "joint", "space-first", "time-first"] = Field(
        "paper", description="what grows when: as the released code, both at once, or one after the other")
    stages: list[Annotated[list[Whole], Field(min_length=2, max_length=2)]] | None = Field(
        None, description="[[frames, pixels], ...], from the first stage on: wins over order, resolution and frames")
    resolution: Whole = Field(32, ge=4, le=256, description="pixels of the last stage")
    frames: Whole = Field(16, ge=1, le=64, description="frames of the last stage")
    fade_kimg: Kimg | list[Kimg] = Field(
        600, description="thousands of clips over which a stage fades in; a list: one a stage")
    stable_kimg: Kimg | list[Kimg] = Field(
        600, description="thousands of clips after the fade; a list: one a stage")
    total_kimg: Annotated[float, Field(strict=True, gt=0, le=1e6), _Written] | None = Field(
        None, description="thousands of clips in all: the last stage trains on till then; null: as the stages add up")


class Network(Section):
    system: Literal["pvswgan", "videogan", "videogan-one-stream", "tgan", "mocogan"] = Field(
        "pvswgan", description="which networks; all but pvswgan have sizes of their own and do not grow")
    latent_dim: Whole = Field(128, ge=1, le=1024, description="length of z")
    fmap_base: Whole = Field(
        1024, ge=8, le=16384, description="channels at H pixels: fmap_base * 2 / H, at most fmap_max")
    fmap_max: Whole = Field(128, ge=1, le=1024, description="the most channels that a layer has")
    mbstd_group: Whole = Field(4, ge=1, description="clips that share a minibatch standard deviation")


WHICH_LOSS = ("swgan: sliced Wasserstein; wgan-gp: the comparison; gan (cross-entropy) and wgan-svc (singular values "
              "clipped): those of the other systems")


class SwganLoss(Section):
    name: Literal["swgan"] = Field("swgan", description=WHICH_LOSS)
    blocks: Whole = Field(1, ge=1, le=16, description="orthogonal matrices side by side")
    gp: Real = Field(50.0, ge=0, description="weight of the gradient penalty")
    slope: Real = Field(10.0, ge=0, description="weight of the slope penalty")
    k: Real = Field(1.0, ge=0, description="slope that each slice's function is held to")
    slope_penalty: Literal["exact", "as_released"] = Field(
        "exact", description="exact: the slope, as the equation means; as_released: what the authors' code computes")


class WganGpLoss(Section):
    name: Literal["wgan-gp"] = Field(description=WHICH_LOSS)
    gp: Real = Field(10.0, ge=0, description="weight of the gradient penalty")
    drift: Real = Field(0.001, ge=0, description="weight of E D(real)^2, which keeps the critic near 0")


class GanLoss(Section):
    name: Literal["gan"] = Field(description=WHICH_LOSS)
    mask: Real = Field(0.1, ge=0, description="weight of the foreground's mask, of videogan with its two streams")


class WganSvcLoss(Section):
    name: Literal["wgan-svc"] = Field(description=WHICH_LOSS)
    clip_interval: Whole = Field(
        5, ge=1, le=1000, description="critic steps from one clipping of the critic's singular values to the next")


AnyLoss = SwganLoss | WganGpLoss | GanLoss | WganSvcLoss
LOSSES: dict[str, type[Section]] = {"swgan": SwganLoss, "wgan-gp": WganGpLoss, "gan": GanLoss, "wgan-svc": WganSvcLoss}
GROWING = ("swgan", "wgan-gp")     # the losses of pvswgan; of the others each has its own (pvswgan.baselines)
Augment = Literal["shift", "colour", "cutout"]


def _on_or_off(value: Any) -> Any:
    """YAML reads a bare on or off as true or false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class Train(Section):
    batch: Batch | list[Batch] = Field(
        16, description="clips a step, of all processes together; a list: one a stage")
    lr: Rate | list[Rate] = Field(
        1e-3, description="the optimiser's learning rate; a list: one a stage")
    optimiser: Literal["adam", "rmsprop"] = Field("adam", description="how weights follow their gradients")
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)] = Field(
        [0.0, 0.99], description="Adam's two decay rates, of gradients and of their squares; rmsprop: the second")
    weight_decay: Decay = Field(0.0, description="pull of the weights to 0, added to their gradients")
    ema_half_life_kimg: Real = Field(
        10.0, ge=0, description="half-life of the averaged generator, the one that is sampled, in thousands of clips")
    critic_steps: Whole = Field(1, ge=1, le=16, description="critic steps for each generator step")
    gp_interval: Whole = Field(1, ge=1, le=64, description="gradient penalty every so many critic steps, as many times "
                                                          "as strong (changes the mathematics)")
    checkpointing: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_or_off)] = Field(
        "auto", description="compute activations twice: less memory, more time; auto: at a stage where memory runs out")
    augment: list[Augment] = Field(
        [], description="differentiable augmentation of reals and fakes alike, for few clips")


class Log(Section):
    tick_kimg: Real = Field(1.0, ge=0.001, description="thousands of clips between lines of statistics")
    snapshot_kimg: Real = Field(10.0, ge=0.001, description="thousands of clips between samples and checkpoints")
    keep: Whole = Field(3, ge=1, description="newest checkpoints that are kept; the last of each stage stays besides")
    metrics: Real = Field(0.0, ge=0, le=0.5, description="share of the time for FID, SWD ... at snapshots; 0: none")
    metrics_clips: Whole = Field(256, ge=32, le=10000, description="samples of such a measurement")


class Config(Section):
    seed: Whole = Field(0, ge=0, lt=2**31, description="of weights, latents and the order of the clips")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the convolutions; auto: the faster of the two on this machine")
    data: Data = Data()
    growth: Growth = Growth()
    network: Network = Network()
    loss: Annotated[AnyLoss, Field(discriminator="name")] = SwganLoss()
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
    _name_loss(data)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {text}" for text in _sentences(error))) from None
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
    except yaml.YAMLError as error:
        raise ConfigError(f"override {text!r} is not valid YAML: {error}") from None


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


def _check_together(config: Config, origin: str) -> None:
    """What no key shows alone: the plan, lists of one value a stage, batches and groups, data and path."""
    wrong: list[str] = []
    try:
        plan = config.plan()
    except PlanError as error:
        raise ConfigError(f"{origin}: {error}") from None
    wrong += [f"growth.stages[{i}] is {[s.frames, s.resolution]}: allowed: up to 64 frames and 256 pixels"
              for i, s in enumerate(plan.stages) if s.frames > 64 or s.resolution > 256]
    count = len(plan.stages)
    for name, value in (("train.batch", config.train.batch), ("train.lr", config.train.lr)):
        if isinstance(value, list) and len(value) != count:
            wrong.append(f"{name} lists {len(value)} values, but the plan has {count} stages")
    group = config.network.mbstd_group
    wrong += _check_system(config)
    if not wrong and config.network.system == "pvswgan":
        wrong += [f"train.batch is {b} at stage {i}: allowed: a multiple of network.mbstd_group ({group}), or fewer"
                  for i, b in enumerate(config.batches()) if b > group and b % group]
    if not wrong:
        wrong += _short_phases(config)
    if len(set(config.train.augment)) < len(config.train.augment):
        wrong.append(f"train.augment is {config.train.augment}: allowed: each once")
    if config.data.path is None and not config.data.drawn():
        wrong.append(f"data.path is missing: source {config.data.source!r} wants a folder "
                     f"(the sources toyfaces and shapes need none)")
    if wrong:
        raise ConfigError("\n".join(f"{origin}: {w}" for w in wrong))


def _check_system(config: Config) -> list[str]:
    """What does not go with the system: its loss, its size, and keys of pvswgan alone, which would say nothing."""
    system, plan = config.network.system, config.plan()
    losses = GROWING if system == "pvswgan" else (SYSTEMS[system].loss,)
    wrong = [f"loss.name is {config.loss.name!r}: allowed with network.system {system}: {', '.join(losses)}"
             ] * (config.loss.name not in losses)
    if system == "pvswgan":
        return wrong
    own = [(f"network.{name}", getattr(config.network, name), Network.model_fields[name].default)
           for name in ("latent_dim", "fmap_base", "fmap_max", "mbstd_group")]
    own.append(("train.gp_interval", config.train.gp_interval, Train.model_fields["gp_interval"].default))
    wrong += [f"{key} is {value}: allowed with network.system {system}: {usual}, which says nothing there"
              for key, value, usual in own if value != usual]
    if config.train.checkpointing == "on":
        wrong.append(f"train.checkpointing is 'on': allowed with network.system {system}: auto, off")
    if config.precision == "bfloat16":
        wrong.append(f"precision is 'bfloat16': allowed with network.system {system}: auto, float32")
    if min(config.batches(), default=2) < 2:
        wrong.append(f"train.batch is 1: allowed with network.system {system}: 2 or more, for BatchNorm")
    if len(plan.stages) > 1:
        return [*wrong, f"growth gives {len(plan.stages)} stages, but network.system {system} does not grow: allowed: "
                        f"growth.stages with one, such as [[{plan.sizes[-1][0]}, {plan.sizes[-1][1]}]]"]
    try:
        check_size(system, plan.sizes[0])
    except ValueError as error:
        wrong.append(f"growth.stages[0] is {list(plan.sizes[0])}: {error}")
    return wrong


def check_processes(config: Config, world: int) -> None:
    """Raise ConfigError where `world` processes cannot share each stage's batch: whole minibatch-stddev groups each.
    BatchNorm's statistics are those of one process's clips, so that the other systems train in one."""
    if world > 1 and config.network.system != "pvswgan":
        raise ConfigError(f"network.system is {config.network.system!r}: trained by one process, not by {world}")
    step = world * config.network.mbstd_group
    wrong = [f"train.batch is {b} at stage {i}: allowed with {world} processes: a multiple of {step} "
             f"({world} x network.mbstd_group)" for i, b in enumerate(config.batches()) if world > 1 and b % step]
    if wrong:
        raise ConfigError("\n".join(wrong))


def _short_phases(config: Config) -> list[str]:
    """A phase shorter than one step would be passed over without a word."""
    wrong = []
    for i, (stage, batch) in enumerate(zip(config.plan().stages, config.batches(), strict=True)):
        step = batch * config.train.critic_steps
        wrong += [f"growth.{name}_kimg is {clips / 1000:g} at stage {i}, less than a step of {step} clips: allowed: 0 "
                  f"or at least {step / 1000:g}" for name, clips in (("fade", stage.fade), ("stable", stage.stable))
                  if 0 < clips < step]
    return wrong
