"""The Compare page. Two to four runs or models side by side: same latents, one clock, curves, a quiz, a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    view("compare")


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The page's routes, each behind the guard."""
