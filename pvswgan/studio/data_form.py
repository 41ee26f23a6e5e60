"""The form of an import: its fields as typed, what is wrong with them, and the command line that they make."""

from __future__ import annotations

import math
import re
import shlex
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pvswgan.data.format import DataError, pyramid_sizes
from pvswgan.data.hold_out import MOST
from pvswgan.data.pieces import LONGEST
from pvswgan.data.sources import DRAW, FILES, LEAST, cache_folder, is_store
from pvswgan.data.verify import bytes_text

RESOLUTIONS = (16, 32, 64, 128, 256, 512)
MOST_CLIPS = 10_000_000
SHOWN = 60  # letters of a wrong value that a sentence repeats
_ALL = ("path", "resolution", "frames", "fps", "clips", "hold_out", "compact")


@dataclass(frozen=True)
class Kind:
    """A kind of data: which fields it has, and what they mean there.

    group     under which it is listed
    frames    (label, help, what an empty field means);  clips: (help, what an empty field means)
    """

    id: str
    group: str
    help: str
    fields: tuple[str, ...] = _ALL
    path_label: str = "Folder or file on this machine"
    path_help: str = "Nothing in it is changed. Each subfolder is a class."
    resolution: int = 64
    frames: tuple[str, str, int] = ("Least frames", "shorter clips are left out, and named", LEAST)
    clips: tuple[str, str] = ("at most, spread over the files; empty: all", "all")

    @property
    def command(self) -> tuple[str, ...]:
        """What follows `python -m pvswgan data`, before the path."""
        return ("import",) if self.group == FOUND else (self.id,)


FOUND, FILMS, HERE = "Clips on this machine", "Films on this machine", "Drawn here"


def _drawn(name: str, help: str) -> Kind:
    return Kind(name, HERE, help, ("resolution", "frames", "clips", "hold_out", "compact"),
                frames=("Frames", "of each clip", 32), clips=("how many to draw", f"{DRAW:,}"))


_HELP = {
    "auto": "found out from how the files lie",
    "videos": "mp4, avi, webm, mkv, gif, mov; subfolders are classes",
    "ucf101": "UCF-101 with its train and test lists",
    "strips": "pictures with the frames of a clip side by side",
    "frames": "folders of numbered pictures, one a clip",
    "array": ".npy or .npz files, one or a folder of them",
}
KINDS = {kind.id: kind for kind in (
    *(Kind(name, FOUND, _HELP.get(name, "")) for name in ("auto", *FILES)),
    Kind("faces", FILMS, "faces are looked for in film trailers, shot by shot, as TrailerFaces was made",
         ("path", "resolution", "frames", "compact"), "Folder of trailers, or one film",
         "mp4, avi, webm, mkv, mov; subfolders are searched too. Nothing in it is changed.", 256,
         ("Frames", "of each clip; a face seen for a shorter time is left out", 32)),
    _drawn("toyfaces", "faces that turn, nod, blink, smile and talk; every factor is known"),
    _drawn("shapes", "shapes on curved paths; every factor is known"),
)}


class Wish(BaseModel):
    """The form filled in, each field as it was typed; an empty one means the default."""

    model_config = ConfigDict(coerce_numbers_to_str=True, extra="forbid")

    source: str = "auto"
    path: str = ""
    resolution: str = ""
    frames: str = ""
    fps: str = ""
    clips: str = ""
    hold_out: str = ""
    compact: bool = False


def options() -> dict[str, Any]:
    """What the page needs to draw the form."""
    return {"kinds": [asdict(kind) for kind in KINDS.values()], "resolutions": list(RESOLUTIONS)}


def words(wish: Wish, look: bool = True) -> tuple[list[str], dict[str, str]]:
    """(what follows `python -m pvswgan data`, {field: sentence} of what is wrong). Fields that the kind of data does
    not have are left out.

    look  whether to look for the path, and for room on the disk, on this machine
    """
    kind = KINDS.get(wish.source)
    if kind is None:
        return [], {"source": f"Kind of data is {_shown(wish.source)}; allowed: {', '.join(KINDS)}."}
    problems: dict[str, str] = {}
    command = list(kind.command)
    if "path" in kind.fields:
        path, problem = _path(wish.path, look)
        command.append(path)
        problems["path"] = problem
    if kind.group == FOUND and kind.id != "auto":
        command += ["--source", kind.id]
    for field, problem in _checks(wish, kind).items():
        command += [f"--{field.replace('_', '-')}", getattr(wish, field).strip() or str(kind.resolution)]
        problems[field] = problem
    if kind.group == HERE and look and not any(problems.values()):
        problems["clips"] = _no_room(wish, kind)
    return command + (["--compact"] if wish.compact else []), {name: text for name, text in problems.items() if text}


