"""A training of a study measured: networks at the moments of its time, and its cost. Runs in a process of its own."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pvswgan import checkpoint
from pvswgan.checkpoint import network_checkpoints
from pvswgan.files import write_text
from pvswgan.metrics import evaluate
from train.baselines import make_engine
from train.clips import store_of
from train.config import load
from train.machine import machine
from train.run import RunFolder
from train.study.plan import Study, Training


def measure(study: Study, training: Training, run: Path, out: Path) -> None:
    """Write OUT/results/ARM-SEED.json, complete or not at all, and OUT/samples/ARM-SEED.png: the run's last sheet of
    fixed latents. A network that does not yet give clips of the last size is not measured: its numbers would be of
    other clips."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)             # of the terminal: it is for the study, which ends this
    if study.threads is not None:
        torch.set_num_threads(study.threads)
    folder = RunFolder(run)
    status, config = folder.status() or {}, load(run / "config.yaml")
    ticks = [line for line in folder.stats() if "cpu_seconds" in line]
    record: dict[str, Any] = {
        "study": study.name, "arm": training.arm, "seed": training.seed, "config": config.model_dump(mode="json"),
        "machine": machine(), "minutes": study.minutes, "kimg": study.kimg, "device": status.get("device"),
        "parameters": parameters(training), "cost": cost(status, ticks),
        "failed": status.get("error") if status.get("state") == "failed" else None}
    store, moments, last = store_of(config), [], None
    device = str(status.get("device", "cpu")) if torch.cuda.is_available() else "cpu"
    for share, path in networks(study, run, ticks, status):
        model = checkpoint.load(path, device)
        whole = (model.frames, model.resolution) == config.plan().sizes[-1]
        at = {"share": share, "clips": model.clips, "stage": model.stage, "alpha": model.alpha,
              "size": f"{model.frames}x{model.resolution}x{model.resolution}", "values": None}
        if whole:
            last = evaluate.evaluate(model, store, clips=study.clips)
            at["values"] = last.values
        moments.append(at)
    record |= {"moments": moments, "result": None if last is None else asdict(last)}
    _keep_sheets(folder, training, out, with_reals=training.seed == study.seeds[0])
    (out / "results").mkdir(parents=True, exist_ok=True)
    write_text(out / "results" / f"{training.name}.json", json.dumps(record, indent=1) + "\n")


def _keep_sheets(folder: RunFolder, training: Training, out: Path, with_reals: bool) -> None:
    """The fixed latents as they were last, and the real clips at that size, which are others for another seed."""
    sheets = [sample for sample in folder.samples() if sample.clips >= 0]
    reals = [sample for sample in folder.samples() if sample.clips < 0]
    if sheets:
        (out / "samples").mkdir(parents=True, exist_ok=True)
        shutil.copy(sheets[-1].path, out / "samples" / f"{training.name}.png")
        for sample in reals if with_reals else []:
            if (sample.frames, sample.resolution) == training.config.plan().sizes[-1]:
                shutil.copy(sample.path, out / "samples" / "reals.png")


def networks(study: Study, run: Path, ticks: list[dict[str, Any]], status: dict[str, Any]) -> list[tuple[float, Path]]:
    """(share, file) for each moment: of the networks that were kept, the one nearest to it in time, or in clips."""
    key = study.counted(status)
    paths = [path for path in network_checkpoints(run) if int(path.name[:9])]
    if not paths or not ticks:
        return []
    times = {path: seconds_at(int(path.name[:9]), ticks, key) for path in paths}
    found: list[tuple[float, Path]] = []
    for share in study.moments:
        nearest = min(paths, key=lambda path: abs(times[path] - share * study.length))
        if not found or found[-1][1] != nearest:
            found.append((share, nearest))
    return found


def seconds_at(clips: int, ticks: list[dict[str, Any]], key: str) -> float:
    """When so many clips had been trained on, between the ticks by proportion."""
    before = {"clips": 0, key: 0.0}
    for tick in ticks:
        if tick["clips"] >= clips:
            part = (clips - before["clips"]) / max(1, tick["clips"] - before["clips"])
            return before[key] + part * (tick[key] - before[key])
        before = tick
    return float(before[key])


def parameters(training: Training) -> dict[str, int]:
    """Of the networks at their last size."""
    engine = make_engine(training.config, torch.device("cpu"), "float32")
    return {name: sum(p.numel() for p in module.parameters())
            for name, module in (("generator", engine.G), ("critic", engine.D))}


def cost(status: dict[str, Any], ticks: list[dict[str, Any]]) -> dict[str, Any]:
    """Clips trained on, seconds of both clocks, greatest memory, and clips a second of processor time at the end."""
    last = ticks[-1] if ticks else {}
    end = [tick for tick in ticks if tick["stage"] == last.get("stage")]
    rate = None
    if len(end) > 1 and end[-1]["cpu_seconds"] > end[0]["cpu_seconds"]:
        rate = (end[-1]["clips"] - end[0]["clips"]) / (end[-1]["cpu_seconds"] - end[0]["cpu_seconds"])
    return {"clips": status.get("clips"), "seconds": round(status.get("seconds", 0.0), 1),
            "cpu_seconds": round(status.get("cpu_seconds", 0.0), 1), "clips_per_cpu_second": rate,
            "memory_mb": max((tick["memory_mb"] for tick in ticks), default=None)}
