"""Decoding one file, or one folder of images, into clips: pieces of uint8 (T, R, R, 3).

Pillow and PyAV are imported inside: a machine that only trains from a built store needs neither.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pvswgan.data.pieces import LONGEST, BadFile, Drop, Piece, TooSmall
from pvswgan.data.pixels import Pixels, centre_square, rgb

STILL_FPS = 25.0  # pictures do not say their rate
_HOLD_S = 2.0  # a frame that stands longer ends its clip: copies of it would teach standing still
_EVEN = 0.5  # a video whose frames come this close to its usual interval (as a share of it) has a constant rate
_INVALID = "Invalid data found when processing input"  # FFmpeg's own words
_DAMAGED = "is damaged: these frames cannot be put together"
_JITTER = 0.25  # of an interval: rounded time stamps must neither drop a frame nor double one
# Lost packets leave a jump in time: a cluster of a Matroska file holds up to five seconds. Rates that vary (phones,
# screens) have long frames too, but seldom longer than both of these; where they have, only a clip ends.
_GAP_S = 1.0
_GAP_FRAMES = 8.0  # usual intervals
_WIDEST = 4.0  # a pixel's longer side over its shorter; the standards' go up to 2.9

Frames = Iterator[tuple[int, float, Any]]  # (index, seconds, PyAV frame or Drop)
Square = Callable[[Any], Pixels]  # of a PyAV frame


# ---- pictures -------------------------------------------------------------------------------------------------


def read_strip(path: Path, resolution: int) -> Iterator[Piece]:
    """Clips of an image that shows square frames side by side, the first at the left. Raises BadFile."""
    from PIL import Image

    with named(path), Image.open(path) as file:
        picture = rgb(file)
        side, width = picture.shape[:2]
        if width % side:
            raise BadFile(f"is {width}x{side} pixels; the width of a strip is a multiple of its height")
        if side < resolution:
            raise TooSmall(side, side, resolution)
    frames = (centre_square(picture[:, left : left + side], resolution) for left in range(0, width, side))
    yield from cut(frames, STILL_FPS)


def read_images(files: Sequence[Path], numbers: Sequence[int], resolution: int) -> Iterator[Piece]:
    """Clips of the images of a folder, in the order of their numbers; where numbers are missing, another clip begins.

    Raises BadFile where an image is broken, or of another size than the first.
    """
    height, width = _image(files[0]).shape[:2]
    gaps = Counter(after - before for before, after in pairwise(numbers))
    step = max(gaps, key=lambda gap: (gaps[gap], -gap)) if gaps else 1
    first = 0
    for at in range(1, len(files) + 1):
        if at == len(files) or numbers[at] - numbers[at - 1] != step:
            yield from cut(_images(files[first:at], width, height, resolution), STILL_FPS, first)
            first = at


def _images(files: Sequence[Path], width: int, height: int, resolution: int) -> Iterator[Pixels]:
    for file in files:
        pixels = _image(file)
        if pixels.shape[:2] != (height, width):
            raise BadFile(f"changes its size at {file.name}: {pixels.shape[1]}x{pixels.shape[0]} after "
                          f"{width}x{height} pixels")
        yield centre_square(pixels, resolution)


def _image(file: Path) -> Pixels:
    """One of an item's images, uint8 (H, W, 3), upright. Raises BadFile that names it."""
    from PIL import Image

    with named(file, inside=True), Image.open(file) as image:
        return rgb(image)


def cut(frames: Iterator[Pixels], fps: float, start: int = 0) -> Iterator[Piece]:
    """Frames one after another as clips of at most LONGEST."""
    held: list[Pixels] = []
    for frame in frames:
        held.append(frame)
        if len(held) == LONGEST:
            yield Piece(np.stack(held), start, start + len(held), fps)
            start, held = start + len(held), []
    if held:
        yield Piece(np.stack(held), start, start + len(held), fps)


# ---- videos ---------------------------------------------------------------------------------------------------


