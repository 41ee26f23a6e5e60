"""A trailer composed from real clips, with the truth about its cuts and faces.

640x360 at 25 frames a second: talking heads of TrailerFaces pasted on backgrounds and panned over, scenes of the
actions without a face of use, cuts, fades through black, dissolves; and what the builder has to leave out.

    python -m tests.data.trailer OUT    measures precision and recall; writes OUT/trailer.mp4 and the store OUT/store
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.files import SHARED

WIDTH, HEIGHT, FPS = 640, 360, 25
SOFT = 10  # frames of a dissolve, and of each half of a fade
BLACK = 5  # black frames between the halves of a fade
Pixels = np.ndarray


@dataclass(frozen=True)
class Head:
    """A pasted clip: its number, where its centre starts, how it moves a frame, its side; all in pixels."""

    clip: int
    x: float = WIDTH / 2
    y: float = HEIGHT / 2
    side: int = 240
    dx: float = 0.0
    still: bool = False  # one frame of it all the time
    blur: float = 0.0  # standard deviation in pixels of the trailer
    mirror: bool = False


@dataclass(frozen=True)
class Scene:
    """What is shown for `frames` frames, and how it goes over to the next: cut, fade or dissolve."""

    frames: int
    heads: tuple[Head, ...] = ()
    pan: float = 0.0  # pixels a frame that the background moves to the left
    after: str = "cut"
    keep: bool = True  # whether its heads should become clips
    place: int | None = None  # which background; None: one of its own
    late: int = 0  # so many frames at its start are not shown: a shot seen before, cut elsewhere


@dataclass
class Face:
    """A head as it stands in the trailer: all frames, those where nothing is mixed into it, and its squares (T, 3)."""

    head: Head
    start: int
    stop: int
    clean: tuple[int, int]
    squares: Pixels
    keep: bool


@dataclass
class Truth:
    """borders: (first frame that is not the old scene alone, first that is the new one alone) of each transition"""

    frames: int = 0
    borders: list[tuple[int, int]] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)


def _head(clip: int, frames: int = 52, after: str = "cut", pan: float = 0.0, **more: Any) -> Scene:
    return Scene(frames, (Head(clip, **more),), pan, after)


def scenes() -> list[Scene]:
    """The trailer: 21 different heads, and scenes that must give nothing."""
    empty, head = Scene(40, keep=False), _head
    return [
        head(0), head(1, x=220, side=200), empty,
        head(2, after="fade", frames=60), head(3, x=400, side=260, after="dissolve", frames=60),
        head(4, x=250, frames=60), Scene(50, pan=3.0, keep=False),
        head(5, x=200, dx=3.0, pan=-3.0), head(6, x=460, dx=-3.0, pan=3.0, side=180), empty,
        Scene(52, (Head(7, 160, 180, 190), Head(8, 480, 190, 200))),
        head(9, side=300), Scene(20, (Head(10),), keep=False),  # too short
        head(11, x=380, y=200, side=170, after="dissolve", frames=60), Scene(60, after="dissolve", keep=False),
        head(12, frames=60, side=220), Scene(52, (Head(13, blur=9.0),), keep=False),  # blurred
        head(14, x=300, side=280), head(15, x=260, side=210),
        Scene(52, (Head(0, side=246),), keep=False, place=0, late=5),  # seen before, a little larger
        head(16, after="fade", frames=60), Scene(60, after="fade", keep=False), head(17, frames=60, side=250),
        Scene(52, (Head(18, side=70),), keep=False),  # small
        head(19, x=330, side=230), Scene(52, (Head(20, still=True),), keep=False),  # a photograph
        empty,
    ]


def two_short() -> tuple[list[Scene], list[Scene]]:
    """Two trailers of half a minute together; in the second comes a shot again that the first has shown."""
    empty, head = Scene(36, keep=False), _head
    return [
        head(0, 48), head(5, 46, x=200, dx=3.0, pan=-3.0), empty, head(2, 56, after="fade"),
        head(19, 56, x=330, side=230), Scene(20, (Head(10),), keep=False),
    ], [
        head(16, 56, after="dissolve"), Scene(46, after="dissolve", keep=False), head(12, 56, side=220),
        Scene(46, (Head(7, 160, 180, 190), Head(8, 480, 190, 200))), Scene(46, (Head(19, blur=4.0),), keep=False),
        Scene(46, (Head(18, side=70),), keep=False), Scene(48, (Head(0, side=246),), keep=False, place=0, late=5),
        Scene(46, (Head(20, still=True),), keep=False),
    ]


class Parts:
    """The real clips that scenes are made of, uint8 (T, H, W, 3) each; read where they are asked for."""

    @cached_property
    def heads(self) -> list[Pixels]:
        import av

        found = []
        for file in sorted((SHARED / "trailerfaces").glob("*.mp4")):
            with av.open(str(file)) as container:
                found.append(np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]))
        return found

    @cached_property
    def actions(self) -> list[Pixels]:
        from PIL import Image

        found = []
        for file in sorted((SHARED / "actions").glob("*/*.png")):
            strip = np.asarray(Image.open(file).convert("RGB"))
            found.append(np.stack([strip[:, at:at + 64] for at in range(0, strip.shape[1], 64)]))
        return found


def background(parts: Parts, number: int, at: int, pan: float, blurred: bool) -> Pixels:
    """float32 (HEIGHT, WIDTH, 3): a scene of the actions, enlarged, as the camera sees it at its frame `at`."""
    import cv2

    clip = parts.actions[number * 7 % len(parts.actions)]
    frame, scale = clip[_to_and_fro(at, len(clip))], 900 / clip.shape[1]
    if blurred:
        frame = cv2.GaussianBlur(frame, (0, 0), 12 / scale)
    left = 130 + np.clip(pan * at, -129, 129)
    middle = (scale - 1) / 2  # pixels lie on their centres
    moved = cv2.warpAffine(frame, np.array([[scale, 0, middle - left], [0, scale, middle - 150]]), (WIDTH, HEIGHT),
                           flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def paste(frame: Pixels, parts: Parts, head: Head, at: int) -> tuple[Pixels, tuple[float, float, float]]:
    """The frame with a head on it, soft at its border; and the head's square."""
    import cv2

    clip = parts.heads[head.clip]
    pixels = clip[5 if head.still else _to_and_fro(at, len(clip))]
    x, y = head.x + head.dx * at, head.y
    scale = head.side / len(pixels)
    if scale < 1:
        pixels = cv2.GaussianBlur(pixels, (0, 0), max(0.01, 0.45 * (1 / scale - 1)))
    left, top = max(0, int(x - head.side / 2) - 1), max(0, int(y - head.side / 2) - 1)
    size = (min(WIDTH - left, head.side + 3), min(HEIGHT - top, head.side + 3))
    place = np.array([[scale, 0, x - head.side / 2 - left], [0, scale, y - head.side / 2 - top]])
    shown = cv2.warpAffine(pixels, place, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    mask = cv2.warpAffine(_soft_square(len(pixels)), place, size)[..., None]
    made = frame.copy()
    part = made[top:top + size[1], left:left + size[0]]
    part += (shown - part) * mask
    if head.blur:
        made = cv2.GaussianBlur(made, (0, 0), head.blur)
    return made, (x, y, head.side)


@cache
def _soft_square(side: int) -> Pixels:
    import cv2

    mask = np.zeros((side, side), np.float32)
    mask[8:-8, 8:-8] = 1
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 4))


