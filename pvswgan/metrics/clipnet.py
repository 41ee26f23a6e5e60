"""clipnet: a small 3-D residual network that knows toyfaces, so that clips can be measured with no download.

It tells which of six motions a clip shows, and reads who is in it; what it reads both from, 128 numbers a clip, are
the features that the metrics compare. `python -m train.clipnet` trains it; its file lies in assets/extractors.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pvswgan.checkpoint import ASSETS, CheckpointError, read_tensors
from pvswgan.data import toyfaces

FILE = ASSETS / "extractors" / "clipnet.safetensors"
SIZE = (16, 32, 32)  # frames, rows, columns to which every clip is brought
WIDTHS = (32, 48, 96, 160)
FEATURES = 128
KINDS = ("still", "turn", "nod", "blink", "smile", "talk")
CHOICES = {"hair_style": len(toyfaces.HAIR_STYLES), "hair_colour": len(toyfaces.HAIR_COLOURS),
           "glasses": len(toyfaces.GLASSES), "beard": len(toyfaces.BEARDS), "shirt": len(toyfaces.SHIRTS)}
NUMBERS = ("skin", "face_width", "face_length", "jaw", "light", "background_cos", "background_sin",
           *(f"{name}_{what}" for name in KINDS[1:] for what in ("range", "mean")))

# (least, greatest) amplitude and period of the motion that a labelled clip shows, so that 16 frames of it show it, and
# the amplitude that hides it in a clip of another kind
SHOWN = {"turn": ((20, 32), (24, 40)), "nod": ((9, 14), (16, 32)), "blink": ((0.9, 1), (10, 16)),
         "smile": ((0.7, 1), (24, 40)), "talk": ((0.7, 1), (5, 9))}
HIDDEN = {"turn": 5.0, "nod": 2.0, "blink": 0.0, "smile": 0.15, "talk": 0.1}


class ClipNet(nn.Module):
    """Clips (N, 3, T, H, W) in [-1, 1], of any size, -> features (N, 128) and logits (N, 6) of KINDS."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, WIDTHS[0], 3, (1, 2, 2), 1, bias=False), nn.BatchNorm3d(WIDTHS[0]),
                                  nn.ReLU())
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(WIDTHS)))
        self.features = nn.Linear(WIDTHS[-1] * 2**3, FEATURES)
        self.kind = nn.Linear(FEATURES, len(KINDS))
        self.choices = nn.ModuleDict({name: nn.Linear(FEATURES, many) for name, many in CHOICES.items()})
        self.numbers = nn.Linear(FEATURES, len(NUMBERS))

    def describe(self, clips: Tensor) -> Tensor:
        """Features (N, 128) of clips."""
        x = self.blocks(self.stem(prepare(clips)))
        features: Tensor = self.features(x.flatten(1))
        return features

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        features = self.describe(clips)
        return features, self.kind(features)


class _Block(nn.Module):
    """Two convolutions and a short cut, half the size in time and space (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv3d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm3d(outputs), nn.ReLU(),
                                  nn.Conv3d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm3d(outputs))
        self.short = nn.Sequential(nn.AvgPool3d(2), nn.Conv3d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


def prepare(clips: Tensor) -> Tensor:
    """(N, 3, T, H, W) -> (N, 3, 16, 32, 32): averaged where larger, interpolated where smaller."""
    frames, rows, columns = (min(have, want) for have, want in zip(clips.shape[2:], SIZE, strict=True))
    small = nn.functional.adaptive_avg_pool3d(clips, (frames, rows, columns))
    return nn.functional.interpolate(small, SIZE, mode="trilinear") if small.shape[2:] != SIZE else small


def load(path: Path = FILE) -> tuple[ClipNet, dict[str, Any]]:
    """(the trained network, ready to measure; its file's header, with its accuracy). Raises CheckpointError."""
    tensors, info = read_tensors(path)
    if info.get("kind") != "clipnet":
        raise CheckpointError(f"{path} holds a {info.get('kind')}; a clipnet is wanted (python -m train.clipnet)")
    net = ClipNet()
    try:
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{path} is not of this clipnet: {error}") from error
    return net.eval().requires_grad_(False), info


def labelled(index: int, seed: int) -> tuple[toyfaces.Factors, int]:
    """(factors, kind) of a labelled clip: a face of toyfaces of which KINDS[kind] is what it does. Every third clip is
    as toyfaces draws it, with all motions at once, and has no kind: -1."""
    who, kind = toyfaces.factors(index, seed), index % (len(KINDS) * 3 // 2)
    if kind >= len(KINDS):
        return who, -1
    rng = np.random.default_rng([seed, index, 7])
    changed: dict[str, Any] = {}
    for name, ((low, high), period) in SHOWN.items():
        if name == KINDS[kind]:
            changed |= {f"{name}_amplitude": rng.uniform(low, high), f"{name}_period": rng.uniform(*period)}
        else:
            changed[f"{name}_amplitude"] = rng.uniform(0, HIDDEN[name])
    return replace(who, **changed), kind


def targets(who: toyfaces.Factors, frames: int = SIZE[0]) -> tuple[list[int], list[float]]:
    """(places in CHOICES, NUMBERS) of a clip's factors; of a motion its range and its mean over the frames."""
    path = toyfaces.motion(who, np.arange(frames))
    around = 2 * math.pi * who.background
    numbers = [who.skin, who.face_width, who.face_length, who.jaw, who.light, math.cos(around), math.sin(around)]
    for name in KINDS[1:]:
        numbers += [float(np.ptp(getattr(path, name))), float(getattr(path, name).mean())]
    return [int(getattr(who, name)) for name in CHOICES], numbers


def draw(first: int, last: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Labelled clips first .. last - 1: uint8 (N, 16, 32, 32, 3); kind and CHOICES (N, 1 + 5); NUMBERS (N, 17)."""
    known = [labelled(index, seed) for index in range(first, last)]
    clips = np.stack([toyfaces.render(who, SIZE[1], SIZE[0]) for who, _ in known])
    read = [targets(who) for who, _ in known]
    names = np.array([[kind, *choices] for (_, kind), (choices, _) in zip(known, read, strict=True)], np.int64)
    return clips, names, np.array([numbers for _, numbers in read], np.float32)
