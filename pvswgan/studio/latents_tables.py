"""What the Latents page shows of a model, computed step by step and kept: embeddings, measures, factors, the table.

Point i is the clip of seed i; in the critic's space real clip i follows after all generated ones. Whatever takes long
tells its progress, draws a few clips at a time (so a slider on Explore never waits for more), and stops where `tell`
raises.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pvswgan import critic as critics
from pvswgan import factor_reader
from pvswgan.factor_reader import Reader
from pvswgan.latents import on_sphere, sample_latents
from pvswgan.networks import to_layout
from pvswgan.studio import latents_reals
from pvswgan.studio.jobs import Progress
from pvswgan.studio.models import Models, Opened
from pvswgan.studio.turns import Recent
from pvswgan.video import to_uint8

AXES = 8
TOGETHER = 16
KEPT_BYTES = 256 * 2**20
FACTORS = {factor.id: factor for factor in factor_reader.TOYFACES}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Embedding:
    """coordinates (N, AXES) along the principal components; explained (AXES,): their shares of the variance, which is
    summed over `dimensions`."""

    coordinates: Array
    explained: Array
    dimensions: int


@dataclass(frozen=True)
class Seen:
    """What was measured on clips: motion and brightness (N,) in grey levels of 0..255, features for factor_reader."""

    motion: Array
    brightness: Array
    features: NDArray[np.float32]


def principal(x: NDArray[np.float32]) -> Embedding:
    """PCA of rows x (N, D); fewer than AXES components where N or D is small (the others are 0)."""
    from sklearn.decomposition import PCA

    k = min(AXES, *x.shape)
    # arpack finds the leading components as exactly as a whole SVD, in a fraction of its time.
    found = PCA(k, svd_solver="arpack" if k < min(x.shape) else "full", random_state=0)
    coordinates = found.fit_transform(x.astype(np.float64))
    pad = AXES - k
    return Embedding(np.pad(coordinates, ((0, 0), (0, pad))), np.pad(found.explained_variance_ratio_, (0, pad)),
                     x.shape[1])


def measure(clips: NDArray[np.uint8]) -> Seen:
    """Of clips (N, T, H, W, 3). Motion: mean change of a pixel from one frame to the next."""
    values = clips.astype(np.float32)
    moved = np.abs(np.diff(values, axis=1)).mean(axis=(1, 2, 3, 4)) if values.shape[1] > 1 else np.zeros(len(values))
    return Seen(moved.astype(np.float64), values.mean(axis=(1, 2, 3, 4), dtype=np.float64),
                factor_reader.features(clips))


def _joined(parts: list[Seen]) -> Seen:
    return Seen(*(np.concatenate([getattr(part, name) for part in parts])
                  for name in ("motion", "brightness", "features")))


class Tables:
    """The computations, over a studio's models."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.reals = latents_reals.Opened()
        self._kept = Recent(KEPT_BYTES)

    # ---- latents and clips --------------------------------------------------------------------------------------

    def latents(self, opened: Opened, count: int) -> torch.Tensor:
        """z (count, latent_dim) of the seeds 0 .. count - 1."""
        dim = opened.model.latent_dim
        return self._once(("z", dim, count), lambda: torch.cat([sample_latents(1, dim, i) for i in range(count)]))

    def generated(self, opened: Opened, count: int, tell: Progress) -> Seen:
        """The clips of the seeds 0 .. count - 1, measured."""
        def draw() -> Seen:
            parts = []
            for done in range(0, count, TOGETHER):
                tell("Drawing the clips", done, count)
                clips = self.models.draw(opened, self.latents(opened, count)[done : done + TOGETHER])
                parts.append(measure(clips))
            return _joined(parts)

        return self._once((opened.key, "generated", count), draw)

    def real(self, opened: Opened, count: int, tell: Progress) -> Seen:
        """The first `count` real clips as the training reads them, measured."""
        def read() -> Seen:
            reals, parts = self.reals.get(opened.key, opened.model, tell), []
            for done in range(0, count, TOGETHER):
                tell("Reading the real clips", done, count)
                parts.append(measure(to_uint8(reals.as_trained(done, min(TOGETHER, count - done)))))
            return _joined(parts)

        return self._once((opened.key, "real", count), read)

    # ---- spaces -------------------------------------------------------------------------------------------------

    def embedding(self, opened: Opened, space: str, count: int, tell: Progress) -> Embedding:
        """PCA of `count` points in "z", "layer:0" (the first layer) and on, or "critic" (half of them real)."""
        def embed() -> Embedding:
            if space == "z":
                x = self.latents(opened, count).numpy()
            elif space == "critic":
                x = self.critic_features(opened, count, tell)
            else:
                x = self.activations(opened, int(space.removeprefix("layer:")), count, tell)
            tell("Finding the principal components", 0, 0)
            return principal(x)

        return self._once((opened.key, space, count), embed)

    @torch.no_grad()
    def activations(self, opened: Opened, layer: int, count: int, tell: Progress) -> NDArray[np.float32]:
        """Layer 0: Generator.start, flat. Layer k: what the blocks up to stage k make of it, averaged over blocks to
        the first layer's frames and pixels, flat. (count, D)."""
        generator, parts = opened.model.generator, []
        for done in range(0, count, TOGETHER):
            tell("Computing the activations", done, count)
            x = generator.start(self.latents(opened, count)[done : done + TOGETHER].to(opened.model.device))
            if layer:
                x = generator.first(to_layout(x))
                for block in list(generator.blocks)[:layer]:
                    for part in block.children():
                        x = part(x)
                x = torch.nn.functional.adaptive_avg_pool3d(x, generator.base[1:])
            parts.append(x.flatten(1).float().cpu().numpy())
        return np.concatenate(parts)

    @torch.no_grad()
    def critic_features(self, opened: Opened, count: int, tell: Progress) -> NDArray[np.float32]:
        """f(x) of the clips of seeds 0 .. count/2 - 1 and of as many real ones, (count, F); each kind in batches of its
        own. The generated ones are not cut to 0..255, as in training. Raises CheckpointError, DataError."""
        if why := no_critic(opened):
            raise critics.CheckpointError(why)
        model, half = opened.model, count // 2
        path = critics.critic_file(opened.entry.path)
        assert path is not None
        critic = critics.load(path, model.config, model.stage, model.alpha)
        reals = self.reals.get(opened.key, model, tell)
        batch = critic.batch
        half -= half % batch
        z = self.latents(opened, count)[:half]
        found: list[torch.Tensor] = []
        for done in range(0, half, batch):
            tell("Showing generated clips to the critic", done, 2 * half)
            clips = model.generator(z[done : done + batch].to(model.device), model.stage, model.alpha)
            found.append(critic.features(clips.float().cpu()))
        for done in range(0, half, batch):
            tell("Showing real clips to the critic", half + done, 2 * half)
            found.append(critic.features(critic.as_shown(reals.as_trained(done, batch))))
        return torch.cat(found).numpy()

    # ---- factors ------------------------------------------------------------------------------------------------

    def reader(self, opened: Opened, tell: Progress) -> Reader:
        """The regression from clips of this model's size to toyfaces' factors, learnt from its real clips."""
        def learn() -> Reader:
            reals = self.reals.get(opened.key, opened.model, tell)
            return factor_reader.learn(reals.store, reals.size, reals.frames, int(reals.sampler.strides[0]),
                                       reals.sampler.time, tell)

        # The clips' size and set are all that it depends on: checkpoints of one stage share it.
        config = opened.model.config
        made_of = str([config.get("data"), config.get("growth")])
        return self._once((made_of, opened.model.frames, opened.model.resolution, "reader"), learn)

    def colour(self, opened: Opened, space: str, count: int, colour: str, tell: Progress) -> dict[str, Any]:
        """{"values" (a number or null for each point), "label", "unit", "scale", "names", "r2"} of a colour: "seed",
        "real", "motion", "brightness", "factor:ID", or a direction's id."""
        kinds = space == "critic"
        half = self.embedding(opened, space, count, tell).coordinates.shape[0] // 2 if kinds else count
        about: dict[str, Any] = {"unit": "", "scale": "sequential", "names": [], "r2": None}
        if colour == "real":
            about |= {"label": "Clip", "scale": "choices", "names": ["generated", "real"]}
            values = np.repeat([0.0, 1.0], half) if kinds else np.zeros(half)
        elif colour == "seed":
            about["label"] = "Seed"
            values = np.arange(half, dtype=np.float64)
        elif colour in ("motion", "brightness") or colour.startswith("factor:"):
            seen = self.generated(opened, half, tell)
            if kinds:
                seen = _joined([seen, self.real(opened, half, tell)])
            if colour in ("motion", "brightness"):
                values = getattr(seen, colour)
                about |= {"label": colour.capitalize(), "unit": "grey levels"}
            else:
                factor, reader = FACTORS[colour.removeprefix("factor:")], self.reader(opened, tell)
                values = factor_reader.as_values(factor, reader.read(seen.features)[factor.id])
                scale = {"number": "sequential", "choice": "choices", "ring": "cyclic"}[factor.kind]
                about |= {"label": factor.label.capitalize(), "unit": factor.unit, "scale": scale,
                          "names": list(factor.names), "r2": round(reader.r2[factor.id], 3)}
        else:
            values = coordinate(self.latents(opened, half), self.models.direction(opened, colour))
            about |= {"label": colour, "unit": "standard deviations", "scale": "diverging"}
        # Real clips have no seed and no latent.
        missing = [None] * (2 * half - len(values)) if kinds else []
        return {"values": [round(float(v), 4) for v in values] + missing, **about}

    def table(self, opened: Opened, count: int, directions: list[str], tell: Progress) -> dict[str, Any]:
        """{"rows": [{"id", "label", "ceiling", "cells": one for each direction}], "points"}: the share of a factor's
        variance (as read off the clips) that a direction's coordinate explains; the ceiling is the reader's own R2."""
        reader = self.reader(opened, tell)
        read = reader.read(self.generated(opened, count, tell).features)
        z = self.latents(opened, count)
        places = [coordinate(z, self.models.direction(opened, id)) for id in directions]
        rows = [{"id": factor.id, "label": factor.label, "ceiling": round(reader.r2[factor.id], 3),
                 "cells": [round(factor_reader.explained_by(place, read[factor.id]), 4) for place in places]}
                for factor in factor_reader.TOYFACES]
        return {"rows": rows, "points": count}

    def _once(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """work(), or what it gave before."""
        known = self._kept.get(key)
        if known is None:
            known = work()
            self._kept.put(key, known, _weight(known))
        return known


def no_critic(opened: Opened) -> str | None:
    """Why the critic's features of a model cannot be had; None where they can."""
    if opened.model.config["network"].get("system", "pvswgan") != "pvswgan":
        return OTHER_CRITIC
    return None if critics.critic_file(opened.entry.path) else NO_CRITIC


OTHER_CRITIC = ("Of the critics of the other systems no features are shown here, only of this project's own networks: "
                "choose a training of those.")
NO_CRITIC = ("The critic of this model is not kept here: it lies in a run's newest checkpoints only, not beside the "
             "older ones, nor with models that came as single files. Choose a newer checkpoint of a training.")


def coordinate(z: torch.Tensor, vector: torch.Tensor) -> Array:
    """Where latents (N, dim) lie along a direction, in standard deviations of z, as the generator sees them (N,)."""
    unit = (vector / vector.norm()).double()
    found: Array = (on_sphere(z.double()) @ unit).numpy()
    return found


def _weight(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, (Seen, Embedding)):
        return sum(part.nbytes for part in vars(value).values() if isinstance(part, np.ndarray))
    return 2**24  # a reader: its components, about
