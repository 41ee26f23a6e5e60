"""A pair of trainings that differ in nothing but the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from pvswgan.studio import processes, train_form
from pvswgan.studio.form_fields import flat
from pvswgan.studio.queue import Queue
from train import config as schema
from train.engine import choose_device
from train.precision import choose_precision

LOSSES = ("swgan", "wgan-gp")


class Pair(BaseModel):
    """An installed configuration; a name, to which the loss is added; both at once, or one after the other."""

    config: str = Field(max_length=200)
    name: str = Field(default="", max_length=processes.LONGEST_NAME)
    when: Literal["queue", "now"] = "queue"


def plan(wish: Pair) -> list[tuple[str, Path, dict[str, Any]]]:
    """(name, configuration, changes) of both runs. The configuration's own loss keeps its weights, the other one has
    the schema's. Raises FormError, ProcessError; FormError too if anything but the loss would differ.

    precision `auto` is settled here, which takes up to two seconds."""
    item = train_form.find(wish.config)
    own = train_form.load(item)
    if own.loss.name not in LOSSES:
        raise train_form.FormError({"config": f"{wish.config} trains {own.network.system} with a loss of its own; "
                                              "a pair is one of SWGAN and one of WGAN-GP."})
    if sentence := train_form.data_problem(own.data, typed=False):
        raise train_form.FormError({"data.path": sentence})
    # What `auto` finds may differ from one start to the next, beside other work: both take what it finds now.
    shared = {"precision": choose_precision(own, choose_device(own.device))} if own.precision == "auto" else {}
    runs, resolved = [], []
    for loss in LOSSES:
        changes = shared if own.loss.name == loss else shared | {"loss": {"name": loss}}
        checked = schema.load(item.path, [processes.override(key, value) for key, value in changes.items()])
        name = processes.check_name(f"{wish.name.strip() or item.id}-{loss}")
        runs.append((name, item.path, changes))
        resolved.append({k: v for k, v in flat(checked.model_dump(mode="json")).items() if not k.startswith("loss.")})
    if resolved[0] != resolved[1]:
        unlike = ", ".join(sorted(k for k in resolved[0] if resolved[0][k] != resolved[1].get(k)))
        raise train_form.FormError({"config": f"With the other loss {wish.config} would also differ in {unlike}."})
    return runs


def start(wish: Pair, root: Path) -> list[dict[str, str]]:
    """Both begin or are queued, or neither.

    Returns [{"name", "id"}], id the run folder's name, "" for one that waits in the queue.

    Raises FormError, ProcessError, QueueError, OSError.
    """
    runs = plan(wish)
    if wish.when == "queue":
        Queue(root).add_all(runs)
        return [{"name": name, "id": ""} for name, _, _ in runs]
    ids = processes.start_all(root, runs)
    return [{"name": name, "id": id} for (name, _, _), id in zip(runs, ids, strict=True)]
