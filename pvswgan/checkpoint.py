"""Saving and loading, safetensors only. A file is complete or not there: written aside, synced, renamed.

A *network* file holds the averaged generator and, in its header, the resolved configuration: enough to sample from.
A *training* file (train/loop.py) holds everything that a resumed run needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pvswgan import baselines
from pvswgan.growth import GrowthPlan, make_plan
from pvswgan.inference import Plain, Renderer, quickest
from pvswgan.latents import affordable, sample_latents
from pvswgan.networks import Generator

FORMAT = "pvswgan-1"
ASSETS = Path(__file__).parents[1] / "assets"
CENTRE_SAMPLES = 4096


class CheckpointError(ValueError):
    """A checkpoint that is missing, broken or not ours; the message says which file and why."""


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able header to `path`, all or nothing. Raises OSError when the disk is full."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        try:
            save_file(data, aside, metadata={"format": FORMAT, "info": json.dumps(dict(info))})
        except SafetensorError as error:                      # safetensors hides an OSError in one of its own
            raise OSError(f"could not write {path}: {error}") from error
        aside.chmod(0o644)                                    # safetensors makes files for their owner alone
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_tensors(path: str | Path, under: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, header) of a file that save_tensors wrote; of the tensors those whose names begin so, and only they are
    read. Raises CheckpointError."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            if meta.get("format") != FORMAT:
                raise CheckpointError(f"{path} is not a checkpoint of this project (format {meta.get('format')!r}, "
                                      f"wanted {FORMAT!r})")
            info = json.loads(meta["info"])
            if not isinstance(info, dict):
                raise CheckpointError(f"{path} has a damaged header")
            names = [name for name in file.keys() if name.startswith(under)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}, info
    except CheckpointError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error


def plan_of(config: Mapping[str, Any]) -> GrowthPlan:
    """The growth plan of a resolved configuration (its `growth` keys)."""
    return make_plan(**config["growth"])


def build_generator(config: Mapping[str, Any], replicate: bool | None = None) -> Generator:
    """An untrained generator of the sizes and the system that a resolved configuration asks for.

    replicate: whether its convolutions repeat the end frames in time; None: as in the training (network.still).
    Another system's (pvswgan.baselines) goes by the same type: it has what a Model needs, `start`, `grow` and `sizes`,
    but not the layers.
    """
    net = config["network"]
    system = net.get("system", "pvswgan")                     # older files do not say
    if system != "pvswgan":
        return cast(Generator, baselines.make_generator(system, plan_of(config).sizes[-1]))
    still = net.get("still", False) if replicate is None else replicate
    return Generator(plan_of(config).sizes, net["latent_dim"], net["fmap_base"], net["fmap_max"], still)


def save_network(path: str | Path, generator: Generator, config: Mapping[str, Any], *, clips: int, stage: int,
                 alpha: float, half: bool = False) -> None:
    """The averaged generator, ready to use. `half`: float16 weights, for the files in assets/.

    Whether it repeats the end frames in time goes into the header: a network that was trained with zeros there may be
    sampled so (docs/RESULTS.md).
    """
    tensors = {k: v.half() if half else v.float() for k, v in generator.state_dict().items()}
    save_tensors(path, tensors, {"kind": "network", "config": dict(config), "clips": clips, "stage": stage,
                                 "alpha": alpha, "replicate": generator.replicate})


def network_checkpoints(run: str | Path) -> list[Path]:
    """The network files of a run folder, oldest first."""
    return sorted((Path(run) / "checkpoints").glob("*-network.safetensors"))


def training_checkpoints(run: Path) -> list[Path]:
    """The training files of a run folder, oldest first."""
    return sorted((run / "checkpoints").glob("*-training.safetensors"))


def prune(folder: Path, keep: int) -> None:
    """Delete checkpoints but the newest `keep` and the networks at the edges of phases."""
    for path in training_checkpoints(folder.parent)[:-keep]:
        path.unlink(missing_ok=True)
    for path in network_checkpoints(folder.parent)[:-keep]:
        if not path.with_name(path.name.replace("-network.safetensors", "-keep")).exists():
            path.unlink(missing_ok=True)


class Model:
    """A trained generator to sample from.

    config: the resolved configuration of its run; sizes: (frames, resolution) of every stage; stage, alpha, clips: how
    far it was trained; frames, resolution: the size of its clips, that of its stage; replicate: whether it draws with
    the end frames repeated in time, which its training may not have done; parts: slices of a latent by name, where its
    parts do different things (MoCoGAN's "content" and "motion"), else empty.
    """

    def __init__(self, generator: Generator, config: Mapping[str, Any], *, clips: int, stage: int, alpha: float,
                 path: Path, device: str | torch.device = "cpu") -> None:
        self.generator = generator.to(device).eval().requires_grad_(False)
        self.config, self.clips, self.stage, self.alpha, self.path = dict(config), clips, stage, alpha, path
        self.sizes = generator.sizes
        self.frames, self.resolution = self.sizes[stage]
        self.latent_dim, self.parts, self.replicate = generator.latent_dim, generator.parts, generator.replicate
        self.device = torch.device(device)
        self._renderers: dict[bool, Renderer | Plain] = {}
        self.centre = self._mean_activation()

    @torch.no_grad()
    def _mean_activation(self) -> Tensor:
        """The first layer's mean over latents, (1, C, T0, H0, W0): what truncation draws towards."""
        n = affordable(self.generator, CENTRE_SAMPLES, floats=2**28)
        parts = sample_latents(n, self.latent_dim, seed=0).to(self.device).split(64)
        total = torch.stack([self.generator.start(z).sum(0) for z in parts]).sum(0)
        return total[None] / n

    def latent(self, seed: int = 0, **parts: int) -> Tensor:
        """The latent (1, latent_dim) of a seed; with parts of it (self.parts) from other seeds: latent(0, content=5) of
        MoCoGAN is the motion of seed 0 with the content of seed 5. Raises ValueError for a part that there is not."""
        return self.with_parts(sample_latents(1, self.latent_dim, seed), parts)

    def with_parts(self, z: Tensor, parts: Mapping[str, int]) -> Tensor:
        """Latents z (n, latent_dim) with these parts taken from the latents of seeds, {name: seed}; the rest as it is.
        Raises ValueError for a part that there is not."""
        z = z.clone()
        for name, seed in parts.items():
            if name not in self.parts:
                there = f"it has {' and '.join(self.parts)}" if self.parts else "they are of one piece"
                raise ValueError(f"the latents of this model have no part {name!r}: {there}")
            z[:, self.parts[name]] = sample_latents(1, self.latent_dim, seed)[:, self.parts[name]]
        return z

    def sample(self, n: int, seed: int = 0, truncation: float = 1.0) -> Tensor:
        """n clips, float (n, 3, T, H, W) in [-1, 1] on the CPU; the same latents on every machine for one seed."""
        return self.generate(sample_latents(n, self.latent_dim, seed), truncation)

    @torch.no_grad()
    def generate(self, z: Tensor, truncation: float = 1.0, *, stage: int | None = None, alpha: float | None = None,
                 fast: bool = False, batch: int = 16) -> Tensor:
        """Clips of latents z (n, latent_dim): float (n, 3, T, H, W) in [-1, 1] on the CPU.

        truncation 0..1 draws the first layer's activations towards their mean over all latents (Karras et al. 2019 do
        so with w): 1 is as trained, 0 one clip for all. Shortening z itself would change nothing, its pixel norm comes
        first. stage and alpha default to those the model was trained to. fast: the quickest number format of this
        machine, for looking at, not for measuring (bfloat16 differs by 1/255 on average, by up to 20/255 in a voxel).
        """
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"latents have shape {tuple(z.shape)}; this model wants (n, {self.latent_dim})")
        if not 0 <= truncation <= 1:
            raise ValueError(f"truncation is {truncation}; allowed: 0 to 1")
        stage, alpha = (self.stage, self.alpha) if stage is None else (stage, 1.0 if alpha is None else alpha)
        parts = [self._generate(part, truncation, stage, alpha, fast) for part in z.split(batch)]
        frames, resolution = self.sizes[stage]
        return torch.cat(parts) if parts else torch.empty(0, 3, frames, resolution, resolution)

    def _generate(self, z: Tensor, truncation: float, stage: int, alpha: float, fast: bool) -> Tensor:
        x = self.generator.start(z.to(self.device, torch.float32))
        if truncation != 1:
            x = torch.lerp(self.centre, x, truncation)
        return self._renderer(x, fast)(x, stage, alpha).float().clamp(-1, 1).cpu()

    def _renderer(self, x: Tensor, fast: bool) -> Renderer | Plain:
        """Made at the first use, since it holds the weights once more."""
        if not isinstance(self.generator, Generator):
            return Plain(self.generator)
        if fast not in self._renderers:
            self._renderers[fast] = (quickest(self.generator, x[:1], self.stage) if fast
                                     else Renderer(self.generator, torch.float32))
        return self._renderers[fast]


