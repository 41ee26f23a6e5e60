import itertools

import pytest
import torch
from torch.nn import functional as F

from pvswgan.conv import conv3d_same, conv_down, conv_up, enlarge, shrink
from pvswgan.networks import to_layout

FACTORS = [f for f in itertools.product((1, 2), repeat=3) if f[1] == f[2]]


def _penalty(function, x, w):
    """Value, first derivatives, and the derivatives of a penalty on the first in x."""
    x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
    y = function(x, w)
    first = torch.autograd.grad(y.square().sum(), (x, w), create_graph=True)
    return [y, *first, *torch.autograd.grad(first[0].square().sum(), (x, w))]


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("kind", ["same", "up", "down"])
def test_convolutions_are_pytorchs_in_float64_on_the_cpu(kind, factors, device):
    ours = {"same": conv3d_same, "up": lambda x, w: conv_up(x, w, factors),
            "down": lambda x, w: conv_down(x, w, factors)}
    theirs = {"same": lambda x, w: F.conv3d(x, w, padding=1),
              "up": lambda x, w: F.conv3d(enlarge(x, factors), w, padding=1),
              "down": lambda x, w: shrink(F.conv3d(x, w, padding=1), factors)}
    x = torch.randn(3, 8, 4, 8, 8, dtype=torch.float64)
    w = torch.randn(16, 8, 3, 3, 3, dtype=torch.float64) / 15
    found = _penalty(ours[kind], to_layout(x.to(device, torch.float32)), w.to(device, torch.float32))
    for a, b in zip(found, _penalty(theirs[kind], x, w), strict=True):
        a, b = a.detach().cpu().double(), b.detach()
        assert float((a - b).norm() / b.norm()) < 1e-5
