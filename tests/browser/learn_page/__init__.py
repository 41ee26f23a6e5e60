"""The Learn page in a real Chromium: each lesson as a student would do it."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit


def open_lesson(page: Any, url: str, name: str, state: dict[str, Any] | None = None) -> None:
    """Go to a lesson, by a link with this state, and wait until it has begun."""
    link = f"{url}/?tab=learn&lesson={name}" + (f"&l={quote(json.dumps(state))}" if state else "")
    page.goto(link)
    page.wait_for_function(f"window.pvs?.learn?.lessons.get('{name}')?.begun", timeout=30000)


def state_in_link(page: Any) -> dict[str, Any]:
    """What the address says of the open lesson's state."""
    return json.loads(parse_qs(urlsplit(page.url).query).get("l", ["{}"])[0])


def wait_for_link(page: Any, state: dict[str, Any], seconds: float = 15) -> None:
    """Until the address says this of the open lesson's state: it follows once the hand rests."""
    until = time.monotonic() + seconds
    while state_in_link(page) != state and time.monotonic() < until:
        page.wait_for_timeout(50)
    assert state_in_link(page) == state
