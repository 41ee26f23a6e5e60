"""What other programs may ask of a running studio, by gradio_client: docs/API.md.

Each function here is an endpoint of Gradio's own API, with its types and its docstring; no other function of the page
is one. Gradio asks for the login before any of them. Files go out by way of Gradio's cache and come in through its
upload folder, so that no path of this machine is ever taken from outside.
"""

# No "from __future__ import annotations" here: Gradio reads the types of what is returned as they stand.

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gradio as gr
import numpy as np
import torch
from fastapi import HTTPException
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from pvswgan import latents, video
from pvswgan.checkpoint import CheckpointError
from pvswgan.studio import processes, train_form, train_watch
from pvswgan.studio.models import Opened, UnknownModelError
from pvswgan.studio.projections import LARGEST, BusyError
from pvswgan.studio.uploads import read_clip

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

Format = Literal["mp4", "npz"]
MOST_CLIPS = 64
LARGEST_SEED = 2**31 - 1


def build(studio: "Studio") -> None:
    """Registers the endpoints in the Blocks context that it is called in."""
    api = Api(studio)
    # Queues of their own: while two clips are being fitted, which takes minutes, a training can be stopped.
    for name, most, functions in (
        ("asked", None, (api.models, api.runs, api.start, api.stop)),
        ("drawn", 2, (api.sample, api.interpolate)),
        ("fitted", 2, (api.project,)),
    ):
        for function in functions:
            gr.api(function, api_name=function.__name__, concurrency_id=name, concurrency_limit=most)