def _to_and_fro(at: int, frames: int) -> int:
    """Frame of a clip that is played forwards and backwards."""
    at %= 2 * frames - 2
    return min(at, 2 * frames - 2 - at)


def render(parts: Parts, scene: Scene, number: int) -> tuple[Pixels, list[Pixels]]:
    """uint8 (T, HEIGHT, WIDTH, 3) of a scene, and the squares (T, 3) of each head."""
    frames, squares = [], [[] for _ in scene.heads]  # type: ignore[var-annotated]
    place = number if scene.place is None else scene.place
    for at in range(scene.late, scene.late + scene.frames):
        frame = background(parts, place, at, scene.pan, bool(scene.heads))
        for head, its in zip(scene.heads, squares, strict=True):
            frame, square = paste(frame, parts, head, at)
            its.append(square)
        frames.append(np.rint(frame.clip(0, 255)).astype(np.uint8))
    return np.stack(frames), [np.array(its) for its in squares]


def compose(listed: list[Scene], truth: Truth, parts: Parts | None = None) -> Iterator[Pixels]:
    """The trailer's frames, uint8 (HEIGHT, WIDTH, 3) each; fills `truth` on the way."""
    parts = parts or Parts()
    held: Pixels = np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)  # end of the scene before, to be mixed
    how, weights = "cut", (np.arange(SOFT) + 1.0)[:, None, None, None] / (SOFT + 1)
    for number, scene in enumerate(listed):
        frames, squares = render(parts, scene, number)
        start, clean = truth.frames, [0, len(frames)]
        if how == "dissolve":
            frames[:SOFT] = np.rint(held * (1 - weights) + frames[:SOFT] * weights)
        elif how == "fade":
            dark = [*np.rint(held * (1 - weights)).astype(np.uint8), *[np.zeros_like(frames[0])] * BLACK]
            yield from dark
            start += len(dark)
            frames[:SOFT] = np.rint(frames[:SOFT] * weights)
        if number:
            truth.borders.append((truth.frames, start + (SOFT if how != "cut" else 0)))
        if how != "cut":
            clean[0] = SOFT
        how, last = scene.after, len(frames)
        if how != "cut":
            clean[1] = last = last - SOFT
        truth.faces += [Face(head, start, start + last, (start + clean[0], start + clean[1]), its, scene.keep)
                        for head, its in zip(scene.heads, squares, strict=True)]
        held = frames[last:]
        yield from frames[:last]
        truth.frames = start + last
    truth.frames += len(held)
    yield from held


