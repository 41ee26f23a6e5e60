"""The Learn page: lessons, each a live instrument first and text second.

A lesson is a view of its own, views/learn_NAME.html, .js and .css, and where it needs the server a module learn_NAME.py
with routes. learn.js shows one at a time and keeps its state in the address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from pvswgan.studio import learn_failures, learn_growing, learn_pair, learn_slices, learn_tour
from pvswgan.studio.views import view

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio


@dataclass(frozen=True)
class Lesson:
    """title, question: of the list of lessons. scripts: loaded before learn_NAME.js. module: with its routes."""

    name: str
    title: str
    question: str
    scripts: tuple[str, ...] = ()
    module: ModuleType | None = None

    def all_scripts(self) -> tuple[str, ...]:
        return (*self.scripts, f"learn_{self.name}.js")


LESSONS: tuple[Lesson, ...] = (  # in the order in which they are taught
    Lesson("slices", "Slice theatre", "How far apart are two clouds?",
           ("learn_sketch.js", "learn_transport.js", "learn_slices_draw.js"), learn_slices),
    Lesson("growing", "Growing", "Why begin with 4 × 4 pixels?", (), learn_growing),
    Lesson("critic", "The critic and its leash", "Why must a critic be held back?",
           ("learn_sketch.js", "learn_transport.js", "learn_critic_net.js", "learn_critic_draw.js")),
    Lesson("failures", "When it goes wrong", "What happened here?",
           ("ruler.js", "alert_box.js", "curves.js"), learn_failures),
    Lesson("pair", "SWGAN against WGAN-GP", "Which loss is better, and who says so?",
           ("curves.js", "compare_state.js", "compare_clips.js", "compare_quiz.js", "compare_curves.js",
            "evaluate_tables.js"), learn_pair),
    Lesson("tour", "A latent tour", "What does a direction mean?", ("explore_direction.js",), learn_tour),
)


def build(studio: Studio) -> None:
    """Puts the page into the Blocks context it is called in."""
    lessons = [{"name": one.name, "title": one.title, "question": one.question} for one in LESSONS]
    # The list needs the lessons' scripts before its own; a script that two components name is loaded once.
    view("learn", "learn_state.js", *(script for one in LESSONS for script in one.all_scripts()), lessons=lessons)
    for one in LESSONS:
        view(f"learn_{one.name}", "learn_state.js", *one.scripts)


def routes(app: FastAPI, studio: Studio, guard: Callable[..., Any]) -> None:
    """The lessons' routes, each behind the guard."""
    for one in LESSONS:
        if one.module is not None:
            one.module.routes(app, studio, guard)
