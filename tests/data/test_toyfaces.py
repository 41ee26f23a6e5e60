"""Toyfaces: pure, the same at every size and length, with factors that are what the docstring says."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pvswgan.data import drawing, toyfaces
from pvswgan.data.toyfaces import CHANCES, RANGES, Factors, draw, factors, motion, render

ROOT = Path(__file__).parents[2]
SAMPLES = 2000
# 32 factors make 496 pairs; at 5.3 standard errors a fair generator fails one of them once in 17,000 seeds
ERRORS = 5.3


@pytest.fixture(scope="module")
def table() -> dict[str, npt.NDArray[Any]]:
    rows = [factors(index, seed=3).as_dict() for index in range(SAMPLES)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def digest(index: int, seed: int) -> str:
    return hashlib.sha256(draw(index, seed, 32, 5).tobytes()).hexdigest()


def test_shape_and_type() -> None:
    clip = draw(4)
    assert clip.shape == (32, 64, 64, 3)
    assert clip.dtype == np.uint8
    assert clip.flags.c_contiguous


def test_pixels_are_painted_with_squares_and_no_other_power() -> None:
    """What numpy computes of other powers depends on the processor, and a store's bytes with it."""
    data = ROOT / "pvswgan" / "data"
    for path in [data / "drawing.py", *sorted((data / "face").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                assert ast.unparse(node.right) == "2", f"{path}:{node.lineno}"


@pytest.mark.slow
def test_same_bytes_in_another_process_and_order() -> None:
    pairs = [(0, 0), (7, 0), (7, 1), (123456789, 2)]
    here = [digest(*pair) for pair in pairs]
    program = (
        "import sys, json, hashlib; from pvswgan.data.toyfaces import draw\n"
        "pairs = json.loads(sys.argv[1])\n"
        "print(json.dumps([hashlib.sha256(draw(i, s, 32, 5).tobytes()).hexdigest() for i, s in pairs]))"
    )
    command = [sys.executable, "-c", program, json.dumps(pairs[::-1])]
    there = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert json.loads(there)[::-1] == here
    assert [digest(*pair) for pair in pairs] == here
    assert len(set(here)) == len(pairs)  # another seed or index is another clip


def test_same_bytes_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    here = draw(3, resolution=32, frames=5)
    monkeypatch.setattr(drawing, "cv2", None)
    assert draw(3, resolution=32, frames=5).tobytes() == here.tobytes()


@pytest.mark.parametrize("resolution, clips", [(32, 60), (64, 30), (256, 2)])
def test_frames_only_cut(resolution: int, clips: int) -> None:
    """Frame t does not depend on the frames drawn beside it, though they share patches."""
    for index in range(clips):
        whole = draw(index, 5, resolution, 32)
        for frames in (1, 7, 20):
            part = draw(index, 5, resolution, frames)
            assert np.array_equal(part, whole[:frames]), f"clip {index} at {resolution}, {frames} frames"


@pytest.mark.slow
@pytest.mark.parametrize("style", range(len(toyfaces.HAIR_STYLES)))
def test_frames_only_cut_at_the_extremes(style: int) -> None:
    """The widest motions of the largest parts stay inside their patches."""
    for beard, glasses in ((0, 1), (1, 0), (2, 2)):
        who = replace(
            factors(style), hair_style=style, beard=beard, glasses=glasses, face_width=0.57, face_length=0.68,
            eye_size=0.31, eye_gap=0.47, brow=0.085, nose=0.36, lips=0.1, turn_amplitude=32, turn_period=24,
            nod_amplitude=14, nod_period=16, smile_amplitude=1, smile_period=24, talk_amplitude=1,
            blink_amplitude=1, blink_period=14,
        )  # fmt: skip
        whole = render(who, 64, 32)
        assert all(np.array_equal(render(who, 64, frames), whole[:frames]) for frames in range(1, 32, 3))


@pytest.mark.parametrize("resolution, mean, spread", [(128, 1.0, 4.5), (64, 2.0, 7.0), (32, 4.0, 10.0)])
def test_resolutions_show_the_same_face(resolution: int, mean: float, spread: float) -> None:
    """The box mean of the 256-pixel clip is the small clip, but for edges; another face is far from it."""
    times = 256 // resolution
    for index in range(6):
        fine = draw(index, 1, 256, 3).astype(float)
        small = draw(index, 1, resolution, 3).astype(float)
        boxed = fine.reshape(3, resolution, times, resolution, times, 3).mean((2, 4))
        error = np.abs(boxed - small)
        assert error.mean() < mean
        assert math.sqrt((error**2).mean()) < spread
        other = draw(index + 6, 1, resolution, 3).astype(float)
        assert np.abs(other - small).mean() > 5 * error.mean()


def test_factors_are_documented() -> None:
    names = {field.name for field in fields(Factors)}
    assert set(RANGES) | set(CHANCES) == names
    assert not set(RANGES) & set(CHANCES)
    for name in names:
        entry = re.search(rf"(?:^|;)\s+{name}\s(.*?\])?", Factors.__doc__ or "", re.MULTILINE | re.DOTALL)
        assert entry, name
        if name in RANGES:
            low, high = RANGES[name]
            assert entry.group(1).endswith(f"[{low:g}, {high:g}]"), name
    assert all(math.isclose(sum(chances), 1) for chances in CHANCES.values())


def test_factors_follow_their_distributions(table: dict[str, npt.NDArray[Any]]) -> None:
    for name, (low, high) in RANGES.items():
        values = table[name]
        assert values.min() >= low and values.max() <= high, name
        # the mean of n uniform numbers is off by (high - low) / sqrt(12 n) in the standard
        error = ERRORS * (high - low) / math.sqrt(12 * SAMPLES)
        assert abs(values.mean() - (low + high) / 2) < error, name
    for name, chances in CHANCES.items():
        counts = np.bincount(table[name], minlength=len(chances))
        assert len(counts) == len(chances), name
        for count, chance in zip(counts, chances, strict=True):
            assert abs(count - SAMPLES * chance) < ERRORS * math.sqrt(SAMPLES * chance * (1 - chance)), name


def test_factors_are_uncorrelated(table: dict[str, npt.NDArray[Any]]) -> None:
    # the correlation of n independent pairs is off by 1 / sqrt(n) in the standard
    correlation = np.corrcoef(np.array(list(table.values()), float))
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < ERRORS / math.sqrt(SAMPLES)


def test_as_dict_is_plain_and_rebuilds() -> None:
    who = factors(12)
    row = json.loads(json.dumps(who.as_dict()))
    assert Factors(**row) == who
    assert np.array_equal(render(Factors(**row), 32, 2), draw(12, 0, 32, 2))


def test_motion_stays_in_its_ranges() -> None:
    t = np.arange(0, 200, 0.25)
    for index in range(50):
        who = factors(index)
        pose = motion(who, t)
        assert np.abs(pose.turn).max() <= who.turn_amplitude
        assert np.abs(pose.nod).max() <= who.nod_amplitude
        for name in ("blink", "smile", "talk"):
            values = getattr(pose, name)
            assert values.min() >= 0 and values.max() <= getattr(who, f"{name}_amplitude"), name
        # every clip of 32 frames blinks, for five frames at a time
        closing = motion(who, np.arange(0, 32, 0.05)).blink > 0
        assert closing.any() and not closing.all()
        assert motion(who, 3).turn == pytest.approx(pose.turn[12])


@pytest.mark.parametrize(
    "name, amplitude, part",  # a turn of the head moves a third of the picture, a blink a few hundredths
    [("turn", 32.0, 0.15), ("nod", 14.0, 0.15), ("blink", 1, 0.01), ("smile", 1, 0.01), ("talk", 1, 0.01)],
)
def test_each_motion_is_seen(name: str, amplitude: float, part: float) -> None:
    """One motion alone changes pixels; with none, nothing changes."""
    rest: dict[str, Any] = {f"{what}_amplitude": 0.0 for what in ("turn", "nod", "blink", "smile", "talk")}
    for index in range(4):
        who = replace(factors(index, 2), beard=0, **rest)
        calm = render(who, 32, 32).astype(float)
        assert np.array_equal(calm, np.broadcast_to(calm[:1], calm.shape))
        only: dict[str, Any] = {f"{name}_amplitude": amplitude}
        lively = render(replace(who, **only), 32, 32).astype(float)
        changed = np.abs(lively - lively[:1]).max(axis=(0, -1)) > 8
        assert changed.mean() > part


def test_a_wider_turn_changes_more() -> None:
    for index in range(4):
        who = factors(index, 4)
        changes = []
        for degrees in (0.0, 8.0, 32.0):
            clip = render(replace(who, turn_amplitude=degrees), 64, 32).astype(float)
            changes.append(np.abs(np.diff(clip, axis=0)).mean())
        assert changes[0] < changes[1] < changes[2]


def test_turning_moves_the_near_parts_most() -> None:
    """Pseudo-3D: from one side to the other the eyes travel farther than the outline of the head."""
    who = replace(
        factors(1), skin=0.0, hair_style=0, beard=0, glasses=0, nod_amplitude=0.0, talk_amplitude=0.0, 
        light=0.0, smile_amplitude=0.0, blink_amplitude=0.0, turn_amplitude=25.0, turn_period=32.0,
        turn_phase=0.0,
    )  # fmt: skip
    clip = render(who, 64, 32).astype(float)
    left, right = clip[24], clip[8]
    # lit from the middle, the face is symmetric but for the glint in its eyes
    assert np.abs(left - right[:, ::-1]).mean() < 1
    eyes = slice(30, 37)

    def middle(frame: npt.NDArray[Any]) -> float:
        """Where the dark parts of the eyes' rows are, on average."""
        weight = np.maximum(0, 120 - frame[eyes].max(-1)).sum(0)
        return float((weight * np.arange(64)).sum() / weight.sum())

    def edge(frame: npt.NDArray[Any]) -> int:
        """The first column of the eyes' rows that is not background."""
        return int(np.argmax(np.abs(frame[eyes] - frame[eyes, :1]).sum((0, 2)) > 200))

    assert middle(right) - middle(left) > 4 > abs(edge(right) - edge(left))


@pytest.mark.parametrize("resolution", [8, 16, 48, 100, 512])
def test_unusual_sizes_are_drawn(resolution: int) -> None:
    assert draw(0, 0, resolution, 1).shape == (1, resolution, resolution, 3)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"index": -1}, "index is -1; it must be a whole number from 0"),
        ({"index": 1.5}, "index is 1.5; it must be a whole number from 0"),
        ({"index": True}, "index is True; it must be a whole number from 0"),
        ({"seed": -7}, "seed is -7; it must be a whole number from 0"),
        ({"seed": None}, "seed is None; it must be a whole number from 0"),
        ({"resolution": 4}, "resolution is 4; it must be a whole number from 8 to 512"),
        ({"resolution": 1024}, "resolution is 1024; it must be a whole number from 8 to 512"),
        ({"resolution": "64"}, "resolution is '64'; it must be a whole number from 8 to 512"),
        ({"frames": 0}, "frames is 0; it must be a whole number from 1 to 4096"),
        ({"frames": 2.0}, "frames is 2.0; it must be a whole number from 1 to 4096"),
    ],
)
def test_bad_values_are_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        draw(**{"index": 0, "frames": 1, **changed})
    assert str(caught.value) == said


def test_numpy_integers_are_numbers() -> None:
    assert np.array_equal(draw(np.int64(3), np.uint8(1), np.int32(32), np.int16(2)), draw(3, 1, 32, 2))


def test_clips_for_a_store_carry_their_factors() -> None:
    found = list(toyfaces.clips(3, 5, seed=2, resolution=32, frames=4))
    for piece, index in zip(found, (3, 4), strict=True):
        assert np.array_equal(piece.frames, draw(index, 2, 32, 4)) and (piece.start, piece.stop) == (0, 4)
        assert piece.factors == factors(index, 2).as_dict() and piece.label is None
