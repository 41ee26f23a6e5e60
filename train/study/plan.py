"""What a study is made of: a base configuration, arms that differ from it, seeds, and the time of each training."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from pvswgan.metrics.against import LEAST
from pvswgan.metrics.report import flat
from train.config import Config, ConfigError, parse
from train.run import YAML_ERRORS
from train.schema import Real, Section, Whole

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class Study(Section):
    name: str = Field(description="of the folder with its results")
    minutes: Annotated[Real, Field(gt=0, le=10080)] | None = Field(
        None, description="of each training: processor time on a CPU, so that other work beside it costs nobody "
                          "anything; training time on a GPU")
    kimg: Annotated[Real, Field(gt=0, le=1e6)] | None = Field(
        None, description="in place of minutes: thousands of clips of each training, where arms are to see as many")
    threads: Annotated[Whole, Field(ge=1, le=256)] | None = Field(None, description="CPU threads of each; null: all")
    at_once: Annotated[Whole, Field(ge=1, le=64)] = Field(1, description="trainings beside each other")
    seeds: Annotated[list[Whole], Field(min_length=1, max_length=100)]
    moments: Annotated[list[Real], Field(min_length=1, max_length=20)] = Field(
        [0.25, 0.5, 0.75, 1.0], description="shares of minutes or kimg at which a network is measured")
    clips: Annotated[Whole, Field(ge=LEAST, le=100000)] = Field(1000, description="samples of a measurement")
    reference: str = Field(description="the arm that the others are set against")
    base: dict[str, Any] = Field(description="a configuration, as in configs/")
    arms: dict[str, dict[str, Any]] = Field(description="{name: {key: value}}, dotted keys, what is different in it")

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError("allowed: small letters, digits and -")
        return name

    @field_validator("moments")
    @classmethod
    def _rising(cls, moments: list[float]) -> list[float]:
        if not (all(a < b for a, b in pairwise(moments)) and moments[0] > 0 and moments[-1] == 1):
            raise ValueError("allowed: rising shares above 0, the last one 1")
        return moments

    @model_validator(mode="after")
    def _one_length(self) -> Study:
        if (self.minutes is None) == (self.kimg is None):
            raise ValueError("allowed: either minutes or kimg")
        return self

    @property
    def length(self) -> float:
        """Of a training, in what it is counted by."""
        return 60.0 * self.minutes if self.minutes is not None else 1000.0 * (self.kimg or 0.0)

    def counted(self, status: dict[str, Any]) -> str:
        """The key of a run's status and statistics that says how far it is: clips, or seconds."""
        return "clips" if self.minutes is None else clock(status)


def clock(status: dict[str, Any]) -> str:
    """The key of the time that counts, of a run's status: see Study.minutes."""
    return "seconds" if str(status.get("device", "cpu")).startswith("cuda") else "cpu_seconds"


@dataclass(frozen=True)
class Training:
    """One cell of a study."""

    arm: str
    seed: int
    config: Config

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.seed}"


def changed(training: Training, config: dict[str, Any]) -> str:
    """In what a run's configuration is not the plan's: "train.lr: 0.001, now 0.002"; "" if in nothing. What a run has
    found for `auto` is no change, nor are keys that came later and have their default, nor where on a machine the
    folder of clips lies."""
    usual = Config(loss=training.config.loss).model_dump(mode="json")
    now, then = flat(training.config.model_dump(mode="json")), flat(usual) | flat(config)
    found = [f"{key}: {then[key]}, now {now[key]}" for key in now.keys() & then.keys()
             if now[key] != then[key] and now[key] != "auto" and not _same_folder(key, now[key], then[key])]
    return min(found, default="")


def _same_folder(key: str, now: Any, then: Any) -> bool:
    """A run knows its clips by their whole path; what they are is in the results (the hash of the real clips)."""
    return key == "data.path" and bool(now and then) and Path(now).name == Path(then).name


def load(path: Path) -> Study:
    """A study from its YAML file. Raises ConfigError."""
    try:
        study = Study.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read the study {path}: {error.strerror}") from None
    except ValidationError as error:                          # a ValueError, as some of YAML's are
        raise ConfigError("\n".join(f"{path}: {'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}"
                                    for e in error.errors())) from None
    except YAML_ERRORS as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if study.reference not in study.arms:
        raise ConfigError(f"{path}: reference is {study.reference!r}; allowed: {', '.join(study.arms)}")
    if bad := [arm for arm in study.arms if not NAME.fullmatch(arm)]:
        raise ConfigError(f"{path}: arm {bad[0]!r}: allowed: small letters, digits and -")
    trainings(study)
    return study


def trainings(study: Study) -> list[Training]:
    """All of them, seed by seed: cut off, a study has whole comparisons. Raises ConfigError, also where two arms would
    be measured at different sizes: their numbers could not stand in one table."""
    found = []
    for seed in study.seeds:
        for arm, changes in study.arms.items():
            words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
            config = parse(deepcopy(study.base), [*words, f"seed={seed}"], f"arm {arm}")
            found.append(Training(arm, seed, config))
    sizes = {training.config.plan().sizes[-1] for training in found}
    if len(sizes) > 1:
        named = ", ".join("x".join(map(str, size)) for size in sorted(sizes))
        raise ConfigError(f"arms end at different sizes (frames x pixels): {named}")
    return found
