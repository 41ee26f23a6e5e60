"""Reading known factors off clips: a ridge regression trained on drawn clips, whose factors are known.

    targets = toyfaces_targets(store.factors, frames)          # {"skin": (N, 1), "hair_style": (N, 8), ...}
    reader = fit(features(clips), targets)                     # clips: uint8 (N, T, H, W, 3)
    reader.r2["skin"]                                          # on clips that it has not seen
    reader.read(features(others))["skin"]                      # (M, 1)

A *target* is a factor as columns of numbers: a number is one column, a choice of K names K columns of 0 and 1, a
position on a ring its cosine and sine. R2 of several columns is the share of their summed variance that is explained.
Needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pvswgan.data import toyfaces
from pvswgan.data.store import ClipStore
from pvswgan.video import to_uint8

Array = NDArray[np.float64]
LEARNT = 1600  # clips that a reader is learnt from, and tested on
_TOGETHER = 16
HELD_OUT = 4  # every so many-th clip is kept for the test
COMPONENTS = 256  # principal components of the features that the regression sees
ALPHAS = tuple(10.0**k for k in range(-2, 7))
GRID = (4, 16, 16)  # time, height, width to which a clip is averaged
MOTIONS = ("turn", "nod", "blink", "smile", "talk")


@dataclass(frozen=True)
class Factor:
    """A factor of toyfaces for people: its name, its unit, and for a choice the names of its values."""

    id: str
    label: str
    kind: Literal["number", "choice", "ring"]
    unit: str = ""
    names: tuple[str, ...] = ()


def _toyfaces() -> tuple[Factor, ...]:
    choices = {"hair_style": toyfaces.HAIR_STYLES, "hair_colour": toyfaces.HAIR_COLOURS, "glasses": toyfaces.GLASSES,
               "eye_colour": toyfaces.EYE_COLOURS, "beard": toyfaces.BEARDS, "shirt": toyfaces.SHIRTS}
    degrees = {"turn": "degrees", "nod": "degrees"}
    found = []
    for name in (*toyfaces.RANGES, *toyfaces.CHANCES):
        motion, _, what = name.partition("_")
        if motion in MOTIONS and what in ("phase", "period"):
            continue  # a short clip shows too little of a period; the pose that it shows is below
        unit = degrees.get(motion, "of its range") if motion in MOTIONS else ""
        kind: Literal["number", "choice", "ring"] = "number"
        if name in choices or name == "background":
            kind = "choice" if name in choices else "ring"
        found.append(Factor(name, name.replace("_", " "), kind, unit, choices.get(name, ())))
    shown = [Factor(f"{name}_shown", f"{name}, mean", "number", degrees.get(name, "of its range")) for name in MOTIONS]
    return (*found, *shown)


TOYFACES = _toyfaces()


def toyfaces_targets(known: Mapping[str, NDArray[Any]], frames: int) -> dict[str, Array]:
    """{factor: (N, columns)} of toyfaces clips. known: each field of toyfaces.Factors, (N,), as a store keeps them;
    frames: of the clip that is seen, from its first on (the mean pose is taken over them)."""
    count = len(next(iter(known.values())))
    poses = np.empty((count, len(MOTIONS)))
    for row in range(count):
        who = toyfaces.Factors(**{name: values[row].item() for name, values in known.items()})
        poses[row] = [path.mean() for path in toyfaces.motion(who, np.arange(frames))]
    values: dict[str, NDArray[Any]] = {**known, **{f"{n}_shown": poses[:, i] for i, n in enumerate(MOTIONS)}}
    return {factor.id: _columns(factor, values[factor.id]) for factor in TOYFACES}


def _columns(factor: Factor, values: NDArray[Any]) -> Array:
    if factor.kind == "choice":
        return np.eye(len(factor.names))[values.astype(int)]
    if factor.kind == "ring":
        angle = 2 * np.pi * values
        return np.stack([np.cos(angle), np.sin(angle)], 1)
    return values.astype(np.float64)[:, None]


def as_values(factor: Factor, columns: Array) -> Array:
    """(N,) from what was read, (N, columns): the number, the likeliest choice's place, the place on the ring 0..1."""
    if factor.kind == "choice":
        return columns.argmax(1).astype(np.float64)
    if factor.kind == "ring":
        return np.arctan2(columns[:, 1], columns[:, 0]) / (2 * np.pi) % 1
    return columns[:, 0]


