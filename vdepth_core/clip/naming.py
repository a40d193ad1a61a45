"""Which files make up an image sequence: folders, patterns, and one file that stands for its siblings."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".exr", ".dpx", ".tif", ".tiff", ".bmp"})

# The frame number in a pattern: #### or @@@@, %04d, $F4 (Houdini), 0001-0100 (also in brackets).
_PLACEHOLDER = re.compile(
    r"(?P<marks>#+|@+)|%(?:0?(?P<width>\d*))d|\$F(?P<pad>\d*)|\[?(?P<first>\d+)-(?P<last>\d+)\]?(?=\.[^.]+$)"
)
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True)
class Sequence:
    """An unbroken run of numbered images.

    Attributes:
        files: In order, frame ``first`` first.
        first: Number of the first file; None for a lone image without a number.
        name: What the files have in common, for naming outputs.
    """

    files: tuple[Path, ...]
    first: int | None
    name: str


def is_sequence(path: Path) -> bool:
    """Whether ``path`` means images: an image suffix (the file itself need not exist) or a folder."""
    return path.suffix.lower() in IMAGE_SUFFIXES or path.is_dir()


def find_sequence(path: Path) -> Sequence:
    """Finds the files ``path`` stands for.

    A folder must hold one sequence. One file with a number in its name (the last one counts) stands for all
    its siblings; without a number it is a clip of one frame.

    Raises:
        InputError: nothing is found, there are several sequences, or a frame number is missing or there
            twice.
    """
    if path.is_dir():
        return _in_folder(path)
    placeholder = None if path.exists() else _PLACEHOLDER.search(path.name)
    if placeholder is not None:
        return _matching(path, placeholder)
    if not path.exists():
        raise InputError(f"{path} does not exist.", "Check the path.")
    number = _LAST_NUMBER.search(path.stem)
    if number is None:
        return Sequence((path,), None, path.stem)
    family = _families(path.parent)[_family(path)]
    return _unbroken(path, family)


def _in_folder(folder: Path) -> Sequence:
    families = _families(folder)
    if not families:
        raise InputError(
            f"The folder {folder} holds no images.", f"Known: {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    numbered = {key: files for key, files in families.items() if len(files) > 1} or families
    if len(numbered) > 1:
        names = " and ".join(sorted(f"{prefix}#{suffix}" for prefix, suffix in numbered)[:3])
        raise InputError(
            f"The folder {folder} holds {len(numbered)} different sequences of images, such as {names}.",
            "Name one by a pattern, for example shot.####.exr.",
        )
    (files,) = numbered.values()
    if len(files) == 1 and files[0][0] < 0:
        return Sequence((files[0][1],), None, files[0][1].stem)
    return _unbroken(folder, files)


def _matching(path: Path, placeholder: re.Match[str]) -> Sequence:
    width, span = 0, None
    if placeholder["marks"]:
        width = len(placeholder["marks"])
    elif placeholder["first"]:
        span = range(int(placeholder["first"]), int(placeholder["last"]) + 1)
        if not span:
            raise InputError(
                f"The frame numbers in {path.name} run backwards.", "Write the smaller one first."
            )
    else:
        width = int(placeholder["width"] or placeholder["pad"] or 0)
    before, after = path.name[: placeholder.start()], path.name[placeholder.end() :]
    wanted = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    files = []
    for file in _listed(path.parent):
        match = wanted.fullmatch(file.name)
        if match is None or (width and not _padded(match[1], width)) or (span and int(match[1]) not in span):
            continue
        files.append((int(match[1]), file))
    if not files:
        raise InputError(f"No file in {path.parent} matches {path.name}.", "Check the name and its padding.")
    if span:
        found = {number for number, _ in files}
        for end in (span[0], span[-1]):
            if end not in found:
                raise InputError(
                    f"Frame {end} of {path.name} is missing.", "Check the numbers in the pattern."
                )
    return _unbroken(path, files)


def _padded(digits: str, width: int) -> bool:
    return len(digits) == width or (len(digits) > width and digits[0] != "0")


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Check the path.")
    return [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]


def _families(folder: Path) -> dict[tuple[str, str], list[tuple[int, Path]]]:
    families = defaultdict(list)
    for file in _listed(folder):
        number = _LAST_NUMBER.search(file.stem)
        families[_family(file)].append((int(number[1]) if number else -1, file))
    return dict(families)


def _family(file: Path) -> tuple[str, str]:
    number = _LAST_NUMBER.search(file.stem)
    if number is None:
        return file.stem, file.suffix
    return file.name[: number.start()], file.name[number.end() :]


def _unbroken(source: Path, files: list[tuple[int, Path]]) -> Sequence:
    files = sorted(files)
    for (number, file), (following, other) in pairwise(files):
        if following == number:
            raise InputError(f"Frame {number} of {source} is there twice, as {file.name} and {other.name}.")
        if following != number + 1:
            raise InputError(
                f"Frame {number + 1} of {source} is missing: "
                f"the files run from {files[0][0]} to {files[-1][0]} with a gap there.",
                "Add the missing images, or name an unbroken part, for example shot.0001-0100.exr.",
            )
    prefix, _ = _family(files[0][1])
    name = prefix.rstrip("._- ") or files[0][1].absolute().parent.name
    return Sequence(tuple(file for _, file in files), files[0][0], name)
