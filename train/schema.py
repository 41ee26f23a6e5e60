"""The schema of a configuration: every key, its default, its meaning and what is allowed. config.py reads one."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pvswgan.growth import GrowthPlan, make_plan

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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class Data(Section):
    source: Literal["auto", "toyfaces", "shapes", "videos", "ucf101", "strips", "frames", "array"] = Field(
        "auto", description="what the clips are; auto: from the folder's layout")
    path: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="folder of clips; relative to where the command runs; null: none, the clips are drawn")
    mirror: bool = Field(True, description="show half of the clips mirrored left to right")
    time: Literal["average", "subsample", "window"] = Field(
        "average", description="how a stage with fewer frames sees a clip: the mean of neighbours, every so many-th "
        "frame (subsample), or the first ones (window)")
    reverse: bool = Field(False, description="show half of the clips backwards")
    offset: bool = Field(True, description="begin at a random frame of a clip; no: always at its first")
    stride: Stride | Annotated[list[Stride], Field(min_length=1, max_length=8)] = Field(
        1, description="source frames from one frame of a clip to the next; a list: one is drawn for each clip")
    fps: Annotated[float, Field(strict=True, gt=0, le=1000), _Written] | None = Field(
        None, description="frames a second that videos (and UCF-101) are brought to; null: each file's own")
    split: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="use the clips of this split only, such as train; null: all but what is held out")
    hold_out: Annotated[float, Field(strict=True, ge=0, le=0.5), _Written] = Field(
        0.0, description="share of the files that the training does not see, to measure against; 0: none")
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
        600, description="thousands of clips over which a stage fades in; a list: one a stage (the first: 0)")
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
    still: bool = Field(
        False, description="clips begin as still pictures and learn to move: all frames of G's first layer begin "
        "alike, and G repeats the first and the last frame where the released code pads time with zeros")
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
    temporal_contrast: Real = Field(
        1.0, ge=0.25, le=16, description="the critic sees how a clip changes so many times as large (its difference "
        "from its mean over time): above 1 movement counts for more; 1: as the paper")
    augment: list[Augment] = Field(
        [], description="differentiable augmentation of reals and fakes alike, for few clips. shift: by up to an "
        "eighth; colour: brightness, saturation, contrast; cutout: a grey square of half the side")


class Log(Section):
    tick_kimg: Real = Field(1.0, ge=0.001, description="thousands of clips between lines of statistics")
    snapshot_kimg: Real = Field(10.0, ge=0.001, description="thousands of clips between samples and checkpoints")
    keep: Whole = Field(3, ge=1, description="newest checkpoints that are kept; the networks at the end of each "
                         "fade and of each stage stay besides, to sample from, not to resume")
    metrics: Real = Field(0.0, ge=0, le=0.5, description="share of the time for FID, SWD ... at snapshots; 0: none")
    metrics_clips: Whole = Field(256, ge=32, le=10000, description="samples of such a measurement")


class Config(Section):
    seed: Whole = Field(0, ge=0, lt=2**31, description="of weights, latents and the order of the clips")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the convolutions; auto: bfloat16 where the machine has it and it is not clearly "
        "slower, else float32; other systems than pvswgan: float32")
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
