"""The page: one module for each tab, shared views in views/. `create_app(Settings())` gives a FastAPI app,
`our_routes(Settings())` one without Gradio's page."""

import inspect
from typing import Any
from unittest import mock

_file_of = inspect.getfile


def _no_stubs(thing: Any) -> str:
    """As Gradio has it for components that come from no file."""
    if type(thing).__name__ == "ComponentMeta":
        raise OSError("no stubs")
    return _file_of(thing)


# At every import Gradio parses all its components and renders stubs for editors, to see whether those beside them are
# still true: two fifths of what its import takes, seconds on a slow core.
with mock.patch("inspect.getfile", _no_stubs):
    import gradio as _gradio  # noqa: F401

from pvswgan.studio.server import Settings, Studio, create_app, our_routes, serve  # noqa: E402

__all__ = ["Settings", "Studio", "create_app", "our_routes", "serve"]