def features(clips: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, F) of clips (N, T, H, W, 3): a coarse clip (GRID), and how much each place moves. In 0..1."""
    x: NDArray[np.float32] = np.multiply(clips, np.float32(1 / 255), dtype=np.float32)
    moved = np.zeros((len(x), 1, *x.shape[2:4], 1), np.float32)
    if x.shape[1] > 1:
        moved[:, 0, :, :, 0] = np.abs(np.diff(x, axis=1)).mean(axis=(1, 4))
    parts = [_shrunk(x, GRID), _shrunk(moved, (1, *GRID[1:]))]
    return np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)


def _shrunk(x: NDArray[np.float32], grid: tuple[int, int, int]) -> NDArray[np.float32]:
    """Means over equal blocks of (T, H, W); an axis that is short enough stays. Sizes are powers of two."""
    n, *size, c = x.shape
    to = [min(have, want) for have, want in zip(size, grid, strict=True)]
    blocks = [part for have, want in zip(size, to, strict=True) for part in (want, have // want)]
    return x.reshape(n, *blocks, c).mean(axis=(2, 4, 6))


@dataclass(frozen=True)
class Reader:
    """A fitted regression. r2: of each target on the clips held out; below 0 it is worse than the mean."""

    r2: dict[str, float]
    _pca: Any
    _ridge: Any
    _places: dict[str, slice]

    def read(self, x: NDArray[np.float32]) -> dict[str, Array]:
        """{target: (M, columns)} read off features (M, F)."""
        found = self._ridge.predict(self._pca.transform(x))
        return {name: found[:, place] for name, place in self._places.items()}


def fit(x: NDArray[np.float32], targets: Mapping[str, Array]) -> Reader:
    """Ridge regression on the principal components of features (N, F); its strength is chosen for each column by
    leaving one out. Every HELD_OUT-th clip is not trained on: r2 is measured there. Raises ValueError below 16 clips.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeCV

    if len(x) < 16:
        raise ValueError(f"{len(x)} clips are too few to learn factors from; allowed: 16 or more")
    names, ends = list(targets), np.cumsum([values.shape[1] for values in targets.values()])
    places = {name: slice(end - targets[name].shape[1], end) for name, end in zip(names, ends, strict=True)}
    y = np.concatenate([targets[name] for name in names], axis=1)
    test = np.arange(len(x)) % HELD_OUT == HELD_OUT - 1
    components = min(COMPONENTS, int((~test).sum()) // 2, x.shape[1])
    pca = PCA(components, svd_solver="randomized", random_state=0).fit(x[~test])
    ridge = RidgeCV(ALPHAS, alpha_per_target=True).fit(pca.transform(x[~test]), y[~test])
    reader = Reader({}, pca, ridge, places)
    for name, found in reader.read(x[test]).items():
        reader.r2[name] = r2(found, targets[name][test])
    return reader


def learn(store: ClipStore, size: tuple[int, int], frames: int, stride: int = 1, time: str = "average",
          tell: Callable[[str, int, int], None] = lambda what, done, of: None) -> Reader:
    """A reader of toyfaces' factors for clips of `size` (T, R), fitted on the first LEARNT of a store that has them.

    frames, stride, time: the window that becomes T frames, from a clip's first on, neither mirrored nor reversed: what
    the known factors describe (ClipStore.read). tell(what, done, of) hears of the progress.
    """
    count, parts = min(LEARNT, len(store)), []
    for done in range(0, count, _TOGETHER):
        tell("Reading clips with known factors", done, count)
        index = np.arange(done, min(done + _TOGETHER, count))
        parts.append(features(to_uint8(store.read(index, np.zeros_like(index), frames, stride, size, time))))
    tell("Learning to read the factors", 0, 0)
    choices = {factor.id for factor in TOYFACES if factor.kind == "choice"}  # a store keeps all as float64
    known = {name: values[:count].astype(np.int64) if name in choices else values[:count]
             for name, values in store.factors.items()}
    return fit(np.concatenate(parts), toyfaces_targets(known, frames))


def r2(found: Array, known: Array) -> float:
    """1 - squared error / variance, each summed over the columns of (N, K); 0 where nothing varies."""
    spread = np.square(known - known.mean(0)).sum()
    return float(1 - np.square(known - found).sum() / spread) if spread > 0 else 0.0


def explained_by(coordinate: Array, columns: Array) -> float:
    """The share 0..1 of the variance of columns (N, K) that a straight line along coordinate (N,) explains."""
    x, y = coordinate - coordinate.mean(), columns - columns.mean(0)
    spread = float(x @ x) * float(np.square(y).sum())
    return float(np.square(x @ y).sum() / spread) if spread > 0 else 0.0
