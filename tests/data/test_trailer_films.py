"""The face builder on two composed trailers of known truth: how much it finds, what it leaves out, the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pvswgan.data import ClipStore
from pvswgan.data.build import Told
from pvswgan.data.trailers import REPORT, SHEET, FaceSettings, faces_store
from pvswgan.data.verify import verify
from tests.data.files import needs
from tests.data.trailer import Parts, Truth, compose, measured, two_short, write

pytestmark = [pytest.mark.slow, needs("trailerfaces"), needs("actions")]

# Enough to find faces in a quarter of the time: for the questions that do not ask how well.
QUICK = FaceSettings(resolution=16, frames=16, every=6, detect_side=320, least_face=64)


class Films(NamedTuple):
    files: list[Path]
    truths: list[Truth]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder, parts = tmp_path_factory.mktemp("films"), Parts()
    made = Films([], [])
    for name, listed in zip("ab", two_short(), strict=True):
        made.truths.append(Truth())
        made.files.append(write(folder / f"{name}.mp4", compose(listed, made.truths[-1], parts)))
    return made


@pytest.fixture(scope="module")
def store(films: Films, tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """At the defaults."""
    return faces_store(films.files, tmp_path_factory.mktemp("built") / "s", FaceSettings(), workers=2)


@pytest.fixture(scope="module")
def reference(films: Films, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A quick store of one process that was not interrupted."""
    place = tmp_path_factory.mktemp("reference") / "s"
    assert len(set(faces_store(films.files, place, QUICK, workers=1).sources)) == 2
    return digests(place)


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_cuts_and_faces_are_found_and_nothing_else(films: Films, store: ClipStore) -> None:
    """Measured when this was written: 12 of 12 cuts, 8 of 8 faces, nothing wrong, overlap 0.87 (least 0.80).

    Each floor lets one go amiss.
    """
    found = []
    for file, truth in zip(films.files, films.truths, strict=True):
        kept = [(start, stop) for name, start, stop
                in zip(store.sources, store.starts.tolist(), store.stops.tolist(), strict=True) if name == file.name]
        found.append(measured(file, truth, kept))
    for scores in ([one.cuts for one in found], [one.faces for one in found]):
        right = sum(score.right for score in scores)
        assert right >= sum(score.found for score in scores) - 1 and right >= sum(score.there for score in scores) - 1
        assert right >= 7
    overlaps = np.concatenate([one.overlaps for one in found])
    assert overlaps.mean() > 0.8 and overlaps.min() > 0.65


def test_what_is_of_no_use_is_dropped_for_the_right_reason(films: Films, store: ClipStore) -> None:
    wanted = {("a.mp4", 94, 130): "no face", ("a.mp4", 247, 267): "short shot", ("b.mp4", 184, 230): "blurred",
              ("b.mp4", 230, 276): "small face", ("b.mp4", 276, 324): "look-alike", ("b.mp4", 324, 370): "still"}
    assert films.truths[0].borders[-1] == (247, 247) and films.truths[1].borders[-1] == (324, 324)
    report = json.loads((store.folder / REPORT).read_text())
    for (name, start, stop), kind in wanted.items():
        inside = [drop["kind"] for drop in report["by_trailer"][name]["drops"]
                  if start <= drop["start"] and drop["stop"] <= stop]
        assert inside == [kind], f"{name} {start}..{stop}"
        assert not any(source == name and start <= at < stop
                       for source, at in zip(store.sources, store.starts.tolist(), strict=True))


def test_the_report_adds_up_and_the_sheet_shows_every_clip(store: ClipStore) -> None:
    from PIL import Image

    report = json.loads((store.folder / REPORT).read_text())
    assert report["clips"] == len(store) == sum(one["clips"] for one in report["by_trailer"].values())
    assert sum(report["dropped"].values()) == len(store.skipped) and "other" not in report["dropped"]
    assert FaceSettings(**report["settings"]) == FaceSettings() and report["failed"] == {}
    with Image.open(store.folder / SHEET) as sheet:
        columns = sheet.width // 96
        assert sheet.size == (columns * 96, -(-len(store) // columns) * 96)
        last = np.asarray(sheet)[-96:, (len(store) - 1) % columns * 96:][:, :96].astype(int)
    middle = store.pixels([len(store) - 1], [16], 1, 1, 128)[0, 0]
    shown = np.asarray(Image.fromarray(middle).resize((96, 96))).astype(int)
    assert np.abs(last - shown)[16:].mean() < 8  # above is the number
    assert verify(store) == []


def test_clips_are_as_steady_as_their_faces(films: Films, store: ClipStore) -> None:
    """The face of a still head stays where it is in the crop: the crop's border does not flicker."""
    for clip in range(len(store)):
        frames = store.pixels([clip], [0], 32, 1, 64)[0].astype(int)
        steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        assert steps.max() < 4 * np.median(steps) + 4


def test_two_workers_make_the_bytes_of_one(films: Films, reference: dict[str, str], tmp_path: Path) -> None:
    faces_store(films.files, tmp_path / "s", QUICK, workers=2)
    assert {SHEET, REPORT, "meta.json"} < set(reference) and digests(tmp_path / "s") == reference


def test_a_build_that_was_killed_goes_on_to_the_same_bytes(films: Films, reference: dict[str, str],
                                                           tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from pvswgan.data import writer
        from pvswgan.data.trailers import faces_store
        from tests.data.test_trailer_films import QUICK
        if __name__ == "__main__":
            writer._SYNC_S = 0.0
            files = [Path(name) for name in sys.argv[2:]]
            tell = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now.done == 1 else None
            faces_store(files, Path(sys.argv[1]), QUICK, 1, tell)
    """
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path / "s", *films.files]
    killed = subprocess.run(list(map(str, command)), cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    seen: list[Told] = []
    faces_store(films.files, tmp_path / "s", QUICK, 2, seen.append)
    assert seen[0].done == 1 and digests(tmp_path / "s") == reference
