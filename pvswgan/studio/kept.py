"""What people keep in Explore: names of directions, directions of their own, latents.

RUNS/.studio/kept.json holds names and own directions, RUNS/.studio/latents/ID.safetensors one latent each. The file is
replaced in one go, and whoever reads to change holds a lock file, so tabs and studios do not lose each other's
words. A file that cannot be read is never written over: it may hold somebody's work.

Names of PCA's and SeFa's directions belong to one checkpoint (those of the next one point elsewhere); own directions
and latents are places in z, and belong to all checkpoints of a run.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from pvswgan.checkpoint import CheckpointError, read_tensors, save_tensors
from pvswgan.files import write_text

LONGEST_NAME = 80
MOST = 1000  # own directions, or names, in the file
MOST_FORGOTTEN = 50


class KeptError(RuntimeError):
    """What is kept cannot be read or changed so; the message is a sentence."""


class UnknownKeptError(KeptError):
    """A direction or latent that is not there (any more)."""


class Named(BaseModel):
    """What a person calls one of the model's directions, and whether it is kept."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    kept: bool = False


class Own(Named):
    """A direction of somebody's own: a vector for the models of that family."""

    family: str
    vector: list[float] = Field(min_length=1, max_length=4096)


class Contents(BaseModel):
    """The whole file: names[model id][direction id], own[id], and forgotten[id], oldest first, which can come back."""

    model_config = ConfigDict(extra="forbid")

    names: dict[str, dict[str, Named]] = {}
    own: dict[str, Own] = {}
    forgotten: dict[str, Own] = {}


def family(model_id: str) -> str:
    """What all checkpoints of a run share: "run:NAME"; an asset or a file is its own."""
    return model_id.split("@")[0]


