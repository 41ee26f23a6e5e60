"""One model's training: a process with a run folder of its own, and what of it is brought to safety as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import torch
from torch import Tensor

from pvswgan import video
from pvswgan.checkpoint import CheckpointError, Model, load, read_tensors, save_tensors, training_checkpoints
from pvswgan.files import write_text
from pvswgan.latents import sample_latents
from pvswgan.metrics import swd
from train import process
from train.clips import sampler_of, store_of
from train.config import Config, dump, parse
from train.config import load as load_config
from train.cost import duration
from train.gpu.outbox import HEADER_BYTES, MOST_BYTES, SHOWN, Outbox
from train.gpu.state import pack, unpack
from train.run import RunFolder

JUDGED = 256                # clips, fewer where they are so large that these would not fit in VOXELS
VOXELS = 2**26
TELL_S = 10.0


class Training:
    """The model `name` of a configuration, or, where the outbox has a state of it, that one going on.

    overrides: key=value, of the configuration in either case. Nothing runs before `run`.
    Raises ConfigError, or CheckpointError where the state is broken.
    """

    def __init__(self, name: str, path: Path, overrides: list[str], out: Outbox, scratch: Path,
                 device: torch.device) -> None:
        self.name, self.out, self.device = name, out, device
        self.run_folder, self.printed = RunFolder(scratch / name), scratch / f"{name}.out"
        self.best: dict[str, Any] | None = None
        self._unjudged: Model | None = None
        self.clips = 0                                            # of what is in the outbox
        self._told = 0.0
        self._failed: set[str] = set()                            # what could not be brought, each told once
        self._kept: dict[tuple[int, int], Tensor] = {}            # reals of the newest size
        (self.run_folder.path / "checkpoints").mkdir(parents=True)
        self.config = self._go_on(overrides) if out.state(name).is_file() else load_config(path, overrides)
        write_text(self.run_folder.path / "config.yaml", dump(self.config))

    def _go_on(self, overrides: list[str]) -> Config:
        tensors, info = read_tensors(self.out.state(self.name))
        self.clips, self.best = info["clips"], info["best"]
        save_tensors(self.run_folder.path / "checkpoints" / f"{self.clips:09d}-training.safetensors",
                     unpack(tensors, info), info)
        network = load(self.out.network(self.name), self.device) if self.out.network(self.name).is_file() else None
        if network:
            self._show(network)
        if not network or (self.best or {}).get("swd") != swd.VERSION:
            self.best, self._unjudged = None, network             # by this distance; only once clips can be read
        self.out.say(f"{self.name}: goes on at {self.clips / 1000:g} kimg; its state is {info['kept']}")
        return parse(info["config"], overrides, str(self.out.state(self.name)))

    @property
    def finished(self) -> bool:
        return self.clips >= self.config.plan().total

    def run(self, seconds: float, grace: float, threads: int | None = None) -> bool:
        """Train for that long, or to the end of the plan; then up to `grace` seconds for the last checkpoint. Whether
        all went well."""
        words = ["-m", "train", "--resume", "--run-dir", str(self.run_folder.path)]
        child = process.start([*words, *(["--threads", str(threads)] if threads else [])], self.printed)
        asked = True
        try:
            asked = not process.watch(child, time.monotonic() + seconds, self._meanwhile)
        finally:                                                  # also at Ctrl-C
            self._stop(child, grace)
            self._bring()
        self._tell()
        if child.returncode and not (asked and child.returncode < 0):
            self.out.say(f"{self.name}: the training failed\n{process.tail(self.printed, 15)}")
            return False
        return not self._failed

    def _stop(self, child: Popen[bytes], grace: float) -> None:
        """Ask, wait, and end what does not obey: its last checkpoint but one is then what is left."""
        if child.poll() is None:
            self.run_folder.request("stop")
            if not process.watch(child, time.monotonic() + grace, lambda: None):
                self.out.say(f"{self.name}: did not stop within {grace:.0f} s; what was trained last is lost")
                process.end(child)

    def _meanwhile(self) -> None:
        self._bring()
        if time.monotonic() - self._told > TELL_S:
            self._tell()

    # --- what is brought to safety ----------------------------------------------------------------------------

    def _bring(self) -> None:
        """The newest checkpoint, unless it is there already: the network if it is the best, the state, the clips."""
        newest = training_checkpoints(self.run_folder.path)[-1:]
        if not newest or int(newest[0].name[:9]) <= self.clips:
            return
        try:
            tensors, info = read_tensors(newest[0])
            model = load(newest[0].with_name(newest[0].name.replace("-training", "-network")), self.device)
        except CheckpointError:                                   # deleted meanwhile: there is a newer one
            return
        tensors, kept = pack(tensors, self.config.train.betas[0], MOST_BYTES - HEADER_BYTES)
        if (before := self._unjudged) is not None:
            self._unjudged = None
            self._safely(lambda: self._judge(before))
        self._safely(lambda: self._judge(model))
        self._safely(lambda: self.out.save_state(
            self.name, tensors, info | {"config": model.config, "kept": kept, "best": self.best}))
        self._safely(lambda: self._show(model))
        self.clips = info["clips"]

    def _safely(self, work: Callable[[], None]) -> None:
        """A full disk, or a full GPU on this side, is no reason to end the training."""
        try:
            work()
        except (OSError, ValueError, RuntimeError) as error:
            if str(error) not in self._failed:
                self.out.say(f"{self.name}: not all could be written: {error}")
            self._failed.add(str(error))

    def _judge(self, model: Model) -> None:
        """Keep the network if there is none yet, if it is of a later stage than the best, or nearer to the reals. While
        a stage fades in, the one before it counts."""
        if model.alpha < 1:
            return
        size = (model.frames, model.resolution)
        reals = self._reals(size)
        fakes = model.generate(sample_latents(len(reals), model.latent_dim, seed=1))
        found = swd.patch_swd(reals.to(self.device), fakes.to(self.device))
        if self.best is None or model.stage > self.best["stage"] or found < self.best["distance"]:
            self.best = {"stage": model.stage, "distance": found, "swd": swd.VERSION, "clips": model.clips}
            self.out.save_network(self.name, model)

    def _reals(self, size: tuple[int, int]) -> Tensor:
        """The first clips of the training at that size, (N, 3, T, R, R)."""
        if size not in self._kept:
            self._kept = {size: self._read(size)}
        return self._kept[size]

    def _read(self, size: tuple[int, int]) -> Tensor:
        sampler, last = sampler_of(self.config, store_of(self.config)), self.config.plan().stages[-1]
        self.out.show("reals", video.to_uint8(sampler.read(0, SHOWN, (last.frames, last.resolution))))
        clips = sampler.read(0, max(SHOWN, min(JUDGED, VOXELS // (size[0] * size[1] ** 2))), size)
        sampler.close()
        return clips

    def _show(self, model: Model) -> None:
        z = sample_latents(SHOWN, model.latent_dim, model.config["seed"])
        self.out.show(self.name, video.to_uint8(model.generate(z)))

    def _tell(self) -> None:
        self._told = time.monotonic()
        status = self.run_folder.status() or {}
        text = f"{self.name}: {status.get('message', 'starting')}"
        if status.get("total_kimg"):
            text += f", {status['kimg']:.1f} of {status['total_kimg']:g} kimg"
        if status.get("clips_per_s"):
            text += f", {status['clips_per_s']:,.0f} clips/s"
        if status.get("eta_s"):
            text += f", {duration(status['eta_s'])} to the end of the plan"
        if self.best:
            text += f"; best at {self.best['clips'] / 1000:g} kimg (stage {self.best['stage']}, distance " \
                    f"{self.best['distance']:.4f})"
        self.out.say(text)
