"""Real clips in: a store of uint8 clips at every resolution, and the sources that fill it."""

from pvswgan.data.format import DataError
from pvswgan.data.sources import open_store
from pvswgan.data.store import ClipStore
from pvswgan.data.writer import StoreWriter

__all__ = ["ClipStore", "DataError", "StoreWriter", "open_store"]
