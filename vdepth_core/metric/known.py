"""What a user knows of a clip's distances, as the command line and Python take it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from ..geometry.sparse_points import points_files

FARTHEST = 1e8  # metres; beyond, files say that there is no depth
FRAMES = 8  # of a shot that a metric model looks at


@dataclass(frozen=True)
class Distance:
    """How far something in a frame is.

    Attributes:
        x, y: Where it is in the plate, pixels, from its upper left corner.
        frame: Number in the files' names.
        metres: How far, to the camera's plane.
    """

    x: float
    y: float
    frame: int
    metres: float

    @classmethod
    def parse(cls, text: str) -> Distance:
        """Reads ``X,Y,FRAME,METRES``.

        Args:
            text: As the user wrote it.

        Raises:
            UsageError: it is not that.
        """
        hint = "Write it as X,Y,FRAME,METRES, for example 640,360,1001,2.5."
        words = text.split(",")
        try:
            x, y, metres = float(words[0]), float(words[1]), float(words[3])
            frame = int(words[2])
        except (ValueError, IndexError):
            words = []
        if len(words) != 4:
            raise UsageError(f"--known-distance {text} is no pixel, frame and distance.", hint)
        if not (math.isfinite(x) and math.isfinite(y) and 0 < metres < FARTHEST):
            raise UsageError(f"--known-distance {text}: the distance must be above 0 and below 1e8 m.", hint)
        return cls(x, y, frame, metres)

    def __str__(self) -> str:
        return f"{self.metres:g} m at {self.x:g},{self.y:g} in frame {self.frame}"


@dataclass(frozen=True)
class Known:
    """All that is known.

    Attributes:
        distances: To things in frames.
        along_ray: They were measured along the line of sight, as by a tape, not to the camera's plane.
        points: File or folder of a camera solve's points.
        unit: Metres of one unit of that solve; None: as the file says, which may not know.
        near, far: Metres at the near and the far end of every shot.
        model: Name or path of a metric model.
        frames: Of each shot that the model looks at.
    """

    distances: tuple[Distance, ...] = ()
    along_ray: bool = False
    points: Path | None = None
    unit: float | None = None
    near: float | None = None
    far: float | None = None
    model: str | None = None
    frames: int = FRAMES

    def __post_init__(self) -> None:
        if not (self.distances or self.points or self.near or self.far or self.model):
            raise UsageError(
                "Nothing is said of how far things are.",
                "Give --known-distance, --points, --near, --far or --model.",
            )
        for name in ("near", "far", "unit"):
            value = getattr(self, name)
            if value is not None and not 0 < value < FARTHEST:
                raise UsageError(f"--{name} must be above 0 and below 1e8 m, not {value:g}.")
        if self.near and self.far and self.near >= self.far:
            raise UsageError(f"near ({self.near:g} m) must be less than far ({self.far:g} m).")
        if self.unit is not None and self.points is None:
            raise UsageError("--unit is the unit of a camera solve.", "Give --points, too.")
        if self.along_ray and not self.distances:
            raise UsageError("--along-ray is how distances were measured.", "Give --known-distance, too.")
        if not 1 <= self.frames <= 1000:
            raise UsageError(f"A model looks at 1 to 1000 frames of a shot, not {self.frames}.")

    def facts(self) -> dict[str, Any]:
        """Everything that decides the result, ready for JSON; files by what they hold.

        Raises:
            InputError: a file cannot be read.
        """
        return {
            "distances": [[one.x, one.y, one.frame, one.metres] for one in self.distances],
            "along_ray": self.along_ray,
            "points": None if self.points is None else _digest(self.points),
            "unit": self.unit,
            "near": self.near,
            "far": self.far,
            "model": self.model,
            "frames": self.frames if self.model else None,
        }


def _digest(points: Path) -> str:
    digest = hashlib.sha256()
    for file in points_files(points):
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"Cannot read {file}: {reason}.", "Check the path.") from error
    return digest.hexdigest()
