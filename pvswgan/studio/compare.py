"""The Compare page. Two to four runs or models side by side: same latents, one clock, curves, a quiz, a report.

What is known of the two to four is in compare_facts.py, the pair of trainings in compare_pair.py, the report in
compare_report.py. The clips come by api/rows of the Explore page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from pvswgan.checkpoint import CheckpointError
from pvswgan.studio import compare_facts, compare_pair, compare_report, train_form, train_watch
from pvswgan.studio.answers import asked
from pvswgan.studio.explore import describe_group
from pvswgan.studio.models import UnknownModelError
from pvswgan.studio.points import Id
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("curves.js", "compare_state.js", "compare_history.js", "compare_sides.js", "compare_clips.js",
           "compare_pair.js", "compare_facts.js", "compare_curves.js", "compare_quiz.js")


class Sides(BaseModel):
    """What is compared."""

    ids: list[Id] = Field(min_length=1, max_length=4)


class ReportWish(Sides):
    """And with which latents, at what speed, along which axis: steps, clips or seconds."""

    seeds: list[Annotated[int, Field(ge=0, le=2**31 - 1)]] = Field(min_length=1, max_length=8)
    truncation: float = Field(default=1.0, ge=0.0, le=1.0, allow_inf_nan=False)
    fps: float = Field(default=16, ge=1, le=60, allow_inf_nan=False)
    axis: compare_report.Axis = "clips"


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("compare", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
    guarded, root = [Depends(guard)], studio.settings.runs

    @app.get("/api/compare/choices", dependencies=guarded)
    def choices() -> dict[str, Any]:
        return {"sides": every_side(studio), "read_only": studio.settings.read_only,
                "configurations": [option for option in train_form.options()["configurations"]
                                   if option["system"] in (None, "pvswgan")]}

    @app.post("/api/compare/facts", dependencies=guarded)
    def facts(wish: Sides) -> dict[str, Any]:
        sides = [fact(studio, id) for id in wish.ids]
        known = [side for side in sides if "config" in side]
        rows = compare_facts.differences([side["config"] for side in known])
        return {"sides": [{key: side[key] for key in side if key != "config"} for side in sides],
                "differences": rows, "of": [side["id"] for side in known]}

    @app.get("/api/compare/curves", dependencies=guarded)
    def curves(id: str) -> dict[str, Any]:
        run = compare_facts.run_of(studio, id)
        if run is None:
            raise HTTPException(404, f"There is no run {id!r} any more. Choose another in the list.")
        return compare_facts.curves(run)

    @app.post("/api/compare/pair", dependencies=[Depends(studio.guard_write)])
    def pair(wish: compare_pair.Pair) -> list[dict[str, str]]:
        return asked(compare_pair.start, wish, root)

    @app.post("/api/compare/report", dependencies=guarded)
    def report(wish: ReportWish) -> Response:
        page = asked(compare_report.make, studio, wish.ids, wish.seeds, wish.truncation, wish.fps, wish.axis)
        headers = {"Content-Disposition": 'attachment; filename="comparison.html"', "Cache-Control": "no-store"}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def every_side(studio: Studio) -> list[dict[str, Any]]:
    """What can be chosen: every model, with its checkpoints newest first, and runs that have none yet."""
    groups = [describe_group(group, studio) for group in studio.models.groups()]
    known = {group["group"] for group in groups}
    young = [run for run in train_watch.runs(studio.settings.runs) if f"run:{run.name}" not in known]
    return groups + [{"id": f"run:{run.name}", "group": f"run:{run.name}", "name": run.name, "kind": "run",
                      "state": train_watch.state_of(run)[0], "checkpoints": []} for run in young]


def fact(studio: Studio, id: str) -> dict[str, Any]:
    """compare_facts.describe; of one that is not to be had {id, error: a sentence}."""
    try:
        return compare_facts.describe(studio, id) | {"id": id}
    except (UnknownModelError, CheckpointError) as error:
        return {"id": id, "error": str(error)}
