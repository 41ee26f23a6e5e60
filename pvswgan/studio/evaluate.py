"""The Evaluate page: a model measured against real clips, every result with its protocol, floor and ceiling.

An evaluation is a job of its own (jobs.py); its result stays as a file: with its run in metrics/, else in
RUNS/.studio/metrics/. Results of different protocols are in different tables, each with what sets it apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from pvswgan.data.format import DataError
from pvswgan.data.store import ClipStore
from pvswgan.metrics import evaluate, report
from pvswgan.metrics.against import LEAST, Against
from pvswgan.metrics.evaluate import Result
from pvswgan.studio import data_stores, extractors, latents_reals
from pvswgan.studio.answers import asked, sheet_answer
from pvswgan.studio.jobs import Jobs, Progress
from pvswgan.studio.models import Opened, Sheet, UnknownModelError
from pvswgan.studio.points import Id
from pvswgan.studio.views import view
from pvswgan.video import encode_jpeg, sprite_sheet

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

PATIENCE_S = 120.0  # a tab in the background asks once a minute
HOLDS_S = 10.0  # then another wish for the same is measured again: the result's file may be gone, or the clips others
OWN = "own"  # the clips that the model was trained on
SHOWN = 8  # samples that are shown with the nearest training clip
MOST_BYTES = 1 << 20  # of a result's file
KEYS = frozenset(("fid", "kid", "is", "precision", "recall", "swd", "diversity", "motion_distance", "near_share"))


class Wish(BaseModel):
    """What is to be measured."""

    model: Id
    store: str = Field(default=OWN, max_length=200)
    extractor: str = Field(default=extractors.DEFAULT, max_length=120)
    clips: Literal[100, 250, 500, 1000, 2048, 10_000] = 500  # 10,000: TGAN's Inception Score
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    who: str = Field(default="", max_length=40)


class Stop(BaseModel):
    """Whose evaluation is to be given up."""

    who: str = Field(max_length=40)


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("evaluate", "evaluate_tables.js")


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
    guarded, writes = [Depends(guard)], [Depends(studio.guard_write)]
    jobs, reals = Jobs(PATIENCE_S, HOLDS_S), latents_reals.Opened()

    def store_of(opened: Opened, name: str, tell: Progress) -> ClipStore:
        return reals.get(opened.key, opened.model, tell).store if name == OWN else data_stores.opened(name)

    @app.get("/api/evaluate/stores", dependencies=guarded)
    def stores(model: str) -> dict[str, Any]:
        opened = asked(studio.models.open, model)
        found = [{"id": OWN, "name": "the clips of its training"}] + [
            {"id": line["id"], "name": f"{line['id']}, {line['clips']} clips"} for line in data_stores.listed()
            if line.get("resolution", 0) >= opened.model.resolution and line.get("clips", 0) >= 2 * LEAST]
        return {"stores": found, "read_only": studio.settings.read_only}

    @app.get("/api/evaluate/extractors", dependencies=guarded)
    def eyes() -> dict[str, Any]:
        return {"extractors": extractors.listed(studio.settings)}

    @app.post("/api/evaluate/measure", dependencies=writes)
    def measure(wish: Wish) -> dict[str, Any]:
        opened = asked(studio.models.open, wish.model)
        choice = asked(extractors.find, studio.settings, wish.extractor)

        def work(tell: Progress) -> dict[str, Any]:
            store = store_of(opened, wish.store, tell)
            tell(f"loading {choice.name}", 0, 0)
            result = evaluate.evaluate(opened.model, store, clips=wish.clips, seed=wish.seed, tell=tell,
                                       extractor=extractors.load(choice, opened.model.device))
            save(studio, opened, wish.store, result)
            return {"key": result.key, "clips": result.protocol["clips"]}

        key = (opened.key, wish.store, wish.extractor, wish.clips, wish.seed)
        return asked(jobs.ask, key, work, wish.who)

    @app.post("/api/evaluate/stop", dependencies=writes)
    def stop(wish: Stop) -> dict[str, Any]:
        jobs.give_up(wish.who)
        return {}

    @app.get("/api/evaluate/results", dependencies=guarded)
    def results() -> dict[str, Any]:
        return tables(studio)

    @app.get("/api/evaluate/nearest", dependencies=guarded)
    def nearest(id: str) -> Response:
        file = found(studio).get(id)
        if file is None:
            raise HTTPException(404, f"There is no result {id!r} any more.")

        def drawn() -> Response:
            try:
                return pairs(studio, file, store_of)
            except DataError as error:  # the request is right: model or clips are others by now
                raise HTTPException(409, str(error)) from error

        return asked(drawn)


def save(studio: Studio, opened: Opened, store: str, result: Result) -> Path:
    """Keep a result with its run, or with what the studio keeps: so too where the run has another name by now, or is
    gone. Raises OSError."""
    entry, runs = opened.entry, studio.settings.runs
    of_run = entry.kind == "run" and (runs / entry.name).is_dir()
    name = f"{result.model['clips']:09d}-{result.key}.json"
    result.about.update(model=entry.id, real=store)
    return evaluate.save(result, runs / (entry.name if of_run else ".studio") / "metrics"
                         / (name if of_run else f"{entry.kind}-{entry.name}-{name}"))


def found(studio: Studio) -> dict[str, Path]:
    """{id: file} of every result: of runs, of what assets/ ships, and of other models."""
    settings, files = studio.settings, dict[str, Path]()
    for kind, root, pattern in (("run", settings.runs, "*/metrics/*.json"), ("asset", settings.assets,
                                "*/metrics/*.json"), ("other", settings.runs, ".studio/metrics/*.json")):
        for path in sorted(root.glob(pattern)):
            if path.parent.parent.name != ".studio" or kind == "other":
                files[f"{kind}/{path.parent.parent.name}/{path.stem}"] = path
    return files


@lru_cache(maxsize=512)
def _read(path: Path, stamp: tuple[int, int]) -> Result | str:
    """A result, or the sentence why it is none."""
    try:
        if stamp[1] > MOST_BYTES:
            return f"{path.name} is too large for a result ({stamp[1]} bytes)."
        result = Result.from_json(path.read_text(encoding="utf-8"))
        _table([("run/its/name", result)], None)  # all that the page tells of it is there
        return result
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be used: {error}."
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{path.name} cannot be used: it is damaged, or of another version ({type(error).__name__}: {error})."


def read(path: Path) -> Result | str:
    """A result, or the sentence why it is none."""
    try:
        about = path.stat()
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}."
    return _read(path, (about.st_mtime_ns, about.st_size))


def tables(studio: Studio) -> dict[str, Any]:
    """{"tables": one a protocol, the newest first, "broken": sentences}."""
    results: list[tuple[str, Result]] = []
    broken = []
    for id, path in found(studio).items():
        result = read(path)
        if isinstance(result, str):
            broken.append(result)
        else:
            results.append((id, result))
    results.sort(key=lambda pair: str(pair[1].about.get("date", "")), reverse=True)
    grouped = [[results[place] for place in places] for places in report.groups([result for _, result in results])]
    first = grouped[0][0][1] if grouped else None
    return {"tables": [_table(group, first) for group in grouped], "broken": broken}


def _table(group: list[tuple[str, Result]], first: Result | None) -> dict[str, Any]:
    result = group[0][1]
    apart = report.differences(first, result) if first is not None and first.key != result.key else []
    rows = [{"id": name, "label": evaluate.label(name, result.protocol), "better": evaluate.better(name),
             "main": name in KEYS, "about": evaluate.about_level(name, result.values),
             "floor": columns["floor"], "ceiling": columns["ceiling"],
             "values": [one.values.get(name, {}).get("value") for _, one in group]}
            for name, columns in result.values.items() if not name.endswith("_deviation")]
    return {"key": result.key, "sentence": report.sentence(result), "apart": apart, "rows": rows,
            "unseen": report.held_out(result), "held_out": (result.about.get("held_out") or {}).get("kind"),
            "columns": [{"id": id, "name": _name(id, one), "loss": one.model["loss"], "clips": one.model["clips"],
                         "date": str(one.about.get("date", ""))[:10]} for id, one in group]}


def _name(id: str, result: Result) -> str:
    """Of the model: its run's or its file's name."""
    kind, folder, _ = id.split("/")
    return folder if kind != "other" else str(result.about.get("model")).partition(":")[2]


def model_of(studio: Studio, file: Path, result: Result) -> str:
    """The id of the model that a result is of, told by where its file lies: a run may have another name by now."""
    folder = file.parent.parent
    if folder.name == ".studio":
        return str(result.about.get("model"))
    return (f"run:{folder.name}@{result.model['clips']:09d}" if folder.parent == studio.settings.runs
            else f"asset:{folder.name}")


def _real_clips(opened: Opened, result: Result, store_of: Callable[[Opened, str, Progress], ClipStore]) -> ClipStore:
    """Those that were compared with: named by the result, or, of one from the command line, its own or the store's.
    Raises DataError."""
    about = result.about
    for name in [about["real"]] if "real" in about else [OWN, str(about.get("store"))]:
        try:
            store = store_of(opened, name, lambda *_: None)
            p = result.protocol
            real = Against.of(opened.model, store, p["seed"], p["reals"]["split"], p["reals"].get("mirror", True))
        except DataError:
            continue
        real.close()
        if real.are_of(result.protocol):
            return store
    raise DataError("The real clips are not those that were compared with any more, or not among the studio's.")


def pairs(studio: Studio, file: Path, store_of: Callable[[Opened, str, Progress], ClipStore]) -> Response:
    """The first samples of a result, each followed by the nearest training clip, then clips that show what is near
    (report.nearest_pairs), as a sprite sheet of 4 * SHOWN rows.

    Raises DataError where the result cannot be read, or model or clips are no longer what was measured.
    """
    result = read(file)
    if isinstance(result, str):
        raise DataError(result)
    try:
        opened = studio.models.open(model_of(studio, file, result))
    except UnknownModelError as error:
        raise DataError("The checkpoint that was measured is not kept any more.") from error
    if evaluate.file_hash(opened.entry.path) != result.model["sha256"]:
        raise DataError("The model's file is not the one that was measured any more.")
    store = _real_clips(opened, result, store_of)
    both = report.nearest_pairs(result, opened.model, store, SHOWN)
    return sheet_answer(Sheet(encode_jpeg(sprite_sheet(both)), *both.shape[:3]))
