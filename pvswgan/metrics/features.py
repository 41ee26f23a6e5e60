"""Inception Score, FID, KID, precision and recall of features, by torch-fidelity.

Features are extracted once and kept by us: torch-fidelity's own cache knows sets by their names alone.
"""

from __future__ import annotations

from torch import Tensor

from pvswgan.metrics.vision import mend_torchvision

KID_SUBSETS, KID_SUBSET = 100, 1000  # as torch-fidelity has them; sets of no more clips are taken whole
LEAST = 32  # clips, below which features say nothing
NEIGHBOURS = 3  # Kynkäänniemi et al. 2019
SPLITS = 10


def inception_score(logits: Tensor, splits: int = SPLITS, seed: int = 0) -> tuple[float, float]:
    """(mean, deviation over splits) of the Inception Score (Salimans et al. 2016) of logits (N, K): from 1, where all
    clips look alike or none is sure, to K."""
    mend_torchvision()
    from torch_fidelity.metric_isc import isc_features_to_metric

    found = isc_features_to_metric(logits.cpu(), splits=splits, shuffle=True, rng_seed=seed)
    return found["inception_score_mean"], found["inception_score_std"]


def fid(fake: Tensor, real: Tensor) -> float:
    """The Fréchet distance (Heusel et al. 2017) of features (N, D), as between two Gaussians. Fewer clips than about
    ten times D make it too large: compare only results of one number of clips."""
    mend_torchvision()
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    a, b = (fid_features_to_statistics(x.double().cpu()) for x in (fake, real))
    return float(fid_statistics_to_metric(a, b, verbose=False)["frechet_inception_distance"])


def kid(fake: Tensor, real: Tensor, seed: int = 0) -> tuple[float, float | None]:
    """(mean, deviation over subsets) of the squared kernel distance (Binkowski et al. 2018) of features (N, D):
    unbiased, so 0 on average for equal sets and now and then below. No deviation where a subset would be the whole."""
    mend_torchvision()
    from torch_fidelity.metric_kid import kid_features_to_metric

    size = min(KID_SUBSET, len(fake), len(real))
    subsets = KID_SUBSETS if min(len(fake), len(real)) > size else 1
    found = kid_features_to_metric(fake.double().cpu(), real.double().cpu(), rng_seed=seed, verbose=False,
                                   kid_subset_size=size, kid_subsets=subsets)
    deviation = found["kernel_inception_distance_std"] if subsets > 1 else None
    return found["kernel_inception_distance_mean"], deviation


def precision_recall(fake: Tensor, real: Tensor) -> tuple[float, float]:
    """(precision, recall), 0..1 (Kynkäänniemi et al. 2019): the share of fake clips near a real one, and of real clips
    near a fake one, near being within the distance to the third neighbour."""
    mend_torchvision()
    from torch_fidelity.metric_prc import prc_features_to_metric

    found = prc_features_to_metric(fake.float().cpu(), real.float().cpu(), prc_neighborhood=NEIGHBOURS,
                                   save_cpu_ram=True, verbose=False)
    return found["precision"], found["recall"]


def compare(real: Tensor, fake: Tensor, logits: Tensor | None, seed: int = 0,
            splits: int = SPLITS) -> dict[str, float]:
    """All of them, of features (N, D) and the fake clips' logits, where there are any; none of fewer than LEAST (the
    Inception Score asks for as many logits, and for no real clips). splits: of it, fewer where that leaves less than
    50 clips in each."""
    values = {}
    if min(len(fake), len(real)) >= LEAST:
        values["fid"] = fid(fake, real)
        values["kid"], deviation = kid(fake, real, seed)
        if deviation is not None:
            values["kid_deviation"] = deviation
        values["precision"], values["recall"] = precision_recall(fake, real)
    if logits is not None and len(logits) >= LEAST:
        splits = min(splits, max(1, len(logits) // 50))
        values["is"], over_splits = inception_score(logits, splits, seed)
        if splits > 1:
            values["is_deviation"] = over_splits
    return values
