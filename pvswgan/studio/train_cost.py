"""What a training would take here, time and memory, before it starts: measured by a process of its own.

The process (train.estimate) runs at low priority with a training's threads, so that neither the page nor its memory
feels it. A measurement serves every configuration that steps alike: how long a stage lasts is arithmetic. Where a
training runs nothing is measured unless somebody asks for it: it would take the training's time, and on a GPU memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pvswgan.studio import processes, train_watch
from train import config as schema
from train.pace import remaining

COMMAND = (sys.executable, "-m", "train.estimate")
LONGEST_S = 300
KEPT = 64


@dataclass
class Measurement:
    """One that is under way or over. page: who asked; found: what the process has told so far."""

    page: str
    found: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        return bool(self.error) or "memory" in self.found


class Costs:
    """The measurements of one studio over the runs folder `root`: at most one at a time, the last ones kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Measurement] = {}
        self._lock = threading.Lock()

    def ask(self, config: schema.Config, page: str, force: bool = False) -> dict[str, Any]:
        """What is known of a configuration by now; begins to measure it where nothing is.

        page: any word for who asks; a page that asks for another configuration gives up the one before.
        {"state": measuring, waiting (for another page's), busy (a training runs: ask with force), done or failed,
        "sentence", and where known "stages": [{clips_per_s, seconds, timed, memory, checkpointing}], "total_s", ...}
        """
        key = _key(config)
        with self._lock:
            known = self._known.get(key)
            if known is None or (known.error and force):
                now = next((m for m in self._known.values() if not m.over), None)
                if now is not None and now.page != page:
                    return _state("waiting", "Another person’s configuration is measured first.")
                if not force and (run := train_watch.in_training(self.root)):
                    return _state("busy", f"{run} is being trained: to measure time and memory now would slow it.")
                self._stop_all()
                known = self._begin(key, config, page)
        return _told(known, config)

    def stop(self) -> None:
        """End what is under way."""
        with self._lock:
            self._stop_all()

    def _stop_all(self) -> None:
        for key in [key for key, known in self._known.items() if not known.over or known.error]:
            process = self._known.pop(key).process
            if process is not None and process.poll() is None:
                process.kill()
        while len(self._known) > KEPT:
            self._known.pop(next(iter(self._known)))

    def _begin(self, key: str, config: schema.Config, page: str) -> Measurement:
        measurement = self._known[key] = Measurement(page)
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  the thread closes it
        try:
            measurement.process = subprocess.Popen(
                COMMAND, cwd=processes.REPOSITORY, env=processes.environment(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        except OSError as error:
            measurement.error = f"Nothing could be measured: {error}."
            return measurement
        processes.lower_priority(measurement.process.pid)
        threading.Thread(target=_listen, args=(measurement, schema.dump(config), errors), daemon=True).start()
        return measurement


def _listen(measurement: Measurement, text: str, errors: IO[str]) -> None:
    """Hand the process its configuration, and keep what it tells."""
    process = measurement.process
    assert process is not None and process.stdin is not None and process.stdout is not None
    limit = threading.Timer(LONGEST_S, process.kill)
    limit.start()
    try:
        with process, errors:
            with suppress(BrokenPipeError):  # it ended before it read: its last words, below, say why
                process.stdin.write(text)
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                for line in process.stdout:
                    measurement.found |= json.loads(line)
            except (OSError, ValueError) as error:
                measurement.error = f"Nothing could be measured: {error}."
            process.wait()
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["the process ended early"])[-1]
    finally:
        limit.cancel()
    if not measurement.over:
        measurement.error = f"Nothing could be measured: {last}"


def _key(config: schema.Config) -> str:
    """All that the time and memory of a step depend on."""
    plan, train = config.plan(), config.train
    phases = [(*size, stage.fade > 0, stage.stable > 0) for size, stage in zip(plan.sizes, plan.stages, strict=True)]
    return json.dumps([
        config.device, config.precision, config.network.model_dump(), config.loss.model_dump(), phases,
        config.batches(), train.critic_steps, train.gp_interval, train.checkpointing, train.augment,
        train.optimiser, train.temporal_contrast,
    ])  # fmt: skip


def _state(state: str, sentence: str) -> dict[str, Any]:
    return {"state": state, "sentence": sentence}


def _told(measurement: Measurement, config: schema.Config) -> dict[str, Any]:
    found = dict(measurement.found)
    if measurement.error:
        return _state("failed", measurement.error)
    state = _state("done" if measurement.over else "measuring", f"Measuring: {found.get('say', 'loading')} …")
    if "per_clip" not in found:
        return state
    plan, per_clip = config.plan(), found["per_clip"]
    memory = found.get("memory") or [None] * len(per_clip)
    setting = config.train.checkpointing
    stages = [
        {
            "clips_per_s": 1 / seconds if seconds else None,
            "seconds": (stage.fade + stage.stable) * seconds,
            "timed": number < found["timed"],
            "memory": bytes_ and bytes_["checkpointing" if setting == "on" else "plain"],
            "checkpointing": bytes_["checkpointing"] if bytes_ and setting == "auto" else None,
        }
        for number, (stage, seconds, bytes_) in enumerate(zip(plan.stages, per_clip, memory, strict=True))
    ]
    about = {key: found.get(key) for key in ("device", "precision", "given_up", "free")}
    return state | about | {"stages": stages, "total_s": remaining(plan, 0, per_clip)}
