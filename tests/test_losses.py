import pytest
import torch
from torch.nn import functional as F

from pvswgan import layers
from pvswgan.growth import make_plan
from pvswgan.losses import SWGAN, WGANGP, Mix, SlicedCritic, squared_gradient
from pvswgan.networks import Discriminator, Generator
from tests import oracle

TOLERANCE = 1e-4


def _as_released_up(x, w, factors, repeat):
    """The released fused up-scaling: where time does not grow it widens the time and height axes instead of height and
    width (method.md, oddity 1), as the exact adjoint of its down-scaling."""
    assert not repeat
    if factors != (1, 2, 2):
        return conv_up(x, w, factors)
    kernel = layers.conv.widen(w.flip([2, 3, 4]), (2, 2, 1)).transpose(0, 1)
    y = F.conv_transpose3d(x, kernel, stride=(1, 2, 2))
    t, h, width = x.shape[2:]
    return y[:, :, 1:1 + t, 1:1 + 2 * h, :2 * width]


def _as_released_down(x, w, factors):
    if factors != (1, 2, 2):
        return conv_down(x, w, factors)
    return F.conv3d(F.pad(x, (0, 1, 1, 1, 1, 2)), layers.conv.widen(w, (2, 2, 1)) / 4, stride=(1, 2, 2))


conv_up, conv_down = layers.conv.conv_up, layers.conv.conv_down


@pytest.fixture
def as_released(monkeypatch):
    """The authors' networks with their oddities, so that their losses can be compared with ours."""
    monkeypatch.setattr(layers.conv, "conv_up", _as_released_up)
    monkeypatch.setattr(layers.conv, "conv_down", _as_released_down)


def _in_float64(values):
    """Ours is computed so, and theirs is float32: one of the critic's 16,384 voxels at lod 0.4 lies at -5e-8, which
    float32 puts on either side of the kink, by the order of its sums; that slope shows as 0.6 % in some gradients."""
    return {name: value.double() if value.is_floating_point() else value for name, value in values.items()}


def _networks(values):
    sizes = make_plan(resolution=16, frames=8).sizes
    g, d = Generator(sizes, 8, 64, 8).double(), Discriminator(sizes, 64, 8).double()
    g.dtype = d.dtype = torch.float64
    for block in g.blocks:
        block[0].scale *= 3**0.5                      # oddity 4: fan_in of the fused up-convolution uses k^2
    names = {"G": oracle.parameter_names(generator=g), "D": oracle.parameter_names(discriminator=d)}
    for net, parameters in names.items():
        oracle.load(parameters, values, f"{net}/w/")
    return g, d, names


def _compare(values, prefix, parameters, gradients, record, loss):
    for (name, (parameter, kind)), gradient in zip(parameters.items(), gradients, strict=True):
        theirs = oracle.to_ours(values[prefix + name], kind)
        ours = torch.zeros_like(parameter) if gradient is None else gradient
        if theirs.norm() < 1e-12:
            assert ours.norm() < 1e-7, name
            continue
        difference = oracle.relative_l2(ours, theirs)
        record(f"{loss} {prefix}{name}", difference)
        assert difference < TOLERANCE, (prefix + name, difference)


@oracle.needs_oracle
@pytest.mark.parametrize("lod", [0.0, 0.4])
def test_swgan_values_and_gradients_are_the_authors(as_released, lod, record_property):
    values = _in_float64(oracle.arrays("loss_swgan"))
    g, d, names = _networks(values)
    loss = SWGAN(8, slope_penalty="as_released", k=0.01).double()
    head = loss.head
    block = "Discriminator.dualswd/Discriminator.dualswd.proj"
    idf = "Discriminator.idf0/Discriminator.idf0."
    with torch.no_grad():
        head.slices.copy_(values["R/w/" + block][None])
        head.offset.copy_(values[f"R/w/{idf}offset"])
        head.scale.copy_(values[f"R/w/{idf}scale"])
    at = f"lod{lod}/"
    real = values["reals_u8"].double() / 127.5 - 1
    fake = g(values["latents"], alpha=1 - lod)

    def critic(x, parts=1):
        return d(x, alpha=1 - lod, parts=parts)

    mix = Mix(values["mixing_factors"], values["mixing_factors2"])
    total, terms = loss.critic_loss(critic, real, fake.detach(), mix)
    for ours, theirs in ((total, "D_loss_mean"), (loss.generator_loss(critic, fake), "G_loss_mean"),
                         (terms["slope_penalty"] / 10, "features_penalty")):
        record_property(f"swgan {at}{theirs}", oracle.relative(ours.detach(), values[at + theirs]))
        assert oracle.relative(ours.detach(), values[at + theirs]) < TOLERANCE, theirs

    critic_names = names["D"] | {block: (head.slices, "slices"), f"{idf}offset": (head.offset, "as_is"),
                                 f"{idf}scale": (head.scale, "as_is")}
    d_only = {k: v for k, v in critic_names.items() if k in names["D"]}
    r_only = {k: v for k, v in critic_names.items() if k not in names["D"]}
    for prefix, value in (("grad_Dloss", total), ("grad_gp", _penalty(loss, critic, real, fake, mix))):
        for net, chosen in (("D", d_only), ("R", r_only)):
            grads = torch.autograd.grad(value, [p for p, _ in chosen.values()], retain_graph=True, allow_unused=True)
            _compare(values, f"{at}{prefix}/{net}/", chosen, grads, record_property, "swgan")
    grads = torch.autograd.grad(loss.generator_loss(critic, fake), [p for p, _ in names["G"].values()],
                                allow_unused=True)
    _compare(values, f"{at}grad_Gloss/G/", names["G"], grads, record_property, "swgan")


