"""The Data page: clips in, with progress and cancel; and what is in each store, to be looked at.

Imports are processes of their own (data_jobs.py) that the form starts (data_form.py); stores are read where they lie
(data_stores.py), clip by clip (data_clips.py), with what the face builder left in them (data_faces.py), and go into a
trash first (data_trash.py). In the browser: views/data.js with data_import.js and data_jobs.js, data_trash.js,
data_wall.js, data_clip.js, data_charts.js and data_about.js.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from pvswgan.data.sources import cache_folder
from pvswgan.data.store import TIMES
from pvswgan.growth import ORDERS
from pvswgan.studio import data_clips, data_form, data_jobs, data_stores, data_trash
from pvswgan.studio.answers import asked
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("data_parts.js", "data_about.js", "data_charts.js", "data_wall.js", "data_clip.js", "data_jobs.js",
           "data_import.js", "data_trash.js")

Whole = Annotated[int, Query(ge=0, le=2**31 - 1)]


class Asked(BaseModel):
    """One import, store or thing in the trash, by its id."""

    id: str


class Thrown(BaseModel):
    """Things in the trash, by their ids: those that the person was asked about."""

    ids: list[str]


class Typed(BaseModel):
    """The path of a store, as it was typed."""

    path: str


class Sentences(APIRoute):
    """A request of the wrong shape is answered with a sentence too, as all that is wrong on this page is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def sentence(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise HTTPException(422, " ".join(map(_complaint, error.errors()))) from error

        return sentence


def _complaint(error: Any) -> str:
    name = ".".join(map(str, error["loc"][1:])) or "The request"
    value = "" if error["type"] == "missing" else f" is {str(error.get('input'))[:60]!r}"
    return f"{name}{value}: {error['msg']}."


def build(studio: Studio) -> None:
    """The page, inside its tab's context."""
    view("data", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., None]) -> None:
    """/api/data: imports, the list of stores, and what one holds."""
    for router in (import_router(studio, guard), list_router(studio, guard), store_router(guard)):
        app.include_router(router)


def import_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """The form's check, and what starts and steers an import."""
    api = APIRouter(prefix="/api/data", dependencies=[Depends(guard)], route_class=Sentences)
    writes = [Depends(studio.guard_write)]

    @api.get("/options")
    def options() -> dict[str, Any]:
        return data_form.options() | {"orders": list(ORDERS), "times": list(TIMES)}

    @api.post("/plan")
    def plan(wish: data_form.Wish) -> dict[str, Any]:
        look = not studio.settings.read_only
        words, problems = asked(data_form.words, wish, look)
        size = None if problems or not look else data_form.size(wish)
        room = size and {"bytes": size, "free": asked(data_form.free)}
        return {"command": data_form.shown(words), "problems": problems, "room": room}

    @api.post("/import", dependencies=writes)
    def start(wish: data_form.Wish) -> dict[str, str]:
        words, problems = asked(data_form.words, wish)
        if problems:
            raise HTTPException(422, " ".join(problems.values()))
        return {"id": asked(data_jobs.start, words)}

    @api.post("/cancel", dependencies=writes)
    def cancel(wish: Asked) -> None:
        asked(data_jobs.cancel, wish.id)

    @api.post("/resume", dependencies=writes)
    def resume(wish: Asked) -> None:
        asked(data_jobs.resume, wish.id)

    @api.post("/forget", dependencies=writes)
    def forget(wish: Asked) -> None:
        asked(data_jobs.forget, wish.id)

    return api


def list_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """The list of stores, imports and trash; what comes into the list and goes from it."""
    api = APIRouter(prefix="/api/data", dependencies=[Depends(guard)], route_class=Sentences)
    writes = [Depends(studio.guard_write)]

    @api.get("/list")
    def listed() -> dict[str, Any]:
        return {
            "folder": str(cache_folder()),
            "read_only": studio.settings.read_only,
            "stores": data_stores.listed(),
            "jobs": data_jobs.listed(),
            "unfinished": data_stores.unfinished(),
            "trash": data_trash.listed(),
        }

    @api.post("/open", dependencies=writes)
    def add(typed: Typed) -> dict[str, str]:
        return {"id": asked(data_stores.add, asked(data_form.store_path, typed.path))}

    @api.post("/close", dependencies=writes)
    def close(wish: Asked) -> None:
        asked(data_stores.close, wish.id)

    @api.post("/discard", dependencies=writes)
    def discard(wish: Asked) -> dict[str, str]:
        return {"id": asked(data_trash.discard_store, wish.id, studio.settings.runs)}

    @api.post("/discard-unfinished", dependencies=writes)
    def discard_build(wish: Asked) -> dict[str, str]:
        return {"id": asked(data_trash.discard_build, wish.id)}

    @api.post("/restore", dependencies=writes)
    def restore(wish: Asked) -> dict[str, str]:
        return {"id": asked(data_trash.restore, wish.id)}

    @api.post("/empty-trash", dependencies=writes)
    def empty(thrown: Thrown) -> dict[str, int]:
        return {"bytes": asked(data_trash.empty, thrown.ids)}

    return api


def store_router(guard: Callable[..., None]) -> APIRouter:
    """What one store holds: numbers, pages of clips, sheets of them, a clip's pyramid."""
    api = APIRouter(prefix="/api/data", dependencies=[Depends(guard)], route_class=Sentences)

    @api.get("/store")
    def about(id: str) -> dict[str, Any]:
        return asked(data_stores.about, id) | {"walls": asked(data_clips.walls, id)}

    @api.get("/sheet")
    def sheet(id: str) -> Response:
        return _picture(asked(data_stores.contact_sheet, id), "image/jpeg")

    @api.get("/clips")
    def clips(id: str, label: Whole | None = None, split: str | None = None, page: Whole = 0,
              seed: Whole | None = None, size: Whole | None = None) -> dict[str, Any]:
        return asked(data_clips.choose, id, label, split, page, seed, size)

    @api.get("/wall")
    def wall(id: str, clips: str, size: Whole | None = None) -> Response:
        return _picture(asked(data_clips.wall, id, _numbers(clips), size), "image/jpeg")

    @api.get("/clip")
    def clip(id: str, clip: Whole) -> dict[str, Any]:
        return asked(data_clips.facts, id, clip)

    @api.get("/pyramid")
    def pyramid(id: str, clip: Whole, order: str = "paper", frames: Whole = 32, start: Whole = 0) -> dict[str, Any]:
        return asked(data_clips.pyramid, id, clip, order, frames, start)

    @api.get("/stage")
    def stage(id: str, clip: Whole, stage: Whole, order: str = "paper", time: str = "average", frames: Whole = 32,
              start: Whole = 0) -> Response:
        return _picture(*asked(data_clips.stage, id, clip, order, time, frames, start, stage))

    return api


def _numbers(text: str) -> list[int]:
    """ "3,1,4" -> [3, 1, 4]."""
    parts, most = text.split(","), data_clips.PAGE
    if len(parts) > most or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise HTTPException(422, f"clips is {text[:60]!r}; wanted: up to {most} numbers with commas between.")
    return [int(part) for part in parts]


def _picture(data: bytes, kind: str) -> Response:
    return Response(data, media_type=kind, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
