import math

import numpy as np
import pytest
import torch

from pvswgan.metrics import features
from pvswgan.metrics.vision import mend_torchvision


def _gaussian(n, mean, deviation, seed, d=6):
    return torch.from_numpy(np.random.default_rng(seed).normal(mean, deviation, (n, d)))


@pytest.mark.parametrize(("shift", "deviation"), [(0.0, 1.0), (0.5, 1.0), (0.0, 2.0), (1.0, 0.5)])
def test_fid_of_gaussians_is_their_frechet_distance(shift, deviation):
    d = 6
    found = features.fid(_gaussian(40000, shift, deviation, 1), _gaussian(40000, 0, 1, 2))
    assert found == pytest.approx(d * (shift**2 + (1 - deviation) ** 2), abs=0.03)


def _mean_kernel(a, b, d):
    """E (x.y / d + 1)^3 of independent x ~ N(a, 1), y ~ N(b, 1) in d dimensions, a and b the mean of each: the raw
    moments of s = x.y, a sum of d independent products p with E p^k = m_k(a) m_k(b), m_k those of a normal."""
    m = [(1, x, x * x + 1, x**3 + 3 * x) for x in (a, b)]
    p1, p2, p3 = (m[0][k] * m[1][k] for k in (1, 2, 3))
    variance, third = p2 - p1**2, p3 - 3 * p2 * p1 + 2 * p1**3  # cumulants of a product; those of s are d times them
    k1, k2, k3 = d * p1, d * variance, d * third
    s1, s2, s3 = k1, k2 + k1**2, k3 + 3 * k2 * k1 + k1**3
    return s3 / d**3 + 3 * s2 / d**2 + 3 * s1 / d + 1


@pytest.mark.slow
def test_kid_of_gaussians_is_their_kernel_distance():
    d, shift = 6, 0.5
    wanted = _mean_kernel(shift, shift, d) + _mean_kernel(0, 0, d) - 2 * _mean_kernel(shift, 0, d)
    mean, deviation = features.kid(_gaussian(5000, shift, 1, 1), _gaussian(5000, 0, 1, 2))
    assert mean == pytest.approx(wanted, rel=0.08)
    assert 0 < deviation < wanted
    same, _ = features.kid(_gaussian(5000, 0, 1, 3), _gaussian(5000, 0, 1, 2))
    assert abs(same) < 0.02 * wanted


@pytest.mark.parametrize("classes", [2, 5, 11])
def test_inception_score_of_sure_classes_is_their_number(classes):
    logits = 100 * torch.eye(classes).repeat(200, 1)
    mean, deviation = features.inception_score(logits, splits=1)
    assert mean == pytest.approx(classes, rel=1e-6)
    assert deviation == 0
    assert features.inception_score(torch.zeros(200, classes))[0] == pytest.approx(1)


def test_precision_and_recall_of_known_supports():
    rng = np.random.default_rng(0)

    def square(x, n):
        return torch.from_numpy(np.stack([rng.uniform(x, x + 1, n), rng.uniform(0, 1, n)], 1)).float()

    real = torch.cat([square(0, 600), square(10, 600)])
    precision, recall = features.precision_recall(square(0, 1200), real)  # half of the real support, all of it real
    assert precision > 0.95
    assert recall == pytest.approx(0.5, abs=0.03)
    precision, recall = features.precision_recall(torch.cat([real, square(20, 1200)]), real)
    assert precision == pytest.approx(0.5, abs=0.03)
    assert recall > 0.95


def test_one_seed_gives_one_result():
    x, y, logits = _gaussian(300, 0, 1, 1), _gaussian(300, 1, 1, 2), _gaussian(300, 0, 3, 4)
    once, again = (features.compare(x, y, logits, seed=3) for _ in range(2))
    assert once == again
    assert all(math.isfinite(v) for v in once.values())


@pytest.mark.slow
def test_the_registered_extractor_gives_torch_fidelity_the_same_numbers():
    mend_torchvision()
    import torch_fidelity

    from pvswgan.metrics.extractors import make, register
    from pvswgan.metrics.sets import as_bytes

    class Clips(torch.utils.data.Dataset):
        def __init__(self, clips):
            self.clips = ((clips + 1) * 127.5).round().to(torch.uint8)

        def __len__(self):
            return len(self.clips)

        def __getitem__(self, index):
            return self.clips[index]

    generator = torch.Generator().manual_seed(0)
    fake, real = (as_bytes(torch.rand(64, 3, 8, 16, 16, generator=generator) * s - 0.5) for s in (1.0, 1.4))
    extractor = make("clipnet")
    (a, logits), (b, _) = extractor.describe(fake), extractor.describe(real)
    ours = features.compare(b, a, logits, seed=2020)
    theirs = torch_fidelity.calculate_metrics(
        input1=Clips(fake), input2=Clips(real), feature_extractor=register(extractor), isc=True, fid=True, kid=True,
        prc=True, kid_subset_size=64, kid_subsets=1, isc_splits=1, cuda=False, cache=False, save_cpu_ram=True,
        verbose=False)
    for name, key in (("fid", "frechet_inception_distance"), ("kid", "kernel_inception_distance_mean"),
                      ("is", "inception_score_mean"), ("precision", "precision"), ("recall", "recall")):
        assert ours[name] == pytest.approx(theirs[key], rel=1e-3, abs=1e-4), name
