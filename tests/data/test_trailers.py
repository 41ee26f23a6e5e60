"""The face builder on files: reading them, finding faces in them, telling look-alikes, and what cannot be read."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest

from pvswgan.data import DataError
from pvswgan.data.pieces import BadFile, Drop, Piece
from pvswgan.data.trailers import FaceSettings, faces, faces_recipe, filters, trailer_files
from pvswgan.data.trailers.detect import Box, detector
from pvswgan.data.trailers.video import open_trailer, picture
from tests.data.files import blocks, needs, noise, write_film, write_video
from tests.data.trailer import Parts

real = needs("trailerfaces")


@cache
def heads() -> list[np.ndarray]:
    """The real TrailerFaces clips, uint8 (T, 256, 256, 3) each."""
    return Parts().heads


# ---- finding faces --------------------------------------------------------------------------------------------


def _on_grey(face: np.ndarray, side: int) -> np.ndarray:
    """bgr uint8 (360, 640, 3) with a face in its middle."""
    frame = np.full((360, 640, 3), 110, np.uint8)
    top, left = 180 - side // 2, 320 - side // 2
    frame[top:top + side, left:left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)[..., ::-1]
    return frame


@pytest.mark.slow
@real
def test_the_cascade_finds_the_real_faces_once_and_at_their_size() -> None:
    find, right = detector(FaceSettings()), 0
    for clip in heads():
        found = find(_on_grey(clip[5], 220), 64)
        right += len(found) == 1 and found[0].holds(320, 180) and 0.7 * 220 <= found[0].side <= 1.3 * 220
    assert right >= 0.75 * len(heads())


@pytest.mark.slow
@real
def test_the_cascade_looks_for_no_face_that_is_too_small() -> None:
    frames = [_on_grey(clip[5], 110) for clip in heads()]
    find = detector(FaceSettings())
    assert sum(bool(find(frame, 32)) for frame in frames) >= 0.7 * len(frames)
    assert not any(find(frame, 200) for frame in frames)


def test_the_cascade_finds_nothing_where_nothing_is() -> None:
    find = detector(FaceSettings())
    assert not any(find(frame, 64) for frame in (*blocks(2, 360, 640), *noise(2, 360, 640)))


class FakeYuNet:
    """cv2.FaceDetectorYN with a made-up answer: rows of x, y, width, height, ten landmarks' numbers and a score."""

    rows: list[list[float]] | None = None
    made: tuple[object, ...] = ()
    sizes: list[tuple[int, int]]

    @classmethod
    def create(cls, *asked: object) -> FakeYuNet:
        cls.made, cls.sizes = asked, []
        return cls()

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.sizes.append(size)

    def detect(self, pixels: np.ndarray) -> tuple[int, np.ndarray | None]:
        held = self.rows
        return 1, None if held is None else np.array([row + [0.0] * 10 + [0.9] for row in held], np.float32)


@pytest.fixture
def yunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cv2, "FaceDetectorYN", FakeYuNet)
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"a model")
    return model


