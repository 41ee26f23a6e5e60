"""The training in three short narratives: build, step, maintain."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pvswgan.data.build import Told
from pvswgan.data.store import ClipStore
from pvswgan.files import write_text
from train import heap, snapshot
from train.baselines import make_engine
from train.clips import sampler_of, store_of
from train.config import Config, check_processes, dump, load
from train.cost import duration
from train.distributed import ALONE, Group, GroupError
from train.engine import NotFinite, choose_device
from train.machine import memory_mb, synchronise
from train.measures import Ended, Measures
from train.pace import Pace
from train.precision import choose_precision
from train.run import REQUESTS, RunError, RunFolder, RunWriter, SilentWriter
from train.shortage import NotEnoughMemory
from train.signals import StopSignals

STATUS_SECONDS = 1.0       # between two writings of status.json
PAUSE_SECONDS = 0.2


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


class Trainer:
    """A training in its run folder. `run()` trains to the end of the plan, or to a stop.

    say(text) and progress(status mapping) are told what happens, for a terminal. Of a `group` of processes each has a
    Trainer; the first one's writes the run folder and hears requests, and all do the same at the same step.
    """

    # --- build ------------------------------------------------------------------------------------------------

    def __init__(self, config: Config, run_dir: str | Path, *, resume: bool = False, group: Group = ALONE,
                 say: Callable[[str], None] = print,
                 progress: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self.say, self.progress, self.group = say, progress, group
        self.path = Path(run_dir)
        check_processes(config, group.world)
        self.device = choose_device(config.device, group)
        self.writer = group.together(lambda: RunWriter(self.path) if group.rank == 0 else SilentWriter())
        self.writer.clear_requests()
        self.writer.write_status(state="starting", device=str(self.device), message="preparing the clips")
        group.last_words(lambda reason: self._fail(GroupError(reason)))
        try:
            self._build(config, resume)
        except BaseException as error:
            self._fail(error)
            self.writer.close()
            raise

    def _build(self, config: Config, resume: bool) -> None:
        self.group.connect(self.device)
        precision = self.group.first(lambda: choose_precision(config, self.device))
        self.config = config = config.model_copy(update={"precision": precision})
        if config.data.path is not None:                     # a resume may come from another working folder
            config.data = config.data.model_copy(update={"path": str(Path(config.data.path).resolve())})
        self.plan = config.plan()
        self.store = self.group.in_turn(self._open_store)
        self.sampler = sampler_of(config, self.store, self.group.rank, self.group.world,
                                  raw=self.device.type == "cuda")
        self.engine = make_engine(config, self.device, precision, self.group)
        self.engine.adapts = True
        self.measures = Measures(config.log, self.store, self.path, self.device, self._log, self._told_of_measuring)
        self.pace = Pace(config, self.device, precision, self.group.world)
        self.seconds = self._waited = 0.0                    # of training; of it, for clips since the last tick
        self.cpu_seconds = 0.0                               # of training, of all processor threads: fair beside others
        self._sums: dict[str, tuple[torch.Tensor, int]] = {}
        self._before = 0                                     # clips before the last step
        self._tick_from = (0, 0.0)
        self._status_time = 0.0
        self._stop = False
        if resume:
            self._resume()
        else:
            if self.group.rank == 0:
                write_text(self.path / "config.yaml", dump(config))
                snapshot.save_reals(self.path, config, self.store)
            where = f"{self.device.type} in {self.group.world} processes" if self.group.world > 1 else str(self.device)
            clips = len(self.sampler.usable)
            self._log(f"training {self.path} on {where}, {precision}: {clips} clips\n{self.plan.table()}")

    def _open_store(self) -> ClipStore:
        def told(now: Told) -> None:
            left = "" if now.eta_s is None else f", {duration(now.eta_s)} left"
            self.writer.write_status(message=f"preparing the clips: {now.done} of {now.total}{left} ({now.item})")
            self._progress()
            if self.writer.asked("stop"):
                raise Stopped("stopped while the clips were prepared")

        return store_of(self.config, told)

    def _resume(self) -> None:
        found = self.group.first(lambda: snapshot.newest(self.path, self._log))
        if found is None:
            self._log("there is no checkpoint yet: starting from the beginning")
            if self.group.rank == 0:
                snapshot.save_reals(self.path, self.config, self.store)
            return
        path, tensors, info = found
        try:
            self.engine.load_state(tensors, info)
            self.seconds = info["seconds"]
            self.cpu_seconds = info.get("cpu_seconds", 0.0)
            self.measures.remember(info.get("measuring", self.measures.share * self.seconds), self.engine.clips)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise RunError(f"{path} does not fit {self.path / 'config.yaml'}: was that changed? "
                           f"({error!s:.200})") from error
        if self.group.rank == 0:
            snapshot.forget_after(self.path, self.engine.clips)
        if info.get("store", self.store.folder.name) != self.store.folder.name:
            self._log("the clips are not where, or not what, they were when the run began: it does not go on exactly")
        self._tick_from = (self.engine.clips, self.seconds)
        self.writer.append_stats({"clips": self.engine.clips, "kimg": self.engine.clips / 1000, "event": "resumed"})
        self._log(f"resumed from {path.name}")

    # --- step -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end of the plan. Raises Stopped after a stop, NotFinite after a NaN."""
        with StopSignals(self._ask_to_stop):
            try:
                if not self.engine.clips:
                    self._snapshot()                         # so that a run can be resumed from its first moment on
                while self.engine.clips < self.plan.total:
                    self._obey()
                    self._step()
                    self._maintain()
                self._write_status(state="finished", message="trained to the end of the plan", eta_s=0.0)
                self._log("finished")
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                self.sampler.close()
                self.writer.close()

    def _ask_to_stop(self) -> None:
        self._stop = True
        self._log("stopping after this step, with a checkpoint (once more to stop at once)")

    def _step(self) -> None:
        begin, cpu_begin, self._before = time.perf_counter(), time.process_time(), self.engine.clips
        try:
            terms = self.engine.step(self._clips)
        finally:
            self._tell_shortages()
        if self.device.type == "cpu":
            self.engine.check()
        self.seconds += time.perf_counter() - begin
        self.cpu_seconds += time.process_time() - cpu_begin
        for name, value in terms.items():
            total, count = self._sums.get(name, (torch.zeros_like(value), 0))
            self._sums[name] = (total + value, count + 1)

    def _clips(self, position: int, n: int, size: tuple[int, int]) -> torch.Tensor:
        begin = time.perf_counter()
        clips = self.sampler.batch(position, n, size)
        self._waited += time.perf_counter() - begin
        return clips

    def _tell_shortages(self) -> None:
        """Tell what the step gave up where memory ran out."""
        clips = self.engine.clips
        for shortage in self.engine.shortages:
            self._log(shortage.sentence())
            self.writer.append_stats({"clips": clips, "kimg": clips / 1000} | shortage.event())

    def _obey(self) -> None:
        asked = self._asked()
        if "snapshot" in asked:
            self._snapshot()
        if "pause" in asked and "stop" not in asked:
            asked = self._pause()
        if "stop" in asked:
            self._snapshot()
            raise Stopped(f"stopped at {self.engine.clips / 1000:g} kimg")

    def _asked(self) -> set[str]:
        """Requests left in the run folder, and Ctrl-C: as the first process of a group has seen them."""
        asked = set(self.writer.take_requests())
        for request in sorted(asked):
            self._log(f"request: {request}")
        if self._stop:
            asked.add("stop")
        decided = self.group.decide([name in asked for name in REQUESTS])
        return {name for name, yes in zip(REQUESTS, decided, strict=True) if yes}

    def _pause(self) -> set[str]:
        """Keep everything in memory and wait; the checkpoint is for the case that the wait never ends. Returns the
        requests that ended the wait."""
        self._snapshot()
        self._write_status(state="paused")
        while True:
            asked = self._asked()                            # of a group: the first one's word that it still waits
            if "snapshot" in asked:
                self._snapshot()
            if "stop" in asked:
                return asked
            if "resume" in asked:
                self._write_status(state="running")
                return asked
            if time.monotonic() - self._status_time > STATUS_SECONDS:
                self._write_status(state="paused")
            time.sleep(PAUSE_SECONDS)

    # --- maintain ---------------------------------------------------------------------------------------------

    def _maintain(self) -> None:
        engine, log = self.engine, self.config.log
        before = self._before
        edge = self.plan.next_edge(before) <= engine.clips
        if edge or _crossed(before, engine.clips, log.tick_kimg * 1000):
            self._tick()                                     # at an edge, so that what is measured is of one phase
        if edge or engine.shortages or _crossed(before, engine.clips, log.snapshot_kimg * 1000):
            self._snapshot(keep=edge)                        # after a shortage: so that a resume does not fail first
            heap.trim()
            engine.shortages.clear()
        if time.monotonic() - self._status_time > STATUS_SECONDS:
            self._write_status(state="running")

    def _stage_of_step(self) -> int:
        return int(self.engine.phase.split()[0])

    def _tick(self) -> None:
        begin = time.perf_counter()
        synchronise(self.device)                             # a GPU's queue is part of the time that steps took
        self.seconds += time.perf_counter() - begin
        self.engine.check()
        clips, seconds = self._tick_from
        waited = None
        if self.seconds > seconds:
            self.pace.saw(self._stage_of_step(), self.engine.phase, self.engine.clips - clips, self.seconds - seconds)
            waited = round(self._waited / (self.seconds - seconds), 4)
        self._tick_from, self._waited = (self.engine.clips, self.seconds), 0.0
        means = {name: (total / count).item() for name, (total, count) in self._sums.items()}
        self._sums = {}
        stage = self._stage_of_step()
        line = self._where() | {"seconds": round(self.seconds, 2), "cpu_seconds": round(self.cpu_seconds, 2),
                                "batch": self.engine.batches[stage],
                                "lr": self.engine.rates[stage], "data_wait": waited,      # share of the time
                                "memory_mb": memory_mb(self.device)}
        line |= means | self.engine.loss.statistics()
        self.writer.append_stats(line)
        self._write_status(state="running")

    def _snapshot(self, keep: bool = False) -> None:
        """The fixed latents' clips, and the checkpoints from which to sample and to resume."""
        self.engine.check()
        self.engine.align()
        if self.group.rank == 0:
            remembered = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "measuring": self.measures.spent,
                          "store": self.store.folder.name}
            snapshot.save(self.path, self.engine, self.config, self._trained_to(), remembered, keep)
        self._write_status(snapshot=self.engine.clips)
        if self.group.rank == 0 and self.engine.clips and self.measures.due(self.seconds):
            self._measure()

    def _measure(self) -> None:
        network = self.path / "checkpoints" / f"{self.engine.clips:09d}-network.safetensors"
        found = self.measures.of(network)
        if found is not None:
            clips = self.engine.clips
            self.writer.append_stats({"clips": clips, "kimg": clips / 1000, "event": "metrics"} | found)
        self._write_status()

    def _told_of_measuring(self, sentence: str) -> None:
        if self._stop or self.writer.asked("stop"):
            raise Ended
        if time.monotonic() - self._status_time > STATUS_SECONDS:
            self._write_status(message=sentence)

    def _trained_to(self) -> tuple[int, float]:
        """(stage, alpha) that the networks have been trained to: at a stage's end still that stage, not the next one,
        whose layers are as random as at the start."""
        at = self.plan.at(self.engine.clips)
        if self.engine.phase and at.stage > self._stage_of_step():
            return self._stage_of_step(), 1.0
        return at.stage, at.alpha

    def _where(self) -> dict[str, Any]:
        """The position in the plan, the speed and the time left, for statistics and status alike."""
        clips, at = self.engine.clips, self.plan.at(self.engine.clips)
        frames, resolution = self.plan.sizes[at.stage]
        return {"clips": clips, "kimg": clips / 1000, "stage": at.stage, "frames": frames, "resolution": resolution,
                "alpha": round(at.alpha, 4), "phase": at.phase, "clips_per_s": self.pace.clips_per_s or None,
                "eta_s": self.pace.left(clips, self.engine.batches)}

    def _write_status(self, **changes: Any) -> None:
        where = self._where()
        message = (f"stage {where['stage']}: {where['frames']}x{where['resolution']}x{where['resolution']}, "
                   + (f"fading in, alpha {where['alpha']:.2f}" if where["phase"] == "fade" else "stable")
                   + self.engine.given_up(where["stage"]))
        self.writer.write_status(**where | {"total_kimg": self.plan.total / 1000, "message": message,
                                            "seconds": self.seconds, "cpu_seconds": self.cpu_seconds} | changes)
        self._status_time = time.monotonic()
        self._progress()

    def _fail(self, error: BaseException) -> None:
        """The last word in the status: stopped as asked, or failed and why."""
        stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        text = str(error) or type(error).__name__
        self.group.leaves(None if isinstance(error, (Stopped, GroupError)) else text)
        try:
            self.writer.write_status(state="stopped" if stopped else "failed", message=text, eta_s=None,
                                     error=None if stopped else text)
        except OSError as full:                              # a full disk must not hide the error itself
            self._log(f"status.json could not be written: {full}")
        told = isinstance(error, (Stopped, NotFinite, NotEnoughMemory, GroupError))      # a whole sentence
        self._log(text if told else f"{type(error).__name__}: {text}")

    def _log(self, text: str) -> None:
        self.writer.log(text)
        with contextlib.suppress(Exception, SystemExit):     # a closed terminal must not end the training
            self.say(text)

    def _progress(self) -> None:
        with contextlib.suppress(Exception, SystemExit):
            self.progress(self.writer.status)


def start_or_resume(config: Config | None, run_dir: Path, resume: bool, group: Group = ALONE,
                    **kwargs: Any) -> Trainer:
    """A new training, or one that goes on from its folder with the configuration found there."""
    settings = group.first(lambda: _settings(config, run_dir, resume))
    return Trainer(settings, run_dir, resume=resume, group=group, **kwargs)


def _settings(config: Config | None, run_dir: Path, resume: bool) -> Config:
    if resume:
        if not (run_dir / "config.yaml").is_file():
            raise RunError(f"{run_dir} is no run folder to resume (it has no config.yaml)")
        return load(run_dir / "config.yaml")
    if (run_dir / "config.yaml").exists():
        state = RunFolder(run_dir).state()
        raise RunError(f"{run_dir} already holds a run ({state}); add --resume to go on with it, or choose another "
                       "--run-dir")
    assert config is not None
    return config


def _crossed(before: int, after: int, every: float) -> bool:
    return int(after // every) > int(before // every)
