"""What is known of the runs and models that are compared: configurations, costs, measures of the samples."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pvswgan import video
from pvswgan.checkpoint import CheckpointError, build_generator
from pvswgan.metrics.swd import patch_swd
from pvswgan.studio import compare_stats, sheet_measures, train_watch
from pvswgan.studio.form_fields import flat
from pvswgan.studio.models import UnknownModelError
from train.run import RunFolder, Sample
from train.schema import Data

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

KEPT = 2000  # distances remembered
MOST_ROWS = 2000
LOOKING_S = 1.0
_known: OrderedDict[tuple[Path, int, Path, int], float | None] = OrderedDict()
_measuring = threading.Lock()


def describe(studio: Studio, id: str) -> dict[str, Any]:
    """One side of the comparison.

    id: of a model ("asset:NAME", "run:NAME", "run:NAME@CLIPS"), or of a run that has no such checkpoint.
    {id, name, kind, loss, config, costs, clips, frames, resolution}; the last three are None where there is no
    checkpoint. Raises UnknownModelError, CheckpointError.
    """
    kind = id.partition(":")[0]
    run = run_of(studio, id)
    try:
        opened = studio.models.open(id)
    except (UnknownModelError, CheckpointError):  # of a run the rest is known all the same
        if run is None:
            raise
        return _described(id, run.name, kind, run.config(), run) | {"clips": None, "frames": None, "resolution": None}
    model = opened.model
    config = (run and run.config()) or model.config
    return _described(opened.entry.id, opened.entry.name, kind, config, run) | {
        "clips": model.clips, "frames": model.frames, "resolution": model.resolution}  # fmt: skip


def run_of(studio: Studio, id: str) -> RunFolder | None:
    """The training that a model comes from, where its statistics are at hand: of a run, and of what assets/ ships."""
    kind, _, rest = id.partition(":")
    name = rest.partition("@")[0]
    if kind == "run":
        return train_watch.known(studio.settings.runs, name)
    return train_watch.known(studio.settings.assets, name) if kind == "asset" else None


def _described(id: str, name: str, kind: str, config: Mapping[str, Any], run: RunFolder | None) -> dict[str, Any]:
    loss = config.get("loss") or {}
    return {"id": id, "name": name, "kind": kind, "loss": loss.get("name"), "config": flat(config),
            "costs": _costs(config, run)}


def differences(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The keys in which flat configurations differ: [{"key", "values": one for each, None where it has no such key}].

    An empty one, of a run that is still beginning, is not known yet, and differs in nothing.
    """
    keys = list(dict.fromkeys(key for config in configs for key in config))
    rows = [{"key": key, "values": [config.get(key) for config in configs]} for key in keys]
    known = [place for place, config in enumerate(configs) if config]
    return [row for row in rows if any(row["values"][place] != row["values"][known[0]] for place in known)]


def _costs(config: Mapping[str, Any], run: RunFolder | None) -> dict[str, Any]:
    """{parameters of the generator, seconds trained, clips_per_s at the end, device, state}; None for the unknown."""
    costs: dict[str, Any] = dict.fromkeys(("parameters", "seconds", "clips_per_s", "device", "state"))
    try:
        import torch

        with torch.device("meta"):
            costs["parameters"] = sum(weight.numel() for weight in build_generator(config).parameters())
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError):
        pass  # a configuration that is not there yet, or damaged
    if run is not None:
        rows = compare_stats.rows(run)
        status, last = run.status() or {}, rows[-1] if rows else {}
        costs |= {"seconds": last.get("seconds"), "clips_per_s": train_watch.finite(last.get("clips_per_s")),
                  "device": status.get("device"), "state": train_watch.state_of(run)[0]}  # fmt: skip
    return costs


# ---- curves: a run's statistics, and measures of its samples ---------------------------------------------------------


def curves(run: RunFolder, seconds: float = LOOKING_S) -> dict[str, Any]:
    """{"rows": of statistics, "measures": of samples, "waiting": how many samples are not measured yet, "against": what
    the samples are measured against, see `against`}.

    Every row says where it is: clips (seen), steps (of the critic and generator, clips over batch), seconds (trained).
    Measuring new samples stops after `seconds`; what is measured is remembered, so the next call gets further.
    """
    rows = compare_stats.rows(run)
    measured, waiting = measures(run, seconds)
    if rows:
        at = [row["clips"] for row in rows]
        for key in ("steps", "seconds"):
            along = np.interp([row["clips"] for row in measured], at, [row[key] or 0.0 for row in rows])
            for row, value in zip(measured, along, strict=True):
                row[key] = float(value)
    return {"rows": rows[:: max(1, len(rows) // MOST_ROWS)], "measures": measured, "waiting": waiting,
            "against": against(run)}


def against(run: RunFolder) -> str:
    """A short name of what a run's real clips are drawn from, and how, and of its last size: between two runs of which
    it differs what is measured on samples cannot be compared."""
    config = run.config()
    data, plan = config.get("data") or {}, train_watch.plan_of(config)
    with contextlib.suppress(ValueError):  # of an older run: with what has become usual since
        known = Data.model_validate(data)
        data = known.model_dump(mode="json", exclude={"compact"} | (set() if known.drawn() else {"clips"}))
    wish = json.dumps([data, plan and plan.sizes[-1]], sort_keys=True, default=str)
    return hashlib.sha256(wish.encode()).hexdigest()[:12]


def measures(run: RunFolder, seconds: float = LOOKING_S) -> tuple[list[dict[str, Any]], int]:
    """(of each snapshot's fixed samples, oldest first: {clips, size, swd, diversity, motion}; how many are still to
    measure).

    diversity and motion are shares of the real clips' (1: as among reals), swd see pvswgan.metrics.swd: of so few clips
    a coarse guide. Each is measured once and remembered while the files stay the same.
    """
    samples, until = run.samples(), time.monotonic() + seconds
    reals = {(s.frames, s.resolution): s for s in samples if s.clips < 0}
    pairs = [(s, reals[s.frames, s.resolution]) for s in samples if s.clips > 0 and (s.frames, s.resolution) in reals]
    rows: list[dict[str, Any]] = []
    for done, (sample, real) in enumerate(pairs):
        if time.monotonic() > until:
            return rows, len(pairs) - done
        if row := _row(sample, real):
            rows.append(row)
    return rows, 0


def _row(sample: Sample, real: Sample) -> dict[str, Any] | None:
    own = sheet_measures.of_sheet(sample.path, sample.resolution)
    theirs = sheet_measures.of_sheet(real.path, real.resolution)
    if own is None or theirs is None:
        return None
    size = f"{sample.frames}x{sample.resolution}"
    return {"clips": sample.clips, "size": size, "swd": _distance(sample, real),
            "diversity": _share(own.diversity, theirs.diversity), "motion": _share(own.motion, theirs.motion)}


def _share(value: float, of: float) -> float | None:
    return value / of if of else None


def _distance(sample: Sample, real: Sample) -> float | None:
    try:
        key = (sample.path, sample.path.stat().st_mtime_ns, real.path, real.path.stat().st_mtime_ns)
        with _measuring:
            if key not in _known:
                clips = [video.to_float(_clips(s)) for s in (real, sample)]
                few = min(map(len, clips))
                _known[key] = patch_swd(clips[0][:few], clips[1][:few])
            while len(_known) > KEPT:
                _known.popitem(last=False)
            return _known[key]
    except (OSError, ValueError, SyntaxError):  # gone, or half a file
        return None


def _clips(sample: Sample) -> video.Pixels:
    with Image.open(sample.path) as image:
        return video.split_sheet(np.asarray(image.convert("RGB")), sample.frames)
