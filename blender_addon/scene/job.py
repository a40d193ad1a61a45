# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core is asked to do with a clip, and the folder it does it in. No bpy in here."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .result import ResultError

NTSC = Fraction(1000, 1001)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#%{}]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")  # device names on Windows
_NUMBERED_IMAGE = re.compile(r"(?i)\d+(\.(?:exr|png|jpe?g|tiff?|dpx|cin|bmp|tga|hdr|webp|jp2))$")
_LONGEST = 80
_FOLDERS = 1000


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
    preset: str = "balanced"
    method: str = ""
    model: str = ""
    size: int = 0
    near: float = 1.0
    far: float = 100.0
    fov: float | None = None
    normals: bool = False
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


def clip_stem(path: str) -> str:
    """A name for the clip's folder, one part of a path: no separators or pattern signs, never empty."""
    stem = re.split(r"[\\/]", path)[-1].rpartition(".")[0] or re.split(r"[\\/]", path)[-1]
    stem = re.sub(r"(?<=.)[._-]?(#+|%0?\d*d|<UDIM>)$", "", stem)
    stem = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", stem)).strip(" .")
    while len(stem.encode()) > _LONGEST:
        stem = stem[:-1]
    stem = stem.rstrip(" .") or "clip"
    return f"_{stem}" if _RESERVED.match(stem) else stem


def sequence_stem(path: str) -> str:
    """`clip_stem` of one image of a sequence, without its number."""
    stem = clip_stem(path)
    return re.sub(r"[._ -]?\d+$", "", stem) or stem


def file_number(path: str) -> int:
    """The number in a sequence file's name, 0 if it has none."""
    found = re.search(r"(\d+)\D*$", Path(path).stem)
    return int(found[1]) if found else 0


def choose_folder(template: str, stem: str, owner: Callable[[Path], bool | None]) -> Path:
    """The folder a clip's depth goes to.

    Args:
        template: Absolute path with ``{clip}`` for the clip's name.
        stem: The clip's name, from `clip_stem`.
        owner: Says of a folder whether it is this clip's (True), another's (False) or nobody's (None).

    Returns:
        The first of ``x``, ``x_2``, ``x_3`` ... that is not another clip's.

    Raises:
        ResultError: the template is empty or every folder is taken.
    """
    if not template.strip():
        raise ResultError("No output folder is given: set Folder in the panel Output.")
    if not Path(template).is_absolute():
        raise ResultError(f"The output folder {template} is relative: begin it with // or give all of it.")
    for path in _candidates(Path(os.path.normpath(template.replace("{clip}", stem)))):
        if owner(path) is not False:
            return path
    raise ResultError(f"All folders like {template} are taken: give another one in the panel Output.")


def manifest_owner(folder: Path, clip: str) -> bool | None:
    """Whose depth a folder holds, by its manifest: True this clip's, False another's, None nobody's."""
    try:
        made_from = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["clip"]["path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return same_path(made_from, clip)


def same_path(one: str | Path, other: str | Path) -> bool:
    """Whether two paths name the same file, whether or not it exists; of a sequence, any of its files."""
    return _plain(one) == _plain(other)


def is_unfinished(folder: Path) -> bool:
    """Whether a job began in a folder and did not end."""
    return (folder / ".vdepth" / "job.json").is_file() and not (folder / "manifest.json").is_file()


def _candidates(base: Path) -> Iterator[Path]:
    yield base
    for number in range(2, _FOLDERS):
        yield base.with_name(f"{base.name}_{number}")


def _plain(path: str | Path) -> str:
    whole = os.path.normcase(os.path.realpath(path))
    return re.sub(
        r"\d+(\.(?:exr|png|jpe?g|tiff?|dpx|cin|bmp|tga|hdr|webp|jp2))$", r"#\1", whole, flags=re.IGNORECASE
    )
