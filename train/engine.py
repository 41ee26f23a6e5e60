"""What is trained and one step of it: networks, loss, optimisers, the averaged generator, and their whole state."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from pvswgan.augment import augment
from pvswgan.data.store import to_clips
from pvswgan.growth import Position
from pvswgan.losses import SWGAN, WGANGP, Loss, Mix
from pvswgan.networks import Discriminator, Generator, blend_real, temporal_contrast
from train.config import ConfigError
from train.distributed import ALONE, Group
from train.schema import GROWING, Config, SwganLoss, WganGpLoss
from train.shortage import Shortage, give_up, is_shortage

Reals = Callable[[int, int, tuple[int, int]], Tensor]   # (position, n, (T, R)) -> clips, or bytes for to_clips


class NotFinite(ArithmeticError):
    """A loss or a gradient became NaN or infinite; the message says at which step."""


class Engine:
    """Everything that a training changes. `clips` counts reals shown, `steps` generator steps.

    Of a `group` of processes each holds all of it and computes its share of a batch; batches and clips are the group's.
    """

    adapts = False              # whether a step that does not fit into the memory gives up activations or clips

    def __init__(self, config: Config, device: torch.device, precision: str, group: Group = ALONE) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.group = config, device, group
        self.plan, self.batches, self.rates = config.plan(), config.batches(), config.rates()
        self.checkpointing = [config.train.checkpointing == "on"] * len(self.batches)     # of each stage
        self.shortages: list[Shortage] = []                            # what became of batches and checkpointing
        self._build()
        self.G_ema = copy.deepcopy(self.G).requires_grad_(False).eval()
        self.G.dtype = self.D.dtype = self.G_ema.dtype = getattr(torch, precision)
        self.opt_G = self._optimiser(self.G.parameters())
        self.opt_D = self._optimiser([*self.D.parameters(), *self.loss.parameters()])
        self.generator = torch.Generator().manual_seed(config.seed)    # every random draw of a step
        self.clips = self.steps = self.critic_steps = 0
        self.phase = ""
        self.bad_step = torch.full((), -1, device=device)

    def _build(self) -> None:
        """Networks and loss."""
        net = self.config.network
        self.G = Generator(self.plan.sizes, net.latent_dim, net.fmap_base, net.fmap_max, net.still).to(self.device)
        self.D = Discriminator(self.plan.sizes, net.fmap_base, net.fmap_max, net.mbstd_group).to(self.device)
        self.loss = make_loss(self.config, self.D.features).to(self.device)

    def _optimiser(self, parameters) -> torch.optim.Optimizer:
        (beta1, beta2), decay = self.config.train.betas, self.config.train.weight_decay
        if self.config.train.optimiser == "rmsprop":
            return torch.optim.RMSprop(parameters, lr=1e-3, alpha=beta2, weight_decay=decay, foreach=False)
        fused = self.device.type != "meta"           # train/memory.py counts a step there; it has no fused kernel
        return torch.optim.Adam(parameters, lr=1e-3, betas=(beta1, beta2), eps=1e-8, weight_decay=decay, fused=fused,
                                foreach=False)

    # --- one step ---------------------------------------------------------------------------------------------

    def step(self, reals: Reals) -> dict[str, Tensor]:
        """`critic_steps` steps of the critic and one of the generator. Returns numbers for the statistics."""
        at = self.plan.at(self.clips)
        self.enter_phase(at)
        before = self.clips
        terms: dict[str, Tensor] = {}
        for _ in range(self.config.train.critic_steps):
            terms |= self.critic_step(reals, at)
        terms |= self._generator_step(at)
        self._average(self.clips - before)
        self.steps += 1
        self._watch(terms)
        return terms

    def enter_phase(self, at: Position) -> None:
        """The optimiser starts anew, and takes the stage's rate, where a phase begins or ends (released code)."""
        phase = f"{at.stage} {at.phase}"
        if phase != self.phase:
            for optimiser in (self.opt_G, self.opt_D):
                optimiser.state.clear()
            self.phase = phase
        for optimiser in (self.opt_G, self.opt_D):
            optimiser.param_groups[0]["lr"] = self.rates[at.stage]

    def critic_step(self, reals: Reals, at: Position) -> dict[str, Tensor]:
        """One step of the critic alone, at a place of the plan. Returns numbers for the statistics."""
        terms = self._fitted(at.stage, partial(self._critic_gradients, reals, at))
        self.group.average([*_gradients(self.opt_D), *terms.values()])
        self.loss.before_step()
        norm = _gradient_norm(self.opt_D)
        self.opt_D.step()
        self.loss.after_step()
        self.critic_steps += 1
        self.clips += self.batches[at.stage]
        return terms | {"grad_norm_D": norm}

    def _critic_gradients(self, reals: Reals, at: Position, batch: int) -> dict[str, Tensor]:
        share = batch // self.group.world
        real = self._read(reals, share, at.stage)
        self.D.requires_grad_(True)
        self.loss.requires_grad_(True)
        if at.alpha < 1:
            real = blend_real(real, self.plan.sizes[at.stage - 1], self.plan.sizes[at.stage], at.alpha)
        with torch.no_grad():
            fake = self.G(self._latents(batch), at.stage, at.alpha)
            real, fake = self.shown(real), self.shown(fake)
        mix = Mix.draw(batch, self.generator, self.device)
        mix = Mix(self.group.share(mix.clips), self.group.share(mix.features))
        interval = self.config.train.gp_interval
        factor = float(interval) if self.critic_steps % interval == 0 else 0.0
        loss, terms = self.loss.critic_loss(self.critic(at), real, fake, mix, factor)
        self.opt_D.zero_grad()
        loss.backward()
        return terms | {"loss_D": loss.detach()}

    def _read(self, reals: Reals, n: int, stage: int) -> Tensor:
        """The next n clips of this process, on the device."""
        size = self.plan.sizes[stage]
        real = reals(self.clips, n, size).to(self.device, non_blocking=True)
        return to_clips(real, size[0]) if real.dtype == torch.uint8 else real

    def _generator_step(self, at: Position) -> dict[str, Tensor]:
        terms = self._fitted(at.stage, partial(self._generator_gradients, at))
        self.group.average([*_gradients(self.opt_G), *terms.values()])
        norm = _gradient_norm(self.opt_G)
        self.opt_G.step()
        return terms | {"grad_norm_G": norm}

    def _generator_gradients(self, at: Position, batch: int) -> dict[str, Tensor]:
        self.D.requires_grad_(False)
        self.loss.requires_grad_(False)
        fake = self.shown(self.G(self._latents(batch), at.stage, at.alpha))
        loss = self.loss.generator_loss(self.critic(at), fake)
        self.opt_G.zero_grad()
        loss.backward()
        return {"loss_G": loss.detach()}

    def _fitted(self, stage: int, gradients: Callable[[int], dict[str, Tensor]]) -> dict[str, Tensor]:
        """gradients(batch), where `adapts` with a smaller batch or activation checkpointing if memory runs out.

        It draws and computes gradients, and changes nothing else: all that takes much memory happens before weights
        change, so that a step goes on where it failed as if it had begun so. (The update that follows needs less than
        what the gradients took and gave back.) Of a group all give up the same. Raises NotEnoughMemory.
        """
        drawn = self.generator.get_state()
        while True:
            self.G.checkpointing = self.D.checkpointing = self.checkpointing[stage]
            terms: dict[str, Tensor] = {}
            try:
                terms = gradients(self.batches[stage])
            except (RuntimeError, MemoryError) as error:
                if not (self.adapts and is_shortage(error)):
                    raise
            if not (self.adapts and self.group.any(not terms)):
                return terms
            self.generator.set_state(drawn)
            self._give_up(stage)

    def _give_up(self, stage: int) -> None:
        for optimiser in (self.opt_G, self.opt_D):
            optimiser.zero_grad()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        least = self.config.network.mbstd_group * self.group.world
        shortage = give_up(stage, self.plan.stages[stage].name, self.batches[stage], least, self.checkpointing[stage],
                           may_checkpoint=stage > 0 and self.config.train.checkpointing == "auto")
        self.batches[stage], self.checkpointing[stage] = shortage.batch, shortage.checkpointing
        self.shortages.append(shortage)

    def given_up(self, stage: int) -> str:
        """What that stage has given up for memory, as the rest of a sentence; empty where nothing."""
        whole, now = self.config.batches()[stage], self.batches[stage]
        parts = ["activation checkpointing"] * (self.checkpointing[stage] and self.config.train.checkpointing == "auto")
        parts += [f"{now} clips a step instead of {whole}"] * (now < whole)
        return f"; memory ran out: {', '.join(parts)}" if parts else ""

    def critic(self, at: Position) -> Callable[..., Tensor]:
        """The critic at a place of the plan: clips (N, 3, T, H, W) to features (N, F)."""
        return lambda x, parts=1: self.D(x, at.stage, at.alpha, parts)

    def _latents(self, n: int) -> Tensor:
        """This process's share of n latents."""
        z = torch.randn(n, self.G.latent_dim, generator=self.generator)
        return self.group.share(z).to(self.device)

    def shown(self, clips: Tensor) -> Tensor:
        """Clips as the critic sees them."""
        return temporal_contrast(self._augment(clips), self.config.train.temporal_contrast)

    def _augment(self, clips: Tensor) -> Tensor:
        return augment(clips, self.config.train.augment, self.generator, self.group.rank, self.group.world)

    @torch.no_grad()
    def _average(self, clips: int) -> float:
        """After a step of that many reals G_ema follows G with the configured half-life; shorter at the start, so that
        it forgets the random weights (as StyleGAN2's ramp-up). Returns the share of itself that it keeps."""
        half_life = min(self.config.train.ema_half_life_kimg * 1000, 0.05 * self.clips)
        keep = 0.5 ** (clips / half_life) if half_life > 0 else 0.0
        torch._foreach_lerp_(list(self.G_ema.parameters()), list(self.G.parameters()), 1 - keep)
        return keep

    def align(self) -> None:
        """Take the first process's weights, where the group's machines have rounded unlike."""
        modules = (self.G, self.D, self.loss, self.G_ema)
        self.group.align([p.detach() for module in modules for p in module.parameters()])

    def _watch(self, terms: dict[str, Tensor]) -> None:
        """Remember the first step whose losses or gradients are not finite: without waiting for a GPU every step."""
        finite = torch.stack([terms[k] for k in ("loss_D", "loss_G", "grad_norm_D", "grad_norm_G")]).isfinite().all()
        self.bad_step = torch.where((self.bad_step < 0) & ~finite, self.steps, self.bad_step)

    def check(self) -> None:
        """Raise NotFinite where a step since the last checkpoint was not finite."""
        step = int(self.bad_step)
        if step >= 0:
            raise NotFinite(f"a loss or a gradient is not finite at step {step} ({self.clips / 1000:g} kimg); a lower "
                            f"train.lr or a stronger loss.gp may help. The last checkpoint is from before.")

    # --- whole state ------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """(tensors, header) from which load_state makes the same engine, bit for bit."""
        tensors = {f"{name}/{k}": v for name, module in self._modules().items() for k, v in module.state_dict().items()}
        for name, optimiser in (("opt_G", self.opt_G), ("opt_D", self.opt_D)):
            for index, entry in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}/{index}/{k}": torch.as_tensor(v) for k, v in entry.items()}
        tensors["generator"] = self.generator.get_state()
        return tensors, {"clips": self.clips, "steps": self.steps, "critic_steps": self.critic_steps,
                         "phase": self.phase, "batches": [*self.batches], "checkpointing": [*self.checkpointing]}

    def load_state(self, tensors: dict[str, Tensor], info: dict) -> None:
        for name, module in self._modules().items():
            module.load_state_dict(_under(tensors, name))
        for name, optimiser in (("opt_G", self.opt_G), ("opt_D", self.opt_D)):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(tensors, name).items():
                index, _, entry = key.partition("/")
                state.setdefault(int(index), {})[entry] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        self.generator.set_state(tensors["generator"])
        self.clips, self.steps, self.critic_steps = info["clips"], info["steps"], info["critic_steps"]
        self.phase = info["phase"]
        self.checkpointing = info.get("checkpointing", self.checkpointing)
        least = self.config.network.mbstd_group * self.group.world       # perhaps more processes than before
        self.batches = [whole if b == whole else max(least, b // least * least)
                        for b, whole in zip(info.get("batches", self.batches), self.batches, strict=True)]

    def _modules(self) -> dict[str, nn.Module]:
        return {"G": self.G, "D": self.D, "G_ema": self.G_ema, "loss": self.loss}


def make_loss(config: Config, features: int) -> Loss:
    """The loss that a configuration names, for feature vectors of that length."""
    c = config.loss
    if isinstance(c, SwganLoss):
        return SWGAN(features, blocks=c.blocks, gp=c.gp, slope=c.slope, k=c.k, slope_penalty=c.slope_penalty)
    if isinstance(c, WganGpLoss):
        return WGANGP(features, gp=c.gp, drift=c.drift)
    raise ConfigError(f"loss.name is {c.name!r}: allowed with network.system pvswgan: {', '.join(GROWING)}")


def choose_device(name: str, group: Group = ALONE) -> torch.device:
    """`auto`: a GPU where there is one; of a group each process takes one of its machine's, or all their CPUs.

    Raises ValueError for a GPU that is not there, and ConfigError where a group is to share one.
    """
    device = group.first(lambda: _device(name))
    if group.world == 1 or device.type == "cpu":
        return device
    if device.index is not None:
        raise ConfigError(f"device is {name!r}: allowed with {group.world} processes: auto, cpu, cuda (one GPU each)")
    return group.together(lambda: _device(f"cuda:{group.local_rank}"))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device is {name!r}, but PyTorch sees {torch.cuda.device_count()} GPUs here; allowed: auto, "
                         "cpu" + "".join(f", cuda:{i}" for i in range(torch.cuda.device_count())))
    return device


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {k[len(name) + 1:]: v for k, v in tensors.items() if k.startswith(f"{name}/")}


def _gradients(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]


def _gradient_norm(optimiser: torch.optim.Optimizer) -> Tensor:
    return torch.nn.utils.get_total_norm(_gradients(optimiser))