class Timing(NamedTuple):
    """When the frames of a video are shown.

    fps      frames a second: of a variable rate, the rate that most frames have
    even     whether the rate is constant: the frames are taken as they come, whatever small errors their times have
    """

    fps: float
    even: bool


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """(PyAV container, its first video stream). Raises BadFile for whatever FFmpeg stumbles over, in the block too."""
    import av

    # A playlist can call itself .mp4 and name addresses: nothing but files is opened.
    with named(path), av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        if not container.streams.video:
            raise BadFile("has no video stream")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # the import has a process for each core
        yield container, stream


def read_video(path: Path, resolution: int, fps: float | None = None) -> Iterator[Piece | Drop]:
    """Clips of a video's first video stream, upright; sound is not decoded, and frames that are damaged are dropped.

    A Drop tells where frames are missing, too: no clip goes on across it.

    fps  the frames are brought to this rate: doubled, or left out, by their time. None: the file's own rate; one that
         varies is made constant, at the rate that most of its frames have
    Raises BadFile.
    """
    timing = timing_of(path)
    rate = fps or timing.fps
    as_is = timing.even and fps is None
    held, first, last = list[Pixels](), 0, 0
    pixels: Pixels | Drop | None = None

    def piece() -> Piece:
        return Piece(np.stack(held), first, last + 1, rate)

    with open_video(path) as (container, stream):
        frames = whole_frames(container, stream, timing.fps)
        square = partial(_upright_square, resolution=resolution, aspect=pixel_aspect(stream))
        taken = _as_they_come(frames, square) if as_is else _by_time(frames, square, timing.fps, rate)
        for index, pixels in taken:
            if held and (not isinstance(pixels, np.ndarray) or len(held) == LONGEST):
                yield piece()
                held = []
            if isinstance(pixels, Drop):
                yield pixels
            elif pixels is not None:
                first = first if held else index
                held.append(pixels)
                last = index
    if held:
        yield piece()
    if not isinstance(pixels, Drop) and (rest := cut_off(path, last + 1, timing.fps)):
        yield rest


def timing_of(path: Path) -> Timing:
    """When a video's frames are shown, read from its packets without decoding them. Raises BadFile."""
    with open_video(path) as (container, stream):
        known = float(stream.average_rate or stream.guessed_rate or STILL_FPS)
        times = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
        unit = float(stream.time_base or 0)
    if None in times or len(times) < 3 or not unit:
        return Timing(known if 0 < known <= 1000 else STILL_FPS, True)
    steps = np.diff(np.sort(np.array(times, dtype=np.float64))) * unit
    usual = float(np.median(steps))
    if usual <= 0:
        return Timing(known if 0 < known <= 1000 else STILL_FPS, True)
    even = bool((np.abs(steps - usual) <= max(_EVEN * usual, min(1.01 * unit, 0.6 * usual))).all())
    # The mean is free of the rounding of time stamps (to milliseconds, say); the file's own rate is exact if it fits.
    rate = 1 / float(steps.mean()) if even else 1 / usual
    return Timing(known if abs(known - rate) < 0.01 * rate else min(rate, 1000.0), even)


def _as_they_come(frames: Frames, square: Square) -> Iterator[tuple[int, Pixels | Drop]]:
    """(index, pixels) of every frame."""
    for index, _, frame in frames:
        yield index, frame if isinstance(frame, Drop) else square(frame)


def _by_time(frames: Frames, square: Square, own: float, rate: float) -> Iterator[tuple[int, Pixels | Drop | None]]:
    """(index, pixels) of the frame that is shown at 0, 1/rate, 2/rate ... seconds; pixels None where a clip ends."""
    origin = 0.0

    def slot(time: float) -> int:
        """Number of the first moment at which a frame of that time is shown."""
        return math.ceil((time - origin) * rate - _JITTER)

    for (index, time, frame), (_, until, _) in pairwise(_ended(frames, 1 / own)):
        if isinstance(frame, Drop):
            yield index, frame
            continue
        origin = origin if index else time
        moments = slot(until) - slot(time)
        stands = moments > max(1.0, _HOLD_S * rate)
        if moments > 0:
            pixels = square(frame)
            for _ in range(1 if stands else moments):
                yield index, pixels
        if stands:
            yield index, None


