"""Which files make up an image sequence: folders, patterns, and one file that stands for its siblings."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import pairwise, takewhile
from pathlib import Path

from ..errors import InputError
from .numbers import LARGEST, Name, in_order, shape_of, split_names

# What OpenImageIO reads as pictures; movies, GIF among them, are FFmpeg's.
IMAGE_SUFFIXES = frozenset(
    {
        ".png", ".jpg", ".jpeg", ".jpe", ".exr", ".sxr", ".dpx", ".cin", ".tif", ".tiff", ".bmp", ".tga",
        ".jp2", ".j2k", ".j2c", ".jxl", ".webp", ".hdr", ".sgi", ".rgb", ".ppm", ".pgm", ".pnm", ".pfm",
        ".psd", ".iff",
    }
)  # fmt: skip

# The frame number in a pattern: #### or @@@@, %04d, $F4 (Houdini), 0001-0100 (also in brackets).
_PLACEHOLDER = re.compile(
    r"(?P<marks>#+|@+)|%(?:0?(?P<width>\d*))d|\$F(?P<pad>\d*)|\[(?P<from>-?\d+)-(?P<to>-?\d+)\]"
    r"|(?P<first>\d+)-(?P<last>\d+)"
)
_WILD = re.compile(r"[*?]|\[.+\]")
_EVERY_FILE = "--every-file takes all images, in the order of their numbers"
_STILL = "--still takes single images by themselves"


@dataclass(frozen=True)
class Sequence:
    """Numbered images, in order.

    Attributes:
        files: Frame ``first`` first.
        first: Number of the first file; None for a lone image without a number.
        name: What the files have in common, for naming outputs.
        pattern: The files' names with ``#`` for the digits of the number.
        notes: Sentences about what was taken.
    """

    files: tuple[Path, ...]
    first: int | None
    name: str
    pattern: str = ""
    notes: tuple[str, ...] = ()


def is_sequence(path: Path) -> bool:
    """Whether ``path`` means images: by its suffix (the file itself need not exist), or as a folder, or as a
    pattern such as ``plates/*`` that images match.

    Args:
        path: As the user gave it: a file, folder or pattern.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES or path.is_dir():
        return True
    return bool(_WILD.search(path.name)) and not path.exists() and bool(_wild(path))


def find_sequence(path: Path, every_file: bool = False, still: bool = False) -> Sequence:
    """Finds the files ``path`` stands for.

    A folder must hold one sequence. One file stands for all that differ from it in the frame number only;
    without such a number it is a clip of one frame.

    Args:
        path: Folder, file, or pattern.
        every_file: Take all images there are, numbered from 1 in the order of their numbers: all of a
            folder, all that match a pattern, all that differ from one file in numbers only.
        still: Take the file that ``path`` is by itself, with its whole name and without a number.

    Raises:
        InputError: nothing is found, there are several sequences, a frame number is missing or there
            twice, or a still is no file.
    """
    if still:
        if not path.is_file():
            raise InputError(
                f"{path} is no single image.", "Name the images themselves, or leave out --still."
            )
        return Sequence((path,), None, path.stem, path.name)
    listed = _listed(path if path.is_dir() else path.parent)
    if path.is_dir():
        if not listed:
            raise InputError(
                f"The folder {path} holds no images.", f"Known: {', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        return _every(path, listed) if every_file else _only(path, listed)
    if path.exists():
        if every_file:
            shape = shape_of(path.name)
            return _every(path, [file for file in listed if shape_of(file.name) == shape])
        return _family(path, listed)
    signs = list(_PLACEHOLDER.finditer(path.name))
    for sign in reversed(signs):  # a name may hold such signs itself: the last one that fits is the frame's
        if matching := _matching(path, sign, listed):
            return _every(path, list(matching)) if every_file else _spanned(path, sign, matching)
    if matched := _wild(path):
        return _every(path, matched) if every_file else _only(path, matched)
    if signs or _WILD.search(path.name):
        raise InputError(
            f"No file in {path.parent} matches {path.name}.",
            "Check the name and its padding; shot.####.exr means shot.0001.exr, shot.0002.exr …",
        )
    raise InputError(f"{path} does not exist.", "Check the path.")


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
                and not entry.name.startswith(".")
                and entry.is_file()
            ]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"The folder {folder} does not exist.", "Check the path.") from error
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.strerror}.", "Check it.") from error
    return [folder / name for name in sorted(names)]


def _wild(path: Path) -> list[Path]:
    """The images a shell's pattern means, where no shell has read it (quoted, or on Windows)."""
    if not _WILD.search(path.name):
        return []
    try:
        return [file for file in _listed(path.parent) if fnmatch(file.name, path.name)]
    except InputError:
        return []


def _only(source: Path, files: list[Path]) -> Sequence:
    """The one sequence among the files; single images do not count beside one."""
    families: dict[tuple[str, str, bool], dict[Path, Name]] = defaultdict(dict)
    for file, name in _split(files).items():
        families[name.family][file] = name
    several = [family for family in families.values() if len(family) > 1]
    found = several or list(families.values())
    if len(found) > 1:
        names = " and ".join(sorted(next(iter(family.values())).pattern for family in found)[:3])
        what = "sequences of images" if several else "images"
        where = f"The folder {source} holds" if source.is_dir() else f"{source} means"
        raise InputError(
            f"{where} {len(found)} different {what}, such as {names}.",
            f"Name one of them by its file or a pattern, for example shot.####.exr; {_EVERY_FILE}.",
        )
    return _unbroken(source, found[0])


def _family(path: Path, listed: list[Path]) -> Sequence:
    names = _split(listed if path in listed else [*listed, path])
    own = names[path]
    return _unbroken(path, {file: name for file, name in names.items() if name.family == own.family})


def _split(files: Iterable[Path]) -> dict[Path, Name]:
    names = split_names(file.name for file in files)
    return {file: names[file.name] for file in files}


def _matching(path: Path, sign: re.Match[str], listed: list[Path]) -> dict[Path, Name]:
    before, after = path.name[: sign.start()], path.name[sign.end() :]
    signed = r"-?" if not before or before[-1] in "._ " else ""
    wanted = re.compile(re.escape(before) + rf"({signed}[0-9]+)" + re.escape(after))
    span = _span(sign)
    width = len(sign["marks"] or "") or int(sign["width"] or sign["pad"] or 0)
    found = {}
    for file in listed:
        match = wanted.fullmatch(file.name)
        if match is None or (width and not _padded(match[1], width)):
            continue
        if span is None or not span or int(match[1]) in span:
            found[file] = Name(before, after, int(match[1]), match[1])
    return found


def _span(sign: re.Match[str]) -> range | None:
    first, last = sign["first"] or sign["from"], sign["last"] or sign["to"]
    return None if first is None else range(int(first), int(last) + 1)


def _spanned(path: Path, sign: re.Match[str], files: dict[Path, Name]) -> Sequence:
    """What a pattern matched, with both ends of the range it may name."""
    span = _span(sign)
    if span is not None:
        if not span:
            raise InputError(
                f"The frame numbers in {path.name} run backwards.", "Write the smaller one first."
            )
        found = {name.number for name in files.values()}
        for end in (span[0], span[-1]):
            if end not in found:
                raise InputError(
                    f"Frame {end} of {path.name} is missing.", "Check the numbers in the pattern."
                )
    return _unbroken(path, files)


def _padded(text: str, width: int) -> bool:
    """Whether a pattern of this width writes the number so; the sign may count (%04d) or not."""
    digits = text.lstrip("-")
    return width in {len(digits), len(text)} or (len(digits) > width and digits[0] != "0")


def _unbroken(source: Path, names: Mapping[Path, Name]) -> Sequence:
    files = sorted((name.number or 0, file) for file, name in names.items())
    if files[-1][0] > LARGEST:
        raise InputError(
            f"{files[-1][1]} would be frame {files[-1][0]}; frame numbers end at {LARGEST}.",
            f"{_EVERY_FILE}.",
        )
    if len(files) > 1:
        _check_numbers(source, files)
    name = names[files[0][1]]
    return Sequence(
        tuple(file for _, file in files), name.number, _titled(name.title, files[0][1]), name.pattern
    )


def _check_numbers(source: Path, files: list[tuple[int, Path]]) -> None:
    steps = {following - number for (number, _), (following, _) in pairwise(files)}
    for (number, file), (following, other) in pairwise(files):
        if following == number:
            raise InputError(
                f"Frame {number} of {source} is there twice, as {file.name} and {other.name}.",
                f"Remove one, or name one by its padding, for example shot.####.exr; {_EVERY_FILE}.",
            )
        if following != number + 1:
            apart = f", each {following - number} after the last" if len(steps) == 1 else ""
            raise InputError(
                f"Frame {number + 1} of {source} is missing: the files run from {files[0][0]} to "
                f"{files[-1][0]}{apart or ' with a gap there'}.",
                "Add the missing images, or name an unbroken part, for example shot.0001-0100.exr; "
                f"{_EVERY_FILE}; {_STILL}.",
            )


def _every(source: Path, files: list[Path]) -> Sequence:
    """All files in the order of the numbers in their names, numbered from 1."""
    paths = {file.name: file for file in files}
    names = in_order(paths)
    ordered = tuple(paths[name] for name in names)
    split = _split(ordered)
    families = {name.family for name in split.values()}
    title = split[ordered[0]].title if len(families) == 1 else _common(names)
    found = Sequence(ordered, 1, _titled(title, ordered[0]), shape_of(names[0]))
    if len(files) == 1:
        return found
    note = (
        f"All {len(files)} images of {source} are taken in the order of the numbers in their names and "
        f"numbered from 1: {names[0]} is frame 1, {names[-1]} is frame {len(files)}."
    )
    return replace(found, notes=(note,))


def _common(names: list[str]) -> str:
    """What names begin with in common, without the digits it ends in."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(names[0], names[-1], strict=False))
    return "".join(one for one, _ in alike).rstrip("0123456789").rstrip("._- ")


def _titled(title: str, file: Path) -> str:
    """The title, or the folder's name where files are called by numbers only."""
    return title or Path(os.path.abspath(file)).parent.name