def test_yunet_boxes_become_squares_from_left_to_right(yunet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [405, 110, 45, 45]
    monkeypatch.setattr(FakeYuNet, "rows", [[400, 100, 60, 80], [10, 20, 90, 100], [200, 0, 30, 39], inside])
    find = detector(FaceSettings(detector=str(yunet), confidence=0.7))
    assert find(np.zeros((360, 640, 3), np.uint8), 40) == [Box(55, 70, 100), Box(430, 140, 80)]
    assert FakeYuNet.made[0] == str(yunet) and FakeYuNet.made[3] == 0.7 and FakeYuNet.sizes == [(640, 360)]
    monkeypatch.setattr(FakeYuNet, "rows", None)
    assert find(np.zeros((360, 640, 3), np.uint8), 40) == []


def test_clips_are_cut_where_yunet_says(yunet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(FakeYuNet, "rows", [[100, 50, 80, 80]])
    film = write_video(tmp_path / "film.mp4", _drifting(70, 200, 320), rate=25)
    wanted = FaceSettings(detector=str(yunet), resolution=64, frames=32, least_face=64, margin=0, lower=0)
    made = list(faces(film, wanted))
    assert [(piece.start, piece.stop, piece.frames.shape) for piece in made if isinstance(piece, Piece)] \
        == [(3, 35, (32, 64, 64, 3)), (35, 67, (32, 64, 64, 3))]
    assert isinstance(made[0], Piece)
    wanted_pixels = cv2.resize(_drifting(70, 200, 320)[3, 50:130, 100:180], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(made[0].frames[0].astype(int) - wanted_pixels).mean() < 8


def test_a_yunet_model_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^the YuNet model .*none.onnx does not exist; leave detector at 'cascade'"):
        detector(FaceSettings(detector=str(tmp_path / "none.onnx")))
    broken = tmp_path / "broken.onnx"
    for content in (b"", b"this is no model"):
        broken.write_bytes(content)
        with pytest.raises(DataError) as raised:
            detector(FaceSettings(detector=str(broken)))
        assert str(raised.value).startswith(f"the YuNet model {broken} cannot be read") \
            and "\n" not in str(raised.value)


# ---- fingerprints ---------------------------------------------------------------------------------------------


def _differ(a: np.ndarray, b: np.ndarray) -> int:
    return (filters.fingerprint(a) ^ filters.fingerprint(b)).bit_count()


def _coded_again(clip: np.ndarray) -> np.ndarray:
    """Every frame halved, as a poor JPEG, and enlarged: what becomes of a trailer on its way."""
    from PIL import Image

    made = []
    for frame in clip:
        held = BytesIO()
        Image.fromarray(frame).resize((128, 128)).save(held, "JPEG", quality=20)
        made.append(np.asarray(Image.open(held).resize((256, 256))))
    return np.stack(made)


@pytest.mark.slow
@real
def test_a_fingerprint_knows_a_clip_again_and_no_other() -> None:
    most = FaceSettings().duplicates
    assert most is not None
    again = [_differ(clip, _coded_again(clip)) for clip in heads()[::3]]
    late = [_differ(clip, clip[4:]) for clip in heads()]
    dim = [_differ(clip, clip // 2) for clip in heads()]
    assert max(again) <= most and max(dim) <= most and max(late) <= most
    prints = [filters.fingerprint(clip) for clip in heads()]
    assert min((a ^ b).bit_count() for at, a in enumerate(prints) for b in prints[:at]) > 2 * most
    assert min(_differ(clip, clip[:, :, ::-1]) for clip in heads()) > most  # a mirrored clip is another


# ---- reading --------------------------------------------------------------------------------------------------


def _drifting(frames: int, height: int, width: int) -> np.ndarray:
    """uint8 (T, H, W, 3) with structure that moves: neither blurred nor still."""
    large = cv2.GaussianBlur(noise(1, height, width + 2 * frames)[0], (0, 0), 3).astype(np.float32)
    large = np.clip(128 + (large - large.mean()) * 45 / large.std(), 0, 255).astype(np.uint8)
    return np.stack([large[:, 2 * at:2 * at + width] for at in range(frames)])


def test_frames_come_in_order_at_their_size_and_rate(tmp_path: Path) -> None:
    clip = blocks(9, 48, 64)
    with open_trailer(write_video(tmp_path / "v.mp4", clip, rate=12)) as trailer:
        assert (trailer.width, trailer.height, trailer.fps) == (64, 48, 12)
        read = [(at, picture(frame, 64, 48, "rgb24")) for at, frame in trailer.frames()]
    assert [at for at, _ in read] == list(range(9))
    assert np.abs(np.stack([pixels for _, pixels in read]).astype(int) - clip).mean() < 8


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_trailer_is_read_upright(tmp_path: Path, quarters: int) -> None:
    flat = write_video(tmp_path / "flat.mp4", blocks(3, 32, 48))
    cosine, sine = ((0, 1), (-1, 0), (0, -1))[quarters - 1]
    matrix = struct.pack(">9i", *(v << 16 for v in (cosine, sine, 0, -sine, cosine, 0, 0, 0)), 1 << 30)
    header = bytearray(flat.read_bytes())
    at = header.index(b"tkhd") + 44
    header[at:at + 36] = matrix
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(header)
    with open_trailer(flat) as trailer:
        stored = picture(next(trailer.frames())[1], 48, 32)
    with open_trailer(turned) as trailer:
        assert (trailer.width, trailer.height) == ((32, 48) if quarters % 2 else (48, 32))
        frame = next(trailer.frames())[1]
        upright = picture(frame, trailer.width, trailer.height)
        small = picture(frame, trailer.width // 2, trailer.height // 2)
    assert np.array_equal(upright, np.rot90(stored, -quarters))
    assert small.shape == (trailer.height // 2, trailer.width // 2, 3)
    halved = cv2.resize(upright, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - halved).mean() < 4


@pytest.mark.parametrize(("name", "reason"), [
    ("empty.mp4", "is empty (0 bytes)"), ("sound.mp4", "has no video stream"),
    ("text.mp4", "cannot be decoded: Invalid data found when processing input"), ("list.mp4", "cannot be decoded"),
])
def test_what_is_no_film_is_told(tmp_path: Path, name: str, reason: str) -> None:
    file = tmp_path / name
    if name == "sound.mp4":
        write_video(file, None, sound=True)
    else:
        file.write_text({"empty.mp4": "", "text.mp4": "no film " * 99,
                         "list.mp4": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n"}[name])
    with pytest.raises(BadFile) as raised:
        list(faces(file, FaceSettings()))
    assert str(raised.value).startswith(reason) and str(tmp_path) not in str(raised.value)


def test_a_film_that_breaks_off_gives_what_it_holds_and_a_reason(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "v.avi", _drifting(80, 90, 160), rate=25).read_bytes()
    file = tmp_path / "cut.avi"
    file.write_bytes(whole[:len(whole) // 2])
    made = list(faces(file, FaceSettings(resolution=64)))
    assert [filters.kind(drop.reason) for drop in made if isinstance(drop, Drop)] == ["damaged", "no face"]
    assert len(made) == 2


def _face_everywhere(monkeypatch: pytest.MonkeyPatch, model: Path) -> FaceSettings:
    monkeypatch.setattr(FakeYuNet, "rows", [[100, 50, 80, 80]])
    return FaceSettings(detector=str(model), resolution=64, frames=32, least_face=64, margin=0, lower=0)


def test_a_damaged_packet_costs_a_film_only_its_stretch(yunet: Path, monkeypatch: pytest.MonkeyPatch,
                                                        tmp_path: Path) -> None:
    import av

    clip = _drifting(120, 200, 320)
    file = write_film(tmp_path / "film.mp4", clip)  # a key frame every 10
    with av.open(str(file)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    held = bytearray(file.read_bytes())
    place, size = places[44]
    held[place:place + size] = bytes([255] * size)
    file.write_bytes(held)
    made = list(faces(file, _face_everywhere(monkeypatch, yunet)))
    [drop] = [piece for piece in made if isinstance(piece, Drop)]
    assert filters.kind(drop.reason) == "damaged" and drop.start in (43, 44) and drop.stop == 50
    pieces = [piece for piece in made if isinstance(piece, Piece)]
    assert [piece.start < drop.start for piece in pieces] == [True, False, False]
    for piece in pieces:
        assert piece.stop - piece.start == 32 and (piece.stop <= drop.start or piece.start >= drop.stop)
        want = np.stack([cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA)
                         for frame in clip[piece.start:piece.stop, 50:130, 100:180]])
        assert np.abs(piece.frames.astype(int) - want).mean() < 8  # its frames are those that it names


def test_no_clip_spans_a_jump_in_time(yunet: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", _drifting(90, 200, 320), lost=range(40, 50))
    made = list(faces(film, _face_everywhere(monkeypatch, yunet)))
    assert made[0] == Drop(40, 40, "shows nothing new for 1.1 s") and filters.kind(made[0].reason) == "gap"
    assert [(piece.start, piece.stop) for piece in made[1:]] == [(4, 36), (44, 76)]


def test_a_film_of_damaged_frames_only_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "v.avi", noise(1, 64)).read_bytes()
    file = tmp_path / "cut.avi"
    file.write_bytes(whole[:whole.index(b"movi") + 600])
    with pytest.raises(BadFile, match="^(is damaged|cannot be decoded)"):
        list(faces(file, FaceSettings()))


def test_a_trailer_with_pixels_that_are_not_square_is_shown_as_it_should_be(tmp_path: Path) -> None:
    from fractions import Fraction

    with open_trailer(write_film(tmp_path / "v.mkv", blocks(3, 64, 48), aspect=Fraction(2))) as trailer:
        assert (trailer.width, trailer.height) == (96, 64)
        shown = picture(next(trailer.frames())[1], 96, 64, "rgb24")
    want = cv2.resize(blocks(3, 64, 48)[0], (96, 64), interpolation=cv2.INTER_LINEAR)
    assert np.abs(shown.astype(int) - want).mean() < 6


# ---- which films ----------------------------------------------------------------------------------------------


def test_films_are_found_in_folders_sorted_and_named_apart(tmp_path: Path) -> None:
    for name in ("b/two.MKV", "b/one.mp4", "b/deep/x.webm", "c/one.mp4", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    odd = tmp_path / "film"
    odd.write_bytes(b"x")  # somebody names it: whatever it is called
    found = trailer_files([tmp_path / "b", tmp_path / "c", odd, tmp_path / "b/one.mp4"])
    assert list(found) == ["deep/x.webm", "one.mp4", "two.MKV", "one-2.mp4", "film"]
    assert found["one-2.mp4"] == tmp_path / "c/one.mp4"


def test_where_no_film_is_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^trailer .*nowhere does not exist$"):
        trailer_files([tmp_path / "nowhere"])
    with pytest.raises(DataError, match=r"^no video lies in .*; looked for \.avi, "):
        trailer_files([tmp_path])
    with pytest.raises(DataError, match="^no video lies in an empty list of trailers"):
        trailer_files([])


def test_a_store_is_named_by_all_that_it_is_made_from(tmp_path: Path, yunet: Path) -> None:
    film = write_video(tmp_path / "My film.mp4", blocks(3, 32, 32))
    names = [faces_recipe([film], wanted, compact=compact).name for wanted, compact in (
        (FaceSettings(), False), (FaceSettings(), True), (FaceSettings(margin=0.1), False),
        (FaceSettings(resolution=64), False), (FaceSettings(detector=str(yunet)), False))]
    yunet.write_bytes(b"another model")
    names.append(faces_recipe([film], FaceSettings(detector=str(yunet))).name)
    film.write_bytes(film.read_bytes() + b"x")
    names.append(faces_recipe([film], FaceSettings()).name)
    assert len(set(names)) == len(names) and all(name.startswith("faces-My_film-") for name in names)
    assert names[1].startswith("faces-My_film-256-compact-") and len(names[0]) == len("faces-My_film-256-") + 16
    assert faces_recipe([film], FaceSettings()).name == names[-1]
