"""What the Train page knows of runs: all of it read from their folders, each answer JSON that a script polls.

A run id or a file name that comes from the page is only compared with what is there, never used as a path.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException

from pvswgan.checkpoint import network_checkpoints
from pvswgan.growth import GrowthPlan, make_plan
from pvswgan.studio import processes
from train.run import ACTIVE, REQUESTS, RunFolder, Sample, list_runs

PLOTTED = (
    "clips",
    "stage",
    "alpha",
    "clips_per_s",
    "loss_G",
    "loss_D",
    "score_real",
    "score_fake",
    "distance",
    "gradient_penalty",
    "slope_penalty",
    "grad_norm_G",
    "grad_norm_D",
    "slice_scale_min",
    "slice_scale_mean",
    "slice_scale_max",
    "memory_mb",
    "fid",
    "fid_floor",
    "fid_ceiling",
    "swd",
    "swd_floor",
    "swd_ceiling",
    "recall",
    "recall_floor",
    "recall_ceiling",
    "motion_distance",
    "motion_distance_floor",
    "motion_distance_ceiling",
    "flicker",
    "flicker_floor",
    "flicker_ceiling",
    "protocol",
    "event",
)
SHOWN = (
    "stage",
    "frames",
    "resolution",
    "alpha",
    "phase",
    "clips",
    "kimg",
    "total_kimg",
    "clips_per_s",
    "eta_s",
    "snapshot",
    "started",
    "updated",
    "device",
)


# ---- runs -------------------------------------------------------------------------------------------------


def runs(root: Path) -> list[RunFolder]:
    """Every run under `root`, newest first; those too that still prepare their clips (no config.yaml)."""
    found = list_runs(root)
    known = {folder.path.name for folder in found}
    marks = [mark for name in ("status.json", processes.LAUNCH_LOG) for mark in root.glob(f"*/{name}")]
    young = {mark.parent: _modified(mark) for mark in marks if mark.parent.name not in known}
    return [RunFolder(path) for path in sorted(young, key=lambda path: -young[path])] + found


def known(root: Path, name: str) -> RunFolder | None:
    """The run of that name under `root`."""
    return next((folder for folder in runs(root) if folder.name == name), None)


def in_training(root: Path) -> str | None:
    """The name of a run under `root` that is being trained; None where there is none."""
    return next((folder.name for folder in runs(root) if state_of(folder)[0] in ACTIVE), None)


def find(root: Path, run: str) -> RunFolder:
    """The run of that name under `root`. Raises HTTPException, 404."""
    if folder := known(root, run):
        return folder
    raise HTTPException(404, f"There is no run {run!r} any more. Choose another in the list.")


def state_of(folder: RunFolder) -> tuple[str, str]:
    """(state, sentence) for people. A folder without a status is a training being loaded, or that died."""
    status = folder.status()
    if processes.loading(folder.path, status):
        return "starting", "The training process is loading."
    if status is not None:
        return str(folder.state()), str(status.get("error") or status.get("message") or "")
    last = next((line for line in reversed(processes.launch_log(folder.path)) if line.strip()), "")
    return "failed", f"The training ended before its first step. {last}".strip()


def summary(folder: RunFolder) -> dict[str, Any]:
    """One line of the list of runs."""
    status = folder.status() or {}
    state, message = state_of(folder)
    config = folder.config()
    return {
        "id": folder.path.name,
        "state": state,
        "message": message,
        "loss": _dig(config, "loss", "name"),
        "data": _data_name(config),
        **{key: finite(status.get(key)) for key in SHOWN},
    }


def detail(folder: RunFolder, read_only: bool) -> dict[str, Any]:
    """What the page shows of one run. Of statistics, samples and log the sizes: are there new?"""
    status, config = folder.status() or {}, folder.config()
    answer = summary(folder)
    waiting = [name for name in REQUESTS if (folder.path / "requests" / name).exists()]
    answer.update(
        error=status.get("error"),
        plan=plan_json(plan_of(config)),
        waiting=waiting,
        time=_dig(config, "data", "time"),
        rests=answer["state"] not in ACTIVE,
        read_only=read_only,
        can=[] if read_only else possible(answer["state"], folder, waiting),
        process=status.get("pid"),
        sizes={
            "stats": _size(folder.path / "stats.jsonl"),
            "log": _size(folder.path / "log.txt"),
            "samples": len(folder.samples()),
        },
        checkpoints=explorable(folder.path),
    )
    return answer


def possible(state: str, folder: RunFolder, waiting: list[str]) -> list[str]:
    """Which requests make sense now."""
    if processes.loading(folder.path, folder.status()):
        return []  # its process would sweep away what was asked before it came
    if state in ("running", "starting"):
        return [name for name in ("pause", "stop", "snapshot") if name not in waiting]
    if state == "paused":
        return [name for name in ("resume", "stop", "snapshot") if name not in waiting]
    if state in ("stopped", "failed") and any((folder.path / "checkpoints").glob("*-training.safetensors")):
        return ["resume"]
    return []


def explorable(run: Path) -> list[int]:
    """The clips after which there is a model to explore, oldest first."""
    numbers = (path.name.partition("-")[0] for path in network_checkpoints(run))
    return [int(number) for number in numbers if number.isdigit()]


def plan_of(config: dict[str, Any]) -> GrowthPlan | None:
    """The growth plan of a resolved configuration, or None."""
    growth = config.get("growth")
    if not isinstance(growth, dict):
        return None
    known = ("order", "stages", "resolution", "frames", "fade_kimg", "stable_kimg", "total_kimg")
    try:
        return make_plan(**{key: growth[key] for key in known if key in growth})
    except (TypeError, ValueError, OverflowError):
        return None


def plan_json(plan: GrowthPlan | None) -> dict[str, Any] | None:
    """For the growth ruler: {stages: [{frames, resolution, fade, stable, start}], total}, in clips."""
    if plan is None:
        return None
    stages = [
        {
            "frames": s.frames,
            "resolution": s.resolution,
            "fade": s.fade,
            "stable": s.stable,
            "start": plan.start(n),
        }
        for n, s in enumerate(plan.stages)
    ]
    return {"stages": stages, "total": plan.total}


# ---- statistics, samples, log ------------------------------------------------------------------------------


def new_rows(path: Path, since: int) -> dict[str, Any]:
    """The statistics after byte `since` that the page plots: {"rows", "next", "reset"}, as new_lines has them."""
    lines, following, reset = new_lines(path, since)
    rows = [{key: finite(line[key]) for key in PLOTTED if key in line} for line in lines]
    return {"rows": rows, "next": following, "reset": reset}


def new_lines(path: Path, since: int) -> tuple[list[dict[str, Any]], int, bool]:
    """(lines of stats.jsonl after byte `since`, the byte to go on from, reset).

    A byte offset lets a poll cost what is new, however long the run. A last line that is still being written
    waits for the next poll. Where `since` does not end a line, the file is another than it was: "reset" is
    true and the lines are all of it.
    """
    try:
        with path.open("rb") as file:
            reset = not _ends_a_line(file, since)
            start = 0 if reset else since
            file.seek(start)
            data = file.read()
    except OSError:
        return [], 0, since > 0
    whole = data[: data.rfind(b"\n") + 1]
    lines = [line for text in whole.splitlines() if (line := _line(text)) is not None]
    return lines, start + len(whole), reset


def sample_list(folder: RunFolder) -> dict[str, Any]:
    """{"snapshots": [{file, url, clips, frames, resolution}] oldest first, "reals": the same}."""
    every = [_sample(folder, sample) for sample in folder.samples()]
    return {"snapshots": [s for s in every if s["clips"] >= 0], "reals": [s for s in every if s["clips"] < 0]}


def log_lines(folder: RunFolder, lines: int) -> list[str]:
    """The end of the run's log; where it has none, what its process printed."""
    return folder.log_tail(lines).splitlines() or processes.launch_log(folder.path, lines)


def finite(value: Any) -> Any:
    """JSON has no NaN: what is not a finite number becomes null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ends_a_line(file: Any, offset: int) -> bool:
    if offset <= 0:
        return offset == 0
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _sample(folder: RunFolder, sample: Sample) -> dict[str, Any]:
    return {
        "file": sample.path.name,
        "url": _sheet_url(folder, sample.path),
        "clips": sample.clips,
        "frames": sample.frames,
        "resolution": sample.resolution,
    }


def _sheet_url(folder: RunFolder, path: Path) -> str:
    """Relative, to work behind a proxy's sub-path; the time in it lets the browser keep each version."""
    return f"api/runs/{quote(folder.path.name)}/sample/{quote(path.name)}?v={_modified(path)}"


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _dig(config: dict[str, Any], *keys: str) -> Any:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _data_name(config: dict[str, Any]) -> str | None:
    """What a run is trained on, short: the folder's name, or the source that needs no folder."""
    path = _dig(config, "data", "path")
    return Path(str(path)).name if path else _dig(config, "data", "source")
