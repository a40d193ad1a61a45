# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core is asked to do with a clip, as arguments of ``vdepth estimate``. No bpy in here."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

NTSC = Fraction(1000, 1001)


@dataclass(frozen=True)
class Request:
    """One estimate.

    Attributes:
        clip: Absolute path of the movie or of one image of the sequence.
        movie: Whether it is a movie.
        duration: Frames Blender shows of it.
        first, last: Frames wanted, counted from 0 as Blender does, inclusive.
        number: Number Blender's first frame has for the core: 0 in a movie, the file's own in a sequence.
        rate: Rate Blender plays the movie at, or the scene's for a sequence.
        orientation: How much Blender does of what the file asks to make its picture upright.
        fov: Horizontal field of view in degrees; None leaves the lens to the model.
    """

    clip: str
    folder: Path
    movie: bool
    duration: int
    first: int
    last: int
    number: int
    rate: Fraction
    orientation: str = "upright"
    preset: str = "balanced"
    method: str = ""
    model: str = ""
    size: int = 0
    near: float = 1.0
    far: float = 100.0
    fov: float | None = None
    normals: bool = False
    sky: bool = False
    boost: bool = False
    non_commercial: bool = False
    overwrite: bool = False

    @property
    def whole(self) -> bool:
        """Whether every frame is wanted."""
        return self.first == 0 and self.last == self.duration - 1

    def arguments(self, *, variable: bool = False) -> list[str]:
        """Arguments of ``vdepth estimate``.

        Args:
            variable: The movie's frames do not follow each other regularly. Blender plays it by the clock, so
                the core resamples it to the same rate; there is no range then: the core counts coded frames.
        """
        words = ["estimate", self.clip, "-o", str(self.folder), "--preset", self.preset]
        words += ["--orientation", self.orientation] if self.orientation != "upright" else []
        if self.movie:
            words += ["--start-frame", "1"]
            words += ["--cfr", str(self.rate)] if variable else []
        else:
            words += ["--rate", str(self.rate)]
        if not variable and not (self.movie and self.whole):
            words += ["--frames", f"{self.number + self.first}-{self.number + self.last}"]
        words += ["--near", f"{self.near:g}", "--far", f"{self.far:g}"]
        optional = {"--method": self.method, "--model": self.model, "--size": self.size or ""}
        for option, value in optional.items():
            words += [option, str(value)] if value else []
        words += ["--fov", f"{self.fov:.6g}"] if self.fov is not None else []
        flags = {
            "--normals": self.normals,
            "--sky": self.sky,
            "--boost": self.boost,
            "--non-commercial": self.non_commercial,
            "--overwrite": self.overwrite,
        }
        return words + [flag for flag, wanted in flags.items() if wanted]


def exact_rate(fps: float) -> Fraction:
    """The rate a float stands for: a whole one, one of NTSC's, or the nearest simple fraction."""
    for rate in (Fraction(round(fps)), round(fps / float(NTSC)) * NTSC):
        if rate > 0 and abs(float(rate) - fps) < 1e-5 * fps:
            return rate
    return Fraction(fps).limit_denominator(1001)


def is_variable(inspected: dict[str, Any], duration: int) -> bool:
    """Whether Blender's frames, by the clock, are others than the coded ones.

    Args:
        inspected: What ``vdepth inspect --json`` says of the movie.
        duration: Frames Blender shows of it.
    """
    if inspected["constant_rate"]:
        return False
    # Coarse time stamps (a GIF's are hundredths of a second) make gaps uneven, but no frame skips its place.
    rate, gaps = Fraction(inspected["rate"]), (inspected["shortest_gap"], inspected["longest_gap"])
    uneven = gaps[0] * rate < 0.5 or gaps[1] * rate > 1.5
    return bool(uneven or inspected["frames"] != duration)
