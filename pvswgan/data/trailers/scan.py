"""From one trailer to its clips: look at every frame once, plan the crops, then cut them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pvswgan.data.decode import cut_off
from pvswgan.data.pieces import BadFile, Drop, Piece
from pvswgan.data.trailers import filters
from pvswgan.data.trailers.crops import Values, resampled, windows, without_spikes
from pvswgan.data.trailers.detect import Box, detector
from pvswgan.data.trailers.settings import FaceSettings
from pvswgan.data.trailers.shots import Shot, ShotFinder
from pvswgan.data.trailers.tracks import Track, link
from pvswgan.data.trailers.video import Pixels, open_trailer, picture

_SEEK = 2 / 3  # faces down to this share of the least size are looked for, so that the report can tell their size


@dataclass
class Seen:
    """What the first look at a trailer found. Boxes in pixels of the trailer.

    cuts    first frames of shots;  mixed: frames of fades and dissolves, and those that are missing
    found   (frame, boxes) of each looked-at frame;  drops: what is damaged or missing
    """

    width: int
    height: int
    fps: float
    frames: int
    cuts: list[int]
    mixed: set[int]
    shots: list[Shot]
    found: list[tuple[int, list[Box]]]
    drops: list[Drop] = field(default_factory=list)


@dataclass
class Plan:
    """A clip to be cut out: its frames, the crop of each, (T, 4) in pixels of the trailer, and what is done."""

    start: int
    stop: int
    crops: Values
    frames: list[Pixels] = field(default_factory=list)


def faces(path: Path, settings: FaceSettings) -> Iterator[Piece | Drop]:
    """The clips of faces in a trailer, and what was dropped with the reasons.

    Reads the file twice and holds the clips that are being cut out, so its length does not matter. First come the
    drops of frames, shots and tracks, then clips (and drops of clips) by their last frame. Raises BadFile.
    """
    seen = look(path, settings)
    plans: list[Plan] = []
    yield from seen.drops
    for made in planned(seen, settings):
        if isinstance(made, Drop):
            yield made
        else:
            plans.append(made)
    plans.sort(key=lambda plan: (plan.start, plan.crops[0, 0]))
    for plan in _cut_out(path, plans, settings.resolution):
        frames = np.stack(plan.frames)
        plan.frames.clear()
        if (fault := filters.look_fault(filters.look(frames), settings)) is not None:
            yield Drop(plan.start, plan.stop, fault)
        else:
            print_ = None if settings.duplicates is None else filters.fingerprint(frames)
            yield Piece(frames, plan.start, plan.stop, seen.fps, fingerprint=print_)


def look(path: Path, settings: FaceSettings) -> Seen:
    """Look at every frame of a trailer, made small. Raises BadFile."""
    find = detector(settings)
    with open_trailer(path) as trailer:
        scale = min(1.0, settings.detect_side / max(trailer.width, trailer.height))
        width, height = max(1, round(trailer.width * scale)), max(1, round(trailer.height * scale))
        finder = ShotFinder(settings, trailer.fps)
        found: list[tuple[int, list[Box]]] = []
        drops, broken = list[Drop](), False
        for index, frame in trailer.frames():
            if isinstance(frame, Drop):
                drops.append(frame)
                broken = True
                continue
            if broken:
                finder.broken(index)
                broken = False
            pixels = picture(frame, width, height)
            finder.feed(pixels)
            if index % settings.every == 0:
                boxes = find(pixels, settings.least_face * scale * _SEEK)
                found.append((index, [box.scaled(1 / scale) for box in boxes]))
        if not broken and (rest := cut_off(path, finder.count, trailer.fps)):
            drops.append(rest)
        return Seen(trailer.width, trailer.height, trailer.fps, finder.count, finder.cuts, finder.mixed,
                    finder.shots(), found, drops)


def planned(seen: Seen, settings: FaceSettings) -> Iterator[Plan | Drop]:
    """What to cut out, shot by shot, and which shots and tracks are dropped."""
    for shot in seen.shots:
        length = shot.stop - shot.start
        if length < settings.frames:
            reason = filters.because("short shot", f"{length} frames, fewer than {settings.frames}")
            yield Drop(shot.start, shot.stop, reason)
            continue
        found = [(frame, boxes) for frame, boxes in seen.found if shot.start <= frame < shot.stop]
        tracks = link(found, settings.overlap, max(1, round(settings.gap * seen.fps)))
        tracks = [track for track in tracks if len(track.at) >= filters.LEAST_FINDS]
        if not tracks:
            yield Drop(shot.start, shot.stop, filters.because("no face", f"{len(found)} frames looked at"))
        for track in tracks:
            others = [other for other in tracks if other is not track]
            yield from _plans(track, others, shot, seen, settings)


def _plans(track: Track, others: list[Track], shot: Shot, seen: Seen, settings: FaceSettings) -> Iterator[Plan | Drop]:
    """The clips of a track, one after another around its middle."""
    # Frames between two looks: the face is taken to be there up to the next look that did not find it.
    start = max(shot.start, track.start - settings.every + 1)
    stop = min(shot.stop, track.stop + settings.every - 1)
    if (fault := filters.track_fault(track, stop - start, settings)) is not None:
        yield Drop(start, stop, fault)
        return
    steady = Track(track.at, [Box(*row) for row in without_spikes(np.array(track.boxes)).tolist()])
    values = np.pad(steady.values(), ((track.start - start, stop - track.stop), (0, 0)), mode="edge")
    inside = (shot.left * seen.width, shot.top * seen.height, shot.right * seen.width, shot.bottom * seen.height)
    crops = windows(values, inside, settings, seen.fps)
    count, spare = divmod(stop - start, settings.frames)
    for number in range(count):
        first = spare // 2 + number * settings.frames
        part = crops[first:first + settings.frames]
        if (fault := filters.another_face(track, others, start + first, part)) is not None:
            yield Drop(start + first, start + first + settings.frames, fault)
        else:
            yield Plan(start + first, start + first + settings.frames, part)


def _cut_out(path: Path, plans: list[Plan], resolution: int) -> Iterator[Plan]:
    """Fill the plans with frames; each is given out as soon as it is full. Needs plans sorted by their start."""
    waiting, open_ = plans[::-1], list[Plan]()
    if not plans:
        return
    with open_trailer(path) as trailer:
        for index, frame in trailer.frames():
            if isinstance(frame, Drop):  # between shots
                continue
            while waiting and waiting[-1].start == index:
                open_.append(waiting.pop())
            if open_:
                pixels = picture(frame, trailer.width, trailer.height, "rgb24")
                for plan in open_:
                    plan.frames.append(resampled(pixels, plan.crops[index - plan.start], resolution))
                for plan in [plan for plan in open_ if plan.stop == index + 1]:
                    yield plan
                open_ = [plan for plan in open_ if plan.stop > index + 1]
            elif not waiting:
                return
    if open_ or waiting:
        raise BadFile("gave fewer frames when it was read again")
