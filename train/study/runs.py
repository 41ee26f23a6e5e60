"""The trainings of a study, some at a time: each trained in a process of its own, then measured in another.

What is done has its result file and is not done again; a training that was cut off goes on from its checkpoint.
"""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pvswgan.files import write_text
from train import process
from train.config import dump
from train.run import RunError, RunFolder
from train.study import plan
from train.study.measure import measure
from train.study.plan import Study, Training

POLL_S = 0.5
Say = Callable[[str], None]


class Stopped(Exception):
    """Ctrl-C: the trainings have their checkpoints."""


def result_path(out: Path, training: Training) -> Path:
    return out / "results" / f"{training.name}.json"


class Running:
    """One training on its way: poll() until it is over."""

    def __init__(self, study: Study, training: Training, work: Path, out: Path) -> None:
        self.study, self.training, self.out = study, training, out
        self.run = RunFolder(work / training.name)
        self.asked = 0.0                                     # share of it up to which snapshots were asked for
        self._log = work / f"{training.name}.log"
        self._measuring: multiprocessing.process.BaseProcess | None = None
        if (self.run.path / "config.yaml").is_file() and (
                other := plan.changed(training, self.run.config())):
            raise RunError(f"{self.run.path} was begun by another plan ({other}): move it away")
        self._process = None if self.trained() else self._train(work)

    def trained(self) -> bool:
        """Whether it has had its time, or failed in a way that is a result."""
        status = self.run.status() or {}
        over = status.get(self.study.counted(status), 0.0) >= self.study.length or status.get("state") == "finished"
        return self.run.state() in ("stopped", "finished", "failed") and (over or self.not_finite())

    def not_finite(self) -> bool:
        """Ended by a NaN: that is a result too."""
        status = self.run.status() or {}
        return status.get("state") == "failed" and "finite" in str(status.get("error"))

    def _train(self, work: Path) -> subprocess.Popen[bytes]:
        words = ["--resume"]
        if not (self.run.path / "config.yaml").is_file():
            config = work / f"{self.training.name}.yaml"
            write_text(config, dump(self.training.config))
            words = [str(config.resolve())]
        if self.study.threads is not None:
            words += ["--threads", str(self.study.threads)]
        return process.start(["-m", "train", *words, "--run-dir", str(self.run.path.resolve())], self._log)

    def share(self) -> float:
        """Of its time, or of its clips, how much has gone."""
        status = self.run.status() or {}
        return min(1.0, status.get(self.study.counted(status), 0.0) / self.study.length)

    def poll(self) -> bool:
        """Ask for what is due; True once the result is written. Raises RunError where the training ended early."""
        if self._process is not None:
            self._ask()
            if self._process.poll() is None:
                return False
            self._process = None
            if not self.trained():
                raise RunError(f"the training {self.run.path} ended before its time: see {self._log} and its log.txt")
        if self._measuring is None:
            self._measuring = multiprocessing.get_context("spawn").Process(
                target=measure, args=(self.study, self.training, self.run.path, self.out), name=self.training.name)
            self._measuring.start()
        if self._measuring.is_alive():
            return False
        if not result_path(self.out, self.training).is_file():
            raise RunError(f"{self.run.path} could not be measured (exit {self._measuring.exitcode}): see above")
        return True

    def _ask(self) -> None:
        """A snapshot at every moment, and the end at the last one."""
        share = self.share()
        due = [moment for moment in self.study.moments if self.asked < moment <= share]
        if due:
            self.asked = due[-1]
            self.run.request("stop" if self.asked == 1 else "snapshot")

    def doing(self) -> str:
        return "measuring" if self._process is None else f"{self.share():.0%}"

    def end(self) -> None:
        """Ask the processes to end, and wait: the training writes its checkpoint."""
        if self._process is not None and self._process.poll() is None:
            self.run.request("stop")
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._measuring is not None:
            self._measuring.terminate()


def go(study: Study, todo: list[Training], work: Path, out: Path, say: Say, tell: Say) -> None:
    """Do what has no result yet. say: a line for each that is done; tell: how things stand, once a second or so.

    Raises Stopped after Ctrl-C; RunError where a training ended early, after all others have had their turn.
    """
    work.mkdir(parents=True, exist_ok=True)
    failed: list[RunError] = []
    waiting = [training for training in todo if not result_path(out, training).is_file()]
    running: list[Running] = []
    begin, total, done = time.monotonic(), len(waiting), 0
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < study.at_once:
                training = waiting.pop(0)
                try:
                    running.append(Running(study, training, work, out))
                except RunError as error:
                    done += 1
                    failed.append(error)
                    say(f"{training.name}: {error}")
            for one in list(running):
                try:
                    if not one.poll():
                        continue
                    say(f"{one.training.name}: {result_path(out, one.training)}")
                except RunError as error:
                    failed.append(error)
                    say(f"{one.training.name}: {error}")
                running.remove(one)
                done += 1
            part = done + sum(one.share() for one in running)
            gone = time.monotonic() - begin
            left = f", about {gone / part * (total - part) / 60:.0f} min left" if gone > 60 and part > 0.05 else ""
            tell(f"{done} of {total} done; " + ", ".join(f"{r.training.name} {r.doing()}" for r in running) + left)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise Stopped from None
    finally:
        signal.signal(signal.SIGTERM, before)
        for one in running:
            one.end()
    if failed:
        raise RunError("\n".join(map(str, failed)))