class Kept:
    """What is kept in the runs folder `runs`."""

    def __init__(self, runs: Path) -> None:
        self._folder = Path(runs) / ".studio"
        self._file = self._folder / "kept.json"
        self._known: tuple[Any, Contents] = None, Contents()

    # ---- directions ---------------------------------------------------------------------------------------------

    def names(self, model_id: str) -> dict[str, Named]:
        """{direction id: its name and mark} of one checkpoint's directions. Raises KeptError."""
        return self._read().names.get(model_id, {})

    def own(self, model_id: str) -> dict[str, Own]:
        """{"own:ID": direction} of a model's family, oldest first. Raises KeptError."""
        mine = family(model_id)
        return {f"own:{id}": own for id, own in self._read().own.items() if own.family == mine}

    def add_direction(self, model_id: str, name: str, vector: Tensor) -> str:
        """Keep a direction (latent_dim,), one standard deviation long; returns its id, "own:...". Raises KeptError."""
        id = secrets.token_hex(4)
        own = Own(name=_checked(name), kept=True, family=family(model_id), vector=[float(x) for x in vector])
        with self._changing() as contents:
            if len(contents.own) >= MOST:
                raise KeptError(f"There are {MOST} own directions already; forget some first.")
            contents.own[id] = own
        return f"own:{id}"

    def name(self, model_id: str, direction: str, name: str, kept: bool) -> None:
        """Give a direction a name ("": none), and keep it or not. Raises KeptError."""
        named = Named(name=_checked(name), kept=kept)
        with self._changing() as contents:
            if direction.startswith("own:"):
                own = _find(contents.own, model_id, direction)
                own.name, own.kept = named.name, named.kept
                return
            names = contents.names.setdefault(model_id, {})
            names[direction] = named
            if named == Named():
                del names[direction]
            if not names:
                del contents.names[model_id]
            if len(contents.names) > MOST:
                raise KeptError(f"There are names for {MOST} checkpoints already; take some back first.")

    def forget(self, model_id: str, direction: str) -> None:
        """Take an own direction off the list. Clips along it can be drawn still, for whoever undoes, walks through old
        keyframes or restores it; the newest MOST_FORGOTTEN are kept so. Raises KeptError."""
        with self._changing() as contents:
            id = direction.removeprefix("own:")
            contents.forgotten[id] = _find(contents.own, model_id, direction)
            del contents.own[id]
            for oldest in list(contents.forgotten)[:-MOST_FORGOTTEN]:
                del contents.forgotten[oldest]

    def restore(self, model_id: str, direction: str) -> None:
        """Bring a forgotten direction back. Raises KeptError."""
        with self._changing() as contents:
            id = direction.removeprefix("own:")
            contents.own[id] = _find(contents.own | contents.forgotten, model_id, direction)
            contents.forgotten.pop(id, None)

    def move(self, before: str, after: str) -> None:
        """What was kept for the family `before` is `after`'s now: a run has another name. Raises KeptError."""
        now = self._read()
        owns = [*now.own.values(), *now.forgotten.values()]
        if before not in {*map(family, now.names), *(own.family for own in owns)}:
            return
        with self._changing() as contents:
            contents.names = {after + id.removeprefix(before) if family(id) == before else id: named
                              for id, named in contents.names.items()}
            for own in [*contents.own.values(), *contents.forgotten.values()]:
                own.family = after if own.family == before else own.family

    def direction(self, model_id: str, direction: str) -> Tensor:
        """The vector (latent_dim,) of an own direction, a forgotten one too. Raises KeptError."""
        contents = self._read()
        return torch.tensor(_find(contents.forgotten | contents.own, model_id, direction).vector)

    # ---- latents ------------------------------------------------------------------------------------------------

    def add_latent(self, model_id: str, z: Tensor, **facts: Any) -> str:
        """Keep a latent (latent_dim,) with what is known of it; returns its id. Raises OSError."""
        id = secrets.token_hex(5)
        folder = self._folder / "latents"
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"kind": "latent", "family": family(model_id), "model": model_id} | facts
        save_tensors(folder / f"{id}.safetensors", {"z": z.reshape(-1).float()}, facts)
        return id

    def latent(self, id: str) -> Tensor:
        """A kept latent (latent_dim,). Raises KeptError."""
        path = self._folder / "latents" / f"{id}.safetensors"
        if not id.isalnum() or not path.is_file():
            raise UnknownKeptError(f"There is no latent {id!r} here any more; it may have been made in another studio.")
        try:
            tensors, info = read_tensors(path)
        except CheckpointError as error:
            raise KeptError(f"The latent {id!r} cannot be read: {error}.") from error
        z = tensors.get("z")
        if info.get("kind") != "latent" or z is None or z.ndim != 1 or not torch.isfinite(z).all():
            raise KeptError(f"The latent {id!r} cannot be read: its file does not hold one.")
        return z.float()

    # ---- the file -----------------------------------------------------------------------------------------------

    def _read(self) -> Contents:
        """The file's contents, read again when it was replaced; a slider asks many times a second."""
        try:
            stat = self._file.stat()
            stamp = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if stamp != self._known[0]:
                self._known = stamp, Contents.model_validate_json(self._file.read_bytes())
            return self._known[1]
        except FileNotFoundError:
            return Contents()
        except OSError as error:
            raise KeptError(f"{self._file} cannot be read: {error.strerror or error}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise KeptError(f"{self._file}, which holds the names and directions that people kept, is damaged"
                            f"{f' at {where}' if where else ''}: {first['msg']}. Nothing in it was changed; mend it, "
                            "or move it away to begin anew.") from error

    @contextmanager
    def _changing(self) -> Iterator[Contents]:
        """The contents, to be changed: nobody else, in no process, does so meanwhile. Raises KeptError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(self._folder / "kept.lock", "a", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                contents = self._read().model_copy(deep=True)  # readers hold the other one
                yield contents
                write_text(self._file, json.dumps(contents.model_dump(), indent=1))
        except OSError as error:
            raise KeptError(f"{self._file} cannot be written: {error.strerror or error}.") from error


def _find(owns: dict[str, Own], model_id: str, direction: str) -> Own:
    own = owns.get(direction.removeprefix("own:")) if direction.startswith("own:") else None
    if own is None or own.family != family(model_id):
        raise UnknownKeptError(f"There is no direction {direction!r} of this model any more: it was forgotten, or "
                               "belongs to another model.")
    return own


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise KeptError(f"The name {name[:LONGEST_NAME]!r} is not allowed: up to {LONGEST_NAME} characters of text.")
    return name
