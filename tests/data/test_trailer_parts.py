"""The parts of the face builder that need no video: tracks, crops, filters, fingerprints, settings, shots."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvswgan.data import DataError
from pvswgan.data.trailers import FaceSettings, filters
from pvswgan.data.trailers.crops import resampled, smoothed, windows, without_spikes
from pvswgan.data.trailers.detect import Box
from pvswgan.data.trailers.settings import _RANGES
from pvswgan.data.trailers.shots import Shot, ShotFinder
from pvswgan.data.trailers.tracks import Track, link, overlap
from tests.data.files import noise

DEFAULT = FaceSettings()
places = st.floats(0, 1000)
boxes = st.builds(Box, places, places, st.floats(20, 200))


# ---- tracks ---------------------------------------------------------------------------------------------------


@given(boxes, boxes)
@settings(max_examples=50)
def test_overlap_is_a_symmetric_share(a: Box, b: Box) -> None:
    assert 0 <= overlap(a, b) == overlap(b, a) <= 1 + 1e-9 and overlap(a, a) == pytest.approx(1)
    assert overlap(a, a._replace(x=a.x + a.side / 2)) == pytest.approx(1 / 3)
    assert overlap(a, a._replace(x=a.x + a.side)) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.lists(boxes, max_size=4, unique=True), max_size=12), st.integers(1, 6), st.floats(0.05, 0.95))
def test_every_find_belongs_to_one_track(found: list[list[Box]], gap: int, least: float) -> None:
    listed = [(3 * at, here) for at, here in enumerate(found)]
    tracks = link(listed, least, gap)
    assert sorted((frame, box) for track in tracks for frame, box in zip(track.at, track.boxes, strict=True)) \
        == sorted((frame, box) for frame, here in listed for box in here)
    for track in tracks:
        assert all(0 < after - before <= gap for before, after in pairwise(track.at))
        assert all(overlap(a, b) >= least for a, b in pairwise(track.boxes))


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_faces_that_keep_apart_are_followed_through_dropouts_in_any_order(faces: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    place = np.array([[300.0 * face, 100.0] for face in range(faces)])
    true: list[list[tuple[int, Box]]] = [[] for _ in range(faces)]
    found = []
    for frame in range(0, 60, 3):
        place += random.uniform(-12, 12, place.shape)  # of 100 pixels: two steps still share 0.6 of their union
        seen = [face for face in range(faces) if frame == 0 or frame - true[face][-1][0] >= 6 or random.random() < 0.7]
        for face in seen:
            true[face].append((frame, Box(*place[face], 100.0)))
        found.append((frame, [true[face][-1][1] for face in random.permutation(seen)]))
    tracks = link(found, 0.3, 6)
    assert sorted(list(zip(track.at, track.boxes, strict=True)) for track in tracks) == sorted(true)


def test_a_face_that_is_gone_for_too_long_is_another() -> None:
    here = [Box(50, 50, 40)]
    assert len(link([(0, here), (5, here)], 0.3, 5)) == 1 and len(link([(0, here), (6, here)], 0.3, 5)) == 2


def test_a_face_is_not_taken_over_by_its_neighbour() -> None:
    # The first box has more in common with b than nothing, but b has more in common with its own track.
    a, b = Box(100, 100, 100), Box(140, 100, 100)
    tracks = link([(0, [a, b]), (3, [b])], 0.3, 9)
    assert [track.at for track in tracks] == [[0], [0, 3]]


def test_between_finds_a_track_goes_straight() -> None:
    track = Track([3, 6, 12], [Box(0, 0, 10), Box(30, 60, 16), Box(90, 0, 16)])
    assert track.values().shape == (10, 3) and track.values()[1].tolist() == [10, 20, 12]
    assert track.found(3) == 3 / 4 and track.side() == 16


# ---- crops ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 80), st.floats(-50, 50), st.floats(-1000, 1000), st.floats(0, 30))
def test_smoothing_keeps_straight_lines(length: int, slope: float, start: float, sigma: float) -> None:
    line = start + slope * np.arange(length)
    assert np.allclose(smoothed(line, sigma), line, atol=1e-6)
    rows = np.stack([line, -line], axis=1)
    assert np.array_equal(without_spikes(rows), rows)


def test_smoothing_takes_a_detectors_jitter_and_leaves_the_way() -> None:
    way = 40 * np.sin(np.arange(200) / 40)
    jitter = np.random.default_rng(0).normal(0, 5, 200)
    assert np.abs(np.diff(smoothed(way + jitter, 6) - way)).mean() < 0.05 * np.abs(np.diff(jitter)).mean()
    assert np.abs(smoothed(way, 6) - way).max() < 1.5


@given(st.integers(2, 18), st.floats(-500, 500))
def test_one_wrong_box_leaves_no_trace(at: int, wrong: float) -> None:
    steady = np.full((21, 3), 7.0)
    spiky = steady.copy()
    spiky[at] += wrong
    assert np.array_equal(without_spikes(spiky), steady)


@given(st.lists(st.tuples(st.floats(-50, 700), st.floats(-50, 400), st.floats(16, 900)), min_size=1, max_size=40),
       st.floats(0, 2), st.floats(-0.5, 0.5))
def test_crops_are_squares_inside_the_picture(faces: list[tuple[float, float, float]], margin: float,
                                              lower: float) -> None:
    wanted = FaceSettings(margin=margin, lower=lower)
    left, top, right, bottom = windows(np.array(faces), (0, 40, 640, 320), wanted, 25).T
    assert np.allclose(right - left, bottom - top) and (right - left > 0).all()
    assert left.min() >= -1e-9 and top.min() >= 40 - 1e-9 and right.max() <= 640 + 1e-9 and bottom.max() <= 320 + 1e-9


def test_a_crop_is_the_face_with_its_margin() -> None:
    face = np.tile([300.0, 150.0, 100.0], (10, 1))
    crop = windows(face, (0, 0, 640, 360), FaceSettings(margin=0.25, lower=0.1), 25)
    assert np.allclose(crop, [[225, 85, 375, 235]] * 10)


@given(st.floats(8, 20), st.floats(8, 20))
@settings(max_examples=40)
def test_fractions_of_a_pixel_move_the_crop(x: float, y: float) -> None:
    ramp = np.zeros((60, 60, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = 4 * np.arange(60), 4 * np.arange(60)[:, None]
    got = resampled(ramp, np.array([x, y, x + 32, y + 32]), 32)[2:-2, 2:-2]
    want = 4 * (np.arange(2, 30) + np.array([[x], [y]]))
    # Pillow's filter weights are of limited precision, and bytes are rounded.
    assert np.abs(got[..., 0] - want[0]).max() <= 1 and np.abs(got[..., 1] - want[1][:, None]).max() <= 1


def test_the_whole_picture_at_its_size_is_itself_and_smaller_has_no_new_patterns() -> None:
    picture = noise(1, 64)[0]
    assert np.array_equal(resampled(picture, np.array([0.0, 0, 64, 64]), 64), picture)
    stripes = np.zeros((240, 240, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(resampled(stripes, np.array([10.0, 10, 220, 220]), 64)[4:-4, 4:-4]) <= 12


# Places in 64ths of a pixel: Pillow holds them in float32, where others are rounded once more when a crop moves them.
@given(*(st.integers(64 * least, 64 * most).map(lambda n: n / 64) for least, most in ((0, 300), (0, 200), (20, 150))))
@settings(max_examples=30)
def test_a_crop_needs_only_what_its_filter_sees(left: float, top: float, side: float) -> None:
    from PIL import Image

    picture, box = noise(1, 360, 460)[0], (left, top, left + side, top + side)
    whole = Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC, box=box)
    assert np.abs(resampled(picture, np.array(box), 32).astype(int) - np.asarray(whole)).max() <= 1


# ---- filters --------------------------------------------------------------------------------------------------


def _track(side: float = 150, finds: int = 20, step: int = 3, x: float = 300) -> Track:
    return Track([step * at for at in range(finds)], [Box(x, 150, side)] * finds)


@pytest.mark.parametrize(("track", "length", "reason"), [
    (_track(), 60, None),
    (_track(), 31, "shows its face too shortly: 31 frames, fewer than 32"),
    (_track(side=95), 60, "shows a small face: 95 pixels, fewer than 96"),
    (_track(side=96), 60, None),
    (_track(step=9), 60, "loses its face: found in 34% of the frames, fewer than 50%"),
])
def test_tracks_that_are_left_out(track: Track, length: int, reason: str | None) -> None:
    assert filters.track_fault(track, length, DEFAULT) == reason


def test_another_face_in_the_crop_is_seen_and_the_own_one_found_twice_is_not() -> None:
    crop = np.tile([200.0, 50, 400, 250], (60, 1))
    assert filters.another_face(_track(), [_track(x=480, side=80)], 0, crop) is None  # beside the crop
    assert filters.another_face(_track(), [_track(x=320, side=60)], 0, crop) is None  # a mouth of the same face
    assert filters.another_face(_track(), [_track(x=385, side=60, finds=3)], 0, crop) is None  # it only looks in
    reason = filters.another_face(_track(), [_track(x=385, side=60)], 0, crop)
    assert reason == "shows another face: in 20 of 20 frames, more than 20%"
    assert filters.another_face(_track(), [_track(x=385, side=60)], 60, crop) is None  # another clip of the track


@pytest.mark.parametrize(("look", "name"), [
    (filters.Look(0.1, 40, 2), None), (filters.Look(0.1, 7.9, 2), "flat"), (filters.Look(0.009, 40, 2), "blurred"),
    (filters.Look(0.1, 40, 0.29), "still"), (filters.Look(0.1, 40, 25.1), "restless"),
    (filters.Look(0.1, 40, np.inf), None),
])
def test_looks_that_are_left_out(look: filters.Look, name: str | None) -> None:
    reason = filters.look_fault(look, DEFAULT)
    assert (None if reason is None else filters.kind(reason)) == name


@pytest.mark.parametrize("name", filters.KINDS)
def test_a_reason_tells_its_kind(name: str) -> None:
    assert filters.kind(filters.because(name, "7 of 9")) == name
    assert filters.kind("is eaten by a grue") == "other"


def _textured(frames: int, side: int = 128, soft: float = 1.5, seed: int = 0) -> np.ndarray:
    """uint8 (T, side, side, 3) of soft blots that drift to the right."""
    large = cv2.GaussianBlur(noise(1, side, side + 4 * frames, seed)[0].astype(np.float32), (0, 0), soft)
    large = np.clip(128 + (large - large.mean()) * 50 / large.std(), 0, 255).astype(np.uint8)
    return np.stack([large[:, 2 * at:2 * at + side] for at in range(frames)])


def test_a_look_tells_sharpness_contrast_and_motion() -> None:
    clip = _textured(8)
    sharp = filters.look(clip)
    softer = [filters.look(np.stack([cv2.GaussianBlur(frame, (0, 0), soft) for frame in clip])) for soft in (1, 2, 4)]
    assert sharp.sharpness > softer[0].sharpness > softer[1].sharpness > softer[2].sharpness
    dim = filters.look(clip // 2 + 10)
    assert dim.sharpness == pytest.approx(sharp.sharpness, rel=0.1)  # dark films are not blurred
    assert dim.contrast == pytest.approx(sharp.contrast / 2, rel=0.05)
    assert filters.look(np.repeat(clip[:1], 8, axis=0)).motion == 0 < filters.look(clip[::2]).motion
    assert np.isinf(filters.look(clip[:1]).motion)


# ---- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _RANGES)
def test_every_number_is_held_to_its_range(name: str) -> None:
    least, most = _RANGES[name]
    for wrong in (least - 1, most + 1, "7", True, float("nan"), [], least + 0.5 if name == "every" else None):
        if wrong is None and name == "duplicates":
            continue
        with pytest.raises(DataError, match=rf"^{name} is .*; allowed: a (whole )?number from {least} to {most}"):
            FaceSettings(**{name: wrong})
    motion = {"motion_least": {"motion_most": 255}, "motion_most": {"motion_least": 0}}.get(name, {})
    for right in (most if name != "motion_least" else most - 1, least if name != "motion_most" else 1):
        assert getattr(FaceSettings(**motion | {name: right}), name) == right


@pytest.mark.parametrize(("values", "sentence"), [
    ({"resolution": 100}, "resolution is 100; allowed: a power of two from 4 to 1024"),
    ({"resolution": 64.0}, "resolution is 64.0; allowed: a power of two, a whole number"),
    ({"motion_least": 9.0, "motion_most": 9.0}, "motion_most is 9.0; allowed: more than motion_least, 9.0"),
    ({"detector": "haar"}, "detector is 'haar'; allowed: 'cascade', or a YuNet model's path (.onnx)"),
    ({"detector": 7}, "detector is 7; allowed"),
])
def test_bad_settings_are_named_with_what_is_allowed(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError) as raised:
        FaceSettings(**values)  # type: ignore[arg-type]
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(("text", "sentence"), [
    ("margins: 1", "unknown name 'margins'; allowed: resolution, frames, margin"),
    ("- 1\n- 2", "hold list; allowed: names with values"),
    ("margin: [", "cannot be read: while parsing"),
    ("margin: wide", "margin is 'wide'; allowed: a number from 0 to 2"),
    ("!!python/object/apply:os.getcwd []", "cannot be read: could not determine a constructor"),
])
def test_a_bad_settings_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "faces.yaml"
    file.write_text(text)
    with pytest.raises(DataError) as raised:
        FaceSettings.load(file)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def test_a_settings_file_changes_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "faces.yaml"
    file.write_text("margin: 0.3\nduplicates: null\n")
    assert FaceSettings.load(file) == FaceSettings(margin=0.3, duplicates=None)
    file.write_text("")
    assert FaceSettings.load(file) == FaceSettings() == FaceSettings(**FaceSettings().as_dict())
    with pytest.raises(DataError, match=r"nowhere.yaml cannot be read: No such file or directory$"):
        FaceSettings.load(tmp_path / "nowhere.yaml")


# ---- shots ----------------------------------------------------------------------------------------------------


def _shots(frames: np.ndarray, fps: float = 25, **values: float) -> list[Shot]:
    finder = ShotFinder(FaceSettings(**values), fps)  # type: ignore[arg-type]
    for pixels in frames:
        finder.feed(pixels)
    found = finder.shots()
    assert all(before.stop <= after.start for before, after in pairwise(found))
    assert all(0 <= shot.start < shot.stop <= len(frames) for shot in found)
    return found


def _scene(frames: int, seed: int) -> np.ndarray:
    return _textured(frames, 144, 6, seed)


@given(st.lists(st.integers(5, 40), min_size=1, max_size=5))
@settings(max_examples=8, deadline=None)
def test_cuts_are_found_to_the_frame(lengths: list[int]) -> None:
    found = _shots(np.concatenate([_scene(length, seed) for seed, length in enumerate(lengths)]), dissolve=255)
    borders = np.cumsum([0, *lengths]).tolist()
    assert [(shot.start, shot.stop) for shot in found] == list(pairwise(borders))


def test_no_shot_spans_missing_frames_and_its_bars_are_its_own() -> None:
    finder, scene = ShotFinder(FaceSettings(dissolve=255), 25), _scene(60, 1)
    for pixels in scene[:20]:
        finder.feed(pixels)
    finder.broken(45)
    scene[:, :18] = scene[:, -18:] = 16
    for pixels in scene[20:]:
        finder.feed(pixels)
    before, after = finder.shots()
    assert (before.start, before.stop, before.top) == (0, 20, 0) and (after.start, after.stop) == (45, 85)
    assert after.top == pytest.approx(18 / 144, abs=0.01) and after.bottom == pytest.approx(126 / 144, abs=0.01)


def test_a_moving_camera_is_no_cut() -> None:
    assert [(shot.start, shot.stop) for shot in _shots(_scene(120, 1))] == [(0, 120)]


def _mixed(before: np.ndarray, after: np.ndarray, frames: int) -> np.ndarray:
    weights = ((np.arange(frames) + 1) / (frames + 1))[:, None, None, None]
    return np.rint(before * (1 - weights) + after * weights).astype(np.uint8)


@pytest.mark.parametrize("length", [8, 12])
def test_no_shot_holds_frames_of_a_dissolve(length: int) -> None:
    a, b = _scene(40 + length, 1)[::-1], _scene(40 + length, 2)
    still_a, still_b = np.repeat(a[:1], 40 + length, 0), np.repeat(b[:1], 40 + length, 0)
    film = np.concatenate([still_a[:40], _mixed(still_a[40:], still_b[:length], length), still_b[length:]])
    first, second = _shots(film)
    assert (first.start, second.stop) == (0, len(film))
    assert 30 <= first.stop <= 40 and 40 + length <= second.start <= 50 + length
    assert len(_shots(film, dissolve=255, cut=100)) == 1


def test_no_shot_holds_frames_of_a_fade_through_black() -> None:
    a, b, black = _scene(50, 1), _scene(50, 2), np.zeros((10, 144, 144, 3), np.uint8)
    film = np.concatenate([a[:40], _mixed(a[40:], black, 10), black[:6], _mixed(black, b[:10], 10), b[10:]])
    first, second = _shots(film)
    assert (first.start, second.stop) == (0, len(film)) and 30 <= first.stop <= 43 and 63 <= second.start <= 76


def test_black_bars_are_not_part_of_the_picture() -> None:
    wide, high = np.zeros((2, 45, 200, 400, 3), np.uint8)
    wide[:, 28:172] = _textured(45, 400, 6)[:, :144]
    high[:, :, 100:300] = _textured(45, 200, 6, 3)
    letter, pillar = _shots(np.concatenate([wide, high]), dissolve=255)
    assert (letter.left, letter.right) == (0, 1) and (pillar.top, pillar.bottom) == (0, 1)
    # A line of the small picture is left out at each side, where bar and picture mix.
    assert 28 / 200 <= letter.top <= 31 / 200 and 169 / 200 <= letter.bottom <= 172 / 200
    assert 100 / 400 <= pillar.left <= 104 / 400 and 296 / 400 <= pillar.right <= 300 / 400


def test_a_dark_scene_has_no_bars() -> None:
    film = np.zeros((40, 200, 400, 3), np.uint8)
    film[:, 150:190, 150:250] = 255  # a lit face in the night, below the middle
    (shot,) = _shots(film)
    assert shot == Shot(0, 40)
