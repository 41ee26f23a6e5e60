"""Answers that several pages give: JSON, a known error as a sentence, clips as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from pvswgan.checkpoint import CheckpointError
from pvswgan.data.format import DataError
from pvswgan.growth import PlanError
from pvswgan.metrics.extractors import ExtractorError
from pvswgan.studio.data_jobs import JobError, UnknownJobError
from pvswgan.studio.data_stores import UnknownStoreError
from pvswgan.studio.kept import KeptError, UnknownKeptError
from pvswgan.studio.models import Sheet, TooMuchError, UnknownModelError
from pvswgan.studio.processes import ProcessError, RunNameError
from pvswgan.studio.queue import QueueError
from pvswgan.studio.train_form import FormError
from pvswgan.studio.trash import TrashError, UnknownItemError

T = TypeVar("T")
UNKNOWN = (UnknownModelError, UnknownKeptError, UnknownStoreError, UnknownJobError, UnknownItemError)
WRONG = (RunNameError, FormError, PlanError, DataError, CheckpointError, ExtractorError, TooMuchError)
NOT_NOW = (ProcessError, QueueError, JobError, KeptError, TrashError)


class Json(JSONResponse):
    """JSON whatever is told: names of files may hold bytes that are no text, and one must not spoil a whole list."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


async def refused(request: Request, error: HTTPException) -> Response:
    """FastAPI's handler of an HTTPException."""
    return Json({"detail": error.detail}, error.status_code, headers=error.headers)


async def misshapen(request: Request, error: RequestValidationError) -> Response:
    """FastAPI's handler of a request of the wrong shape. Its own tells the input too, which may be a NaN: no JSON."""
    return Json({"detail": [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()]}, 422)


def asked(call: Callable[..., T], *arguments: object) -> T:
    """call(*arguments), its known errors turned into answers that the page shows as a sentence."""
    try:
        return call(*arguments)
    except UNKNOWN as error:
        raise HTTPException(404, str(error)) from error
    except WRONG as error:
        raise HTTPException(422, str(error)) from error
    except NOT_NOW as error:
        raise HTTPException(409, str(error)) from error
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        raise HTTPException(422, f"The studio's machine refused a file: {said}.") from error


def sheet_answer(sheet: Sheet, **headers: str) -> Response:
    """The sheet, with its size in X-Rows, X-Frames and X-Resolution."""
    size = {"X-Rows": str(sheet.rows), "X-Frames": str(sheet.frames), "X-Resolution": str(sheet.resolution)}
    return Response(sheet.jpeg, media_type="image/jpeg", headers=size | {"Cache-Control": "no-store"} | headers)
