"""What Explore saves: a clip, or a walk through keyframes, as a film or pictures; its latent; or the lines of Python
that give it again from the library alone."""

from __future__ import annotations

import json
import re
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from fastapi import APIRouter, Depends, Response
from pydantic import Field

import pvswgan
from pvswgan import video
from pvswgan.checkpoint import ASSETS
from pvswgan.studio.answers import asked
from pvswgan.studio.models import Models, Opened, TooMuchError
from pvswgan.studio.points import ClipRequest, Point

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

MEDIA = {"mp4": "video/mp4", "gif": "image/gif", "webp": "image/webp", "png": "image/png",
         "npz": "application/octet-stream", "py": "text/x-python; charset=utf-8"}
MOST_FRAMES = 768  # of a walk: each is a clip to draw
MOST_BYTES = 256 * 2**20  # of a film before it is packed


class ExportRequest(ClipRequest):
    """A clip, or a walk, as a file.

    fps        frames a second, 1 to 60;  scale: how many times larger than the model's pixels, 1 to 16
    keyframes  2 to 16 points of a looping walk; null: the clip itself
    seconds    from a keyframe to the next, 0.25 to 30
    """

    format: Literal["mp4", "gif", "webp", "png", "npz", "py"] = "mp4"
    fps: float = Field(default=16.0, ge=1.0, le=60.0, allow_inf_nan=False)
    scale: int = Field(default=1, ge=1, le=16)
    keyframes: list[Point] | None = Field(default=None, min_length=2, max_length=16)
    seconds: float = Field(default=2.0, ge=0.25, le=30.0, allow_inf_nan=False)


@dataclass(frozen=True)
class Places:
    """Where in latent space it is: z (n, dim), a truncation for each, and in words."""

    z: torch.Tensor
    cuts: list[float]
    words: list[str]


def router(studio: Studio, guard: Callable[..., Any]) -> APIRouter:
    """POST /api/export."""
    router = APIRouter(dependencies=[Depends(guard)])

    @router.post("/api/export")
    def export(request: ExportRequest) -> Response:
        data = asked(make, studio.models, request)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(request)}"', "Cache-Control": "no-store"}
        return Response(data, media_type=MEDIA[request.format], headers=headers)

    return router


def make(models: Models, request: ExportRequest) -> bytes:
    """The file's bytes. Raises TooMuchError, and what opening a model and finding a latent raise."""
    opened = models.open(request.model)
    places = find(models, opened, request)
    if request.format == "npz":
        return latent_file(opened, places)
    if request.format == "py":
        return snippet(opened, request, places).encode()
    clips = film(models, opened, request, places)
    with tempfile.TemporaryDirectory(prefix="pvswgan-export-") as folder:
        path = Path(folder) / f"clip.{request.format}"
        return video.write(clips, path, fps=request.fps, scale=request.scale).read_bytes()


def find(models: Models, opened: Opened, request: ExportRequest) -> Places:
    """The clip's latent, or those of the keyframes."""
    if request.keyframes:
        points = request.keyframes
        cuts = [point.quantised()[2] for point in points]
        return Places(models.latents(opened, points), cuts, [in_words(point) for point in points])
    z, cut = models.place(opened, request)
    return Places(z, [cut], [in_words(request)])


def in_words(point: Point) -> str:
    """ "seed 3, moved by pca:0 1.25, truncation 0.7"."""
    place = f"kept latent {point.latent}" if point.latent else f"seed {point.seed}"
    place += "".join(f", {name} of seed {seed}" for name, seed in point.quantised()[5])
    moves = ", ".join(f"{id} {steps:g}" for id, steps in point.moves.items() if steps)
    return f"{place}{f', moved by {moves}' if moves else ''}, truncation {point.truncation:g}"


# ---- films ------------------------------------------------------------------------------------------------------


def film(models: Models, opened: Opened, request: ExportRequest, places: Places) -> np.ndarray:
    """uint8 (N, T, H, W, 3): the clip, or the walk's film; of a walk as PNG the clips of its keyframes, a row each.
    Raises TooMuchError."""
    if request.keyframes and request.format != "png":
        return walk_film(models, opened, request)
    check_size(opened, request, len(places.z) * opened.model.frames)
    return models.draw_all(opened, places.z, places.cuts, fast=False)


def walk_film(models: Models, opened: Opened, request: ExportRequest) -> np.ndarray:
    """uint8 (1, F, H, W, 3): the walk through all keyframes and back to the first. Raises TooMuchError.

    The clip goes on meanwhile: frame j of the film is frame j of the clip at that place, over and over.
    """
    keyframes = request.keyframes or []
    count = walk_frames(request, len(keyframes))
    check_size(opened, request, count)
    z, cuts = models.walk(opened, keyframes, [j / (request.seconds * request.fps) for j in range(count)])
    drawn = (models.draw(opened, z[j : j + 1], cuts[j], fast=False) for j in range(count))
    return np.stack([clip[0, j % opened.model.frames] for j, clip in enumerate(drawn)])[None]