def write(path: Path, frames: Iterator[Pixels], quality: int = 20) -> Path:
    """An H.264 file of frames that come one after another; a smaller `quality` is a better picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": str(quality), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


# ---- measuring ------------------------------------------------------------------------------------------------

NEAR = 2  # frames by which a border may be off
SAME = 0.4  # overlap (intersection over union) of a crop and the pasted square


@dataclass
class Score:
    """How much of what was found is right (precision), and how much of what is right was found (recall)."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.there)

    def __str__(self) -> str:
        return f"precision {self.precision:.3f}, recall {self.recall:.3f} ({self.right} right of {self.found} found, " \
               f"{self.there} there)"


def score_cuts(truth: Truth, shots: list[tuple[int, int]]) -> Score:
    """Borders between shots (start, stop) against the true ones, each of which counts once."""
    found = [(before[1], after[0]) for before, after in pairwise(shots)]
    missing = list(truth.borders)
    right = 0
    for first, last in found:
        hit = next((true for true in missing if first <= true[1] + NEAR and last >= true[0] - NEAR), None)
        if hit is not None:
            missing.remove(hit)
            right += 1
    return Score(right, len(found), len(truth.borders))


def score_faces(truth: Truth, clips: list[tuple[int, int, Pixels]]) -> tuple[Score, list[float]]:
    """Clips (start, stop, crops (T, 4)) against the heads that should be kept; and the overlap of each right one.

    A clip is right where it lies in the frames that show the head alone, and its crops lie on it. A head counts once.
    """
    missing = [face for face in truth.faces if face.keep]
    there, right, overlaps = len(missing), 0, []
    for start, stop, crops in clips:
        best = max(((_overlap(face, start, stop, crops), at) for at, face in enumerate(missing)), default=(0.0, 0))
        if best[0] >= SAME:
            missing.pop(best[1])
            overlaps.append(best[0])
            right += 1
    return Score(right, len(clips), there), overlaps


def _overlap(face: Face, start: int, stop: int, crops: Pixels) -> float:
    """Mean overlap of crops and squares; 0 where the clip reaches beyond the frames that show the head alone."""
    if start < face.clean[0] or stop > face.clean[1]:
        return 0.0
    x, y, side = face.squares[start - face.start:stop - face.start].T
    left, top, right, bottom = crops.T
    width = np.minimum(x + side / 2, right) - np.maximum(x - side / 2, left)
    height = np.minimum(y + side / 2, bottom) - np.maximum(y - side / 2, top)
    shared = np.maximum(0, width) * np.maximum(0, height)
    return float(np.mean(shared / (side**2 + (right - left) * (bottom - top) - shared)))


@dataclass
class Measured:
    """How good the builder is on a trailer of known truth; kept: the clips that became part of the store."""

    cuts: Score
    faces: Score
    overlaps: list[float]
    fps: float  # frames a second of the first look


def measured(file: Path, truth: Truth, kept: list[tuple[int, int]]) -> Measured:
    """Score the shots of a trailer, and those of its clips whose (start, stop) are in the store, at the defaults."""
    from pvswgan.data.trailers import FaceSettings, scan

    settings, began = FaceSettings(), time.monotonic()
    seen = scan.look(file, settings)
    fps = truth.frames / (time.monotonic() - began)
    plans = [plan for plan in scan.planned(seen, settings) if isinstance(plan, scan.Plan)]
    clips = [(plan.start, plan.stop, plan.crops) for plan in plans if (plan.start, plan.stop) in kept]
    faces, overlaps = score_faces(truth, clips)
    return Measured(score_cuts(truth, [(shot.start, shot.stop) for shot in seen.shots]), faces, overlaps, fps)


def main(out: Path) -> None:
    """Compose the trailer, build its store, and print how good the builder is."""
    from pvswgan.data.trailers import SHEET, FaceSettings, faces_store

    out.mkdir(parents=True, exist_ok=True)
    truth = Truth()
    file = write(out / "trailer.mp4", compose(scenes(), truth))
    began = time.monotonic()
    store = faces_store([file], out / "store", FaceSettings(), workers=1)
    built = time.monotonic() - began
    found = measured(file, truth, list(zip(store.starts.tolist(), store.stops.tolist(), strict=True)))
    print(f"cuts: {found.cuts}")
    print(f"faces: {found.faces}; overlap of crop and head {np.mean(found.overlaps):.3f} "
          f"(least {min(found.overlaps):.3f})")
    for entry in store.skipped:
        print(f"  {entry.get('start', '')}..{entry.get('stop', '')} {entry['reason']}")
    print(f"{truth.frames} frames, one process: looking {found.fps:.0f} frames/s, "
          f"the whole store {truth.frames / built:.0f} frames/s")
    print(f"contact sheet: {store.folder / SHEET}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
