"""What no request may do, whichever route it is for: ours ask `guard` themselves, Gradio's know nothing of it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pvswgan.studio.answers import Json
from pvswgan.studio.projections import LARGEST

ROOM = 2**20  # bytes of a request beside the file that it brings
TAKE_FILES = ("/upload", "/process_recording")  # of Gradio: what is sent there is written to the disk


class Gate:
    """ASGI middleware: 403 where `guard`, or for files `guard_write`, raises; 413 for a body that is too large."""

    def __init__(self, app: ASGIApp, guard: Callable[[Request], None], guard_write: Callable[[Request], None]) -> None:
        self.app, self.guard, self.guard_write = app, guard, guard_write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._ask(Request(scope))
            except HTTPException as error:
                return await Json({"detail": error.detail}, error.status_code)(scope, receive, send)
        await self.app(scope, receive, send)

    def _ask(self, request: Request) -> None:
        takes_files = request.method == "POST" and request.url.path.rstrip("/").endswith(TAKE_FILES)
        (self.guard_write if takes_files else self.guard)(request)
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > LARGEST + ROOM:
            raise HTTPException(413, f"The request is too large: {length} bytes; allowed: {LARGEST // 2**20} MB.")
