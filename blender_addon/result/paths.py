# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip is called on disk, where its depth goes, whose a folder is. No bpy in here."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from .manifest import ResultError

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*#%{}]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")  # device names on Windows
_NUMBERED_IMAGE = re.compile(r"(?i)\d+(\.(?:exr|png|jpe?g|tiff?|dpx|cin|bmp|tga|hdr|webp|jp2))$")
_LONGEST = 80
_FOLDERS = 1000


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


def same_name(one: str | Path, other: str | Path) -> bool:
    """As `same_path`, but told from the paths alone, without the disk: links count as others."""
    return _numberless(os.path.normcase(one)) == _numberless(os.path.normcase(other))


def is_unfinished(folder: Path) -> bool:
    """Whether a job began in a folder and did not end; the depth it would replace may still be there."""
    begun = _job(folder / ".vdepth" / "job.json")
    return begun is not None and begun != _job(folder / "manifest.json")


def _job(record: Path) -> str | None:
    """Which job a record is of; None where there is none, "" where it cannot be read."""
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["job"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _candidates(base: Path) -> Iterator[Path]:
    yield base
    for number in range(2, _FOLDERS):
        yield base.with_name(f"{base.name}_{number}")


def _plain(path: str | Path) -> str:
    return _numberless(os.path.normcase(os.path.realpath(path)))


def _numberless(path: str | Path) -> str:
    return _NUMBERED_IMAGE.sub(r"#\1", str(path))
