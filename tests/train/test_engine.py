"""The wiring of a step: what is read, averaged, blended, augmented and weighted, and when."""

import copy
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pvswgan.data.sampler import Sampler
from pvswgan.data.store import to_clips
from pvswgan.networks import blend_real
from tests.train import tiny
from train import engine as engine_module
from train.engine import Engine


def _engine(**changes) -> Engine:
    return Engine(tiny.config(**changes), torch.device("cpu"), "float32")


class Reals:
    """Random clips, remembering what was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, position, n, size):
        self.asked.append((position, n, size))
        return torch.rand(n, 3, size[0], size[1], size[1], generator=torch.Generator().manual_seed(position)) * 2 - 1


@pytest.mark.parametrize("critic_steps", [1, 3])
def test_every_critic_step_reads_the_clips_that_follow(critic_steps):
    engine, reals = _engine(train={"batch": 4, "critic_steps": critic_steps}), Reals()
    for _ in range(2):
        engine.step(reals)
    assert [a[0] for a in reals.asked] == list(range(0, 8 * critic_steps, 4))
    assert engine.clips == 8 * critic_steps and engine.steps == 2


def test_sizes_batches_and_rates_are_the_stages():
    engine, reals = _engine(train={"batch": [4, 8, 16], "lr": [0.001, 0.002, 0.003]}), Reals()
    for stage in range(3):
        engine.clips = engine.plan.starts[stage] + engine.plan.stages[stage].fade
        engine.step(reals)
        assert reals.asked[-1][1:] == ([4, 8, 16][stage], engine.plan.sizes[stage])
        for optimiser in (engine.opt_G, engine.opt_D):
            assert optimiser.param_groups[0]["lr"] == [0.001, 0.002, 0.003][stage]


@pytest.mark.parametrize("critic_steps", [1, 4])
def test_the_averaged_generator_has_its_half_life_in_clips(critic_steps):
    """With G held still, G_ema comes half way to it in the configured number of reals."""
    engine = _engine(train={"batch": 4, "critic_steps": critic_steps, "ema_half_life_kimg": 0.032})
    engine.clips = 10**6                                             # past the ramp at the start
    start = copy.deepcopy(engine.G_ema.state_dict())
    with torch.no_grad():
        for p in engine.G.parameters():
            p.add_(1)
    for _ in range(32 // (4 * critic_steps)):
        engine._average(4 * critic_steps)
    for name, value in engine.G_ema.state_dict().items():
        torch.testing.assert_close(value, start[name] + 0.5)


def test_the_average_forgets_the_random_start_sooner():
    engine = _engine(train={"ema_half_life_kimg": 1000})
    engine.clips = 40
    start = engine.G_ema.first.weight.clone()
    with torch.no_grad():
        engine.G.first.weight.add_(1)
    engine._average(4)
    torch.testing.assert_close(engine.G_ema.first.weight, start + (1 - 0.5 ** (4 / 2)))      # 5 % of 40 clips


def test_a_step_averages_over_all_its_reals(monkeypatch):
    engine, seen = _engine(train={"batch": 4, "critic_steps": 3}), []
    monkeypatch.setattr(engine, "_average", seen.append)
    engine.step(Reals())
    assert seen == [12]


def test_reals_are_blended_while_a_stage_fades_in(monkeypatch):
    engine, reals, seen = _engine(), Reals(), []
    critic_loss = engine.loss.critic_loss

    def watched(critic, real, *rest):
        seen.append(real)
        return critic_loss(critic, real, *rest)

    monkeypatch.setattr(engine.loss, "critic_loss", watched)
    for clips, alpha in ((engine.plan.starts[2] + 4, 0.25), (engine.plan.starts[2] + 20, 1.0)):
        engine.clips = clips
        assert engine.plan.at(clips).alpha == alpha
        engine.step(reals)
        raw = reals(*reals.asked[-1])
        expected = raw if alpha == 1 else blend_real(raw, engine.plan.sizes[1], engine.plan.sizes[2], alpha)
        assert torch.equal(seen[-1], expected)


def test_reals_and_both_kinds_of_fakes_are_augmented(monkeypatch):
    engine, sizes = _engine(train={"augment": ["colour"], "batch": 4}), []
    real = engine_module.augment

    def watched(x, policies, *rest):
        sizes.append((x.requires_grad, tuple(policies)))
        return real(x, policies, *rest)

    monkeypatch.setattr(engine_module, "augment", watched)
    engine.step(Reals())
    assert sizes == [(False, ("colour",)), (False, ("colour",)), (True, ("colour",))]


@pytest.mark.parametrize("loss", ["swgan", "wgan-gp"])
def test_the_critic_sees_reals_and_both_kinds_of_fakes_with_contrast(monkeypatch, loss):
    """Behind the augmentation and the fade's blending, and so inside the penalty too."""
    engine, seen, made = _engine(train={"temporal_contrast": 4.0, "batch": 4}, loss={"name": loss}), [], []
    critic_loss, generator_loss, forward = engine.loss.critic_loss, engine.loss.generator_loss, engine.G.forward

    def clips(*args):
        made.append(forward(*args))
        return made[-1]

    monkeypatch.setattr(engine.G, "forward", clips)
    monkeypatch.setattr(engine.loss, "critic_loss", lambda critic, *rest: (seen.extend(rest[:2]), critic_loss(
        critic, *rest))[1])
    monkeypatch.setattr(engine.loss, "generator_loss", lambda critic, fake: (seen.append(fake), generator_loss(
        critic, fake))[1])
    engine.clips, reals = engine.plan.starts[2] + 4, Reals()
    engine.step(reals)
    raw = blend_real(reals(*reals.asked[-1]), engine.plan.sizes[1], engine.plan.sizes[2], 0.25)
    for shown, own in zip(seen, (raw, *made), strict=True):
        torch.testing.assert_close(shown.diff(dim=2), 4 * own.diff(dim=2))
        torch.testing.assert_close(shown.mean(2), own.mean(2))
    assert seen[2].requires_grad, "the generator learns through it"


