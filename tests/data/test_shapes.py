"""Drawn shapes: pure, the same at every size and length, inside the picture, with factors that are what they say."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest

from pvswgan.data import shapes
from pvswgan.data.shapes import CHANCES, KINDS, RANGES, Factors, clips, draw, factors, motion, render

SAMPLES = 3000
ERRORS = 5.3  # standard errors: a fair generator fails one of some 100 checks once in 80,000 seeds


@pytest.mark.parametrize("resolution", [32, 64, 256])
def test_frames_only_cut(resolution: int) -> None:
    """Frame t does not depend on the frames drawn beside it, though they share patches."""
    for index in range(18 if resolution < 256 else 4):
        whole = draw(index, 5, resolution, 32)
        assert whole.shape == (32, resolution, resolution, 3) and whole.dtype == np.uint8
        for frames in (1, 7, 20):
            assert np.array_equal(draw(index, 5, resolution, frames), whole[:frames])


@pytest.mark.parametrize(("resolution", "mean"), [(128, 0.6), (64, 0.9), (32, 1.6)])
def test_resolutions_show_the_same_shape(resolution: int, mean: float) -> None:
    """The box mean of the 256-pixel clip is the small clip, but for edges; another clip is far from it."""
    times = 256 // resolution
    for index in range(12):
        boxed = draw(index, 1, 256, 3).astype(float).reshape(3, resolution, times, resolution, times, 3).mean((2, 4))
        error = np.abs(boxed - draw(index, 1, resolution, 3)).mean()
        assert error < mean
        assert np.abs(boxed - draw(index + 12, 1, resolution, 3)).mean() > 5 * error


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_it_never_leaves_the_picture(kind: int) -> None:
    """At the ends of its swings, with the greatest size and every angle, no edge of the picture is touched."""
    for size in (0.18, 0.36):
        what = replace(factors(0), kind=kind, size=size, x_reach=1.0, x_phase=0.0, x_period=32.0, y_reach=1.0,
                       y_phase=0.25, y_period=32.0, spin=7.3, colour=0.0, background=0.55)
        clip = render(what, 256, 32).astype(np.int16)
        # strong red is nowhere in this background nor in the shadow
        red = (clip[..., 0] - clip[..., 1]) > 60
        assert red.any(axis=(1, 2)).all()
        edge = np.ones((256, 256), bool)
        edge[1:-1, 1:-1] = False
        assert not red[:, edge].any()


def test_kinds_cover_what_their_geometry_says() -> None:
    """Area of each kind, in squares of its half width."""
    areas = {"disc": math.pi, "ring": math.pi * (1 - 0.56**2), "square": 1.6**2, "cross": 4 * 0.68 - 0.68**2,
             "triangle": 3 * math.sqrt(3) * 0.55**2, "star": _star(0.36)}
    for kind, area in areas.items():
        what = replace(factors(3), kind=KINDS.index(kind), size=0.36, colour=0.0, background=0.55)
        clip = render(what, 256, 1)[0].astype(int)
        found = ((clip[..., 0] - clip[..., 1]) > 60).sum() / (0.36 * 128) ** 2
        assert found == pytest.approx(area, rel=0.03), kind


def _star(apothem: float) -> float:
    """Area of a pentagram: ten triangles between the middle, a point and a notch."""
    point, notch = apothem / math.cos(2 * math.pi / 5), apothem / math.cos(math.pi / 5)
    return 5 * point * notch * math.sin(math.pi / 5)


def test_factors_are_documented_and_follow_their_distributions() -> None:
    table = {name: [] for name in (field.name for field in fields(Factors))}
    assert set(RANGES) | set(CHANCES) == set(table) and not set(RANGES) & set(CHANCES)
    for index in range(SAMPLES):
        for name, value in factors(index, 3).as_dict().items():
            table[name].append(value)
    for name, values in table.items():
        entry = re.search(rf"(?:^|;)\s+{name}\s(.*?\])?", Factors.__doc__ or "", re.MULTILINE | re.DOTALL)
        assert entry, name
        if name in RANGES:
            low, high = RANGES[name]
            assert (entry.group(1) or "").endswith(f"[{low:g}, {high:g}]"), name
            assert min(values) >= low and max(values) <= high
            assert abs(np.mean(values) - (low + high) / 2) < ERRORS * (high - low) / math.sqrt(12 * SAMPLES), name
        else:
            counts = np.bincount(values, minlength=len(CHANCES[name]))
            chance = 1 / len(CHANCES[name])
            assert np.abs(counts - SAMPLES * chance).max() < ERRORS * math.sqrt(SAMPLES * chance * (1 - chance))
    correlation = np.corrcoef(np.array(list(table.values()), float))
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < ERRORS / math.sqrt(SAMPLES)


@pytest.mark.parametrize("name", [field.name for field in fields(Factors)])
def test_each_factor_changes_the_picture(name: str) -> None:
    what = replace(factors(4), kind=KINDS.index("star"))
    low, high = RANGES.get(name, (0, 1))
    other = replace(what, **{name: low if getattr(what, name) > (low + high) / 2 else high - 0.1 * (high - low)})
    if name == "kind":
        other = replace(what, kind=0)
    assert np.abs(render(other, 32, 16).astype(int) - render(what, 32, 16)).max() > 30


def test_the_path_is_curved() -> None:
    """Between start and end it leaves the straight line by a good part of its length, nearly always."""
    bent = []
    for index in range(200):
        pose = motion(factors(index), np.arange(32))
        points = np.stack([pose.x, pose.y], 1)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        bent.append(np.linalg.norm(points[-1] - points[0]) / steps.sum())
    assert np.mean(np.array(bent) < 0.98) > 0.9


def test_clips_for_a_store_carry_factors_and_class() -> None:
    found = list(clips(3, 6, seed=2, resolution=16, frames=5))
    assert [piece.label for piece in found] == [factors(index, 2).kind for index in (3, 4, 5)]
    for piece, index in zip(found, (3, 4, 5), strict=True):
        assert np.array_equal(piece.frames, draw(index, 2, 16, 5)) and (piece.start, piece.stop) == (0, 5)
        assert piece.factors == factors(index, 2).as_dict()
    assert tuple(shapes.CLASSES) == KINDS


@pytest.mark.parametrize("asked", [{"index": -1}, {"seed": "x"}, {"resolution": 7}, {"frames": 0}, {"frames": 1.5}])
def test_nonsense_is_refused_by_name(asked: dict[str, object]) -> None:
    name = next(iter(asked))
    with pytest.raises(ValueError, match=f"{name} is .*whole number from"):
        draw(**({"index": 0} | asked))  # type: ignore[arg-type]