def load(name: str | Path, device: str | torch.device = "cpu") -> Model:
    """A model from a run folder (its newest network checkpoint), a .safetensors file, or the name of one in assets/.

    Raises CheckpointError, saying what was looked for.
    """
    path = _find(name)
    tensors, info = read_tensors(path)
    if info.get("kind") != "network":
        raise CheckpointError(f"{path} holds a {info.get('kind')} checkpoint; a *-network.safetensors file is wanted")
    try:
        with torch.device("meta"):                            # before room is made for what a header asks for
            wanted = build_generator(info["config"]).state_dict()
        if apart := sorted(name for name in wanted.keys() | tensors.keys()
                           if name not in wanted or name not in tensors or wanted[name].shape != tensors[name].shape):
            raise ValueError(f"its tensors are of another network, beginning with {apart[0]}")
        generator = build_generator(info["config"], info.get("replicate"))
        generator.load_state_dict({k: v.float() for k, v in tensors.items()})
        return Model(generator, info["config"], clips=int(info["clips"]), stage=int(info["stage"]),
                     alpha=float(info["alpha"]), path=path, device=device)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit its own configuration: {error}") from error


def _find(name: str | Path) -> Path:
    path = Path(name)
    if path.is_dir():
        found = network_checkpoints(path)
        if not found:
            raise CheckpointError(f"the run {path} has no network checkpoint yet")
        return found[-1]
    if path.suffix == ".safetensors":
        return path
    asset = ASSETS / f"{path.name}.safetensors"
    if asset.is_file() and str(name) == path.name:
        return asset
    raise CheckpointError(f"there is no model {str(name)!r}: not a run folder, not a .safetensors file, and not in "
                          f"{ASSETS}")
