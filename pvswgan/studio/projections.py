"""Projections: a clip that a person dropped on the page, fitted by the latent that comes nearest to it.

A projection is a job in a thread of the page's own process, one at a time, so that sliders stay live; what it found is
kept as a latent. A page asks how far it is, and may stop it: what was found until then is kept too.
"""

from __future__ import annotations

import atexit
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from pvswgan import projection, video
from pvswgan.data.pixels import Pixels
from pvswgan.studio.answers import asked, sheet_answer
from pvswgan.studio.models import Models, Opened, Sheet
from pvswgan.studio.uploads import UploadError, read_clip

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

LARGEST = 64 * 2**20  # bytes of an upload
WAITING = 4  # jobs, the one in work with them
REMEMBERED = 32  # jobs
STEPS, SAMPLES = 200, 64
QUIET, PATIENCE = 0.2, 1.0  # seconds: a step waits until nobody drew for so long, but never longer than that


class BusyError(RuntimeError):
    """More clips wait already than would be fitted in any time that a person waits. str() is a sentence."""


class Job:
    """One clip being fitted. state: "running" (or waiting for its turn), "done", "failed" or "stopped"."""

    def __init__(self, clip: Pixels) -> None:
        self.id, self.clip = secrets.token_hex(8), clip
        self.state = "running"
        self.error: str | None = None
        self.step, self.steps = 0, STEPS + -(-SAMPLES // projection.TOGETHER)
        self.distance: float | None = None
        self.latent: str | None = None
        self.stopping, self.thread = threading.Event(), threading.Thread()
        self._times: deque[float] = deque(maxlen=16)

    def progress(self, step: int, steps: int, distance: float) -> None:
        """What projection.project calls at every step."""
        self.step, self.steps, self.distance = step, steps, distance
        self._times.append(time.monotonic())
        if self.stopping.is_set():
            raise StopIteration

    def status(self) -> dict[str, Any]:
        """For the page. eta_s: seconds to the end at the pace of the last steps, None while that is not known."""
        eta, times = None, list(self._times)
        if self.state == "running" and len(times) > 1:
            eta = (self.steps - self.step) * (times[-1] - times[0]) / (len(times) - 1)
        known = {name: getattr(self, name) for name in ("state", "step", "steps", "distance", "error", "latent")}
        return {**known, "eta_s": eta}


class Projections:
    """The jobs of a studio, each in a thread: they take turns."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock, self._turn = threading.Lock(), threading.Lock()
        atexit.register(self.close)

    def find(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def running(self) -> list[Job]:
        """The job in work and those that wait for their turn."""
        return [job for job in list(self._jobs.values()) if job.state == "running"]

    def begin(self, opened: Opened, clip: Pixels) -> Job:
        """Starts fitting a clip, uint8 (T, R, R, 3) of the model's size. Raises BusyError."""
        job = Job(clip)
        with self._lock:
            if len(running := self.running()) >= WAITING:
                raise BusyError(f"{len(running)} clips are being fitted here already, one after the other. Try again "
                                "later.")
            self._jobs[job.id] = job
            for id in [id for id, other in self._jobs.items() if other.state != "running"][:-REMEMBERED]:
                del self._jobs[id]
            job.thread = threading.Thread(target=self._work, args=(job, opened), name=f"fit-{job.id}", daemon=True)
            job.thread.start()
        return job

    def close(self) -> None:
        """Ends all jobs: a thread that is still in PyTorch when Python goes would crash the process."""
        with self._lock:
            running = self.running()
        for job in running:
            job.stopping.set()
        for job in running:
            job.thread.join(timeout=30)

    def _work(self, job: Job, opened: Opened) -> None:
        while not (mine := self._turn.acquire(timeout=0.2)) and not job.stopping.is_set():
            pass
        try:
            job.state = "stopped" if job.stopping.is_set() else self._fit(job, opened)
        except Exception as error:
            # Whatever it is, the page that waits has to hear of it: nobody else looks at this thread.
            job.error = f"The clip could not be fitted: {error}"
            job.state = "failed"
        finally:
            if mine:
                self._turn.release()

    def _fit(self, job: Job, opened: Opened) -> str:
        """Searches, and keeps what was found; the state that the job is in then."""
        progress = partial(self._progress, job)
        found = projection.project(opened.model, job.clip, steps=STEPS, samples=SAMPLES, callback=progress)
        job.distance = found.distance
        job.latent = self._models.kept.add_latent(opened.entry.id, found.z[0], distance=found.distance, step=job.step)
        return "stopped" if job.step < job.steps else "done"

    def _progress(self, job: Job, step: int, steps: int, distance: float) -> None:
        """After each step: the page hears of it, and whoever moves a slider has the cores first."""
        job.progress(step, steps, distance)
        until = time.monotonic() + PATIENCE
        while (now := time.monotonic()) < until and now - self._models.drawn_at < QUIET:
            time.sleep(0.02)


def router(studio: Studio, guard: Callable[..., Any]) -> APIRouter:
    """/api/project and what belongs to a job."""
    router, jobs = APIRouter(), studio.projections
    guarded, writing = [Depends(guard)], [Depends(studio.guard_write)]

    def found(job: str) -> Job:
        known = jobs.find(job)
        if known is None:
            raise HTTPException(404, "This fit is not known here any more: it is long ago, or the studio began anew.")
        return known

    def begin(model: str, data: bytes) -> Job:
        opened = studio.models.open(model)
        return jobs.begin(opened, read_clip(data, opened.model.frames, opened.model.resolution))

    @router.post("/api/project", dependencies=writing)
    async def project(model: str, request: Request) -> dict[str, str]:
        data = await _body(request)
        try:
            job: Job = await run_in_threadpool(asked, begin, model, data)
        except BusyError as error:
            raise HTTPException(409, str(error)) from error
        except UploadError as error:
            raise HTTPException(422, str(error)) from error
        return {"job": job.id}

    @router.get("/api/project/{job}", dependencies=guarded)
    def status(job: str) -> dict[str, Any]:
        return found(job).status()

    @router.get("/api/project/{job}/target", dependencies=guarded)
    def target(job: str) -> Response:
        clip = found(job).clip
        return sheet_answer(Sheet(video.encode_jpeg(video.sprite_sheet(clip[None])), 1, *clip.shape[:2]))

    @router.post("/api/project/{job}/stop", dependencies=writing)
    def stop(job: str) -> dict[str, Any]:
        found(job).stopping.set()
        return found(job).status()

    return router


async def _body(request: Request) -> bytes:
    """The whole body; 413 as soon as it is known to be too long."""
    too_long = HTTPException(413, f"The file is too large; allowed: {LARGEST // 2**20} MB. Cut the clip shorter first.")
    if int(request.headers.get("content-length") or 0) > LARGEST:
        raise too_long
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise too_long
    return bytes(data)
