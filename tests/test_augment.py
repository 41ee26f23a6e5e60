import pytest
import torch

from pvswgan.augment import POLICIES, augment


def _generator():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("policy", POLICIES)
def test_one_draw_a_clip_for_all_its_frames(policy):
    frame = torch.rand(6, 3, 1, 16, 16) * 2 - 1
    y = augment(frame.expand(-1, -1, 5, -1, -1), [policy], _generator())
    assert y.shape == (6, 3, 5, 16, 16)
    torch.testing.assert_close(y, y[:, :, :1].expand_as(y))
    assert not torch.allclose(y, frame.expand_as(y))
    assert len({tuple(v.flatten().tolist()) for v in (y[:, :, :1] - frame)}) > 1      # not the same for all clips


@pytest.mark.parametrize("policy", POLICIES)
def test_the_gradient_goes_through(policy):
    x = (torch.rand(2, 3, 2, 8, 8, dtype=torch.float64)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: augment(x, [policy], _generator()), x, fast_mode=True)


def test_shift_moves_and_repeats_the_border():
    x = torch.arange(16.0).view(1, 1, 1, 1, 16).expand(64, 3, 2, 16, 16)
    y = augment(x, ["shift"], _generator())
    moved = (y - x)[:, 0, 0, 8, 8]
    assert set(moved.tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert y.min() == 0 and y.max() == 15


def test_a_share_of_a_batch_is_augmented_as_in_the_whole():
    x = torch.rand(6, 3, 2, 8, 8)
    whole, generators = augment(x, POLICIES, _generator()), [_generator() for _ in range(3)]
    for rank, generator in enumerate(generators):
        assert torch.equal(augment(x[rank::3], POLICIES, generator, rank, 3), whole[rank::3])
    assert len({generator.get_state().numpy().tobytes() for generator in generators}) == 1


def test_nothing_is_nothing_and_repeats():
    x = torch.rand(2, 3, 2, 8, 8)
    assert augment(x, [], _generator()) is x
    assert torch.equal(augment(x, POLICIES, _generator()), augment(x, POLICIES, _generator()))
    with pytest.raises(ValueError, match="'zoom'; allowed: shift, colour, cutout"):
        augment(x, ["zoom"], _generator())
