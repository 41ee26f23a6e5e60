"""The lesson on failures: recorded trainings that go wrong (python -m train.failures), and what the monitor says of
each at each of its snapshots: computed here, by the rules that watch a training in Train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Response

from pvswgan.studio import alerts, train_watch
from pvswgan.studio.compare_facts import differences
from pvswgan.studio.form_fields import flat
from train.run import RunFolder, Sample

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "failures"
# Each failure, and the training that differs from it in nothing but its cause.
CASES = {"collapse": "healthy", "frozen": "moving", "flicker": "healthy", "runaway": "leashed", "nan": "healthy"}
KNOWN = (*CASES, *dict.fromkeys(CASES.values()))


@dataclass(frozen=True)
class Recorded:
    """A training as it was kept. said: what the monitor says at each snapshot."""

    run: RunFolder
    status: dict[str, Any]
    rows: list[dict[str, Any]]
    snapshots: list[Sample]
    reals: list[Sample]
    looks: dict[int, alerts.Look]
    said: list[list[dict[str, Any]]]


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lesson's routes, behind the guard."""
    folder, guarded = studio.settings.assets / "failures", [Depends(guard)]
    opened = lru_cache(maxsize=len(KNOWN))(lambda name: recorded(folder / name))

    def known(name: str) -> Recorded:
        if name not in KNOWN:
            raise HTTPException(404, f"There is no recorded training {name!r}; allowed: {', '.join(KNOWN)}")
        if not there(folder / name):
            raise HTTPException(404, f"assets/failures/{name} is not there: python -m train.failures makes it")
        return opened(name)

    @app.get("/api/learn/failures", dependencies=guarded)
    def failures() -> dict[str, Any]:
        return {"cases": [name for name, healthy in CASES.items() if there(folder / name) and there(folder / healthy)]}

    @app.get("/api/learn/failures/{name}", dependencies=guarded)
    def failure(name: str) -> dict[str, Any]:
        found = known(name)
        healthy = CASES.get(name)
        return told(found, None if healthy is None else known(healthy)) | {
            "healthy": healthy, "yaml": (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")}

    @app.get("/api/learn/failures/{name}/sheet", dependencies=guarded)
    def sheet(name: str, at: Annotated[int, Query(ge=0, le=9999)], real: bool = False) -> Response:
        """at: a snapshot; real: the real clips of its size instead."""
        found = known(name)
        if at >= len(found.snapshots):
            raise HTTPException(404, f"at is {at}; allowed: 0 to {len(found.snapshots) - 1}")
        sample = found.snapshots[at]
        if real:
            same = [one for one in found.reals if one.frames == sample.frames and one.resolution == sample.resolution]
            sample = (same or found.reals)[-1]
        return Response(sample.path.read_bytes(), media_type="image/png")


def there(folder: Path) -> bool:
    return (folder / "stats.jsonl").is_file() and any((folder / "samples").glob("reals-*.png"))


def recorded(folder: Path) -> Recorded:
    """Read a training, and have the monitor look at it as it stood at each snapshot."""
    run = RunFolder(folder)
    status, rows, samples = run.status() or {}, alerts.last_rows(folder / "stats.jsonl"), run.samples()
    plan = train_watch.plan_of(run.config())
    snapshots, reals = ([one for one in samples if (one.clips < 0) is real] for real in (False, True))
    looks: dict[int, alerts.Look] = {}
    said = []
    for place, sample in enumerate(snapshots):
        seen = alerts.looks_of([*reals, *snapshots[: place + 1]])
        looks |= {look.clips: look for look in seen}
        last = sample is snapshots[-1]  # then all that followed is known too, such as how it ended
        found = alerts.of_training(status if last else {}, rows if last else [
            row for row in rows if row["clips"] <= sample.clips], seen, plan)
        said.append([asdict(alert) for alert in found if alert])
    return Recorded(run, status, rows, snapshots, reals, looks, said)


def told(found: Recorded, healthy: Recorded | None) -> dict[str, Any]:
    """What the page shows of a training. differs: [{"key", "values": (here, in the healthy one)}]."""
    moments = [{"clips": one.clips, "frames": one.frames, "resolution": one.resolution, "alerts": said,
                "diversity": look and look.diversity, "motion": look and look.motion}
               for one, said in zip(found.snapshots, found.said, strict=True)
               for look in (found.looks.get(one.clips),)]
    configs = [] if healthy is None else [flat(one.run.config()) for one in (found, healthy)]
    return {"plan": train_watch.plan_json(train_watch.plan_of(found.run.config())), "moments": moments,
            "rows": found.rows,
            "ended": {key: found.status.get(key) for key in ("state", "error", "clips", "machine")},
            "differs": differences(configs) if configs else []}
