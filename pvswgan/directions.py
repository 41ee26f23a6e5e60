"""Directions in latent space: PCA's, SeFa's and those between groups of latents, and what a step along one does.

A step of 1 is a standard deviation, of whatever the direction was found by; so steps along all of them are of one kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from pvswgan.latents import affordable, on_sphere, sample_latents

if TYPE_CHECKING:
    from pvswgan.networks import Generator

ALIKE = 32  # samples that have the other parts of their latents in common
_ROWS = 2**16  # of the first layer's matrix at a time: that of a model that does not grow has millions


@dataclass(frozen=True)
class Directions:
    """Directions, the strongest first: vectors (k, latent_dim), each the change of z that is one standard deviation;
    scales (k,) their lengths; explained (k,) the shares of the first layer's variance along them."""

    vectors: Tensor
    scales: Tensor
    explained: Tensor


@torch.no_grad()
def pca(generator: Generator, k: int = 16, samples: int = 4096, seed: int = 0, *,
        part: slice | None = None) -> Directions:
    """PCA of the first layer's activations, regressed back to z (Harkonen et al. 2020, GANSpace, for BigGAN).

    z itself is isotropic: it has no directions to find. A vector moves its principal component by one standard
    deviation. Signs are fixed (the largest entry is positive), so that the same model always has the same sliders. k at
    most latent_dim.

    part: of the latent (Model.parts); the directions change it alone, and what varies with the other parts is left out:
    they are drawn anew for every ALIKE samples only, and those samples' mean is taken from them. k at most its length.
    """
    from sklearn.decomposition import PCA

    samples = affordable(generator, samples)
    z = on_sphere(sample_latents(samples, generator.latent_dim, seed).double())  # what the pixel norm leaves
    if part is not None:
        moved, z = z[:, part], z[::ALIKE].repeat_interleave(ALIKE, 0)[:samples]
        z[:, part] = moved
    activations = generator.start(z.float().to(generator.dense.device)).flatten(1).cpu()
    if part is not None:
        z, activations = _from_their_mean(z[:, part]), _from_their_mean(activations)
    k = min(k, z.shape[1])
    power = "auto" if part is None else 3  # seven rounds for the last digits: of a model that does not grow seconds
    found = PCA(k, svd_solver="randomized", iterated_power=power, random_state=seed).fit(activations.numpy())
    x = torch.from_numpy(found.transform(activations.numpy())).double()
    x = x / x.std(0, correction=0)
    vectors = torch.zeros(k, generator.latent_dim, dtype=torch.float64)
    vectors[:, part or slice(None)] = torch.linalg.lstsq(x, z).solution  # (k, dim): z = x U
    vectors = _signed(vectors)
    return Directions(vectors.float(), vectors.norm(dim=1).float(),
                      torch.from_numpy(np.asarray(found.explained_variance_ratio_)).float())


def _from_their_mean(x: Tensor) -> Tensor:
    """Rows (n, d) less the mean of the ALIKE that they are among."""
    return torch.cat([rows - rows.mean(0) for rows in x.split(ALIKE)])


@torch.no_grad()
def sefa(generator: Generator, k: int = 16) -> Directions:
    """Closed-form factorisation (Shen & Zhou 2021, SeFa, equation 5): the eigenvectors of A^T A, where A is the matrix
    of the first layer, which takes z to pre-activations A z. From the weights alone, no clip is drawn.

    The vectors have length 1. The coordinate of a latent z ~ N(0, 1) along one has a standard deviation of 1, and so
    has A z along the matching left singular vector, in its own units: that is a step, as one of PCA's is a standard
    deviation of its component (whose vectors are a little shorter, as the first layer bends). explained: the
    eigenvalues' shares. Signs as in `pca`. k at most latent_dim.
    """
    k = min(k, generator.latent_dim)
    gram = torch.zeros(generator.latent_dim, generator.latent_dim, dtype=torch.float64)
    for rows in generator.dense.detach().split(_ROWS):
        part = rows.cpu().double() * generator.dense_scale
        gram += part.T @ part
    values, columns = torch.linalg.eigh(gram)  # ascending
    vectors = _signed(columns.T.flip(0)[:k])
    explained = values.flip(0)[:k].clamp(min=0) / values.sum().clamp(min=1e-30)
    return Directions(vectors.float(), torch.ones(k), explained.float())


