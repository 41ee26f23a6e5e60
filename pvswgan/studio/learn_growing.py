"""The lesson on growing: a recorded small run with and without growing (python -m train.recorded), and its networks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, Field, ValidationError

from pvswgan import checkpoint
from pvswgan.checkpoint import CheckpointError, Model
from pvswgan.data import toyfaces
from pvswgan.latents import sample_latents
from pvswgan.video import png_bytes, sprite_sheet

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

FILE = "recorded.json"
REAL = (16, 32)  # frames and pixels of the real clip
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Query(ge=0, le=99999)]


class Moment(BaseModel):
    """The pinned latents at one time: `file` has a row a latent."""

    file: str = Field(pattern=r"^[a-z]+-\d\d\.png$")
    seconds: float = Field(ge=0)
    clips: Count
    stage: Count
    alpha: float = Field(ge=0, le=1)
    frames: int = Field(ge=1, le=256)
    resolution: int = Field(ge=1, le=256)


class Recording(BaseModel):
    """A run: the pinned latents at equal times."""

    run: str = Field(max_length=200)
    parameters: Count
    moments: list[Moment] = Field(min_length=1, max_length=100)


class Fade(BaseModel):
    """A network in the middle of a stage's fade."""

    file: str = Field(pattern=r"^fade-\d\.safetensors$")
    stage: int = Field(ge=1, le=9)
    alpha: float = Field(ge=0, le=1)
    clips: Count


class Cost(BaseModel):
    """A stage of a plan: see train.recorded.costs."""

    frames: int
    resolution: int
    channels: int
    parameters: Count
    flops: float = Field(ge=0)
    batch: int
    memory: Count | None
    seconds: float | None


Part = Annotated[float, Field(ge=-1, le=1)]
Cloud = Annotated[list[tuple[Part, Part]], Field(min_length=1, max_length=500)]


class Seen(BaseModel):
    """Real and generated clips along two of a critic's slices: see train.recorded.Run.critic."""

    slices: tuple[Count, Count]
    distances: list[float] = Field(min_length=2, max_length=1024)
    real: Cloud
    fake: Cloud


class Recorded(BaseModel):
    """recorded.json."""

    machine: str = Field(max_length=200)
    clock: str = Field(max_length=40)
    latents: int = Field(ge=1, le=64)
    growing: Recording
    fixed: Recording
    stages: list[Moment] = Field(min_length=1, max_length=10)
    fades: list[Fade] = Field(min_length=1, max_length=9)
    critic: Seen
    costs: dict[str, list[Cost]]


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's routes, behind the guard."""
    folder, guarded, lock = studio.settings.assets / "recorded", [Depends(guard)], threading.Lock()
    opened = lru_cache(maxsize=9)(checkpoint.load)

    @app.get("/api/learn/growing", dependencies=guarded)
    def growing() -> dict[str, Any]:
        found = read(folder)
        return {"recorded": None if found is None else found.model_dump()}

    @app.get("/api/learn/growing/moment", dependencies=guarded)
    def moment(of: Literal["growing", "fixed", "stages"], at: Annotated[int, Query(ge=0, le=99)]) -> Response:
        found = _there(folder)
        moments = {"growing": found.growing.moments, "fixed": found.fixed.moments, "stages": found.stages}[of]
        if at >= len(moments):
            raise HTTPException(404, f"at is {at}; allowed: 0 to {len(moments) - 1}")
        try:
            data = (folder / moments[at].file).read_bytes()
        except OSError as error:
            raise HTTPException(404, f"assets/recorded/{moments[at].file} cannot be read: {error.strerror}") from error
        return _png(data, found.latents, moments[at].frames)

    @app.get("/api/learn/growing/fade", dependencies=guarded)
    def fade(fade: Annotated[int, Query(ge=0, le=8)], seed: Seed = 0) -> Response:
        fades = _there(folder).fades
        if fade >= len(fades):
            raise HTTPException(404, f"fade is {fade}; allowed: 0 to {len(fades) - 1}")
        try:
            with lock:
                both = old_and_new(opened(folder / fades[fade].file), fades[fade].stage, seed)
        except CheckpointError as error:
            raise HTTPException(422, str(error)) from error
        return Response(both.astype("<f4").tobytes(), media_type="application/octet-stream",
                        headers={"X-Frames": str(both.shape[1])})

    @app.get("/api/learn/growing/real", dependencies=guarded)
    def real(seed: Seed = 0) -> Response:
        return _png(png_bytes(sprite_sheet(toyfaces.draw(seed, 0, REAL[1], REAL[0])[None])), 1, REAL[0])


def read(folder: Path) -> Recorded | None:
    """What is recorded in this folder; None where nothing is, or it cannot be read."""
    try:
        return Recorded.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


@torch.no_grad()
def old_and_new(model: Model, stage: int, seed: int) -> np.ndarray:
    """The two clips that a fade blends, of one latent, both of the stage's size: float (2, T, R, R, 3), not clamped,
    since their blend is what a generator's colours are cut to."""
    z = sample_latents(1, model.latent_dim, seed)
    both = torch.cat([model.generator(z, stage, alpha) for alpha in (0.0, 1.0)])
    return both.permute(0, 2, 3, 4, 1).numpy()


def _there(folder: Path) -> Recorded:
    found = read(folder)
    if found is None:
        raise HTTPException(404, "assets/recorded has no recorded run: python -m train.recorded makes it")
    return found


def _png(data: bytes, rows: int, frames: int) -> Response:
    return Response(data, media_type="image/png", headers={"X-Rows": str(rows), "X-Frames": str(frames)})