def test_the_penalty_comes_every_so_often_and_as_many_times_as_strong(monkeypatch):
    engine, seen = _engine(train={"gp_interval": 3, "batch": 4}), []
    critic_loss = engine.loss.critic_loss

    def watched(critic, real, fake, mix, factor):
        seen.append(factor)
        return critic_loss(critic, real, fake, mix, factor)

    monkeypatch.setattr(engine.loss, "critic_loss", watched)
    terms = [engine.step(Reals()) for _ in range(4)]
    assert seen == [3.0, 0.0, 0.0, 3.0]
    assert ["gradient_penalty" in t for t in terms] == [True, False, False, True]


def test_slices_stay_orthogonal_in_training():
    engine = _engine()
    before = engine.loss.head.slices.detach().clone()
    for _ in range(3):
        engine.step(Reals())
    o = engine.loss.head.slices.detach()
    torch.testing.assert_close(o.mT @ o, torch.eye(o.shape[-1])[None], atol=1e-5, rtol=0)
    assert not torch.equal(o, before)


def test_the_generator_step_leaves_the_critic_alone(monkeypatch):
    engine = _engine()
    engine.step(Reals())
    critic = {**engine.D.state_dict(), **engine.loss.state_dict()}
    critic = {k: v.clone() for k, v in critic.items()}
    weights = engine.G.first.weight.clone()
    engine._generator_step(engine.plan.at(engine.clips))
    assert all(torch.equal(v, critic[k]) for k, v in {**engine.D.state_dict(), **engine.loss.state_dict()}.items())
    assert not torch.equal(engine.G.first.weight, weights)


def test_bfloat16_follows_float32():
    """Ten steps of the same training in both formats: the losses stay close."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        engine = Engine(tiny.config(network={"fmap_max": 16}), torch.device("cpu"), precision)
        reals = Reals()
        losses[precision] = torch.stack([engine.step(reals)["loss_D"] for _ in range(10)])
    torch.testing.assert_close(losses["bfloat16"], losses["float32"], rtol=0.1, atol=0.1)


class _Layouts(TorchDispatchMode):
    """Shapes of the convolutions' clips and gradients whose channels are not innermost in memory, but for the first
    size's: a dense layer takes those flat."""

    def __init__(self):
        super().__init__()
        self.seen, self.others = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.__name__.split(".")[0] in ("convolution", "convolution_backward"):
            clips = args[:1] if func.__name__.startswith("convolution.") else args[:2]
            self.seen += 1
            self.others += [t.shape for t in clips if t.shape[2:] != (4, 4, 4)
                            and not t.is_contiguous(memory_format=torch.channels_last_3d)]
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("loss", ["swgan", "wgan-gp"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("fading", "still"), [(False, False), (True, False), (False, True)])
def test_channels_stay_innermost_through_a_whole_step(loss, precision, fading, still):
    """Penalty and its derivatives included: a tensor in another layout costs a copy at each layer that follows."""
    if precision == "bfloat16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16 units: PyTorch's own convolution has a layout of its own")
    growth = {"stages": [[4, 4], [4, 8], [8, 8]], "fade_kimg": 1, "stable_kimg": 1}
    config = tiny.config(loss={"name": loss}, network={"still": still}, growth=growth)
    engine = Engine(config, torch.device("cpu"), precision)
    engine.clips = engine.plan.starts[2] + (500 if fading else 1000)
    with _Layouts() as layouts:
        engine.step(Reals())
    assert layouts.seen > 30 and not layouts.others


def test_the_seed_decides_everything():
    ends = [[_run(seed) for _ in range(2)] for seed in (0, 1)]
    assert torch.equal(ends[0][0], ends[0][1]) and not torch.equal(ends[0][0], ends[1][0])


def _run(seed):
    engine = _engine(seed=seed)
    for _ in range(3):
        engine.step(Reals())
    return engine.G_ema.first.weight.detach()


@pytest.mark.slow
@pytest.mark.parametrize("system", ["pvswgan", "mocogan"])
def test_bytes_are_trained_on_as_their_clips(system):
    """As a sampler for a GPU gives them."""
    def bytes_of(position, n, size):
        return torch.randint(0, 256, (n, 2 * size[0], size[1], size[1], 3), dtype=torch.uint8,
                             generator=torch.Generator().manual_seed(position))

    ends = []
    for reals in (bytes_of, lambda position, n, size: to_clips(bytes_of(position, n, size), size[0])):
        engine = _some_engine(system)
        engine.step(reals)
        ends.append(torch.cat([p.flatten() for p in engine.D.parameters()]))
    assert torch.equal(*ends)


def _some_engine(system):
    if system == "pvswgan":
        return _engine()
    from train.baselines import make_engine
    from train.config import load

    config = load(Path(__file__).parents[2] / "configs" / "mocogan.yaml", ["precision=float32", "train.batch=2"])
    return make_engine(config, torch.device("cpu"), "float32")


def test_the_trainer_reads_from_the_sampler(tmp_path, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "stores"))
    from train.loop import Trainer

    trainer = Trainer(tiny.config(), tmp_path / "run", say=lambda text: None)
    asked = []
    monkeypatch.setattr(Sampler, "batch", lambda self, *key: asked.append(key) or self.read(*key))
    trainer._step()
    trainer._step()
    assert asked == [(0, 4, (4, 4)), (4, 4, (4, 4))]
    trainer.writer.close()