class Api:
    """The endpoints; each method one."""

    def __init__(self, studio: "Studio") -> None:
        self._studio = studio

    # ---- what there is ------------------------------------------------------------------------------------------

    def models(self, request: gr.Request) -> list[dict[str, Any]]:
        """The models that can be drawn from, newest first: {"id", "name", "kind": run, asset or file, "clips" (that it
        was trained on, or null)}. An id is what sample, interpolate and project take."""
        with self._asked(request):
            entries = (entry for group in self._studio.models.groups() for entry in group)
            return [{"id": e.id, "name": e.name, "kind": e.kind, "clips": e.clips} for e in entries]

    def runs(self, request: gr.Request) -> list[dict[str, Any]]:
        """The trainings of this studio, newest first: {"id", "state", "message", "loss", "data", "stage", "kimg",
        "total_kimg", "clips_per_s", "eta_s", ...}; state is starting, running, paused, stopped, finished or failed."""
        with self._asked(request):
            return [train_watch.summary(run) for run in train_watch.runs(self._studio.settings.runs)]

    # ---- clips --------------------------------------------------------------------------------------------------

    def sample(
        self, model: str, n: int = 1, seed: int = 0, truncation: float = 1.0, format: Format = "mp4",
        parts: dict[str, Any] | None = None, request: gr.Request | None = None,
    ) -> gr.FileData:  # fmt: skip
        """Draws n clips (1 to 64) of a model; the file that holds them.

        The latents are those of pvswgan.load(...).sample(n, seed); truncation, 0 to 1, draws them towards the mean.
        parts: {part: seed}, for a model whose latents have parts (MoCoGAN: {"content": 5} gives all clips the content
        of seed 5, each with a motion of its own).
        format mp4: side by side in one video. npz: "clips", uint8 (n, T, H, W, 3), and "latents", float32 (n, dim)."""
        with self._asked(request):
            n, seed = _whole("n", n, 1, MOST_CLIPS), _whole("seed", seed, 0, LARGEST_SEED)
            opened = self._studio.models.open(str(model))
            named = _named("parts", parts, "{part: seed}").items()
            seeds = {name: _whole(f"parts[{name!r}]", of, 0, LARGEST_SEED) for name, of in named}
            z = opened.model.with_parts(latents.sample_latents(n, opened.model.latent_dim, seed), seeds)
            return self._file(opened, z, truncation, format, f"sample-seed{seed}")

    def interpolate(
        self, model: str, seed_a: int = 0, seed_b: int = 1, steps: int = 8, truncation: float = 1.0,
        format: Format = "mp4", request: gr.Request | None = None,
    ) -> gr.FileData:  # fmt: skip
        """Draws clips on the way from one seed's latent to another's (spherical), both ends included, in 2 to 64 steps.

        The file is as of sample: clip k of the npz lies k / (steps - 1) of the way."""
        with self._asked(request):
            steps = _whole("steps", steps, 2, MOST_CLIPS)
            a, b = _whole("seed_a", seed_a, 0, LARGEST_SEED), _whole("seed_b", seed_b, 0, LARGEST_SEED)
            opened = self._studio.models.open(str(model))
            first, last = (latents.sample_latents(1, opened.model.latent_dim, seed) for seed in (a, b))
            z = torch.cat([latents.slerp(first, last, k / (steps - 1)) for k in range(steps)])
            return self._file(opened, z, truncation, format, f"interpolation-{a}-{b}")

    def project(
        self, model: str, file: gr.FileData, format: Format = "mp4", request: gr.Request | None = None
    ) -> gr.FileData:
        """Finds the latent whose clip is nearest to a clip of yours (a video, GIF, WebP, strip or array, to 64 MB).

        The file holds the model's clip of that latent, as of sample. It takes a minute or more; where other clips are
        being fitted it waits its turn. Refused in a read-only studio."""
        with self._asked(request, write=True):
            opened, jobs = self._studio.models.open(str(model)), self._studio.projections
            clip = read_clip(_uploaded(file), opened.model.frames, opened.model.resolution)
            job = jobs.begin(opened, clip)
            job.thread.join()
            if job.latent is None:
                raise ValueError(job.error or "The fit was stopped before it had found anything.")
            return self._file(opened, self._studio.models.kept.latent(job.latent)[None], 1.0, format, "projection")

    # ---- trainings ------------------------------------------------------------------------------------------------

    def start(
        self, configuration: str, name: str = "", changes: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> str:  # fmt: skip
        """Starts a training; the id of its run.

        configuration: one of those that come with the studio, such as toyfaces-cpu. name: of the run; taken names get a
        number. changes: {key: value} of the configuration, such as {"train.batch": 8, "growth.resolution": 16}.
        Refused in a read-only studio."""
        with self._asked(request, write=True):
            item = train_form.find(str(configuration))
            changes = _named("changes", changes, "{key: value}")
            config = train_form.from_changes(item, changes)
            if problem := train_form.data_problem(config.data, "data.path" in changes):
                raise ValueError(problem)
            changed = train_form.overrides(item, config)
            return processes.start(self._studio.settings.runs, str(name) or item.id, item.path, changed)

    def stop(self, run: str, request: gr.Request) -> str:
        """Asks a training to stop at its next step, with a checkpoint to go on from; the state it is in now.
        Refused in a read-only studio."""
        with self._asked(request, write=True):
            folder = train_watch.known(self._studio.settings.runs, run)
            if folder is None:
                raise ValueError(f"There is no run {run!r}; runs() lists them.")
            until = time.monotonic() + processes.LOADING_S
            while processes.loading(folder.path, folder.status()) and time.monotonic() < until:
                time.sleep(0.1)  # a process sweeps away what was asked before it came
            processes.request(folder, "stop")
            return train_watch.state_of(folder)[0]

    # ---- helpers --------------------------------------------------------------------------------------------------

    @contextmanager
    def _asked(self, request: gr.Request | None, write: bool = False) -> Iterator[None]:
        """Who may not ask, and what cannot be done, becomes an error with a sentence for the caller."""
        try:
            if request is None or request.request is None:
                raise HTTPException(401, "Please log in first.")
            (self._studio.guard_write if write else self._studio.guard)(request.request)
            yield
        except HTTPException as error:
            raise gr.Error(str(error.detail), print_exception=False) from error
        except (UnknownModelError, CheckpointError, processes.ProcessError, BusyError, ValueError, OSError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _file(self, opened: Opened, z: torch.Tensor, truncation: float, format: str, name: str) -> gr.FileData:
        """The clips of latents z (n, dim), as a file in Gradio's cache."""
        truncation = _number("truncation", truncation, 0, 1)
        return _cached(self._studio.models.draw(opened, z, truncation, fast=False), z, format, name)


def _cached(clips: np.ndarray, z: torch.Tensor, format: str, name: str) -> gr.FileData:
    if format not in ("mp4", "npz"):
        raise ValueError(f"format is {format!r}: allowed: mp4, npz")
    if format == "npz":
        buffer = BytesIO()
        np.savez_compressed(buffer, clips=clips, latents=z.numpy())
        data = buffer.getvalue()
    else:
        with tempfile.TemporaryDirectory(prefix="pvswgan-api-") as folder:
            data = video.write(clips, Path(folder) / "clips.mp4").read_bytes()
    path = save_bytes_to_cache(data, f"{name}.{format}", get_upload_folder())
    return gr.FileData(path=path, orig_name=f"{name}.{format}", size=len(data))


def _uploaded(file: Any) -> bytes:
    """The bytes of a file that the caller has uploaded, and of no other."""
    path = Path(str(file.get("path") if isinstance(file, dict) else getattr(file, "path", ""))).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise ValueError("file is not an uploaded one: hand it over by gradio_client.handle_file(path)")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"the file is too large; allowed: {LARGEST // 2**20} MB")
    return path.read_bytes()


def _named(name: str, value: Any, allowed: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name} is {value!r:.100}: allowed: {allowed}")
    return value or {}


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}: allowed: a whole number from {least} to {most}")
    return value


def _number(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}: allowed: a number from {least:g} to {most:g}")
    return float(value)
