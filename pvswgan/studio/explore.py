"""The Explore page: a model, a seed, and sliders along its directions, shown at once; and its export.

The whole page is one view (views/explore.html, .js, .css). It talks to five routes: the list of models, one
model opened, its directions, a clip as a JPEG sprite sheet, and a clip as a file.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import Field

from pvswgan import video
from pvswgan.checkpoint import CheckpointError, Model, plan_of
from pvswgan.studio.models import SLIDERS, ClipRequest, Entry, Opened, UnknownModelError
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

MEDIA = {"mp4": "video/mp4", "gif": "image/gif"}


class ExportRequest(ClipRequest):
    """A clip as a file: its format, frames a second, and how many times larger than the model's pixels."""

    format: Literal["mp4", "gif"] = "mp4"
    fps: float = Field(default=16.0, ge=1.0, le=60.0, allow_inf_nan=False)
    scale: int = Field(default=1, ge=1, le=16)


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("explore", sliders=SLIDERS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
    models, guarded = studio.models, [Depends(guard)]

    @app.get("/api/models", dependencies=guarded)
    def list_models() -> dict[str, Any]:
        return {"models": [describe_group(group, studio) for group in models.groups()]}

    @app.get("/api/model", dependencies=guarded)
    def open_model(id: str) -> dict[str, Any]:
        return describe(_asked(models.open, id))

    @app.get("/api/directions", dependencies=guarded)
    def directions(id: str) -> dict[str, Any]:
        # Apart from the opening: finding them takes seconds, and a first clip needs none.
        found = _asked(models.open, id).directions
        return {"explained": [float(share) for share in found.explained]}

    @app.post("/api/render", dependencies=guarded)
    def render(request: ClipRequest) -> Response:
        jpeg, frames, resolution, milliseconds = _asked(models.sheet, request)
        headers = {"X-Frames": str(frames), "X-Resolution": str(resolution), "X-Seq": str(request.seq)}
        headers |= {"Cache-Control": "no-store", "Server-Timing": f"render;dur={milliseconds:.1f}"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @app.post("/api/export", dependencies=guarded)
    def export(request: ExportRequest) -> Response:
        clip = _asked(models.clip, request)
        name = file_name(_asked(models.find, request.model), request)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(encode(clip, request), media_type=MEDIA[request.format], headers=headers)


def _asked(call: Callable[..., Any], *arguments: Any) -> Any:
    """call(*arguments), its known errors turned into answers that the page shows as a sentence."""
    try:
        return call(*arguments)
    except UnknownModelError as error:
        raise HTTPException(404, str(error)) from error
    except CheckpointError as error:
        raise HTTPException(422, str(error)) from error


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
    return f"Trained on {where}: {kimg} kimg, clips of {size}, loss {loss}."


def encode(clip: np.ndarray, request: ExportRequest) -> bytes:
    """The clip (T, H, W, 3) as an mp4's or GIF's bytes, each pixel a crisp square of scale x scale."""
    with tempfile.TemporaryDirectory(prefix="pvswgan-export-") as folder:
        path = Path(folder) / f"clip.{request.format}"
        video.write(clip[None], path, fps=request.fps, scale=request.scale)
        return path.read_bytes()


def file_name(entry: Entry, request: ExportRequest) -> str:
    """A plain ASCII name for the saved file: model, seed, format."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", entry.id.replace("run:", "").replace("asset:", "")).strip("-.")
    return f"{plain or 'clip'}-seed{request.seed}.{request.format}"