def walk_frames(request: ExportRequest, keyframes: int) -> int:
    """Frames of a walk's film. Raises TooMuchError for too many."""
    seconds = keyframes * request.seconds
    count = max(2, round(seconds * request.fps))
    if count > MOST_FRAMES:
        raise TooMuchError(f"The walk takes {seconds:g} s, {count} frames at {request.fps:g} a second; allowed: "
                          f"{MOST_FRAMES} frames. Walk faster, or through fewer keyframes.")
    return count


def check_size(opened: Opened, request: ExportRequest, frames: int) -> None:
    """Raises TooMuchError for a film that would take too much memory."""
    side = request.scale * opened.model.resolution
    most = MOST_BYTES // (side * side * 3)
    if frames > most:
        raise TooMuchError(f"This would be {frames} frames of {side} pixels a side; allowed: {most} of that size. "
                          "Choose a smaller size, or fewer seconds.")


# ---- the latent, and the lines that make the clip of it ---------------------------------------------------------


def latent_file(opened: Opened, places: Places) -> bytes:
    """An .npz file: z float32 (n, dim), truncation (n,), the size of the clips, and what made them as JSON."""
    model, entry = opened.model, opened.entry
    made = {"model": entry.id, "file": entry.path.name, "clips": model.clips, "stage": model.stage,
            "alpha": model.alpha, "places": places.words, "pvswgan": pvswgan.__version__}
    out = BytesIO()
    np.savez_compressed(out, z=places.z.numpy(), truncation=np.array(places.cuts), frames=model.frames,
                        resolution=model.resolution, made=json.dumps(made))
    return out.getvalue()


def snippet(opened: Opened, request: ExportRequest, places: Places) -> str:
    """Lines of Python that draw the clip, or the walk's film, and write it as mp4. Raises TooMuchError."""
    path = opened.entry.path
    name = path.stem if path.parent == ASSETS else str(path)
    head = [f"# {opened.entry.id!r}, by PVSWGAN Studio", *(f"# {words}" for words in places.words)]
    draw = walk_lines(request, places) if request.keyframes else [
        f"clip = video.to_uint8(model.generate(z, truncation={places.cuts[0]!r}))[0]  # uint8 (T, H, W, 3)"]
    target = file_name(request.model_copy(update={"format": "mp4"}))
    write = f"video.write(clip[None], {target!r}, fps={request.fps:g}, scale={request.scale})"
    body = [f"model = pvswgan.load({name!r})", *latents_lines(request, places), *draw, write, ""]
    used = {"import numpy as np": "np.", "import torch": "torch."}
    others = [line for line, sign in used.items() if any(sign in text for text in body[1:-2])]
    imports = [*others, *([""] if others else []), "import pvswgan", "from pvswgan import latents, video", ""]
    return "\n".join(head + imports + body)


def latents_lines(request: ExportRequest, places: Places) -> list[str]:
    """z (n, dim): from seeds where nothing was moved, else number by number (float32 has nine digits at most)."""
    points = request.keyframes or [request]
    if not any(place[1] or place[3] for place in (point.quantised() for point in points)):
        if len(points) == 1:
            return [f"z = {seeded(points[0])}"]
        if any(point.quantised()[5] for point in points):
            return [f"z = torch.cat([{', '.join(map(seeded, points))}])"]
        seeds = ", ".join(str(point.seed) for point in points)
        return [f"z = torch.cat([latents.sample_latents(1, model.latent_dim, seed) for seed in [{seeds}]])"]
    rows = []
    for row in places.z.numpy():
        numbers = textwrap.fill(", ".join(str(x) for x in row), 110, initial_indent="     ", subsequent_indent="     ")
        rows.append(f"    [\n{numbers}\n    ],")
    return ["z = torch.tensor([", *rows, "])"]


def seeded(point: Point) -> str:
    """The expression for the latent of a point that is a seed's."""
    parts = point.quantised()[5]
    if not parts:
        return f"latents.sample_latents(1, model.latent_dim, seed={point.seed})"
    return f"model.latent({point.seed}, {', '.join(f'{name}={seed}' for name, seed in parts)})"


def walk_lines(request: ExportRequest, places: Places) -> list[str]:
    """The walk's film as in `walk_film`. Raises TooMuchError."""
    count, around = walk_frames(request, len(places.z)), [*places.cuts, places.cuts[0]]
    return [
        f"at = [j / {request.seconds * request.fps!r} for j in range({count})]  # keyframe, and how far to the next",
        f"cuts = np.interp(at, range({len(around)}), {around}).round(3)  # truncation",
        "clips = (model.generate(place[None], float(cut)) for place, cut in zip(latents.walk(z, at), cuts))",
        "clip = np.stack([video.to_uint8(c)[0, j % model.frames] for j, c in enumerate(clips)])  # uint8 (F, H, W, 3)"]


def file_name(request: ExportRequest) -> str:
    """A plain ASCII name for the saved file: the model, what it is of it, the format."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", request.model.replace("run:", "").replace("asset:", "")).strip("-.")
    what = "walk" if request.keyframes else f"latent-{request.latent}" if request.latent else f"seed{request.seed}"
    return f"{plain or 'clip'}-{what}.{request.format}"
