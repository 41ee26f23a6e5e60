"""Metrics of the averaged generator while it trains: at snapshots, for a share of the time at most (log.metrics)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pvswgan import checkpoint
from pvswgan.data.store import ClipStore
from train.run import RunFolder
from train.schema import Log

SHOWN = ("fid", "kid", "precision", "recall", "swd", "diversity", "motion_distance", "flicker")


class Ended(Exception):
    """The run was asked to stop meanwhile."""


class Measures:
    """Evaluates network checkpoints of a run. told(sentence) hears of the progress; what it raises ends a measurement.

    Nothing of it draws from the training's generators: a run with metrics is the same run.
    """

    def __init__(self, log: Log, store: ClipStore, run: Path, device: torch.device, say: Callable[[str], None],
                 told: Callable[[str], None]) -> None:
        self.share, self.clips, self.store, self.run, self.device = log.metrics, log.metrics_clips, store, run, device
        self.say, self.told = say, told
        self.spent = self._last = 0.0  # seconds: in all (a run that goes on remembers it), and for the last one

    def due(self, trained: float) -> bool:
        """Whether the share of `trained` seconds has room for one more."""
        return self.share > 0 and self.spent + self._last <= self.share * trained

    def of(self, network: Path) -> dict[str, Any] | None:
        """Measures a network file: {measure, measure_floor, measure_ceiling}, their "protocol" and the seconds that it
        "took" and that were "spent" so far, for the statistics; the whole result lies in metrics/. None where it cannot
        be had, said once, or where the run is to stop."""
        begin = time.perf_counter()
        try:
            from pvswgan.metrics import evaluate

            model = checkpoint.load(network, self.device)
            result = evaluate.evaluate(model, self.store, clips=self.clips, tell=self._tell)
            result.about["model"] = f"run:{self.run.name}@{result.model['clips']:09d}"
            result.about["real"] = "own"
            evaluate.save(result, self.run / "metrics" / f"{result.model['clips']:09d}-{result.key}.json")
        except Ended:
            return None
        except (ImportError, OSError, RuntimeError, ValueError, ArithmeticError, AssertionError) as error:
            # Memory of a GPU that is full, a matrix without a root: the training is worth more than its metrics.
            self.say(f"no metrics in this run: {error!s:.300}")
            self.share = 0.0
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            return None
        finally:
            self._last = time.perf_counter() - begin
            self.spent += self._last
        found = {name: result.values[name] for name in SHOWN if name in result.values}
        values = {name: row["value"] for name, row in found.items()}
        bounds = {f"{name}_{bound}": row[bound] for name, row in found.items() for bound in ("floor", "ceiling")}
        cost = {"spent": round(self.spent, 2), "took": round(self._last, 2)}
        return {"protocol": result.key} | cost | values | bounds

    def remember(self, saved: float, clips: int) -> None:
        """A run goes on from `clips`: with its checkpoint's `saved` seconds, or with what a measurement of that very
        checkpoint told, which came after it was saved."""
        self.spent = saved
        for line in RunFolder(self.run).stats():
            if line.get("event") == "metrics" and line["clips"] <= clips and "spent" in line:
                self.spent, self._last = max(saved, line["spent"]), line["took"]

    def _tell(self, what: str, done: int, total: int) -> None:
        self.told(f"measuring: {what}, {done} of {total}")
