"""The Latents page: PCA plots of latents, activations and critic features; clips, factors and directions from them.

Whatever takes long is a job (jobs.py): the page asks again until it is done. What is computed stands in
latents_tables.py. A direction between two groups of points is kept as one of the person's own (kept.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from pvswgan.directions import between
from pvswgan.studio import latents_reals
from pvswgan.studio.answers import asked, sheet_answer
from pvswgan.studio.jobs import Jobs
from pvswgan.studio.latents_tables import FACTORS, Tables, no_critic
from pvswgan.studio.models import Opened, Sheet
from pvswgan.studio.points import DIRECTION, DirectionId, Id
from pvswgan.studio.views import view
from pvswgan.video import encode_jpeg, sprite_sheet, to_uint8

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("latents_state.js", "latents_plot.js", "latents_clip.js", "latents_groups.js", "latents_history.js",
           "latents_table.js")
MOST = 2048
AVERAGED = 64  # clips of a group that are averaged; of more, so many at even distances
Count = Literal[256, 512, 1024, 2048]
Number = Annotated[int, Field(ge=0, lt=MOST)]
Who = Annotated[str, Field(max_length=40)]  # whichever page asks, see Jobs.ask


class PointsRequest(BaseModel):
    """Points of a space with their colours."""

    model: Id
    space: str = Field(pattern=r"^(z|critic|layer:\d)$")
    points: Count = 512
    colour: str = Field(default="seed", max_length=60)
    who: Who = ""


class TableRequest(BaseModel):
    """How well factors can be read off these directions."""

    model: Id
    points: Count = 1024
    directions: list[DirectionId] = Field(min_length=1, max_length=64)
    who: Who = ""


class GroupRequest(BaseModel):
    """Points of a selection: seeds of generated clips, numbers of real ones."""

    model: Id
    generated: list[Number] = Field(default_factory=list, max_length=MOST)
    real: list[Number] = Field(default_factory=list, max_length=MOST)


class BetweenRequest(BaseModel):
    """A direction from the latents of seeds `a` to those of seeds `b`."""

    model: Id
    name: str = Field(default="", max_length=80)
    a: list[Number] = Field(min_length=1, max_length=MOST)
    b: list[Number] = Field(min_length=1, max_length=MOST)


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("latents", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
    guarded, writes = [Depends(guard)], [Depends(studio.guard_write)]
    tables, jobs = Tables(studio.models), Jobs()

    def opened(id: str) -> Opened:
        return asked(studio.models.open, id)

    @app.get("/api/latents/choices", dependencies=guarded)
    def choices(model: str) -> dict[str, Any]:
        return describe(opened(model))

    @app.post("/api/latents/points", dependencies=guarded)
    def points(request: PointsRequest) -> dict[str, Any]:
        this = opened(request.model)
        _check(this, request)

        def work(tell: Callable[[str, int, int], None]) -> dict[str, Any]:
            found = tables.embedding(this, request.space, request.points, tell)
            colour = tables.colour(this, request.space, request.points, request.colour, tell)
            return {"coordinates": np.round(found.coordinates, 4).tolist(), "dimensions": found.dimensions,
                    "explained": np.round(found.explained, 5).tolist(), "colour": colour,
                    "generated": len(found.coordinates) // (2 if request.space == "critic" else 1)}

        key = ("points", this.key, request.space, request.points, request.colour)
        return asked(jobs.ask, key, work, request.who)

    @app.post("/api/latents/table", dependencies=guarded)
    def table(request: TableRequest) -> dict[str, Any]:
        this = opened(request.model)
        if latents_reals.source_of(this.model) != "toyfaces":
            raise HTTPException(409, NO_FACTORS)
        key = ("table", this.key, request.points, tuple(request.directions))
        def work(tell: Callable[[str, int, int], None]) -> dict[str, Any]:
            return tables.table(this, request.points, request.directions, tell)

        return asked(jobs.ask, key, work, request.who)

    @app.get("/api/latents/real", dependencies=guarded)
    def real(model: str, number: int) -> Response:
        if not 0 <= number < MOST:
            raise HTTPException(422, f"The number of a real clip is {number}; allowed: 0 to {MOST - 1}.")
        return _sheet(asked(_reals, opened(model), [number]))

    @app.post("/api/latents/mean", dependencies=guarded)
    def mean(request: GroupRequest) -> Response:
        this = opened(request.model)
        generated, reals = _spread(request.generated, AVERAGED), _spread(request.real, AVERAGED)
        if not generated and not reals:
            raise HTTPException(422, "The selection is empty; choose at least one point.")
        total, z = 0.0, tables.latents(this, MOST)
        if generated:
            total = total + studio.models.draw(this, z[generated]).sum(0, dtype=np.float64)
        if reals:
            total = total + asked(_reals, this, reals).sum(0, dtype=np.float64)
        clip = np.round(np.asarray(total) / (len(generated) + len(reals))).astype(np.uint8)
        return _sheet(clip[None], averaged=len(generated) + len(reals))

    def _reals(this: Opened, numbers: list[int]) -> np.ndarray:
        held = tables.reals.get(this.key, this.model, lambda *_: None)
        return np.concatenate([to_uint8(held.as_trained(number, 1)) for number in numbers])

    @app.post("/api/latents/direction", dependencies=writes)
    def direction(request: BetweenRequest) -> dict[str, Any]:
        this = opened(request.model)
        try:
            z = tables.latents(this, MOST)
            vector, gap = between(z[request.a], z[request.b])
        except ValueError as error:
            raise HTTPException(422, f"No direction can be made: {error}.") from error
        id = asked(studio.models.kept.add_direction, request.model, request.name, vector)
        return {"id": id, "gap": round(gap, 3)}


NO_FACTORS = ("Only the drawn faces (toyfaces) have known factors. This model was trained on something else, so there "
              "is nothing to read off.")


def describe(opened: Opened) -> dict[str, Any]:
    """What can be chosen for this model; where something cannot, a sentence that says why."""
    model = opened.model
    sizes = model.sizes[: model.stage + 1]
    layers = [{"id": f"layer:{i}", "frames": t, "resolution": r} for i, (t, r) in enumerate(sizes)]
    toyfaces = latents_reals.source_of(model) == "toyfaces"
    factors = [{"id": f"factor:{id}", "label": factor.label} for id, factor in FACTORS.items()]
    return {
        "id": opened.entry.id, "dimensions": int(model.latent_dim), "layers": layers,
        "frames": int(model.frames), "resolution": int(model.resolution),
        "no_critic": no_critic(opened),
        "no_factors": None if toyfaces else NO_FACTORS,
        "factors": factors if toyfaces else [],
    }


def _check(opened: Opened, request: PointsRequest) -> None:
    """Refuse a space or a colour that this model has not."""
    if request.space.startswith("layer:") and int(request.space[-1]) > opened.model.stage:
        last = opened.model.stage
        raise HTTPException(422, f"The space is {request.space!r}; this model has layer:0 to layer:{last}.")
    colour, factor = request.colour, request.colour.removeprefix("factor:")
    if factor != colour and factor in FACTORS:
        if latents_reals.source_of(opened.model) != "toyfaces":
            raise HTTPException(409, NO_FACTORS)
    elif colour not in ("seed", "real", "motion", "brightness") and not re.match(DIRECTION, colour):
        raise HTTPException(422, f"The colour is {colour!r}; allowed: seed, real, motion, brightness, factor:NAME, "
                            "or a direction.")


def _spread(numbers: list[int], most: int) -> list[int]:
    """At most so many of them, at even distances."""
    step = max(1.0, len(numbers) / most)
    return [numbers[int(i * step)] for i in range(min(len(numbers), most))]


def _sheet(clips: np.ndarray, averaged: int = 1) -> Response:
    """Clips (N, T, H, W, 3) as a JPEG sprite sheet."""
    sheet = Sheet(encode_jpeg(sprite_sheet(clips)), *clips.shape[:3])
    return sheet_answer(sheet, **{"X-Averaged": str(averaged)})
