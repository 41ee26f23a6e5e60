"""The routes of the Train page that watch and steer runs: /api/runs and below, and the queue of trainings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from pvswgan.studio import alerts, machine, processes, run_care
from pvswgan.studio.answers import asked
from pvswgan.studio.queue import Queue
from pvswgan.studio.train_watch import detail, find, log_lines, new_rows, runs, sample_list, summary
from train.run import ACTIVE

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

MOST_LOG_LINES = 2000


class Request(BaseModel):
    """The body of POST /api/runs/{run}/request: pause, resume, stop or snapshot."""

    name: str


class Item(BaseModel):
    """One training in the queue, by its id; how many places it is to move."""

    id: str
    by: int = 0


class Held(BaseModel):
    held: bool


def router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """/api/runs and below: what there is, one run's state, and the requests to it."""
    api = APIRouter(prefix="/api/runs", dependencies=[Depends(guard)])
    root, read_only = studio.settings.runs, studio.settings.read_only
    marks = alerts.Marks()

    @api.get("")
    def listed() -> dict[str, Any]:
        folders = runs(root)
        found = [summary(folder) | {"alert": mark} for folder, mark in zip(folders, marks.of(folders), strict=True)]
        return {"runs": found, "folder": str(root), "read_only": read_only,
                "queue": Queue(root).listed(), "trash": run_care.thrown(root)}

    @api.get("/{run}/status")
    def status(run: str) -> dict[str, Any]:
        folder = find(root, run)
        return detail(folder, read_only) | {"machine": machine.reading(folder)}

    @api.get("/{run}/alerts")
    def warnings(run: str) -> list[dict[str, Any]]:
        return alerts.of_run(find(root, run))

    @api.post("/{run}/request", dependencies=[Depends(studio.guard_write)])
    def request(run: str, body: Request) -> dict[str, Any]:
        folder = find(root, run)
        if body.name == "resume" and folder.state() not in ACTIVE:
            asked(processes.resume, folder)
        else:
            asked(processes.request, folder, body.name)
        return detail(folder, read_only) | {"machine": machine.reading(folder)}

    return api


def media_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """What a run has written: statistics, samples, its log."""
    api = APIRouter(prefix="/api/runs", dependencies=[Depends(guard)])
    root = studio.settings.runs

    @api.get("/{run}/stats")
    def stats(run: str, since: Annotated[int, Query(ge=0, le=2**53)] = 0) -> dict[str, Any]:
        return new_rows(find(root, run).path / "stats.jsonl", since)

    @api.get("/{run}/samples")
    def samples(run: str) -> dict[str, Any]:
        return sample_list(find(root, run))

    @api.get("/{run}/sample/{file}")
    def sample(run: str, file: str) -> Response:
        found = next((s.path for s in find(root, run).samples() if s.path.name == file), None)
        if found is None:
            raise HTTPException(404, f"The run {run!r} has no samples {file!r}.")
        return FileResponse(
            found, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"}
        )

    @api.get("/{run}/log")
    def log(run: str, lines: int = 200) -> dict[str, Any]:
        return {"lines": log_lines(find(root, run), max(1, min(lines, MOST_LOG_LINES)))}

    return api


def queue_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """/api/train/queue: change what waits there. (It is added to by the form, and listed with the runs.)"""
    api = APIRouter(prefix="/api/train/queue", dependencies=[Depends(guard), Depends(studio.guard_write)])
    queue = Queue(studio.settings.runs)

    def changed(change: Callable[..., None], *arguments: Any) -> dict[str, Any]:
        asked(change, *arguments)
        return queue.listed()

    @api.post("/move")
    def move(item: Item) -> dict[str, Any]:
        return changed(queue.move, item.id, item.by)

    @api.post("/remove")
    def remove(item: Item) -> dict[str, Any]:
        return changed(queue.remove, item.id)

    @api.post("/put-back")
    def put_back(item: Item) -> dict[str, Any]:
        return changed(queue.put_back, item.id)

    @api.post("/hold")
    def hold(wish: Held) -> dict[str, Any]:
        return changed(queue.hold, wish.held)

    return api
