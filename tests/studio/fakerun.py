"""A run folder as the trainer leaves it, without any training: to test the page, and to look at it.

python -m tests.studio.fakerun /tmp/runs            a few runs in every state
python -m tests.studio.fakerun /tmp/runs --live     and one that advances and takes requests
"""

from __future__ import annotations

import argparse
import json
import math
import os
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pvswgan.growth import GrowthPlan, make_plan

GROWTH = {
    "order": "paper",
    "resolution": 32,
    "frames": 16,
    "fade_kimg": 6,
    "stable_kimg": 8,
    "total_kimg": 64,
}
CLIPS = 12


def config(loss: str = "swgan", **growth: Any) -> dict[str, Any]:
    """A resolved configuration with the keys that the page reads."""
    return {
        "seed": 0,
        "device": "cpu",
        "precision": "float32",
        "data": {"source": "toyfaces", "path": None, "mirror": True, "time": "average"},
        "growth": {**GROWTH, **growth},
        "loss": {"name": loss},
        "train": {"batch": 16, "lr": 0.001},
        "log": {"tick_kimg": 0.5, "snapshot_kimg": 4, "keep": 3},
    }


def plan_of(settings: dict[str, Any]) -> GrowthPlan:
    return make_plan(**settings["growth"])


class FakeRun:
    """Writes a run folder tick by tick. `clips` is where it is; `ill` what ails it from now on: "collapsed" or "frozen"
    samples, a "strong critic", or nothing."""

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None, pid: int | None = None) -> None:
        self.folder, self.settings = folder, settings or config()
        self.plan, self.pid = plan_of(self.settings), pid or os.getpid()
        self.clips, self.rng = 0, np.random.default_rng(0)
        self.snapshot: int | None = None
        self.ill = ""
        for name in ("samples", "checkpoints", "requests"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(self.settings))
        self.started = time.time()
        self.log(f"device cpu, {self.settings['data']['source']}, {CLIPS} fixed latents")
        for frames, resolution in self.plan.sizes:
            self._write_sheet(f"reals-{frames}x{resolution}.png", frames, resolution, 0.0)

    def resume(self) -> None:
        """Go back to the newest checkpoint."""
        newest = max((self.folder / "checkpoints").glob("*-training.safetensors"))
        self.clips = self.snapshot = int(newest.name.partition("-")[0])

    def log(self, line: str) -> None:
        with (self.folder / "log.txt").open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def status(self, state: str, **more: Any) -> None:
        """status.json, replaced atomically."""
        at = self.plan.at(self.clips)
        stage = self.plan.stages[at.stage]
        record = {
            "state": state,
            "pid": self.pid,
            "started": self.started,
            "updated": time.time(),
            "device": "cpu",
            "stage": at.stage,
            "frames": stage.frames,
            "resolution": stage.resolution,
            "alpha": at.alpha,
            "phase": at.phase,
            "clips": self.clips,
            "kimg": self.clips / 1000,
            "total_kimg": self.plan.total / 1000,
            "clips_per_s": 41.7,
            "eta_s": (self.plan.total - self.clips) / 41.7,
            "snapshot": self.snapshot,
            "error": None,
            "message": "",
        } | more
        aside = self.folder / ".status.json"
        aside.write_text(json.dumps(record))
        os.replace(aside, self.folder / "status.json")

    def tick(self, clips: int = 500) -> None:
        """Advance by `clips`; one line of statistics, and a snapshot every 4,000 clips."""
        self.clips = min(self.clips + clips, self.plan.total)
        with (self.folder / "stats.jsonl").open("a") as file:
            file.write(json.dumps(self._statistics()) + "\n")
        if self.clips // 4000 > (self.snapshot or 0) // 4000 or self.clips == clips:
            self.take_snapshot()

    def take_snapshot(self) -> None:
        at = self.plan.at(self.clips)
        stage = self.plan.stages[at.stage]
        name = f"{self.clips:09d}-{stage.frames}x{stage.resolution}.png"
        self._write_sheet(name, stage.frames, stage.resolution, 0.3 * (1 - self.clips / self.plan.total))
        for kind in ("network", "training"):
            (self.folder / "checkpoints" / f"{self.clips:09d}-{kind}.safetensors").write_bytes(b"")
        self.snapshot = self.clips
        self.log(f"snapshot {name}")

    def _statistics(self) -> dict[str, Any]:
        at = self.plan.at(self.clips)
        stage = self.plan.stages[at.stage]
        noise, k = self.rng.normal(size=8), self.clips / 1000
        bump = 2 * math.exp(-((self.clips - self.plan.start(at.stage)) / 2500))
        return {
            "clips": self.clips,
            "kimg": k,
            "stage": at.stage,
            "frames": stage.frames,
            "resolution": stage.resolution,
            "alpha": at.alpha,
            "phase": at.phase,
            "seconds": self.clips / 41.7,
            "clips_per_s": 41.7 + noise[0],
            "eta_s": (self.plan.total - self.clips) / 41.7,
            "loss_G": 0.8 + 0.3 * noise[1] + bump * 0.4,
            "loss_D": -1.2 - bump + 0.25 * noise[2],
            "score_real": -0.6 + 0.1 * noise[3],
            "score_fake": 0.6 + bump / 2 + 0.1 * noise[4],
            "distance": 1.2 + bump / 2 + 0.1 * noise[5],
            "gradient_penalty": abs(0.1 + 0.03 * noise[6] + bump / 6),
            "grad_norm_G": abs(1 + 0.3 * noise[0]),
            "grad_norm_D": abs(3 + noise[1] + bump),
            "lr": 0.001,
            "batch": 16,
            "memory_mb": 400 + 4 * k,
        } | self._slices(k, noise[7]) | self._strong_critic(noise)

    def _strong_critic(self, noise: np.ndarray) -> dict[str, float]:
        if self.ill != "strong critic":
            return {}
        return {"distance": 9 + noise[5], "score_fake": 8 + noise[4], "grad_norm_G": abs(0.01 + 0.002 * noise[0])}

    def _slices(self, k: float, noise: float) -> dict[str, float]:
        if self.settings["loss"]["name"] != "swgan":
            return {}
        mean = 1.2 + 1.5 * (1 - math.exp(-k / 20))
        scales = {"slice_scale_min": mean / 2, "slice_scale_mean": mean, "slice_scale_max": mean**1.6}
        return scales | {"slope_penalty": 0.02 + abs(noise) / 90}

    def _write_sheet(self, name: str, frames: int, resolution: int, noise: float) -> None:
        collapsed, frozen = self.ill == "collapsed", self.ill == "frozen"
        clips = np.stack([draw(0 if collapsed else i, frames, resolution) for i in range(CLIPS)])
        if frozen:
            clips[:] = clips[:, :1]
        if self.ill == "flickers":  # every other frame is brighter
            clips[:, ::2] += 60
        grain = self.rng.normal(size=clips.shape) * (0 if collapsed or frozen else noise) * 90
        u8 = np.clip(clips + grain, 0, 255).astype(np.uint8)
        sheet = u8.transpose(0, 2, 1, 3, 4).reshape(CLIPS * resolution, frames * resolution, 3)
        aside = self.folder / f".{name}"
        aside.write_bytes(png(sheet))
        os.replace(aside, self.folder / "samples" / name)


