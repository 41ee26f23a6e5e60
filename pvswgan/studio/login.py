"""With a login nothing is answered before it, but what the login page itself is made of.

Gradio asks for the login at the routes that it deems worth it; some (cancel, stream, heartbeat, startup-events) answer
anyone. So the question stands before all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

API = "/gradio_api"
# The page with the form, its style and icons, and the question who is logged in.
OPEN = {"", "/login", "/logout", "/theme.css", f"{API}/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json",
        f"{API}/user", f"{API}/login_check", f"{API}/token", f"{API}/app_id"}
OPEN_BELOW = ("/static/", "/assets/", "/svelte/")


def is_open(path: str) -> bool:
    """Whether a path is answered without a login."""
    return path.rstrip("/") in OPEN or path.startswith(OPEN_BELOW)


class LoginFirst:
    """ASGI middleware: 401 for whoever `user` does not know (None), but for what is open."""

    def __init__(self, app: ASGIApp, user: Callable[[Request], str | None]) -> None:
        self.app, self.user = app, user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]) and self.user(Request(scope)) is None:
            await JSONResponse({"detail": "Please log in first."}, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
