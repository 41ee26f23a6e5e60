import numpy as np
import pytest
import torch

from pvswgan.metrics import motion
from pvswgan.metrics.motion import Motion


def _moving(dx, dy, frames=12, size=48):
    """A soft blob that moves dx to the right and dy down each frame."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    clip = []
    for t in range(frames):
        cx, cy = size / 2 + dx * (t - frames / 2), size / 2 + dy * (t - frames / 2)
        clip.append(2 * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 60) - 1)
    return torch.stack(clip).expand(1, 3, -1, -1, -1)


@pytest.mark.parametrize(("dx", "dy", "place"), [(1, 0, 0), (1, 1, 1), (0, 1, 2), (-1, 0, 4), (0, -1, 6), (1, -1, 7)])
def test_the_compass_shows_where_it_goes_and_how_far(dx, dy, place):
    found = Motion.of(_moving(dx, dy))
    assert int(found.compass[0].argmax()) == place
    assert found.compass[0].sum() == pytest.approx(11 * np.hypot(dx, dy), rel=0.15)
    assert found.flicker[0] < 0.25


def test_flicker_and_frozen():
    still = _moving(0, 0)
    blinking = still.clone()
    blinking[:, :, ::2] *= 0.8
    moving = _moving(1, 0)
    assert Motion.of(blinking).flicker[0] == pytest.approx(1)
    assert Motion.of(still).flicker[0] == 0
    half = torch.cat([moving[:, :, :6], moving[:, :, 5:6].expand(-1, -1, 6, -1, -1)], 2)  # stands for the second half
    found = motion.compare(Motion.of(moving), Motion.of(half))
    assert found["frozen"] == pytest.approx(6 / 11)
    assert motion.compare(Motion.of(moving), Motion.of(moving))["frozen"] == 0


def test_the_same_motion_is_at_no_distance_and_another_is():
    right, left, fast = (Motion.of(_moving(*v)) for v in ((1, 0), (-1, 0), (2, 0)))
    same = motion.compare(right, right)
    assert same["motion_distance"] == same["direction_distance"] == 0
    assert motion.compare(right, left)["direction_distance"] == pytest.approx(1, abs=0.02)
    assert motion.compare(right, left)["motion_distance"] == pytest.approx(0, abs=0.01)
    assert motion.compare(right, fast)["motion_distance"] > 0.5


def test_wasserstein_of_shifted_numbers_is_the_shift():
    x = np.random.default_rng(0).normal(size=500)
    assert motion.wasserstein(x, x + 0.7) == pytest.approx(0.7)
    assert motion.wasserstein(np.repeat(x, 2), x) == pytest.approx(0, abs=0.02)


def test_joined_batches_are_the_whole_and_one_frame_is_refused():
    clips = torch.cat([_moving(1, 0), _moving(0, 1), _moving(-1, 1)])
    parts = Motion.join([Motion.of(part) for part in clips.split(2)])
    whole = Motion.of(clips)
    for name in ("change", "compass", "flicker"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-6)
    with pytest.raises(ValueError, match="1 frame"):
        Motion.of(clips[:, :, :1])
