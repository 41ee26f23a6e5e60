"""Progressively growing video GANs: the library. `pvswgan.load("runs/NAME").sample(8, seed=0)`."""

from pvswgan.checkpoint import CheckpointError, Model, load

__version__ = "0.1.0"
__all__ = ["CheckpointError", "Model", "__version__", "load"]
