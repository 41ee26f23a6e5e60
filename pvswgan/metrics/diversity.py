"""How different the clips of a set are from each other: multi-scale SSIM of pairs, the distance of their features."""

from __future__ import annotations

import torch
from torch import Tensor

from pvswgan.metrics.vision import mend_torchvision

# Wang, Simoncelli and Bovik 2003: weights of the scales, finest first
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # pixels of the Gaussian window (sigma 1.5), which must fit into the coarsest scale


def scales(resolution: int) -> int:
    """How many of the five scales pictures of that size allow; 0 below 11 pixels."""
    return sum(resolution >> i >= WINDOW for i in range(len(WEIGHTS)))


@torch.no_grad()
def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """(N,): multi-scale SSIM of clips a and b (N, 3, T, H, W) in [-1, 1], the mean over frames; 1 for the same clip.

    Of the five scales the first `scales(H)` are taken, their weights brought to a sum of 1. Raises ValueError where
    not even one fits.
    """
    mend_torchvision()
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure

    n, _, frames, *size = a.shape
    many = scales(min(size))
    if not many:
        raise ValueError(f"SSIM's window has {WINDOW} pixels; clips of {size[0]}x{size[1]} are smaller")
    betas = tuple(w / sum(WEIGHTS[:many]) for w in WEIGHTS[:many])
    left, right = (((x.float() + 1) / 2).transpose(1, 2).flatten(0, 1) for x in (a, b))
    found = measure(left, right, gaussian_kernel=True, sigma=1.5, kernel_size=WINDOW, reduction="none", data_range=1.0,
                    betas=betas, normalize="relu")
    assert isinstance(found, Tensor)
    return found.view(n, frames).mean(1)


def feature_distance(features: Tensor, scale: Tensor) -> float:
    """The mean distance of two clips of a set, features (N, D), each divided by `scale` (D): for D independent features
    of that deviation about sqrt(2 D)."""
    return float(torch.pdist((features / scale).float()).mean())
