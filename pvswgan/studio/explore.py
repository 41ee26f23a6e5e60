"""The Explore page: a model, a point in its latent space, and ways to move it, shown at once.

The whole page is one view (views/explore.html, .js, .css). Here are the list of models and the clips; directions.py,
projections.py and exports.py have the other routes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Response

from pvswgan.checkpoint import Model, plan_of
from pvswgan.studio import directions, exports, projections
from pvswgan.studio.answers import asked, sheet_answer
from pvswgan.studio.models import Entry, Opened
from pvswgan.studio.points import ClipRequest, RowsRequest, WalkRequest
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("explore_state.js", "explore_code.js", "explore_direction.js", "explore_models.js", "explore_latent.js",
           "explore_parts.js", "explore_history.js", "explore_seeds.js", "explore_directions.js",
           "explore_keyframes.js", "explore_walk.js", "explore_sheet.js", "explore_slices.js", "explore_projection.js",
           "explore_export.js", "explore_keyboard.js", "explore_link.js")


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("explore", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
    models, guarded = studio.models, [Depends(guard)]

    @app.get("/api/models", dependencies=guarded)
    def list_models() -> dict[str, Any]:
        found = [describe_group(group, studio) for group in models.groups()]
        return {"models": found, "read_only": studio.settings.read_only}

    @app.get("/api/model", dependencies=guarded)
    def open_model(id: str) -> dict[str, Any]:
        return describe(asked(models.open, id))

    @app.post("/api/render", dependencies=guarded)
    def render(request: ClipRequest) -> Response:
        return sheet_answer(asked(models.sheet, request))

    @app.post("/api/rows", dependencies=guarded)
    def rows(request: RowsRequest) -> Response:
        return sheet_answer(asked(models.rows, request))

    @app.post("/api/walk", dependencies=guarded)
    def walk(request: WalkRequest) -> Response:
        return sheet_answer(asked(models.walked, request))

    for part in (directions, projections, exports):
        app.include_router(part.router(studio, guard))


def describe_group(group: list[Entry], studio: Studio) -> dict[str, Any]:
    """A model for the list: its checkpoints newest first, and what its run is doing."""
    newest = group[0]
    return {
        "id": newest.id,
        "group": f"{newest.kind}:{newest.name}",
        "name": newest.name,
        "kind": newest.kind,
        "state": run_state(studio.settings.runs / newest.name) if newest.kind == "run" else None,
        "checkpoints": [{"id": entry.id, "clips": entry.clips} for entry in group],
    }


def run_state(folder: Path) -> str | None:
    """ "running", "finished", ... or None where the run's status cannot be read."""
    from train.run import RunFolder

    try:
        return RunFolder(folder).state()
    except (OSError, ValueError):
        return None


def describe(opened: Opened) -> dict[str, Any]:
    """An opened model: its clips' size, and a sentence on what it was trained on."""
    model = opened.model
    return {
        "id": opened.entry.id,
        "name": opened.entry.name,
        "frames": int(model.frames),
        "resolution": int(model.resolution),
        "parts": list(model.parts),
        "sentence": trained_on(model),
    }


def trained_on(model: Model) -> str:
    """ "Trained on actions (strips): 120 of 300 kimg, clips of 16 frames at 32 x 32, loss swgan." """
    config = model.config
    data = config.get("data") or {}
    source, path = data.get("source"), data.get("path")
    where = f"{Path(path).name} ({source})" if path else str(source or "clips that its file does not name")
    kimg = f"{model.clips / 1000:.4g} of {plan_of(config).total / 1000:.4g}"
    loss = (config.get("loss") or {}).get("name", "unknown")
    size = f"{model.frames} frames at {model.resolution} × {model.resolution}"
    steadied = model.replicate and not (config.get("network") or {}).get("still", False)
    drawn = " Drawn with its first and last frame repeated in time, where its training had zeros." if steadied else ""
    return f"Trained on {where}: {kimg} kimg, clips of {size}, loss {loss}.{drawn}"
