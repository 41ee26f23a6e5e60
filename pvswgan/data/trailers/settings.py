"""What the face builder looks for, and what it leaves out: one number each, with its unit and range."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from pvswgan.data.format import DataError, pyramid_sizes
from pvswgan.data.pieces import LONGEST

CASCADE = "cascade"

# name -> least and greatest value that makes sense; both are allowed
_RANGES: dict[str, tuple[float, float]] = {
    "frames": (1, LONGEST),
    "margin": (0, 2),
    "lower": (-0.5, 0.5),
    "least_face": (16, 4096),
    "sharpness": (0, 10),
    "contrast": (0, 127),
    "motion_least": (0, 255),
    "motion_most": (0, 255),
    "duplicates": (0, 63),
    "every": (1, 25),
    "detect_side": (64, 4096),
    "neighbours": (1, 50),
    "confidence": (0, 1),
    "steady": (0, 1),
    "gap": (0, 10),
    "overlap": (0.05, 0.95),
    "smooth": (0, 5),
    "cut": (1, 100),
    "cut_least": (0, 255),
    "black": (0, 255),
    "dissolve": (0, 255),
}


@dataclass(frozen=True)
class FaceSettings:
    """Settings of the face builder; the defaults make clips like those of TrailerFaces. Raises DataError.

    The clips
    resolution    pixels a side of a clip, a power of two
    frames        of a clip; 1 to 256. A longer track gives clips that follow one another
    margin        what is added to the face's box at each side, as a share of its side; 0 to 2
    lower         how far the crop's centre lies below the box's, as a share of its side; -0.5 to 0.5

    Which are left out
    least_face    side of the face's box in pixels of the trailer, median over the clip; 16 to 4096
    sharpness     variance of the Laplacian over the variance of the grey crop at 128x128, median over the clip; 0 to
                  10. The real clips have 0.045 to 0.13, brought to 96 pixels (the least face) and back 0.018 to
                  0.058; blurred by 2 pixels 0.005 to 0.018, by 4 pixels 0.002 to 0.008
    contrast      standard deviation of the grey crop (0 to 255), median over the clip; 0 to 127
    motion_least  mean change of a grey pixel (0 to 255) from frame to frame at 64x64: less is a still picture; 0 to 255
    motion_most   more is a flash, a shake or a face that is lost; 0 to 255
    duplicates    a clip is left out whose fingerprint differs from an earlier one's in at most so many of 64 bits, in
                  the same trailer or another; None: look-alikes stay. Two real clips differ in 16 and more, a clip and
                  itself cut 8 frames later in 8 at most (2 on average), enlarged by 3 % in 8 at most (4 on average)

    Finding faces
    detector      "cascade" (OpenCV's frontal face, comes with it), or the path of a YuNet model (.onnx)
    every         look for faces in each n-th frame; 1 to 25
    detect_side   longer side, in pixels, of the picture that is searched; 64 to 4096
    neighbours    of the cascade: so many overlapping finds make a face; 1 to 50
    confidence    of YuNet: least score of a face; 0 to 1
    steady        least share of the looked-at frames of a track in which its face was found; 0 to 1
    gap           seconds for which a face may be lost and still be the same track; 0 to 10
    overlap       two boxes that follow one another are one face where they share so much of their union; 0.05 to 0.95
    smooth        standard deviation, in seconds, of the smoothing of the crop's centre (its side: twice that); 0 to 5

    Finding shots
    cut           PySceneDetect's adaptive detector: a frame differs so many times more than its neighbours; 1 to 100
    cut_least     and at least so much (mean of hue, saturation and value, 0 to 255)
    black         a frame whose mean is darker belongs to no shot; 0 to 255
    dissolve      least difference (mean of grey, 0 to 255) of two frames half a second apart between which one picture
                  is mixed into another; 255: dissolves and fades are not looked for
    """

    resolution: int = 256
    frames: int = 32
    margin: float = 0.05
    lower: float = 0.1
    least_face: float = 96
    sharpness: float = 0.01
    contrast: float = 8.0
    motion_least: float = 0.3
    motion_most: float = 25.0
    duplicates: int | None = 6
    detector: str = CASCADE
    every: int = 3
    detect_side: int = 640
    neighbours: int = 4
    confidence: float = 0.8
    steady: float = 0.5
    gap: float = 0.5
    overlap: float = 0.3
    smooth: float = 0.25
    cut: float = 3.0
    cut_least: float = 15.0
    black: float = 8.0
    dissolve: float = 12.0

    def __post_init__(self) -> None:
        if isinstance(self.resolution, bool) or not isinstance(self.resolution, int):
            raise DataError(f"resolution is {self.resolution!r}; allowed: a power of two, a whole number")
        pyramid_sizes(self.resolution)  # refuses what is not a power of two
        for field in fields(self):
            if field.name in _RANGES:
                self._check(field.name, field.type in ("int", "int | None"), field.name == "duplicates")
        if self.motion_most <= self.motion_least:
            raise DataError(f"motion_most is {self.motion_most}; allowed: more than motion_least, {self.motion_least}")
        if not isinstance(self.detector, str) or not (self.detector == CASCADE or self.detector.endswith(".onnx")):
            raise DataError(f"detector is {self.detector!r}; allowed: {CASCADE!r}, or a YuNet model's path (.onnx)")

    def _check(self, name: str, whole: bool, optional: bool) -> None:
        value, (least, most) = getattr(self, name), _RANGES[name]
        if value is None and optional:
            return
        kind = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) \
                or not least <= value <= most:
            number = "a whole number" if whole else "a number"
            raise DataError(f"{name} is {value!r}; allowed: {number} from {least} to {most}"
                            + (", or none" if optional else ""))

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a YAML file that holds some of the names above. Raises DataError."""
        import yaml

        try:
            held: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            what = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
            raise DataError(f"face settings {path} cannot be read: {what}") from error
        if held is None:
            return cls()
        if not isinstance(held, dict):
            raise DataError(f"face settings {path} hold {type(held).__name__}; allowed: names with values")
        known = [field.name for field in fields(cls)]
        if unknown := sorted(str(name) for name in held if name not in known):
            raise DataError(f"face settings {path} have the unknown name {unknown[0]!r}; allowed: {', '.join(known)}")
        return cls(**held)

    def as_dict(self) -> dict[str, Any]:
        """Names and values, to be kept beside what was made with them."""
        return asdict(self)
