"""What a run keeps at a snapshot, and finds again: the fixed latents' clips, the network to sample from, and the whole
state to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pvswgan import video
from pvswgan.checkpoint import CheckpointError, prune, read_tensors, save_network, save_tensors, training_checkpoints
from pvswgan.data.store import ClipStore
from pvswgan.latents import sample_latents
from train.clips import sampler_of
from train.config import Config
from train.engine import Engine
from train.run import RunError

SHOWN = 12                 # fixed latents in every snapshot


def save(run: Path, engine: Engine, config: Config, place: tuple[int, float], told: Mapping[str, Any],
         keep: bool) -> None:
    """place: (stage, alpha) that the networks were trained to. told: what the trainer remembers besides the engine's
    state. keep: the network stays whatever comes after. Raises OSError."""
    stage, alpha = place
    frames, resolution = engine.plan.sizes[stage]
    name = f"{engine.clips:09d}"
    z = sample_latents(SHOWN, engine.G.latent_dim, config.seed).to(engine.device)
    with torch.no_grad():
        clips = torch.cat([engine.G_ema(part, stage, alpha) for part in z.split(4)])
    video.write_png(run / "samples" / f"{name}-{frames}x{resolution}.png", video.sprite_sheet(video.to_uint8(clips)))
    folder = run / "checkpoints"
    save_network(folder / f"{name}-network.safetensors", engine.G_ema, config.model_dump(mode="json"),
                 clips=engine.clips, stage=stage, alpha=alpha)
    tensors, info = engine.state()
    save_tensors(folder / f"{name}-training.safetensors", tensors, {**info, "kind": "training", **told})
    if keep:
        (folder / f"{name}-keep").touch()
    prune(folder, config.log.keep)


def save_reals(run: Path, config: Config, store: ClipStore) -> None:
    """The first clips of the training, at every size, to compare with."""
    sampler = sampler_of(config, store)                      # of all clips, not of one process's share
    for size in config.plan().sizes:
        clips = sampler.read(0, SHOWN, size)
        video.write_png(run / "samples" / f"reals-{size[0]}x{size[1]}.png", video.sprite_sheet(video.to_uint8(clips)))
    sampler.close()


def newest(run: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, torch.Tensor], dict[str, Any]] | None:
    """(file, tensors, header) of the newest state that can be read; None where there is none yet. Raises RunError."""
    found = training_checkpoints(run)
    for path in reversed(found):
        try:
            return path, *read_tensors(path)
        except CheckpointError as error:                      # the one before it may still be good
            if isinstance(error.__cause__, OSError):          # and so may this one: what is newer would be deleted
                raise RunError(f"{error}. Nothing was changed: resume when it can be read") from error
            say(f"{error}; trying the one before")
    if found:
        raise RunError(f"{run} has no training checkpoint to resume from ({len(found)} are broken)")
    return None


def forget_after(run: Path, clips: int) -> None:
    """Delete checkpoints of a lost stretch: broken ones, that would otherwise count as the newest."""
    for path in (run / "checkpoints").glob("*-*"):
        if path.name[:9].isdigit() and int(path.name[:9]) > clips:
            path.unlink()
