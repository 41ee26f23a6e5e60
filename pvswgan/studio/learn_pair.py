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


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's route, behind the guard."""

    @app.get("/api/learn/studies", dependencies=[Depends(guard)])
    def studies() -> dict[str, Any]:
        return told(ROOT / "configs", ROOT / "docs" / "study")


def told(configs: Path, results: Path) -> dict[str, Any]:
    """{"studies": those that have results, "problem": a sentence where results cannot be used}."""
    from train.config import installed
    from train.study import plan, report

    found, problem = [], None
    for folder in sorted(path for path in results.glob("*") if (path / "results").is_dir()):
        try:
            known = {study.name: study for study in map(plan.load, installed(configs, studies=True))}
            study = known.get(folder.name)
            done = [] if study is None else [one for one in report.read(study, folder) if one.result]
        except ValueError as error:
            problem = str(error)
            continue
        if study is not None and done:
            found.append(_study(study, done))
    return {"studies": found, "problem": problem}


def _study(study: Any, done: list[Any]) -> dict[str, Any]:
    arms = []
    for arm in study.arms:
        trained = [one for one in done if one.arm == arm]
        if trained:
            arms.append({"name": arm, "seeds": [one.seed for one in trained],
                         **{id: [one.value(id) for one in trained] for id in MEASURES}})
    values = done[0].result.values
    return {"name": study.name, "minutes": study.minutes, "machine": done[0].facts["machine"], "arms": arms,
            "measures": MEASURES, "labels": {id: label(id) for id in MEASURES},
            "floor": {id: values[id]["floor"] for id in MEASURES},
            "ceiling": {id: values[id]["ceiling"] for id in MEASURES}}
