"""The two losses: sliced Wasserstein (SWGAN, Wu et al. 2019; Acharya et al. 2018) and WGAN-GP (Gulrajani et al. 2017).

A loss holds its own head, the part of the critic that turns features f(x) (N, F) into a score, since head and loss
belong together. Both have the same two calls; `critic` below is f, the discriminator at its stage: critic(x) or
critic(x, parts=2) for two batches in one pass.

    loss.critic_loss(critic, real, fake, mix) -> (scalar to minimise, {name: number for the statistics})
    loss.generator_loss(critic, fake)         -> scalar to minimise

The sign differs: SWGAN's critic scores real low and fake high, WGAN-GP's the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from pvswgan.activation import wide
from pvswgan.conv import input_gradients_only
from pvswgan.layers import Linear, leaky_relu

Slope = Literal["exact", "as_released"]


class Critic(Protocol):
    def __call__(self, x: Tensor, parts: int = 1) -> Tensor: ...


class Mix:
    """The random factors of one critic step: e (N, 1, 1, 1, 1) for clips and e2 (N, 1) for features, both U(0, 1)."""

    def __init__(self, clips: Tensor, features: Tensor) -> None:
        self.clips = clips.view(-1, 1, 1, 1, 1)
        self.features = features.view(-1, 1)

    @classmethod
    def draw(cls, n: int, generator: torch.Generator, device: torch.device | str = "cpu") -> Mix:
        e = torch.rand(2, n, generator=generator).to(device)      # drawn on the CPU: the same on every device
        return cls(e[0], e[1])


class SlicedCritic(nn.Module):
    """The dual sliced-Wasserstein block: S = mean_j phi_j((f O)_j), phi_j(u) = LeakyReLU_0.2(s_j u + b_j).

    `blocks` of them side by side, each with its own orthogonal O (F, F) whose columns are the slices; s = 1 and b = 0
    at the start. Features (N, F) -> scores (N,). 16,640 parameters at F = 128 with one block.
    """

    def __init__(self, features: int, blocks: int = 1) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"loss.blocks is {blocks}; allowed: 1 or more")
        self.slices = nn.Parameter(torch.stack([_orthogonal(features) for _ in range(blocks)]))   # (B, F, F)
        self.scale = nn.Parameter(torch.ones(blocks, features))
        self.offset = nn.Parameter(torch.zeros(blocks, features))

    def forward(self, f: Tensor) -> Tensor:
        return leaky_relu(self.inner(f)).mean([1, 2])

    def inner(self, f: Tensor) -> Tensor:
        """s_j u_j + b_j, before the nonlinearity: (N, F) -> (N, B, F)."""
        return torch.einsum("nf,bfj->nbj", f, self.slices) * self.scale + self.offset

    def slopes(self, f: Tensor, kind: Slope) -> Tensor:
        """phi'_j at the features, (N, B, F): s_j where s_j u + b_j is positive and 0.2 s_j elsewhere.

        `as_released`: the released code multiplies s_j by the activation where the sign is meant, and activates it
        once more on the way, |s_j LeakyReLU(phi_j)|: it sees magnitude, not slope. (Found from its numbers: this form
        gives them exactly, s_j |phi_j| misses them by 5 %.)
        """
        inner = self.inner(f)
        if kind == "exact":
            return self.scale * ((inner > 0).to(inner) * 0.8 + 0.2)  # torch.where's 0.2 would be a float32 one
        return (self.scale * leaky_relu(leaky_relu(inner))).abs()

    @torch.no_grad()
    def project_gradient(self) -> None:
        """Bring O's gradient G to the tangent space of orthogonal matrices: G - O sym(O^T G)."""
        if self.slices.grad is not None:
            o, g = self.slices, self.slices.grad
            og = o.mT @ g
            g -= o @ (og + og.mT) / 2

    @torch.no_grad()
    def retract(self) -> None:
        """After the optimiser's step bring O back to an orthogonal matrix: Q of its QR decomposition.

        The signs of R's diagonal are kept with Q, which makes the retraction continuous. LAPACK's plain Q negates
        columns, and a negated slice turns its phi_j and its Adam moments against it.
        """
        q, r = torch.linalg.qr(self.slices)
        self.slices.copy_(q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2))


class Unbound(nn.Module):
    """A loss whose critic's step needs nothing before or after it."""

    def before_step(self) -> None:
        pass

    def after_step(self) -> None:
        pass

    def statistics(self) -> dict[str, float]:
        return {}