def between(before: Tensor, after: Tensor) -> tuple[Tensor, float]:
    """(direction (latent_dim,), gap) from one group of latents (n, latent_dim) to another (m, latent_dim): the
    difference of their means, as the generator sees them (all on the sphere), brought to length 1, and its length
    before. The coordinate of a latent z ~ N(0, 1) along it has a standard deviation of 1: so many of them is the gap.
    Raises ValueError where the means are the same.
    """
    difference = on_sphere(after).mean(0) - on_sphere(before).mean(0)
    length = float(difference.norm())
    if not math.isfinite(length) or length < 1e-4:
        raise ValueError("the two groups lie in the same place, so no direction leads from one to the other")
    return difference / length, length


def _signed(vectors: Tensor) -> Tensor:
    """Each vector (k, dim) turned so that its largest entry is positive."""
    return vectors * vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()


# ---- what a direction does ----------------------------------------------------------------------------------------

Label = Literal["moves", "looks", "both"]
Draw = Callable[[Tensor], Tensor]  # latents (n, dim) -> clips (n, 3, T, H, W)
REACH = 2.0  # standard deviations to either side
SEEDS = 8
CLEARLY = 1.4  # so many times the other one to be called by one name alone
_NOTHING = 1e-3  # of [-1, 1]: a model whose clips differ by less does not vary in that way at all


@dataclass(frozen=True)
class Variety:
    """How far a model's clips differ, as the root of the mean square over pixels: `looks` in their still part, `moves`
    in the rest."""

    looks: float
    moves: float


@dataclass(frozen=True)
class Effect:
    """What a direction changes, in units of what two random clips of its model differ by: 0 is nothing; 1 as much as
    another seed would. label: what is clearly the larger of both, else "both"."""

    label: Label
    moves: float
    looks: float


def split(change: Tensor) -> Variety:
    """The change from one clip to another (n, 3, T, H, W), taken apart.

    Its mean over time is what looks different in the whole clip: colours, shapes, where things are; *looks*. What is
    left changes from frame to frame: when and how far things move; *moves*. The squares of both add up to the square
    of the change. A thing that moves and takes another colour adds to both.
    """
    still = change.mean(2, keepdim=True)
    return Variety(float(still.square().mean().sqrt()), float((change - still).square().mean().sqrt()))


def variety(draw: Draw, dim: int) -> Variety:
    """How far two random clips differ: what `effect` measures a direction by."""
    n = 2 * SEEDS
    clips = draw(sample_latents(n, dim, seed=1))
    # From their mean, not in pairs: that uses all of the clips. Two differ by sqrt(2) of it.
    return split((clips - clips.mean(0)) * (2 * n / (n - 1)) ** 0.5)


def effect(draw: Draw, vector: Tensor, whole: Variety) -> Effect:
    """What a direction (dim,) does, from REACH standard deviations behind to as many ahead of SEEDS latents."""
    z = sample_latents(SEEDS, len(vector), seed=0)
    clips = draw(torch.cat([z + REACH * vector, z - REACH * vector]))
    change = split(clips[:SEEDS] - clips[SEEDS:])
    moves = change.moves / whole.moves if whole.moves > _NOTHING else 0.0
    looks = change.looks / whole.looks if whole.looks > _NOTHING else 0.0
    label: Label = "moves" if moves > CLEARLY * looks else "looks" if looks > CLEARLY * moves else "both"
    return Effect(label, moves, looks)
