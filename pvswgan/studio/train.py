"""The Train page: start a training, find those that run anywhere in the runs folder, watch and steer them.

The page never trains. It starts `python -m train` as a process of its own (processes.py), or lets a queue start it
(queue.py), reads run folders (train_watch.py; alerts.py and machine.py say what may go wrong) and leaves requests in
them (train_runs.py); runs that rest are renamed and deleted (run_care.py). The form of a new training is train_form.py.
In the browser one view polls the routes once a second: views/train.js, with a script for each part of the page.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, Field

from pvswgan.studio import form_yaml, processes, run_care, train_form, train_runs
from pvswgan.studio.answers import asked
from pvswgan.studio.queue import Queue
from pvswgan.studio.train_cost import Costs
from pvswgan.studio.views import view
from train.config import Config

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

SCRIPTS = ("data_parts.js", "train_parts.js", "ruler.js", "curves.js", "snapshots.js", "train_stages.js",
           "train_machine.js", "alert_box.js", "train_alerts.js", "train_head.js", "train_care.js", "train_list.js",
           "train_queue.js", "train_link.js", "form_fields.js", "form_yaml.js", "form_plan.js", "train_form.js")


class Wish(BaseModel):
    """The form as it stands.

    config: an installed configuration; "": the one nearest to the text. yaml: the text as edited, None: the
    configuration's own. settings: {key: as typed} and data: a folder of clips, to be written into the text. name: of
    the run.
    """

    config: str = Field("", max_length=200)
    yaml: str | None = Field(None, max_length=form_yaml.LONGEST + 1000)
    settings: dict[str, str] = Field(default_factory=dict)
    data: str | None = None
    name: str = ""


class CostWish(Wish):
    """page: any word, the same in every request of a page. force: measure although a training runs."""

    page: str = Field("", max_length=100)
    force: bool = False


def build(studio: Studio) -> None:
    """The page, inside its tab's context."""
    view("train", *SCRIPTS)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., None]) -> None:
    """/api/train (the form, the queue, the trash) and /api/runs (the rest)."""
    app.include_router(form_router(studio, guard))
    for router in (run_care.router, train_runs.router, train_runs.media_router, train_runs.queue_router):
        app.include_router(router(studio, guard))
    if not studio.settings.read_only:
        _watch_queue(app, Queue(studio.settings.runs))


def _watch_queue(app: FastAPI, queue: Queue) -> None:
    """The queue is looked after as long as the app serves."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        with queue.watched():
            async with inner(app) as state:
                yield state

    app.router.lifespan_context = lifespan


def form_router(studio: Studio, guard: Callable[..., None]) -> APIRouter:
    """Options of the form, what it says and would train, what that would take, and the start itself."""
    api = APIRouter(prefix="/api/train", dependencies=[Depends(guard)])
    costs = Costs(studio.settings.runs)

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
            item, reading = _read(wish)
            config = reading.config
            return {
                "config": item.id, "yaml": reading.text, "fields": reading.fields, "lines": reading.lines,
                "problems": _problems(wish, item, config, studio) | reading.problems,
                "plan": config and train_form.preview(config),
                "command": config and _command(wish, item, train_form.overrides(item, config)),
            }  # fmt: skip
        except train_form.FormError as error:
            return {"plan": None, "problems": error.problems, "lines": [], "fields": None, "yaml": wish.yaml}

    @api.post("/cost", dependencies=[Depends(studio.guard_write)])
    def cost(wish: CostWish) -> dict[str, Any]:
        config = asked(_read, wish)[1].config
        if config is None:
            return {"state": "none", "sentence": ""}
        return costs.ask(config, wish.page, wish.force)

    @api.post("/start", dependencies=[Depends(studio.guard_write)])
    def start(wish: Wish) -> dict[str, str]:
        item, changed = asked(_ready, wish, studio)
        costs.stop()  # it is in the way of the training now
        return {"id": asked(processes.start, studio.settings.runs, _name(wish, item), item.path, changed)}

    @api.post("/queue", dependencies=[Depends(studio.guard_write)])
    def enqueue(wish: Wish) -> dict[str, str]:
        item, changed = asked(_ready, wish, studio)
        queue = Queue(studio.settings.runs)
        return {"id": asked(queue.add, _name(wish, item), item.path, changed), "name": _name(wish, item)}

    return api


def _read(wish: Wish) -> tuple[train_form.Configuration, train_form.Reading]:
    """The configuration that is started from, and what the form makes of it."""
    item = train_form.find(wish.config) if wish.config else None
    text = wish.yaml
    if text is None:
        text = (item or train_form.nearest(None)).path.read_text(encoding="utf-8")
    reading = train_form.read(text, wish.settings, wish.data)
    return item or train_form.nearest(reading.config), reading


def _ready(wish: Wish, studio: Studio) -> tuple[train_form.Configuration, dict[str, Any]]:
    """(the configuration to start from, what is changed in it). Raises FormError unless all is well."""
    item, reading = _read(wish)
    problems = _problems(wish, item, reading.config, studio) | reading.problems
    if problems or reading.config is None:
        raise train_form.FormError(problems)
    return item, train_form.overrides(item, reading.config)


def _name(wish: Wish, item: train_form.Configuration) -> str:
    return wish.name or item.id


def _problems(wish: Wish, item: train_form.Configuration, config: Config | None, studio: Studio) -> dict[str, str]:
    """What hinders the start beside the configuration: the name, the folder of clips. {key: sentence}."""
    problems = {}
    try:
        processes.check_name(_name(wish, item))
    except processes.RunNameError as error:
        problems["name"] = str(error)
    # A read-only studio starts nothing, and tells nobody which folders this machine has.
    if config is not None and not studio.settings.read_only:
        own = train_form.load(item).data.path
        if sentence := train_form.data_problem(config.data, config.data.path != own):
            problems["data.path"] = sentence
    return problems


def _command(wish: Wish, item: train_form.Configuration, changed: dict[str, Any]) -> str:
    """The same training from a shell."""
    words = ["python", "-m", "train", f"configs/{item.id}.yaml", "--run-dir", f"runs/{_name(wish, item)}"]
    return shlex.join(words + [processes.override(key, value) for key, value in changed.items()])
