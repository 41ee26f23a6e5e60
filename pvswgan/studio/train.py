"""The Train page: start a training, find those that run anywhere in the runs folder, watch and steer them.

The page never trains. It starts `python -m train` as a process of its own (processes.py), reads run folders
(train_watch.py) and leaves requests in them; the form of a new training is train_form.py. In the browser one
view (views/train.js with train_form.js, ruler.js, curves.js and snapshots.js) polls the routes once a second.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field

from pvswgan.studio import processes, train_form, train_watch
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("ruler.js", "curves.js", "snapshots.js", "train_form.js")


class Wish(BaseModel):
    """The form filled in: a configuration, settings as typed, a data folder or None for its own, a name."""

    config: str
    settings: dict[str, str] = Field(default_factory=dict)
    data: str | None = None
    name: str = ""


def build(studio: Studio) -> None:
    """The page, inside its tab's context."""
    view("train", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., None]) -> None:
    """/api/train (the form) and /api/runs (the rest)."""
    app.include_router(form_router(studio, guard))
    app.include_router(train_watch.router(studio, guard))


def form_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """Options of the form, a preview of what it would train, and the start itself."""
    api = APIRouter(prefix="/api/train", dependencies=[Depends(guard)])

    @api.get("/options")
    def options() -> dict[str, Any]:
        return {
            **train_form.options(),
            "read_only": studio.settings.read_only,
            "folder": str(studio.settings.runs),
        }

    @api.post("/plan")
    def plan(wish: Wish) -> dict[str, Any]:
        try:
            config, changed = _read(wish)
        except train_form.FormError as error:
            return {"plan": None, "problems": _problems(wish, wish.data, studio) | error.problems}
        problems = _problems(wish, config.data.path, studio)
        return {"plan": train_form.preview(config), "problems": problems, "command": _command(wish, changed)}

    @api.post("/start", dependencies=[Depends(studio.guard_write)])
    def start(wish: Wish) -> dict[str, str]:
        try:
            config, changed = _read(wish)
            if problems := _problems(wish, config.data.path, studio):
                raise train_form.FormError(problems)
            path = train_form.find(wish.config).path
            return {"id": processes.start(studio.settings.runs, wish.name or wish.config, path, changed)}
        except train_form.FormError as error:
            raise HTTPException(422, str(error)) from error
        except processes.ProcessError as error:
            raise HTTPException(409, str(error)) from error

    return api


def _read(wish: Wish) -> tuple[Any, dict[str, Any]]:
    """(checked configuration, what the form changes in it)."""
    item = train_form.find(wish.config)
    if wish.data is not None and not wish.data.strip():
        raise train_form.FormError(
            {"data": "Write the path of a folder of clips, or choose the configuration's own."}
        )
    changed = train_form.overrides(item, wish.settings, wish.data)
    return train_form.check(item, changed), changed


def _problems(wish: Wish, folder: str | None, studio: Studio) -> dict[str, str]:
    """What hinders the start beside the configuration: the name, the folder of clips. {field: sentence}."""
    problems = {}
    try:
        processes.check_name(wish.name or wish.config)
    except processes.ProcessError as error:
        problems["name"] = str(error)
    # A read-only studio starts nothing, and tells nobody which folders this machine has.
    if not studio.settings.read_only and (sentence := train_form.data_problem(folder, wish.data is not None)):
        problems["data"] = sentence
    return problems


def _command(wish: Wish, changed: dict[str, Any]) -> str:
    """The same training from a shell."""
    words = ["python", "-m", "train", f"configs/{wish.config}.yaml"]
    words += ["--run-dir", f"runs/{wish.name or wish.config}"]
    return shlex.join(words + [processes.override(key, value) for key, value in changed.items()])
