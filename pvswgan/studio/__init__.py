"""The page: one module for each tab, shared views in views/. `create_app(Settings())` gives a FastAPI app."""

from pvswgan.studio.server import Settings, Studio, create_app, serve

__all__ = ["Settings", "Studio", "create_app", "serve"]
