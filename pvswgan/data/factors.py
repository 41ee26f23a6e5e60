"""Factors of drawn clips: whole numbers checked, and one draw of each factor from (seed, index)."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    F = TypeVar("F", bound=DataclassInstance)

Ranges = Mapping[str, tuple[float, float]]  # (low, high) of each uniform factor
Chances = Mapping[str, tuple[float, ...]]  # of the values 0, 1, 2 ... of each factor that is a whole number


def draw(kind: type[F], words: list[int], ranges: Ranges, chances: Chances) -> F:
    """A `kind` whose fields are drawn independently, the same for the same words on every machine."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
    names = _names(kind)
    # one number a factor, in the order of the fields: a factor added at the end changes none before it
    numbers = generator.random(len(names)).tolist()
    return kind(*[_value(name, u, ranges, chances) for name, u in zip(names, numbers, strict=True)])


def _value(name: str, u: float, ranges: Ranges, chances: Chances) -> float | int:
    """The factor's value at the point u in [0, 1) of its distribution."""
    if name in ranges:
        low, high = ranges[name]
        return low + u * (high - low)
    return bisect_right(_limits(chances[name]), u)


@cache
def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


@cache
def _limits(chances: tuple[float, ...]) -> list[float]:
    """Where one value ends and the next begins in [0, 1)."""
    *limits, _ = accumulate(chances)  # the last is 1 but for rounding, and no number reaches it
    return limits


def whole(name: str, value: Any, low: int, high: int | None) -> int:
    """The value as an int, or a ValueError that says what it should have been."""
    allowed = f"a whole number from {low}" + (f" to {high}" if high is not None else "")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; it must be {allowed}") from None
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {value!r}; it must be {allowed}")
    return number
