import itertools
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from pvswgan import conv
from pvswgan.conv import (
    conv3d,
    conv3d_same,
    conv_down,
    conv_up,
    enlarge,
    input_gradients_only,
    shrink,
    widen,
)

FACTORS = [f for f in itertools.product((1, 2), repeat=3) if f[1] == f[2]]
DOUBLE = {"dtype": torch.float64, "requires_grad": True}


@pytest.mark.parametrize("factors", FACTORS)
def test_fused_scaling_is_scaling_and_convolution(factors):
    x, w = torch.randn(2, 3, 4, 6, 8, **DOUBLE), torch.randn(5, 3, 3, 3, 3, **DOUBLE)
    torch.testing.assert_close(conv_up(x, w, factors), F.conv3d(enlarge(x, factors), w, padding=1))
    torch.testing.assert_close(conv_down(x, w, factors), shrink(F.conv3d(x, w, padding=1), factors))


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("function", [conv_up, conv_down])
def test_first_and_second_derivatives_are_numerical_ones(function, factors):
    x, w = torch.randn(1, 2, 2, 4, 4, **DOUBLE), torch.randn(2, 2, 3, 3, 3, **DOUBLE)
    assert torch.autograd.gradcheck(lambda x, w: function(x, w, factors), (x, w), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x, w: function(x, w, factors), (x, w), fast_mode=True)


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("factors", FACTORS)
def test_repeated_ends_are_those_of_a_clip_with_its_end_frames_twice(factors, frames):
    x, w = torch.randn(2, 3, frames, 4, 6, **DOUBLE), torch.randn(5, 3, 3, 3, 3, **DOUBLE)
    ours = conv_up(x, w, factors, repeat=True)
    longer = F.pad(enlarge(x, factors), (0, 0, 0, 0, 1, 1), mode="replicate")
    theirs = F.conv3d(longer, w, padding=(0, 1, 1))
    torch.testing.assert_close(ours, theirs)
    if factors == (1, 1, 1):
        torch.testing.assert_close(conv3d_same(x, w, repeat=True), theirs)
    of = torch.randn_like(ours)
    for a, b in zip(torch.autograd.grad(ours, (x, w), of, retain_graph=True),
                    torch.autograd.grad(theirs, (x, w), of, retain_graph=True), strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(_penalty_gradients(ours, x, w), _penalty_gradients(theirs, x, w), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("stride, padding, size", [((1, 1, 1), (0, 0, 0), 5), ((2, 2, 2), (1, 1, 1), 5),
                                                   ((1, 2, 2), (1, 0, 1), 6), ((2, 1, 2), (2, 1, 0), 7)])
def test_any_stride_and_padding_as_pytorchs_own(stride, padding, size):
    x, w = torch.randn(2, 2, size, size, size, **DOUBLE), torch.randn(3, 2, 3, 3, 3, **DOUBLE)
    ours, theirs = conv3d(x, w, stride, padding), F.conv3d(x, w, stride=stride, padding=padding)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(_penalty_gradients(ours, x, w), _penalty_gradients(theirs, x, w), strict=True):
        torch.testing.assert_close(a, b)


def _penalty_gradients(y, x, w):
    """What a gradient penalty asks for: the derivative of a squared input gradient in the weights and the input."""
    (g,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    return torch.autograd.grad(g.square().sum(), (x, w))


def test_input_gradients_only_leaves_out_the_weights(monkeypatch):
    calls = []
    forward = conv._WeightGrad.forward
    monkeypatch.setattr(conv._WeightGrad, "forward", staticmethod(lambda *a: calls.append(1) or forward(*a)))
    x, w = torch.randn(1, 2, 4, 4, 4, **DOUBLE), torch.randn(2, 2, 3, 3, 3, **DOUBLE)
    y = conv3d_same(x, w).square().sum()
    with input_gradients_only():
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert not calls
    g.square().sum().backward()
    assert calls and w.grad is not None


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("factors", FACTORS)
def test_a_wide_kernel_is_the_kernel_and_itself_shifted(factors, backwards):
    w = torch.randn(2, 5, 3, 3, 3, dtype=torch.float64)
    expected = w
    for axis, factor in enumerate(factors, start=2):
        if factor == 2:
            pad = [(0, 0)] * 3
            after, before = list(pad), list(pad)
            after[axis - 2], before[axis - 2] = (0, 1), (1, 0)
            expected = sum(F.pad(expected, [n for pair in reversed(one) for n in pair]) for one in (after, before))
    expected = expected.flip([2, 3, 4]) if backwards else expected
    found = widen(w, factors, backwards, scale=0.125)
    torch.testing.assert_close(found, expected / 8)
    assert found.is_contiguous(memory_format=torch.channels_last_3d), "as the kernels want them: no copy"


def test_what_is_kept_for_wide_kernels_is_kept_for_all():
    """Asked for first where nothing may be differentiated, or on a device that has no numbers."""
    conv._taps.cache_clear()
    w = torch.randn(2, 2, 3, 3, 3, requires_grad=True)
    with torch.inference_mode():
        widen(w, (2, 2, 2))
    with torch.device("meta"):
        widen(torch.empty(2, 2, 3, 3, 3), (1, 2, 2))
    for factors in ((2, 2, 2), (1, 2, 2)):
        widen(w, factors).square().sum().backward()
    assert w.grad is not None and w.grad.isfinite().all()


def test_other_factors_are_refused():
    with pytest.raises(ValueError, match="scale factors must be 1 or 2"):
        widen(torch.zeros(1, 1, 3, 3, 3), (3, 1, 1))


def test_shrink_undoes_enlarge_and_keeps_the_type():
    x = torch.randn(2, 3, 2, 4, 4).bfloat16()
    assert torch.equal(shrink(enlarge(x, (2, 2, 2)), (2, 2, 2)), x)


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.bfloat16, 0.03), (torch.float32, 1e-5)],
                         ids=["bfloat16", "float32"])
@pytest.mark.parametrize("size", [(1, 4, 4), (2, 2, 2), (2, 4, 4), (2, 8, 8), (3, 4, 4), (4, 2, 2), (4, 4, 4)])
@pytest.mark.parametrize("function", [conv_up, conv_down, lambda x, w, _: conv3d_same(x, w),
                                      partial(conv_up, repeat=True), lambda x, w, _: conv3d_same(x, w, repeat=True)],
                         ids=["up", "down", "same", "up-repeated", "same-repeated"])
def test_gradients_of_the_weights_are_those_of_float64_in_the_smallest_clips_too(function, size, kind, tolerance):
    """oneDNN's are not, where no place of the kernel lies inside the clip: they hold what the memory held before."""
    generator = torch.Generator().manual_seed(0)
    factors = tuple(2 if n % 2 == 0 else 1 for n in size)
    x, w = torch.randn(8, 32, *size, generator=generator), torch.randn(32, 32, 3, 3, 3, generator=generator) * 0.05

    def gradient(kind):
        a, b = x.to(kind), w.to(kind).requires_grad_()
        torch.full((32 * 32 * 4**3 * 2,), float("inf"))  # dirty memory, free again at once
        y = function(a.contiguous(memory_format=torch.channels_last_3d), b, factors)
        return torch.autograd.grad(y.double().square().sum(), b)[0].double()

    wanted = gradient(torch.float64)
    for _ in range(5):
        found = gradient(kind)
        assert (found - wanted).norm() < tolerance * wanted.norm()
