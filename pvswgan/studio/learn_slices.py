"""The slice theatre: the exact Wasserstein distance of two small clouds; all else is computed in the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

MOST = 200  # points a cloud: the exact distance costs about the cube of it
Coordinate = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Cloud = Annotated[list[tuple[Coordinate, Coordinate]], Field(min_length=1, max_length=MOST)]


class Clouds(BaseModel):
    """Two clouds of points [x, y]."""

    a: Cloud
    b: Cloud


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's route, behind the guard."""

    @app.post("/api/learn/exact", dependencies=[Depends(guard)])
    def exact(clouds: Clouds) -> dict[str, float]:
        return {"distance": wasserstein(clouds.a, clouds.b)}


def wasserstein(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> float:
    """W1 of two clouds in the plane, each of mass 1, with Euclidean distances (Flamary et al. 2021, ot.emd2)."""
    import numpy as np
    import ot

    x, y = np.asarray(a), np.asarray(b)
    return float(ot.emd2([], [], ot.dist(x, y, metric="euclidean")))
