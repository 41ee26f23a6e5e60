"""The latent tour: a shipped model's named directions, with the known factors that each moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field, ValidationError

from pvswgan.studio.answers import asked
from pvswgan.studio.points import DirectionId

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # at which `along` was measured, in standard deviations


class Moved(BaseModel):
    """A factor that a direction moves: see train.assets.name_directions."""

    label: str = Field(max_length=80)
    unit: str = Field(max_length=40)
    share: float = Field(ge=0, le=1)
    along: list[float] | None = Field(min_length=len(STEPS), max_length=len(STEPS))


class Stop(BaseModel):
    """A direction of the tour."""

    name: str = Field(max_length=200)
    share: float = Field(ge=0, le=1)
    factors: list[Moved] = Field(min_length=1, max_length=64)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's route, behind the guard."""

    @app.get("/api/learn/tour", dependencies=[Depends(guard)])
    def tour(model: str) -> dict[str, Any]:
        models = [entry.name for group in studio.models.groups() for entry in group[:1] if entry.kind == "asset"]
        found = stops(studio.settings.assets, model) if model in models else {}
        own = asked(studio.kept.names, f"asset:{model}") if found else {}
        rows = [{"id": id, "own": own[id].name if id in own and own[id].name else None, **stop.model_dump()}
                for id, stop in found.items()]
        named = [name for name in models if stops(studio.settings.assets, name)]
        return {"stops": rows, "steps": STEPS, "models": named, "read_only": studio.settings.read_only}


def stops(assets: Path, name: str) -> dict[DirectionId, Stop]:
    """The named directions of assets/NAME, in the file's order; none where there are none, or they cannot be read."""
    try:
        found = json.loads((assets / name / "directions.json").read_text(encoding="utf-8"))
        return {id: Stop.model_validate(row) for id, row in found.items()}
    except (OSError, ValueError, AttributeError, ValidationError):
        return {}
