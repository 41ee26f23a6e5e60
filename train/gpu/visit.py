"""A visit to a GPU machine in three parts: its tests, its benchmark, and, with what time is left, the trainings."""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import torch

from pvswgan.files import write_bytes
from train import process
from train.config import load
from train.gpu.outbox import STEPS, Outbox
from train.gpu.training import Training
from train.machine import machine

BENCHMARK = process.ROOT / "configs" / "paper.yaml"
REHEARSAL = ["device=cpu", "precision=float32", "data.clips=16", "data.hold_out=0.0",
             "growth.stages=[[4,4],[4,8],[8,8]]", "growth.fade_kimg=[0,0.2,0.2]",
             "growth.stable_kimg=[0.2,0.2,0.2]", "growth.total_kimg=null",
             "network.fmap_base=64", "network.fmap_max=8", "network.latent_dim=8", "train.batch=8", "train.lr=0.001",
             "log.snapshot_kimg=0.1", "log.tick_kimg=0.05"]
LAST_S, LAST_SHARE = 20.0, 0.25        # kept for the last files; for a short visit a share of it


@dataclass(frozen=True)
class Wishes:
    """What is wanted of a visit.

    minutes     of the whole, from beginning to end
    tests, benchmark    seconds at most, but no more than a quarter of the whole; 0: left out
    models      name, configuration and share of the time of each, in their order
    store       clips for all models, instead of what their configurations say
    overrides   key=value of the models' configurations
    rehearsal   everything tiny, on the CPU
    """

    minutes: float
    tests: float
    benchmark: float
    models: list[tuple[str, Path, float]]
    store: Path | None = None
    overrides: list[str] = field(default_factory=list)
    rehearsal: bool = False

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.rehearsal else "cuda")


class Visit:
    """`go()` does all of it. A part that fails is told, and the others go on."""

    def __init__(self, wishes: Wishes, out: Outbox) -> None:
        self.wishes, self.out = wishes, out
        seconds = wishes.minutes * 60
        self.last = min(LAST_S, LAST_SHARE * seconds)
        self.end = out.began + seconds
        self.most = seconds / 4               # for the tests, and for the benchmark

    def left(self) -> float:
        """Seconds, without those kept for the last files."""
        return self.end - self.last - time.monotonic()

    def go(self) -> bool:
        """Whether all went well."""
        self.out.say(f"{self.wishes.minutes:g} minutes on {machine()}")
        with tempfile.TemporaryDirectory(prefix="pvswgan-gpu-") as folder:
            scratch = Path(folder)
            good = [self._tests(scratch / "tests.out"), self._benchmark(scratch), self._train(scratch)]
        for path in sorted(self.out.folder.iterdir()):
            self.out.say(f"{path}: {path.stat().st_size / 1024:,.0f} KiB")
        self.out.say(f"to go on: make gpu FROM={self.out.folder}")
        return all(good)

    # --- tests ------------------------------------------------------------------------------------------------

    def _tests(self, log: Path) -> bool:
        seconds = min(self.wishes.tests, self.most, self.left())
        if seconds <= 0:
            return True
        if importlib.util.find_spec("pytest") is None:
            self.out.say("tests: pytest is not installed here; they are left out")
            return True
        child = process.start(["-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/gpu"], log)
        return self._ended("tests", child, seconds, log, 40)

    def _ended(self, name: str, child: Popen[bytes], seconds: float, log: Path, lines: int,
               meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Wait so long, then end it; tell how it went. Whether it ended well."""
        try:
            in_time = process.watch(child, time.monotonic() + seconds, meanwhile)
        finally:
            process.end(child)
        how = ("passed" if child.returncode == 0 else "FAILED") if in_time else f"not done after {seconds:.0f} s: ended"
        self.out.say(f"{name}: {how}\n{process.tail(log, lines)}")
        return child.returncode == 0

    # --- benchmark --------------------------------------------------------------------------------------------

    def _benchmark(self, scratch: Path) -> bool:
        seconds = min(self.wishes.benchmark, self.most, self.left())
        if seconds <= 0:
            return True
        stages = len(load(BENCHMARK, list(self._tiny())).plan().stages)
        each = 0.1 if self.wishes.rehearsal else seconds / stages / 4         # the rest goes into warming up
        words = ["-m", "train.benchmark", "--config", str(BENCHMARK), "--out", str(scratch), "--name", Path(STEPS).stem,
                 "--device", self.wishes.device.type, "--seconds", f"{each:.2f}"]
        words += [word for change in self._tiny() for word in ("--set", change)]
        log, found = scratch / "benchmark.out", scratch / STEPS
        child = process.start(words, log)
        good = self._ended("benchmark", child, seconds, log, 25, lambda: self._bring(found))
        self._bring(found)
        self._profile(scratch, stages, seconds / 2)
        return good

    def _profile(self, scratch: Path, stages: int, seconds: float) -> None:
        """Where the time goes at the two largest stages, into the log: what a bar that is missed is asked for."""
        words = ["-m", "train.benchmark", "where", str(stages - 1), str(stages - 2), "--config", str(BENCHMARK),
                 "--device", self.wishes.device.type]
        words += [word for change in self._tiny() for word in ("--set", change)]
        log, seconds = scratch / "where.out", min(seconds, self.left())
        if seconds > 0:
            self._ended("profile", process.start(words, log), seconds, log, 40)

    def _tiny(self) -> list[str]:
        return REHEARSAL if self.wishes.rehearsal else []

    def _bring(self, found: Path) -> None:
        """The benchmark's result so far, if it has grown and is whole."""
        try:
            data = found.read_bytes()
            json.loads(data)
        except (OSError, ValueError):                             # not there yet, or half written
            return
        target = self.out.folder / STEPS
        if not target.is_file() or target.read_bytes() != data:
            write_bytes(target, data)

    # --- trainings --------------------------------------------------------------------------------------------

    def _train(self, scratch: Path) -> bool:
        todo: list[tuple[Training, float]] = []
        good = True
        for name, path, share in self.wishes.models:
            try:
                training = Training(name, path, self._changes(), self.out, scratch, self.wishes.device)
            except (ValueError, KeyError) as error:           # a broken configuration or state
                self.out.say(f"{name}: {error}")
                good = False
                continue
            if training.finished:
                self.out.say(f"{name}: trained to the end of its plan")
            else:
                todo.append((training, share))
        for place, (training, share) in enumerate(todo):
            seconds = self.left() * share / sum(s for _, s in todo[place:])
            if seconds <= 0:
                self.out.say(f"{training.name}: no time is left for it")
                continue
            good &= training.run(seconds, grace=self.last / 2, threads=1 if self.wishes.rehearsal else None)
        return good

    def _changes(self) -> list[str]:
        changes, store = [*self._tiny()], self.wishes.store
        if store:
            changes += [f"data.path={json.dumps(str(store.resolve()))}", "data.source=auto", "data.hold_out=0.0"]
        return [*changes, *self.wishes.overrides]