def _penalty(loss, critic, real, fake, mix):
    squares = squared_gradient(lambda x: loss.head(critic(x)), torch.lerp(real, fake.detach(), mix.clips))
    return loss.gp * ((1 - mix.clips.flatten()).square() * squares).mean()


@oracle.needs_oracle
def test_wgangp_values_and_gradients_are_the_authors(as_released, record_property):
    values = _in_float64(oracle.arrays("loss_wgangp"))
    g, d, names = _networks(values)
    loss = WGANGP(8)
    loss.head = _Mean()                               # the released critic has no scalar head
    real = values["reals_u8"].double() / 127.5 - 1
    fake = g(values["latents"])
    total, _ = loss.critic_loss(d, real, fake.detach(), Mix(values["mixing_factors"], values["mixing_factors"]))
    g_total = loss.generator_loss(d, fake)
    for ours, theirs in ((total, "D_loss_mean"), (g_total, "G_loss_mean")):
        difference = oracle.relative(ours.detach(), values[f"lod0.0/{theirs}"])
        record_property(f"wgan-gp {theirs}", difference)
        assert difference < TOLERANCE
    mixed = torch.lerp(real, fake.detach(), values["mixing_factors"])
    penalty = 10 * (squared_gradient(lambda x: d(x).mean(1), mixed).sqrt() - 1).square().mean()
    for prefix, value, net in (("grad_Dloss", total, "D"), ("grad_gp", penalty, "D"), ("grad_Gloss", g_total, "G")):
        grads = torch.autograd.grad(value, [p for p, _ in names[net].values()], retain_graph=True, allow_unused=True)
        _compare(values, f"lod0.0/{prefix}/{net}/", names[net], grads, record_property, "wgan-gp")


class _Mean(torch.nn.Module):
    def forward(self, f):
        return f.mean(1)


class _Flat(torch.nn.Module):
    """A critic whose features do not depend on the clip: every gradient is zero."""

    def forward(self, x, parts=1):
        return x.flatten(1).sum(1, keepdim=True).expand(-1, 8) * 0 + 0.3


@pytest.mark.parametrize("loss", [SWGAN(8), SWGAN(8, slope_penalty="as_released"), WGANGP(8)])
def test_finite_at_zero_gradient(loss):
    real, fake = torch.randn(2, 4, 3, 4, 4, 4)
    flat = _Flat()
    weight = torch.nn.Parameter(torch.zeros(1))
    total, terms = loss.critic_loss(lambda x, parts=1: flat(x) + weight * x.mean(), real, fake,
                                    Mix.draw(4, torch.Generator()))
    total.backward()
    assert all(torch.isfinite(v) for v in terms.values())
    assert torch.isfinite(weight.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters() if p.grad is not None)


@pytest.mark.slow
def test_slices_stay_orthogonal_and_move_continuously():
    torch.manual_seed(0)
    head = SlicedCritic(32, blocks=2)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-3, betas=(0.0, 0.99), eps=1e-8)
    target = torch.randn(64, 32)
    for _ in range(300):
        before = head.slices.detach().clone()
        optimiser.zero_grad()
        (head(torch.randn(64, 32)) - head(target + 0.5)).square().mean().backward()
        head.project_gradient()
        tangent = before.mT @ head.slices.grad
        torch.testing.assert_close(tangent, -tangent.mT, atol=1e-6, rtol=0)
        optimiser.step()
        head.retract()
        eye = head.slices.mT @ head.slices
        torch.testing.assert_close(eye, torch.eye(32).expand(2, -1, -1), atol=1e-5, rtol=0)
        # A negated column would have moved by 2; Adam's step moves an entry by at most about lr.
        assert (head.slices.detach() - before).norm(dim=-2).max() < 0.05


def test_slope_penalty_sees_the_slope():
    head = SlicedCritic(4)
    with torch.no_grad():
        head.scale.copy_(torch.tensor([[1.0, 2.0, -1.0, 0.5]]))
        head.offset.copy_(torch.tensor([[0.3, -0.2, 0.1, 0.0]]))
    f = torch.randn(16, 4, dtype=torch.float32)
    u = torch.einsum("nf,bfj->nbj", f, head.slices).detach().requires_grad_(True)
    phi = layers.leaky_relu(head.scale * u + head.offset)
    (slope,) = torch.autograd.grad(phi.sum(), u)
    torch.testing.assert_close(head.slopes(f, "exact"), slope)
    assert set((head.double().slopes(f.double(), "exact") / head.scale).unique().tolist()) == {0.2, 1.0}


@pytest.mark.parametrize("make, words", [
    (lambda: SWGAN(8, blocks=0), "loss.blocks is 0"),
    (lambda: SWGAN(8, slope_penalty="nearly"), "loss.slope_penalty is 'nearly'"),
])
def test_impossible_settings_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
