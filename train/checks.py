"""What is wrong with a configuration that no key shows alone. Each gives sentences: key is VALUE: what is allowed."""

from __future__ import annotations

from pvswgan.baselines import SYSTEMS, check_size
from pvswgan.growth import PlanError
from train.schema import GROWING, Config, Network, Train


def wrong_together(config: Config) -> list[str]:
    """What no key shows alone: the plan, lists of one value a stage, batches and groups, data and path."""
    wrong: list[str] = []
    try:
        plan = config.plan()
    except PlanError as error:
        return [str(error)]
    wrong += [f"growth.stages[{i}] is {[s.frames, s.resolution]}: allowed: up to 64 frames and 256 pixels"
              for i, s in enumerate(plan.stages) if s.frames > 64 or s.resolution > 256]
    count = len(plan.stages)
    for name, value in (("train.batch", config.train.batch), ("train.lr", config.train.lr)):
        if isinstance(value, list) and len(value) != count:
            wrong.append(f"{name} lists {len(value)} values, but the plan has {count} stages")
    group = config.network.mbstd_group
    wrong += _check_system(config)
    if not wrong and config.network.system == "pvswgan":
        wrong += [f"train.batch is {b} at stage {i}: allowed: a multiple of network.mbstd_group ({group}), or fewer"
                  for i, b in enumerate(config.batches()) if b > group and b % group]
    if not wrong:
        wrong += _short_phases(config)
    if len(set(config.train.augment)) < len(config.train.augment):
        wrong.append(f"train.augment is {config.train.augment}: allowed: each once")
    if config.data.path is None and not config.data.drawn():
        wrong.append(f"data.path is missing: source {config.data.source!r} wants a folder "
                     f"(the sources toyfaces and shapes need none)")
    if config.data.path is not None and config.data.drawn():
        wrong.append(f"data.path is {config.data.path!r}: allowed with data.source {config.data.source!r}: null, as "
                     "its clips are drawn (data.source=auto takes those of the folder)")
    if config.data.hold_out and config.data.split is not None:
        wrong.append(f"data.split is {config.data.split!r}: allowed with data.hold_out {config.data.hold_out:g}: null, "
                     "as what is not held out trains")
    return wrong


def _check_system(config: Config) -> list[str]:
    """What does not go with the system: its loss, its size, and keys of pvswgan alone, which would say nothing."""
    system, plan = config.network.system, config.plan()
    losses = GROWING if system == "pvswgan" else (SYSTEMS[system].loss,)
    wrong = [f"loss.name is {config.loss.name!r}: allowed with network.system {system}: {', '.join(losses)}"
             ] * (config.loss.name not in losses)
    if system == "pvswgan":
        return wrong
    own = [(f"network.{name}", getattr(config.network, name), Network.model_fields[name].default)
           for name in ("latent_dim", "fmap_base", "fmap_max", "mbstd_group", "still")]
    own += [(f"train.{name}", getattr(config.train, name), Train.model_fields[name].default)
            for name in ("gp_interval", "temporal_contrast")]
    wrong += [f"{key} is {value}: allowed with network.system {system}: {usual}, which says nothing there"
              for key, value, usual in own if value != usual]
    if config.train.checkpointing == "on":
        wrong.append(f"train.checkpointing is 'on': allowed with network.system {system}: auto, off")
    if config.precision == "bfloat16":
        wrong.append(f"precision is 'bfloat16': allowed with network.system {system}: auto, float32")
    if min(config.batches(), default=2) < 2:
        wrong.append(f"train.batch is 1: allowed with network.system {system}: 2 or more, for BatchNorm")
    if len(plan.stages) > 1:
        return [*wrong, f"growth gives {len(plan.stages)} stages, but network.system {system} does not grow: allowed: "
                        f"growth.stages with one, such as [[{plan.sizes[-1][0]}, {plan.sizes[-1][1]}]]"]
    try:
        check_size(system, plan.sizes[0])
    except ValueError as error:
        wrong.append(f"growth.stages[0] is {list(plan.sizes[0])}: {error}")
    return wrong


def _short_phases(config: Config) -> list[str]:
    """A phase shorter than one step would be passed over without a word."""
    wrong = []
    for i, (stage, batch) in enumerate(zip(config.plan().stages, config.batches(), strict=True)):
        step = batch * config.train.critic_steps
        wrong += [f"growth.{name}_kimg is {clips / 1000:g} at stage {i}, less than a step of {step} clips: allowed: 0 "
                  f"or at least {step / 1000:g}" for name, clips in (("fade", stage.fade), ("stable", stage.stable))
                  if 0 < clips < step]
    return wrong


def wrong_with_processes(config: Config, world: int) -> list[str]:
    """Where `world` processes cannot share each stage's batch: whole minibatch-stddev groups each. BatchNorm's
    statistics are those of one process's clips, so that the other systems train in one."""
    if world > 1 and config.network.system != "pvswgan":
        return [f"network.system is {config.network.system!r}: trained by one process, not by {world}"]
    step = world * config.network.mbstd_group
    return [f"train.batch is {b} at stage {i}: allowed with {world} processes: a multiple of {step} "
            f"({world} x network.mbstd_group)" for i, b in enumerate(config.batches()) if world > 1 and b % step]
