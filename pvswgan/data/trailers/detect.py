"""Faces in one picture: OpenCV's cascade, or YuNet where its model file is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pvswgan.data.format import DataError
from pvswgan.data.trailers.settings import CASCADE, FaceSettings
from pvswgan.data.trailers.video import Pixels

_SCALE_STEP = 1.1  # of the cascade, from one size of faces to the next
_YUNET_NMS = 0.3
_YUNET_MOST = 100  # faces in a picture


class Box(NamedTuple):
    """A square around a face: its centre and its side, in pixels."""

    x: float
    y: float
    side: float

    def scaled(self, factor: float) -> Box:
        return Box(self.x * factor, self.y * factor, self.side * factor)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return abs(x - self.x) <= self.side / 2 and abs(y - self.y) <= self.side / 2


Detector = Callable[[Pixels, float], list[Box]]  # (bgr uint8 (H, W, 3), least side in pixels) -> from left to right


def detector(settings: FaceSettings) -> Detector:
    """What finds faces, as the settings want it. Raises DataError where the model file cannot be used."""
    import cv2

    cv2.setNumThreads(1)  # one worker process a trailer; and the same order of sums on every machine
    return _cascade(settings) if settings.detector == CASCADE else _yunet(settings)


def _cascade(settings: FaceSettings) -> Detector:
    import cv2

    file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    cascade = cv2.CascadeClassifier(str(file))
    if cascade.empty():
        raise DataError(f"OpenCV's face cascade {file} cannot be read; install opencv-python-headless below version 5")

    def find(pixels: Pixels, least: float) -> list[Box]:
        grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        size = max(20, int(least))
        found = cascade.detectMultiScale(grey, _SCALE_STEP, settings.neighbours, minSize=(size, size))
        return _outermost([Box(x + w / 2, y + h / 2, float(max(w, h))) for x, y, w, h in found])

    return find


def _yunet(settings: FaceSettings) -> Detector:
    import cv2

    file = Path(settings.detector).expanduser()
    if not file.is_file():
        raise DataError(f"the YuNet model {file} does not exist; leave detector at {CASCADE!r}, or give its path")
    try:
        net = cv2.FaceDetectorYN.create(str(file), "", (320, 320), settings.confidence, _YUNET_NMS, _YUNET_MOST)
    except cv2.error as error:
        raise DataError(f"the YuNet model {file} cannot be read: {error.err or error}") from error

    def find(pixels: Pixels, least: float) -> list[Box]:
        net.setInputSize((pixels.shape[1], pixels.shape[0]))
        rows = net.detect(pixels)[1]
        boxes = [] if rows is None else [Box(float(x + w / 2), float(y + h / 2), float(max(w, h)))
                                         for x, y, w, h in rows[:, :4]]
        return _outermost([box for box in boxes if box.side >= least])

    return find


def _outermost(boxes: list[Box]) -> list[Box]:
    """Without boxes whose centre lies in a larger one (an eye or a mouth taken for a face); from left to right."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: (-box.side, box)):
        if not any(other.holds(box.x, box.y) for other in kept):
            kept.append(box)
    return sorted(kept)
