"""Names of the files of a job: always inside its folder, always a plain four-digit frame number.

``<clip>_<kind>.<frame:04d>.exr``
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .channels import SequenceKind

ADAPTED = "adapted.safetensors"  # weights that a job made for itself, beside its frames
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#%\ud800-\udfff]')
# Windows', what hosts read as a frame pattern, and what stands for bytes that are no UTF-8
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")  # device names on Windows
_FRAME = re.compile(r"(.+_[a-z]+\.)(\d{4}|[1-9]\d{4,})\.exr")  # as `frame_path` writes them
_LONGEST = 120  # leaves room for the suffixes in a file system's 255 bytes, UTF-8 included


def safe_name(name: str) -> str:
    """A clip's name as one part of a path: no separators, no pattern signs, no leading dot, never empty.

    Args:
        name: As people wrote it.
    """
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
    while len(name.encode()) > _LONGEST:
        name = name[:-1]
    name = name.rstrip(" .") or "clip"
    return f"_{name}" if _RESERVED.match(name) else name


def folded(name: str) -> str:
    """What names have in common that one disk or another takes for the same: case and Unicode's two ways to
    write an accent.

    Args:
        name: Of a file or folder.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


@dataclass(frozen=True)
class JobNames:
    """The names of all files a job writes into its folder.

    Attributes:
        clip_name: The clip's name, as it is.
        kinds: The sequences.
        first: Number of the first frame.
        stop: One past the last frame's number; None when only a pass over the clip can tell.
        still: Whether the job is of a single image: its preview is a picture.
    """

    clip_name: str
    kinds: tuple[SequenceKind, ...]
    first: int = 0
    stop: int | None = None
    still: bool = False

    def among(self, names: Iterable[str]) -> list[str]:
        """The job's names that an entry of ``names`` stands for, whatever its case, sorted.

        Args:
            names: Of entries of a folder.
        """
        out = Path()
        fixed = [manifest_path(out).name, preview_path(out, self.still).name, report_path(out).name]
        starts = {folded(f"{safe_name(self.clip_name)}_{kind}."): kind for kind in self.kinds}
        found = set()
        for name in map(folded, names):
            frame = _FRAME.fullmatch(name)
            if frame is not None and frame[1] in starts and self._writes(int(frame[2])):
                found.add(frame_path(out, self.clip_name, starts[frame[1]], int(frame[2])).name)
            found.update(name_ for name_ in fixed if name_ == name)
        return sorted(found)

    def _writes(self, number: int) -> bool:
        return self.first <= number and (self.stop is None or number < self.stop)


def frame_path(out: Path, clip_name: str, kind: SequenceKind, number: int) -> Path:
    """The EXR file of frame ``number`` of one sequence in folder ``out``.

    Args:
        out: The job's folder.
        clip_name: As people wrote it.
        kind: Of the sequence.
        number: Of the frame.

    Raises:
        ValueError: the number is negative; hosts cannot read such names.
    """
    if number < 0:
        raise ValueError(f"frame number {number} is negative")
    return out / f"{safe_name(clip_name)}_{kind}.{number:04d}.exr"


def frame_pattern(clip_name: str, kind: SequenceKind) -> str:
    """The file name of a sequence with ``####`` for the frame number, as hosts and humans write it.

    Args:
        clip_name: As people wrote it.
        kind: Of the sequence.
    """
    return f"{safe_name(clip_name)}_{kind}.####.exr"


def clean_names(clip_name: str, number: int) -> tuple[str, str]:
    """The two files of a frame's clean plate: depth, colour.

    Args:
        clip_name: As people wrote it.
        number: Of the frame.
    """
    stem = f"{safe_name(clip_name)}_clean"
    return f"{stem}_depth.{number:04d}.exr", f"{stem}_color.{number:04d}.png"


def preview_path(out: Path, still: bool) -> Path:
    """The preview of a job: a film, or a picture.

    Args:
        out: Its folder.
        still: Whether the job is of a single image.
    """
    return out / ("preview.png" if still else "preview.mp4")


def report_path(out: Path) -> Path:
    """The report of a job.

    Args:
        out: Its folder.
    """
    return out / "report.html"


def manifest_path(out: Path) -> Path:
    """The manifest of a job.

    Args:
        out: Its folder.
    """
    return out / "manifest.json"
