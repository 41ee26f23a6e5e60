"""Views as files: NAME.html, NAME.js and NAME.css become a gr.HTML component; a route serves the scripts."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

VIEWS = Path(__file__).resolve().parent


@lru_cache
def static_files() -> dict[str, Path]:
    """The files a page may ask for, by name; nothing else is ever opened for the static route."""
    files = {path.name: path for path in VIEWS.iterdir() if path.suffix in (".js", ".css")}
    plotly = importlib.util.find_spec("plotly")
    if plotly is not None and plotly.origin:
        files["plotly.min.js"] = Path(plotly.origin).parent / "package_data" / "plotly.min.js"
    return files


@lru_cache
def static_url(name: str) -> str:
    """A relative URL whose query changes with the file's bytes: a browser may keep the file for a year."""
    digest = hashlib.sha256(static_files()[name].read_bytes()).hexdigest()[:12]
    return f"studio/static/{name}?v={digest}"


def css() -> str:
    """Every view's CSS, studio.css (the shared colours and parts) first."""
    names = sorted(VIEWS.glob("*.css"), key=lambda path: (path.name != "studio.css", path.name))
    return "\n".join(path.read_text() for path in names)


def view(name: str, *scripts: str, **props: Any) -> gr.HTML:
    """A component from views/NAME.html, brought to life by views/NAME.js through pvs.view("NAME", mount).

    mount gets {element, props} of gr.HTML, and the address of plotly.js, once the element is on the page.
    studio.js and player.js are loaded first, then `scripts`, then NAME.js. The HTML must
    hold no "${" and no "{{": Gradio reads them as templates. Names of people's making go in by textContent.
    """
    sources = ["studio.js", "player.js", *scripts, f"{name}.js"]
    plotly = f"plotly: '{static_url('plotly.min.js')}'" if "plotly.min.js" in static_files() else ""
    return gr.HTML(
        html_template=(VIEWS / f"{name}.html").read_text(),
        js_on_load=f"window.pvs.mount('{name}', {{element, props, {plotly}}});",
        head="".join(f'<script src="{static_url(source)}"></script>' for source in sources),
        elem_id=f"pvs-{name}",
        apply_default_css=False,
        **props,
    )
