"""Names of the files of a job: always inside its folder, always a plain four-digit frame number.

``<clip>_<kind>.<frame:04d>.exr``
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from .channels import SequenceKind

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#%]')  # Windows', and what hosts read as a frame pattern
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")  # device names on Windows
_LONGEST = 120  # leaves room for the suffixes in a file system's 255 bytes, UTF-8 included


def safe_name(name: str) -> str:
    """A clip's name as one part of a path: no separators, no pattern signs, no leading dot, never empty."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
    while len(name.encode()) > _LONGEST:
        name = name[:-1]
    name = name.rstrip(" .") or "clip"
    return f"_{name}" if _RESERVED.match(name) else name


def frame_path(out: Path, clip_name: str, kind: SequenceKind, number: int) -> Path:
    """The EXR file of frame ``number`` of one sequence in folder ``out``.

    Raises:
        ValueError: the number is negative; hosts cannot read such names.
    """
    if number < 0:
        raise ValueError(f"frame number {number} is negative")
    return out / f"{safe_name(clip_name)}_{kind}.{number:04d}.exr"


def frame_pattern(clip_name: str, kind: SequenceKind) -> str:
    """The file name of a sequence with ``####`` for the frame number, as hosts and humans write it."""
    return f"{safe_name(clip_name)}_{kind}.####.exr"


def preview_path(out: Path) -> Path:
    """The preview film of a job."""
    return out / "preview.mp4"


def report_path(out: Path) -> Path:
    """The report of a job."""
    return out / "report.html"


def manifest_path(out: Path) -> Path:
    """The manifest of a job."""
    return out / "manifest.json"
