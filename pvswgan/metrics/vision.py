"""torchvision beside a CPU build of PyTorch: torch-fidelity and torchmetrics import it, though neither needs its
compiled operators here."""

from __future__ import annotations

from functools import cache

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def mend_torchvision() -> torch.library.Library:
    """Declare the two operators that torchvision registers against at import, where its own library does not load.

    Call it before anything that imports torchvision. What it returns lives as long as the process (by the cache): the
    declarations go with it.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SCHEMA)
    return library