def _checks(wish: Wish, kind: Kind) -> dict[str, str]:
    """{field: sentence of what is wrong, or ""} of the numbers that go into the command line."""
    checks = {
        "resolution": lambda text: "" if text in map(str, RESOLUTIONS) else _is("Pixels", text, _list(RESOLUTIONS)),
        "frames": lambda text: _whole(kind.frames[0], text, LONGEST),
        "fps": lambda text: _number("Frames a second", text, 1000),
        "clips": lambda text: _whole("Number of clips", text, MOST_CLIPS),
        "hold_out": lambda text: _number("Held out", text, MOST),
    }
    typed = {field: getattr(wish, field).strip() for field in checks if field in kind.fields}
    typed["resolution"] = typed["resolution"] or str(kind.resolution)
    return {field: checks[field](text) for field, text in typed.items() if text}


def shown(command: list[str]) -> str:
    """The same import from a shell; "" while there is none."""
    return shlex.join(["python", "-m", "pvswgan", "data", *command]) if command else ""


def size(wish: Wish) -> int | None:
    """Bytes that a set takes that is drawn here, its fields being right; None for what only the files could tell."""
    kind = KINDS[wish.source]
    if kind.group != HERE:
        return None
    clips, frames = int(wish.clips.strip() or DRAW), int(wish.frames.strip() or kind.frames[2])
    sizes = pyramid_sizes(int(wish.resolution.strip() or kind.resolution))
    return clips * frames * sum(3 * pixels * pixels for pixels in sizes)


def free() -> int:
    """Bytes that are free where stores are kept."""
    place = cache_folder().absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _no_room(wish: Wish, kind: Kind) -> str:
    needed, room = size(wish) or 0, free()
    if wish.compact or needed < room:  # what a codec makes of it nobody knows before
        return ""
    clips = wish.clips.strip() or kind.clips[1]
    return (f"Number of clips is {clips}: they take {bytes_text(needed)}, and only {bytes_text(room)} are free in "
            f"{cache_folder()}. Allowed: fewer clips, frames or pixels.")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def _is(name: str, text: str, allowed: str) -> str:
    return f"{name} is {_shown(text)}; allowed: {allowed}."


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _whole(name: str, text: str, most: int) -> str:
    if re.fullmatch("[0-9]{1,12}", text) and 1 <= int(text) <= most:
        return ""
    return _is(name, text, f"a whole number from 1 to {most:,}")


def _number(name: str, text: str, most: float) -> str:
    try:
        value = float(text) if re.fullmatch("[0-9.e+-]{1,20}", text) else math.nan
    except ValueError:
        value = math.nan
    return "" if 0 < value <= most else _is(name, text, f"more than 0, up to {most:g}")


def _path(text: str, look: bool) -> tuple[str, str]:
    """(absolute path, sentence where nothing can be imported from it)."""
    text = text.strip()
    if not text:
        return "PATH", "Write the path of a folder of videos (or of one file) on this machine."
    try:
        path = Path(text).expanduser().absolute()
        if not look:  # a read-only studio tells nobody which folders there are
            return str(path), ""
        if is_store(path):
            return str(path), f"{path} is a clip store already: a training can use it as it is."
        if path.is_file():
            return str(path), ""
        if not path.is_dir():
            return str(path), f"There is no folder or file {_cut(path)} on this machine."
        return str(path), "" if next(path.iterdir(), None) else f"The folder {path} is empty."
    except (OSError, ValueError, RuntimeError) as error:
        return text, _unreadable(text, error)


def store_path(text: str) -> Path:
    """The folder of a store as it was typed. Raises DataError, with a sentence, where there is none."""
    text = text.strip()
    if not text:
        raise DataError("Write the path of a store's folder on this machine.")
    try:
        path = Path(text).expanduser().absolute()
        if is_store(path):
            return path
        there = path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(_unreadable(text, error)) from error
    if not there:
        raise DataError(f"There is no folder {_cut(path)} on this machine.")
    raise DataError(f"{_cut(path)} is no clip store: it holds no meta.json. Import clips makes a store of videos.")


def _unreadable(text: str, error: Exception) -> str:
    return f"The path {_shown(text)} cannot be read: {getattr(error, 'strerror', None) or error}."


def _cut(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 300 else f"{text[:300]}…"
