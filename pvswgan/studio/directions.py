"""The routes of Explore's directions: the list, what each does (measured), its effect as pictures, people's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from fastapi import APIRouter, Depends, HTTPException, Response

from pvswgan import directions, video
from pvswgan.directions import Draw, Effect, Variety
from pvswgan.studio.answers import asked, sheet_answer
from pvswgan.studio.kept import KeptError, Named
from pvswgan.studio.models import Models, Opened, Sheet
from pvswgan.studio.points import DirectionRequest, NameRequest, OwnRequest, StripRequest
from pvswgan.studio.turns import Recent

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

STRIP = (-3.0, -1.5, 0.0, 1.5, 3.0)  # standard deviations


def router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """/api/directions and below."""
    api = APIRouter(prefix="/api/directions", dependencies=[Depends(guard)])
    models, kept, writes = studio.models, studio.kept, [Depends(studio.guard_write)]
    effects = Effects(models)

    @api.get("")
    def listed(id: str) -> dict[str, Any]:
        return listing(models, effects, asked(models.open, id))

    @api.post("/measure")
    def measure(wish: DirectionRequest) -> dict[str, Any]:
        return asdict(asked(effects.measure, asked(models.open, wish.model), wish.direction))

    @api.post("/strip")
    def pictures(wish: StripRequest) -> Response:
        return sheet_answer(asked(strip, models, wish))

    @api.post("/name", dependencies=writes)
    def name(wish: NameRequest) -> dict[str, Any]:
        opened = asked(models.open, wish.model)
        asked(models.direction, opened, wish.direction)
        asked(kept.name, opened.entry.id, wish.direction, wish.name, wish.kept)
        return {}

    @api.post("/own", dependencies=writes)
    def own(wish: OwnRequest) -> dict[str, str]:
        opened = asked(models.open, wish.model)
        ends = [asked(models.latents, opened, points) for points in (wish.vector_from, wish.vector_to)]
        try:
            vector, _ = directions.between(*ends)
        except ValueError as error:
            raise HTTPException(422, f"There is no such direction: {error}.") from error
        return {"id": asked(kept.add_direction, opened.entry.id, wish.name, vector)}

    @api.post("/forget", dependencies=writes)
    def forget(wish: DirectionRequest) -> dict[str, Any]:
        asked(kept.forget, asked(models.find, wish.model).id, wish.direction)
        return {}

    @api.post("/restore", dependencies=writes)
    def restore(wish: DirectionRequest) -> dict[str, Any]:
        asked(kept.restore, asked(models.find, wish.model).id, wish.direction)
        return {}

    return api


def listing(models: Models, effects: Effects, opened: Opened) -> dict[str, Any]:
    """{"directions": the model's own in the order of Models.kinds, then people's,
    "problem": a sentence if what is kept cannot be read}."""
    id, problem = opened.entry.id, None
    try:
        names, owns = models.kept.names(id), models.kept.own(id)
        names = shipped_names(models, opened) | names
    except KeptError as error:
        names, owns, problem = {}, {}, str(error)  # the model's own directions are there all the same
    found: list[tuple[str, Named, float | None]] = []
    for kind in models.kinds(opened):
        shares = models.directions(opened, kind).explained.tolist()
        found += [(f"{kind}:{i}", names.get(f"{kind}:{i}", Named()), share) for i, share in enumerate(shares)]
    found += [(own_id, own, None) for own_id, own in owns.items()]
    rows = [{"id": id, "kind": id.partition(":")[0], "name": named.name or None, "kept": named.kept,
             "explained": share, "measured": effects.known(opened, id)} for id, named, share in found]
    return {"directions": rows, "problem": problem}


def shipped_names(models: Models, opened: Opened) -> dict[str, Named]:
    """Names that a model of assets/ comes with (python -m train.assets); none where there are none, or they are bad."""
    if opened.entry.kind != "asset":
        return {}
    try:
        found = json.loads((models.assets / opened.entry.name / "directions.json").read_text(encoding="utf-8"))
        return {id: Named(name=row["name"]) for id, row in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def strip(models: Models, wish: StripRequest) -> Sheet:
    """One row of the middle frames at the steps of STRIP, whatever the point's own step along this direction."""
    opened = models.open(wish.model)
    moves = {id: steps for id, steps in wish.moves.items() if id != wish.direction}
    z = models.latents(opened, [wish.model_copy(update={"moves": moves})])
    guide = models.open(wish.of) if wish.of else opened
    steps = torch.tensor(STRIP)[:, None] * models.direction(guide, wish.direction)
    clips = models.draw(opened, z + steps, wish.quantised()[2])
    middle = clips[:, clips.shape[1] // 2]
    return Sheet(video.encode_jpeg(video.sprite_sheet(middle[None])), 1, len(STRIP), clips.shape[2])


class Effects:
    """What the directions of models do, measured once for each and kept as long as the server runs."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._known = Recent(4096)

    def known(self, opened: Opened, id: str) -> dict[str, Any] | None:
        """What was measured, or None."""
        effect = self._known.get((opened.key, id))
        return asdict(effect) if effect else None

    def measure(self, opened: Opened, id: str) -> Effect:
        """Raises KeptError for a direction that is not there."""
        effect: Effect | None = self._known.get((opened.key, id))
        if effect is None:
            vector = self._models.direction(opened, id)
            effect = directions.effect(self._draw(opened), vector, self._variety(opened))
            self._known.put((opened.key, id), effect)
        return effect

    def _variety(self, opened: Opened) -> Variety:
        whole: Variety | None = self._known.get((opened.key, "variety"))
        if whole is None:
            whole = directions.variety(self._draw(opened), opened.model.latent_dim)
            self._known.put((opened.key, "variety"), whole)
        return whole

    def _draw(self, opened: Opened) -> Draw:
        def draw(z: torch.Tensor) -> torch.Tensor:
            clips: np.ndarray = self._models.draw(opened, z)
            return video.to_float(clips)

        return draw
