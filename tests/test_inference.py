import copy

import pytest
import torch

from pvswgan.inference import Renderer, quickest
from pvswgan.networks import Generator

SIZES = [(4, 4), (8, 8), (8, 16), (16, 16)]


@pytest.fixture(params=[False, True], ids=["as released", "still"])
def generator(request):
    torch.manual_seed(0)
    g = Generator(SIZES, 16, 64, 8, still=request.param)
    for parameter in g.parameters():                  # as after a training: biases are not zero
        torch.nn.init.normal_(parameter) if parameter.ndim > 1 else torch.nn.init.normal_(parameter, std=0.2)
    return g


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("stage, alpha", [(0, 1.0), (1, 0.3), (2, 1.0), (3, 0.7), (3, 1.0)])
@torch.no_grad()
def test_a_renderer_draws_what_the_generator_draws(generator, n, stage, alpha):
    x = generator.start(torch.randn(n, 16))
    given = x.clone()
    theirs = generator.grow(x, stage, alpha)
    ours = Renderer(generator, torch.float32)(x, stage, alpha)
    whole = copy.deepcopy(generator).double()
    whole.dtype = torch.float64
    exact = whole.grow(x.double(), stage, alpha)
    # Sums in another order: both are off by the rounding of float32, neither by more than the other twice over.
    errors = [(clips.double() - exact).norm() / exact.norm() for clips in (ours, theirs)]
    assert max(errors) < 2e-6 and errors[0] < 2 * errors[1]
    half = Renderer(generator, torch.bfloat16)(x, stage, alpha)
    assert torch.equal(x, given)                      # its steps in place are on its own tensors
    assert (half - theirs).abs().mean() < 0.03 * theirs.std()


@torch.no_grad()
def test_the_quickest_is_one_of_the_two(generator):
    x = generator.start(torch.randn(1, 16))
    assert quickest(generator, x, 3).dtype in (torch.float32, torch.bfloat16)
