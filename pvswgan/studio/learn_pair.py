"""The lesson on SWGAN and WGAN-GP: what the studies that were made (python -m train.study) say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI

from pvswgan.metrics.evaluate import label

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

ROOT = Path(__file__).resolve().parents[2]
MEASURES = ("fid", "swd")
LOSSES = {"swgan", "wgan-gp"}  # the arms that the lesson is about


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's route, behind the guard."""

    @app.get("/api/learn/studies", dependencies=[Depends(guard)])
    def studies() -> dict[str, Any]:
        return told(ROOT / "configs", ROOT / "docs" / "study")


def told(configs: Path, results: Path) -> dict[str, Any]:
    """{"studies": those in which both losses have results, "problem": a sentence where results cannot be used}."""
    from train.config import installed
    from train.study import plan, report

    known, found, problem = {}, [], None
    for path in installed(configs, studies=True):
        try:
            study = plan.load(path)
        except ValueError as error:
            problem = str(error)
            continue
        known[study.name] = (study, _question(path) or study.name)
    for folder in sorted(path for path in results.glob("*") if path.name in known and (path / "results").is_dir()):
        study, question = known[folder.name]
        try:
            done = [one for one in report.read(study, folder) if one.result]
        except ValueError as error:
            problem = str(error)
            continue
        if {one.arm for one in done} >= LOSSES:
            found.append({"question": question, **_study(study, done)})
    return {"studies": found, "problem": problem}


def _question(path: Path) -> str:
    """What a study asks: its first line, without the command that it begins with."""
    from train.config import describe

    text = describe(path).rpartition(".yaml: ")[2]
    return text[:1].upper() + text[1:]


def _study(study: Any, done: list[Any]) -> dict[str, Any]:
    """Of the measures, those that all have: too few clips have no FID."""
    from train.study import report

    measures = [id for id in MEASURES if all(one.value(id) is not None for one in done)]
    arms = {arm: [one for one in done if one.arm == arm] for arm in study.arms}
    values = done[0].result.values
    return {"name": study.name, "lasting": report.lasting(study, done), "note": report.earlier(done),
            "machine": done[0].facts["machine"], "measures": measures, "labels": {id: label(id) for id in measures},
            "arms": [{"name": arm, "seeds": [one.seed for one in trained],
                      **{id: [one.value(id) for one in trained] for id in measures}}
                     for arm, trained in arms.items() if trained],
            "floor": {id: values[id]["floor"] for id in measures},
            "ceiling": {id: values[id]["ceiling"] for id in measures}}