def whole_frames(container: Any, stream: Any, own: float) -> Frames:
    """(index, seconds, PyAV frame) of an open video's frames, without those that are damaged; own: frames a second.

    From a damaged frame to the next that stands alone, which may all be made from it, one Drop comes in their place;
    and one, of no frame, where the time jumps as if packets were lost. Raises BadFile where no frame can be decoded.
    """
    longest, before = max(_GAP_S, _GAP_FRAMES / own), None
    for index, time, frame in _undamaged(container, stream, own):
        if isinstance(frame, Drop):
            before = None  # told already
        else:
            if before is not None and time - before > longest:
                yield index, before + 1 / own, Drop(index, index, f"shows nothing new for {time - before:.1f} s")
            before = time
        yield index, time, frame


def _undamaged(container: Any, stream: Any, own: float) -> Frames:
    """The frames with a Drop for each damaged stretch, whatever their times."""
    index, damaged, whole, time = -1, None, False, 0.0
    for index, frame in enumerate(_decoded(container, stream)):
        if frame is not None:
            whole, time = True, index / own if frame.time is None else frame.time
        if frame is None or frame.is_corrupt:
            damaged = damaged or (index, time)
        elif damaged and frame.key_frame:
            yield *damaged, Drop(damaged[0], index, _DAMAGED)
            damaged = None
        if not damaged:
            yield index, time, frame
    if not whole:
        raise BadFile("holds no frame" if index < 0 else f"cannot be decoded: {_INVALID}")
    if damaged:
        yield *damaged, Drop(damaged[0], index + 1, _DAMAGED)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Every PyAV frame; None for a packet that holds none that can be read (a file that breaks off ends in many)."""
    import av

    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            yield None


def cut_off(path: Path, frames: int, fps: float) -> Drop | None:
    """What a Matroska file lacks at its end, of which `frames` at `fps` a second are there; None: it is whole.

    Only these (mkv, webm) say how long they are and have no list of their frames; in other files a frame that is
    missing is a damaged one. Raises BadFile.
    """
    with open_video(path) as (container, _):
        if not container.format.name.startswith("matroska") or container.duration is None:
            return None
        said = container.duration / 1_000_000
        # Of all streams: the sound may go on where the pictures end.
        ends = [(packet.pts + (packet.duration or 0)) * packet.time_base
                for packet in container.demux() if packet.pts is not None]
    end = float(max(ends, default=0))
    if said - end <= _GAP_S:
        return None
    return Drop(frames, max(frames, round(said * fps)), f"ends at {end:.1f} of {said:.1f} s")


def pixel_aspect(stream: Any) -> float:
    """Width over height of a video's pixels as they are shown; 1 where the file does not tell, or tells nonsense."""
    told = float(stream.sample_aspect_ratio or 1)
    return told if 1 / _WIDEST <= told <= _WIDEST else 1.0


def _ended(frames: Frames, interval: float) -> Frames:
    """The same, and after the last frame the time when it ends."""
    index, time = 0, 0.0
    for index, time, frame in frames:
        yield index, time, frame
    yield index + 1, time + interval, None


def _upright_square(frame: Any, resolution: int, aspect: float) -> Pixels:
    """uint8 (R, R, 3) of a PyAV frame, turned as its file asks (phones store a turned picture and the angle).

    aspect  width of a pixel over its height, before the picture is turned
    """
    pixels = centre_square(frame.to_ndarray(format="rgb24"), resolution, aspect)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4)) if frame.rotation else pixels


@contextmanager
def named(path: Path, inside: bool = False) -> Iterator[None]:
    """Turns whatever a library stumbles over into a BadFile.

    inside  the file is one of several of an item, so the reason has to name it
    """
    where = f"{path.name} " if inside else ""
    try:
        if not path.stat().st_size:
            raise BadFile(f"{where}is empty (0 bytes)")
        yield
    except (BadFile, MemoryError, ImportError):
        raise
    except Exception as error:  # Pillow and FFmpeg raise nearly anything for files that are not what they say
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadFile(f"{where}cannot be decoded: {what.replace(str(path), path.name)}") from error
