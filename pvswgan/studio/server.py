"""The studio's web server: settings, the login guard, static files, the pages mounted on one FastAPI app."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.routing import Mount

from pvswgan.studio import api, compare, data, evaluate, explore, latents, learn, train
from pvswgan.studio.answers import Json, misshapen, refused
from pvswgan.studio.gate import Gate
from pvswgan.studio.kept import Kept
from pvswgan.studio.login import LoginFirst
from pvswgan.studio.models import Models
from pvswgan.studio.projections import LARGEST, Projections
from pvswgan.studio.views import css, static_files

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ("127.0.0.1", "localhost", "::1")
PAGES: dict[str, Any] = {  # title of each tab, in order: its module, with build(studio) and routes(app, studio, guard)
    "Explore": explore, "Train": train, "Compare": compare, "Latents": latents, "Evaluate": evaluate, "Data": data,
    "Learn": learn}
CLEARED_S = (600, 3600)  # how often files of the API are looked through, and how old one may be; at the end all go


@dataclass(frozen=True)
class Settings:
    """What the command line decides.

    host, port: where the server listens. runs: the folder of run folders. assets: small models that the app
    opens with. auth: (user, password) or None for an open page. read_only: nobody may start, stop or change
    a training from the page (a classroom).
    """

    host: str = "127.0.0.1"
    port: int = 7860
    runs: Path = Path("runs")
    assets: Path = ROOT / "assets"
    auth: tuple[str, str] | None = None
    read_only: bool = False


@dataclass
class Studio:
    """What every page is handed: the settings, the models, the mounted Gradio app (None until mounted)."""

    settings: Settings
    models: Models = field(init=False)
    kept: Kept = field(init=False)
    projections: Projections = field(init=False)
    gradio: Any = None

    def __post_init__(self) -> None:
        self.models = Models(self.settings.runs, self.settings.assets)
        self.kept = self.models.kept
        self.projections = Projections(self.models)

    def user(self, request: Request) -> str | None:
        """The name of the person logged in with this request's cookie, or None; "" where no login is set."""
        if self.settings.auth is None:
            return ""
        if self.gradio is None:
            return None
        cookies, name = request.cookies, self.gradio.cookie_id
        token = cookies.get(f"access-token-{name}") or cookies.get(f"access-token-unsecure-{name}")
        return self.gradio.tokens.get(token)

    def guard(self, request: Request) -> None:
        """FastAPI dependency for every route of ours: 403 for what another site sends. (The login stands before all
        routes, login.py.)

        Keeps any page on the internet from using a studio on 127.0.0.1 behind its owner's back: browsers send Origin
        with every such write, and a name that someone else points at this machine (DNS rebinding) is not one that it
        answers to.
        """
        host = request.headers.get("host", "")
        if self.settings.host in LOCAL and _name(host) not in LOCAL:
            raise HTTPException(403, f"This studio answers on {self.settings.host} only, not as {host}.")
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if request.method not in ("GET", "HEAD") and foreign:
            raise HTTPException(403, f"A request from {origin} is not accepted here.")

    def guard_write(self, request: Request) -> None:
        """As guard, and 403 in a read-only studio: for whatever starts, stops or changes something."""
        self.guard(request)
        if self.settings.read_only:
            raise HTTPException(403, "This studio is read-only: it was started with --read-only.")


def _name(host: str) -> str | None:
    """The name in a Host header, without its port; None for nonsense."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def create_app(settings: Settings) -> FastAPI:
    """The whole studio as one FastAPI app: our routes first, then Gradio at "/"."""
    app = our_routes(settings)
    studio = app.state.studio
    gr.mount_gradio_app(
        app,
        build_page(studio),
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        auth=settings.auth,
        auth_message="PVSWGAN Studio" if settings.auth else None,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        max_file_size=LARGEST,
        theme=theme(),
        css=css(),
    )
    # Gradio was mounted last, at "/": its app holds the tokens that the guard asks for.
    studio.gradio = next(route.app for route in reversed(app.routes) if isinstance(route, Mount))
    return app


def our_routes(settings: Settings) -> FastAPI:
    """All but the page itself, each route behind the guard; where a login is set nobody passes it, as the tokens are
    Gradio's."""
    studio = Studio(settings)
    app = FastAPI(title="PVSWGAN Studio", docs_url=None, redoc_url=None, openapi_url=None, default_response_class=Json,
                  exception_handlers={HTTPException: refused, RequestValidationError: misshapen})
    app.state.studio = studio
    app.add_middleware(Gate, guard=studio.guard, guard_write=studio.guard_write)
    if settings.auth:
        app.add_middleware(LoginFirst, user=studio.user)
    static_route(app, studio)
    for page in PAGES.values():
        page.routes(app, studio, studio.guard)
    return app


def build_page(studio: Studio) -> gr.Blocks:
    """One page of tabs: switching keeps each tab's state, and only an opened tab is built in the browser."""
    blocks = gr.Blocks(title="PVSWGAN Studio", analytics_enabled=False, fill_width=True, delete_cache=CLEARED_S)
    with blocks:  # once: at each end of it Gradio builds an app of all its routes
        with gr.Tabs(elem_id="pvs-tabs"):
            for title, page in PAGES.items():
                with gr.Tab(title, id=title.lower(), elem_id=f"pvs-tab-{title.lower()}"):
                    page.build(studio)
        api.build(studio)
    # Gradio checks that a file named in a request was uploaded, but only in an app that it has launched itself.
    blocks.has_launched = True
    return blocks


def static_route(app: FastAPI, studio: Studio) -> None:
    """GET /studio/static/NAME: our scripts and plotly.js, by a fixed list of names."""

    @app.get("/studio/static/{name}", dependencies=[Depends(studio.guard)])
    def static(name: str) -> Response:
        if name not in static_files():
            raise HTTPException(404, "There is no such file in the studio.")
        # The URL changes with the bytes, so a browser never has to ask again.
        cache = {"Cache-Control": "private, max-age=31536000, immutable"}
        return FileResponse(static_files()[name], headers=cache)


def theme() -> gr.themes.Base:
    """Quiet and local: system fonts only (Gradio's defaults would ask Google for theirs)."""
    fonts = ["ui-sans-serif", "system-ui", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "monospace"]
    return gr.themes.Base(primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=mono)


class Announcing(uvicorn.Server):
    """Says where the studio is once it really answers there."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        host = "127.0.0.1" if self.config.host in ("0.0.0.0", "::") else self.config.host
        address = f"http://{host}:{self.config.port}"
        print(f"PVSWGAN Studio is open on {address}   (Ctrl-C closes it; trainings go on)", flush=True)
        models = self.config.app.state.studio.models  # type: ignore[union-attr]
        threading.Thread(target=models.warm, daemon=True).start()


def serve(settings: Settings) -> None:
    """Builds the studio and serves it until Ctrl-C."""
    app = create_app(settings)
    Announcing(uvicorn.Config(app, settings.host, settings.port, log_level="warning")).run()
