"""What the Evaluate page can have the clips looked at by: the extractors of pvswgan.metrics that are on this machine.

A page only ever names one of the list; no path comes from outside. Weights of C3D lie in RUNS/.studio/extractors/ or in
assets/extractors/, those of Inception-v3 where torch-fidelity keeps its download. Nothing is downloaded, and I3D, whose
file is a program, is left to the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvswgan.metrics import extractors
from pvswgan.metrics.extractors import Extractor, ExtractorError

if TYPE_CHECKING:
    from pvswgan.studio.server import Settings

DEFAULT = "clipnet"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(npz|safetensors)")
MOST = 20  # files of C3D


@dataclass(frozen=True)
class Choice:
    """One line of the list. problem: why it cannot be had, "" if it can. file: its weights, where they are not ours."""

    id: str
    name: str
    problem: str = ""
    file: Path | None = None


def choices(settings: Settings) -> list[Choice]:
    """All extractors, those that cannot be had with the reason."""
    return [Choice(DEFAULT, "clipnet (shipped)"), _inception(), *_c3d(settings),
            Choice("i3d", "I3D", "its weights file is a program, which this page does not run. On the command line: "
                   "python -m pvswgan evaluate MODEL --data STORE --extractor i3d --weights FILE --run-code")]


def listed(settings: Settings) -> list[dict[str, Any]]:
    """`choices` for the page, without the files' places."""
    return [{key: value for key, value in asdict(choice).items() if key != "file"} for choice in choices(settings)]


def find(settings: Settings, id: str) -> Choice:
    """The choice with this id. Raises ExtractorError where there is none, or it cannot be had."""
    there = {choice.id: choice for choice in choices(settings)}
    if id not in there:
        raise ExtractorError(f"There is no extractor {id!r} here; allowed: "
                             f"{', '.join(name for name, choice in there.items() if not choice.problem)}.")
    if there[id].problem:
        raise ExtractorError(f"{there[id].name} cannot be used: {there[id].problem}.")
    return there[id]


def load(choice: Choice, device: Any = "cpu") -> Extractor:
    """The extractor itself. Raises ExtractorError, CheckpointError for a bad file."""
    return extractors.make(choice.id.partition("/")[0], choice.file, device=device)


def _inception() -> Choice:
    name, file = "Inception-v3 on frames", extractors.inception_file()
    if file.is_file():
        return Choice("inception", name, file=file)
    return Choice("inception", name, f"its weights are not on this machine. Put {extractors.inception_url()} into "
                  f"{file.parent}, as {file.name}")


def _c3d(settings: Settings) -> Iterator[Choice]:
    own, shipped = settings.runs / ".studio" / "extractors", settings.assets / "extractors"
    files = {path.name: path for folder in (shipped, own) if folder.is_dir() for path in sorted(folder.iterdir())
             if path.is_file() and FILE_NAME.fullmatch(path.name) and path.name != extractors.clipnet.FILE.name}
    for name, path in list(files.items())[:MOST]:
        yield Choice(f"c3d/{name}", f"C3D, {name}", extractors.c3d_problem(path), path)
    if not files:
        yield Choice("c3d", "C3D", f"no weights of it are on this machine. Put a file (.safetensors or .npz) into "
                     f"{own.resolve()}")
