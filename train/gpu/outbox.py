"""The folder that comes back from the machine: few files, none too large, each whole or not there.

    log.txt                   everything that was said
    steps.json                the benchmark
    samples.png               reals, and clips of every model as it now is: the same latents each time
    NAME.safetensors          the best network of a model so far, float16: pvswgan.load reads it
    NAME-state.safetensors    what a later visit goes on from
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pvswgan import video
from pvswgan.checkpoint import Model, save_network, save_tensors
from pvswgan.files import write_bytes

MOST_FILES = 8              # that a lent machine gives back; one is the file that is being written
MOST_BYTES = 16 * 2**20     # of each
HEADER_BYTES = 2**17        # of a safetensors file, at most: names, shapes and the configuration
SHOWN = 6                   # clips of a model in samples.png
LOG, STEPS, SAMPLES = "log.txt", "steps.json", "samples.png"


class OutboxError(RuntimeError):
    """A folder that cannot be used; the message says why."""


class Outbox:
    """`folder` for the models of these names, with what an earlier visit left in `source` (None: a beginning).

    began: time.monotonic() at the visit's beginning.

    Raises OutboxError where there are too many models, nothing to go on from, or work that would be overwritten.
    """

    def __init__(self, folder: Path, names: Sequence[str], source: Path | None, began: float) -> None:
        self.folder, self.names, self.began = folder, list(names), began
        self._shown: dict[str, video.Pixels] = {}
        files = [LOG, STEPS, SAMPLES, *(path.name for n in names for path in (self.network(n), self.state(n)))]
        if len(files) > MOST_FILES - 1:
            raise OutboxError(f"{len(names)} models would make {len(files)} files; allowed: {MOST_FILES - 1}")
        if source is not None and not any((source / self.state(name).name).is_file() for name in names):
            raise OutboxError(f"there is nothing to go on from in {source}: no {self.state(names[0]).name}")
        folder.mkdir(parents=True, exist_ok=True)
        if source is None:
            begun = [self.state(name).name for name in names if self.state(name).exists()]
            if begun:
                raise OutboxError(f"{folder} already holds {', '.join(begun)}: go on with FROM={folder}, or choose "
                                  "another OUT")
        elif source.resolve() != folder.resolve():
            for name in files:
                if (source / name).is_file():
                    write_bytes(folder / name, (source / name).read_bytes())
        for leftover in folder.glob(".*.tmp"):                    # of a visit that was killed
            leftover.unlink(missing_ok=True)

    def network(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def state(self, name: str) -> Path:
        return self.folder / f"{name}-state.safetensors"

    def say(self, text: str) -> None:
        """To the terminal and to the log, with the seconds since the visit began."""
        line = f"[{time.monotonic() - self.began:5.0f} s]  {text}"
        with contextlib.suppress(OSError):                        # a closed terminal or a full disk ends no training
            print(line, flush=True)
        with contextlib.suppress(OSError), open(self.folder / LOG, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save_state(self, name: str, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
        if size(tensors) > MOST_BYTES - HEADER_BYTES:
            raise OutboxError(f"the state of {name} has {size(tensors) / 2**20:.1f} MiB: too large to be brought back")
        save_tensors(self.state(name), tensors, info)

    def save_network(self, name: str, model: Model) -> None:
        if size(model.generator.state_dict()) / 2 > MOST_BYTES - HEADER_BYTES:
            raise OutboxError(f"the network of {name} is too large to be brought back, even in half precision")
        save_network(self.network(name), model.generator, model.config, clips=model.clips, stage=model.stage,
                     alpha=model.alpha, half=True)

    def show(self, name: str, clips: video.Pixels) -> None:
        """Clips of a model, or `reals`, uint8 (N, T, H, W, 3): the sheet of all is drawn anew."""
        self._shown[name] = clips
        order = [name for name in ("reals", *self.names) if name in self._shown]
        for shown in (SHOWN, SHOWN // 2, 1):
            data = video.png_bytes(sheet([self._shown[name][:shown] for name in order]))
            if len(data) <= MOST_BYTES:
                write_bytes(self.folder / SAMPLES, data)
                return


def size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes."""
    return sum(t.numel() * t.element_size() for t in tensors.values())


def sheet(groups: Sequence[video.Pixels]) -> video.Pixels:
    """Sprite sheets one under another, (H, W, 3): clips of smaller sizes are enlarged to the greatest, in time too."""
    frames, side = max(g.shape[1] for g in groups), max(g.shape[2] for g in groups)
    parts = [video.sprite_sheet(g.repeat(frames // g.shape[1], 1).repeat(side // g.shape[2], 2)
                                .repeat(side // g.shape[3], 3)) for g in groups]
    gap = np.zeros((max(2, side // 8), parts[0].shape[1], 3), np.uint8)
    return np.concatenate([row for part in parts for row in (part, gap)][:-1])
