"""The sliced Wasserstein distance of patches: nothing for the same clips, more the more is wrong."""

import pytest
import torch

from pvswgan.metrics.swd import patch_swd


def test_distance_is_none_for_the_same_and_grows_with_what_is_wrong():
    t = torch.linspace(0, 6, 16)[None, None, :, None, None] + torch.rand(64, 1, 1, 1, 1) * 6
    x = torch.linspace(-2, 2, 16)
    real = torch.sin(t + 2 * x[:, None] + x[None, :]).expand(64, 3, 16, 16, 16).contiguous()
    shuffled = real[torch.randperm(64)]
    assert patch_swd(real, real) == patch_swd(real, shuffled) == pytest.approx(0, abs=1e-6)
    noise = torch.randn(real.shape)
    slight, strong = patch_swd(real, real + 0.1 * noise), patch_swd(real, real + 0.5 * noise)
    assert 0 < slight < strong
    still = real[:, :, :1].expand(real.shape)                # every frame is a real one: only the movement is missing
    one = real[:1].expand(real.shape)                        # mode collapse
    for worse in (still, one, real - 1):
        assert patch_swd(real, worse) > 5 * patch_swd(real, real) + 0.05
    assert patch_swd(real[:, :, :4, :4, :4], noise[:, :, :4, :4, :4]) > 0