def draw(index: int, frames: int, resolution: int) -> np.ndarray:
    """A disc that swings over a coloured ground, (T, H, W, 3) float; no two of the clips look alike."""
    t = np.arange(frames)[:, None, None] / frames
    y, x = np.mgrid[0:resolution, 0:resolution][:, None] / resolution
    cx = 0.5 + 0.25 * np.sin(2 * np.pi * (t + index / CLIPS))
    inside = ((x - cx) ** 2 + (y - 0.45 - 0.02 * (index % 3)) ** 2 < 0.05)[..., None]
    hue = 2 * np.pi * index / CLIPS
    ground = 110 + 90 * np.array([math.sin(hue), math.sin(hue + 2.1), math.sin(hue + 4.2)])
    skin = np.array([226.0, 180 - 8 * (index % 6), 140 - 9 * (index % 5)])
    return np.where(inside, skin, ground * (0.6 + 0.4 * y[..., None]))


def png(image: np.ndarray) -> bytes:
    """uint8 (H, W, 3) as PNG."""
    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def make(
    folder: Path, clips: int, state: str = "stopped", loss: str = "swgan", pid: int = 2**22 + 1,
    settings: dict[str, Any] | None = None, **more: Any
) -> FakeRun:
    """A run of `clips` clips that rests in `state`; no process has that pid unless one is given."""
    run = FakeRun(folder, settings or config(loss), pid)
    while run.clips < min(clips, run.plan.total):
        run.tick()
    run.status(state, **more)
    return run


def live(run: FakeRun, seconds: float = 0.5, clips: int = 500) -> None:
    """Advance in real time and take requests, as the trainer does, until the plan ends or a stop."""
    paused = False
    while run.clips < run.plan.total:
        asked = _take_requests(run.folder)
        if "stop" in asked:
            run.status("stopped", message="stopped by request")
            return
        paused = (paused or "pause" in asked) and "resume" not in asked
        if "snapshot" in asked:
            run.take_snapshot()
        if not paused:
            run.tick(clips)
        run.status("paused" if paused else "running")
        time.sleep(seconds)
    run.status("finished")


def _take_requests(folder: Path) -> set[str]:
    names = set()
    for path in (folder / "requests").iterdir():
        names.add(path.name)
        path.unlink(missing_ok=True)
    return names


def trainer(arguments: Sequence[str]) -> None:
    """The command line of `python -m train`, pretended: a tick each 50 ms."""
    from train import config as schema

    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--run-dir", type=Path)
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_intermixed_args(arguments)
    folder = asked.run_dir
    if asked.resume:
        asked.config = str(folder / "config.yaml")
    run = FakeRun(folder, schema.load(asked.config, asked.overrides).model_dump(mode="json"))
    if asked.resume:
        run.resume()
    live(run, seconds=0.05, clips=200)


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == "--as-trainer":
        return trainer(arguments[1:])
    root = Path(arguments[0])
    error = "The generator's loss is not a number at clip 17,500 (stage 1). The last good checkpoint is kept."
    make(root / "faces-wgan-gp", 30_000, "stopped", "wgan-gp", message="stopped by request")
    make(root / "faces-broken", 17_500, "failed", error=error)
    make(root / "faces-finished", 64_000, "finished")
    if "--live" in arguments:
        run = FakeRun(root / "faces-live")
        while run.clips < 21_000:
            run.tick()
        live(run)


if __name__ == "__main__":
    main(sys.argv[1:])
