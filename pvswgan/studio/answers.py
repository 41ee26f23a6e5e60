"""Answers that several pages give: a known error as a sentence, clips as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import HTTPException, Response

from pvswgan.checkpoint import CheckpointError
from pvswgan.data.format import DataError
from pvswgan.metrics.extractors import ExtractorError
from pvswgan.studio.data_stores import UnknownStoreError, plain
from pvswgan.studio.kept import KeptError, UnknownKeptError
from pvswgan.studio.models import Sheet, TooMuchError, UnknownModelError
from pvswgan.studio.processes import ProcessError
from pvswgan.studio.queue import QueueError
from pvswgan.studio.train_form import FormError

T = TypeVar("T")


def asked(call: Callable[..., T], *arguments: object) -> T:
    """call(*arguments), its known errors turned into answers that the page shows as a sentence."""
    try:
        return call(*arguments)
    except (UnknownModelError, UnknownKeptError) as error:
        raise HTTPException(404, str(error)) from error
    except UnknownStoreError as error:
        raise HTTPException(404, plain(str(error))) from error
    except (DataError, KeptError, ProcessError, QueueError) as error:
        raise HTTPException(409, str(error)) from error
    except (CheckpointError, ExtractorError, TooMuchError, FormError, OSError) as error:
        raise HTTPException(422, str(error)) from error


def sheet_answer(sheet: Sheet, **headers: str) -> Response:
    """The sheet, with its size in X-Rows, X-Frames and X-Resolution."""
    size = {"X-Rows": str(sheet.rows), "X-Frames": str(sheet.frames), "X-Resolution": str(sheet.resolution)}
    return Response(sheet.jpeg, media_type="image/jpeg", headers=size | {"Cache-Control": "no-store"} | headers)