class SWGAN(nn.Module):
    """Dual sliced Wasserstein loss (Acharya et al. 2018; Wu et al. 2019, equation of the dual SWD block):

    L_D = E S(real) - E S(fake) + gp E[(1-e)^2 ||grad S(xhat)||^2] + slope mean_j (phi'_j - k)^2
    L_G = E S(fake),        xhat = (1-e) real + e fake

    The slope penalty is taken at separately mixed features (1-e2) f(real) + e2 f(fake). Released values: gp 50,
    slope 10, k 0.01, one block, `as_released`; the defaults differ in k 1 and `exact`.
    """

    def __init__(self, features: int, *, blocks: int = 1, gp: float = 50.0, slope: float = 10.0, k: float = 1.0,
                 slope_penalty: Slope = "exact") -> None:
        super().__init__()
        if slope_penalty not in ("exact", "as_released"):
            raise ValueError(f"loss.slope_penalty is {slope_penalty!r}; allowed: exact, as_released")
        self.head = SlicedCritic(features, blocks)
        self.gp, self.slope, self.k, self.kind = gp, slope, k, slope_penalty

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor, mix: Mix,
                    gp_factor: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
        """`gp_factor` scales the gradient penalty; 0 leaves it out (a step between two penalties)."""
        f_real, f_fake = critic(torch.cat([real, fake]), parts=2).chunk(2)
        s_real, s_fake = self.head(f_real).mean(), self.head(f_fake).mean()
        f_mixed = torch.lerp(f_real, f_fake, mix.features)
        slope = (self.head.slopes(f_mixed, self.kind) - self.k).square().mean()
        loss = s_real - s_fake + self.slope * slope
        terms = {"score_real": s_real, "score_fake": s_fake, "distance": s_fake - s_real,
                 "slope_penalty": self.slope * slope}
        if gp_factor:
            squares = squared_gradient(lambda x: self.head(critic(x)), torch.lerp(real, fake, mix.clips))
            gp = self.gp * ((1 - mix.clips.flatten()).square() * squares).mean()
            loss = loss + gp_factor * gp
            terms["gradient_penalty"] = gp
        return loss, _detached(terms)

    def generator_loss(self, critic: Critic, fake: Tensor) -> Tensor:
        return self.head(critic(fake)).mean()

    def before_step(self) -> None:
        self.head.project_gradient()

    def after_step(self) -> None:
        self.head.retract()

    def statistics(self) -> dict[str, float]:
        """How far the slices' functions have moved from their start (scale 1, offset 0)."""
        s, b = self.head.scale.detach(), self.head.offset.detach()
        return {"slice_scale_mean": s.mean().item(), "slice_scale_min": s.min().item(),
                "slice_scale_max": s.max().item(), "slice_offset_mean": b.mean().item()}


class WGANGP(Unbound):
    """Wasserstein loss with a gradient penalty (Gulrajani et al. 2017) and Karras et al.'s drift term:

    L_D = E D(fake) - E D(real) + gp E (||grad D(xhat)|| - 1)^2 + drift E D(real)^2,    L_G = -E D(fake)
    """

    def __init__(self, features: int, *, gp: float = 10.0, drift: float = 0.001) -> None:
        super().__init__()
        self.head: nn.Module = Linear(features, 1, gain=1)
        self.gp, self.drift = gp, drift

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor, mix: Mix,
                    gp_factor: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
        d_real, d_fake = self._score(critic(torch.cat([real, fake]), parts=2)).chunk(2)
        loss = d_fake.mean() - d_real.mean() + self.drift * d_real.square().mean()
        terms = {"score_real": d_real.mean(), "score_fake": d_fake.mean(), "distance": d_real.mean() - d_fake.mean()}
        if gp_factor:
            squares = squared_gradient(lambda x: self._score(critic(x)), torch.lerp(real, fake, mix.clips))
            # The norm is wanted here; the tiny addend keeps the root's derivative finite at a zero gradient.
            gp = self.gp * ((squares + 1e-12).sqrt() - 1).square().mean()
            loss = loss + gp_factor * gp
            terms["gradient_penalty"] = gp
        return loss, _detached(terms)

    def generator_loss(self, critic: Critic, fake: Tensor) -> Tensor:
        return -self._score(critic(fake)).mean()

    def _score(self, f: Tensor) -> Tensor:
        return self.head(f).flatten()


Loss = SWGAN | WGANGP


def squared_gradient(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """|| grad_x score(x) ||^2 of each clip, (N,), itself differentiable. Not its root, which has no slope at zero."""
    x = x.detach().requires_grad_(True)
    with input_gradients_only():
        (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    return wide(gradient).square().sum([*range(1, x.dim())])         # flattened, it would be copied first


def _orthogonal(n: int) -> Tensor:
    return nn.init.orthogonal_(torch.empty(n, n))


def _detached(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in terms.items()}
