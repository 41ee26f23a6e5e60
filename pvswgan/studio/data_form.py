"""The form of an import: its fields as typed, what is wrong with them, and the command line that they make."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pvswgan.data.pieces import LONGEST
from pvswgan.data.sources import DRAW, DRAWN, LEAST, SOURCES, is_store

RESOLUTIONS = (16, 32, 64, 128, 256, 512)
DRAWN_FRAMES = 32
HELP = {
    "auto": "found out from how the files lie",
    "videos": "mp4, avi, webm, mkv, gif, mov; subfolders are classes",
    "ucf101": "UCF-101 with its train and test lists",
    "strips": "pictures with the frames of a clip side by side",
    "frames": "folders of numbered pictures, one a clip",
    "array": "one .npy or .npz file",
    "toyfaces": "drawn here: faces that turn, nod, blink, smile and talk",
    "shapes": "drawn here: shapes on curved paths",
}


class Wish(BaseModel):
    """The form filled in, each field as it was typed; an empty one means the default."""

    source: str = "auto"
    path: str = ""
    resolution: str = "64"
    frames: str = ""
    fps: str = ""
    clips: str = ""
    compact: bool = False


def options() -> dict[str, Any]:
    """What the page needs to draw the form."""
    return {"sources": [{"id": name, "help": HELP.get(name, ""), "drawn": name in DRAWN} for name in SOURCES],
            "resolutions": list(RESOLUTIONS),
            "defaults": {"frames": LEAST, "drawn_frames": DRAWN_FRAMES, "clips": DRAW}}


def words(wish: Wish, look: bool = True) -> tuple[list[str], dict[str, str]]:
    """(what follows `python -m pvswgan data`, {field: sentence} of what is wrong).

    look  whether to look for the path on this machine
    """
    problems: dict[str, str] = {}
    drawn = wish.source in DRAWN
    if wish.source not in SOURCES:
        problems["source"] = f"The kind of data is {wish.source!r}; allowed: {', '.join(SOURCES)}."
    if wish.resolution not in map(str, RESOLUTIONS):
        allowed = ", ".join(map(str, RESOLUTIONS))
        problems["resolution"] = f"Pixels is {wish.resolution!r}; allowed: {allowed}."
    command = [wish.source] if drawn else ["import"]
    if not drawn:
        path, problem = _path(wish.path, look)
        if problem:
            problems["path"] = problem
        command.append(path)
        if wish.source != "auto":
            command += ["--source", wish.source]
    command += ["--resolution", wish.resolution]
    for field, name, most in (("frames", "Frames", LONGEST), ("clips", "Number of clips", 10_000_000)):
        if text := getattr(wish, field).strip():
            command += [f"--{field}", text]
            if problem := _whole(name, text, most):
                problems[field] = problem
    if (text := wish.fps.strip()) and not drawn:
        command += ["--fps", text]
        if problem := _rate(text):
            problems["fps"] = problem
    return command + (["--compact"] if wish.compact else []), problems


def shown(command: list[str]) -> str:
    """The same import from a shell."""
    return shlex.join(["python", "-m", "pvswgan", "data", *command])


def _whole(name: str, text: str, most: int) -> str:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= most:
        return ""
    return f"{name} is {text!r}; allowed: a whole number from 1 to {most:,}."


def _rate(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    return "" if 0 < value <= 1000 else f"Frames a second is {text!r}; allowed: more than 0, up to 1000."


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
            return str(path), f"There is no folder or file {path} on this machine."
        return str(path), "" if next(path.iterdir(), None) else f"The folder {path} is empty."
    except (OSError, ValueError, RuntimeError) as error:
        return text, f"{text} cannot be read: {getattr(error, 'strerror', None) or error}."
