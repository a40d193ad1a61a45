"""Which frames of a clip the poses of a camera file are, and the lens for the clip's size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from ...clip.numbers import split_names
from ...errors import InputError
from ..camera import Intrinsics, check_plausible
from ..camera_path import CameraPath
from .plate import Plate
from .raw import RawPath
from .stamps import timed

_SHAPE = 0.01  # how far the shape of the picture in the file may be off the clip's
ZOOM = 1.15
"""Longest over shortest focal length from which a user should hear that the lens zooms."""
_DIGITS = 9  # longer numbers count no frames
_SHOWN = 6  # ranges of missing frames a sentence names


def matched(raw: RawPath, plate: Plate, file: Path) -> tuple[CameraPath, tuple[str, ...]]:
    """The camera path of the clip, and sentences about how the file was understood.

    Args:
        raw: What the file says.
        plate: The clip.
        file: For errors.

    Raises:
        InputError: the file is not of this clip.
    """
    notes = list(raw.notes)
    raw = _sized(raw, plate, file, notes)
    raw = timed(raw, plate, notes) if raw.seconds is not None else raw
    numbers = numbers_of(raw, plate, file, notes)
    order = sorted(range(len(numbers)), key=lambda place: numbers[place])
    for one, other in pairwise(order):
        if numbers[one] == numbers[other]:
            raise InputError(
                f"{file} has two poses of frame {numbers[one]}.", "Give the camera of this clip only."
            )
    inside = [place for place in order if numbers[place] in plate.numbers]
    if not inside:
        raise InputError(
            f"{file} is not of this clip: its frames run from {min(numbers)} to {max(numbers)}, the clip's "
            f"from {plate.numbers[0]} to {plate.numbers[-1]}.",
            "Export the camera with the clip's own frame numbers.",
        )
    if len(inside) < len(order):
        notes.append(f"{len(order) - len(inside)} poses of {file.name} lie beyond the clip and are left out.")
    found = tuple(numbers[place] for place in inside)
    if missing := sorted(set(plate.numbers) - set(found)):
        notes.append(
            f"{file.name} has no pose of {len(missing)} of the clip's {len(plate.numbers)} frames: "
            f"{_ranges(missing)}."
        )
    lenses = raw.intrinsics or (plate.lens,)
    if len(lenses) > 1:
        lenses = tuple(lenses[place] for place in inside)
    _check(lenses, plate, file)
    if not raw.intrinsics:
        notes.append(
            f"{file.name} does not say what the lens is: {lenses[0].fx:.0f} pixels are {lenses[0].source}."
        )
    path = CameraPath(found, raw.poses[inside], lenses, plate.width, plate.height, raw.unit)
    return path, tuple(notes)


def lens_of(raw: RawPath, plate: Plate, file: Path) -> tuple[Intrinsics, tuple[str, ...]]:
    """The lens of a file for the clip's size, and sentences about it: of a zoom, the middle one.

    Args:
        raw: What the file says.
        plate: The clip.
        file: For errors.

    Raises:
        InputError: there is none, or it is of a picture of another shape.
    """
    notes = list(raw.notes)
    lenses = _sized(raw, plate, file, notes).intrinsics
    if not lenses:
        raise InputError(f"{file} does not say what the lens is.", "Give the lens with --fov.")
    _check(lenses, plate, file)
    ordered = sorted(lenses, key=lambda lens: lens.fx)
    lens = ordered[len(ordered) // 2]
    if ordered[-1].fx > ZOOM * ordered[0].fx:
        notes.append(
            f"The lens in {file.name} zooms from {ordered[0].fx:.0f} to {ordered[-1].fx:.0f} pixels: "
            f"{lens.fx:.0f} are taken for all frames, and depth changes with it."
        )
    return lens, tuple(notes)


def _check(lenses: Iterable[Intrinsics], plate: Plate, file: Path) -> None:
    for lens in lenses:
        try:
            check_plausible(lens, plate.width, plate.height)
        except ValueError as error:
            raise InputError(f"The lens in {file} is wrong: {error}.", "Export the camera again.") from error


def _sized(raw: RawPath, plate: Plate, file: Path, notes: list[str]) -> RawPath:
    """The lenses for the clip's size."""
    if raw.size is None or raw.size == (plate.width, plate.height):
        return raw
    width, height = raw.size
    if min(raw.size) < 1:
        raise InputError(f"{file} is of a picture of {width}x{height} pixels.", "Export the camera again.")
    sx, sy = plate.width / width, plate.height / height
    if abs(sx / sy - 1) > _SHAPE:
        raise InputError(
            f"{file} is of a picture of {width}x{height} pixels, the clip of {plate.width}x{plate.height}: "
            "they are not of one shape.",
            "Export the camera for the clip as it is, uncropped.",
        )
    notes.append(
        f"{file.name} is of a picture of {width}x{height} pixels: its lens was scaled to the clip's "
        f"{plate.width}x{plate.height}."
    )
    return replace(raw, intrinsics=tuple(lens.scaled(sx, sy) for lens in raw.intrinsics))


def numbers_of(raw: RawPath, plate: Plate, file: Path, notes: list[str]) -> tuple[int, ...]:
    """The clip's number of every pose; some may lie beyond the clip.

    Args:
        raw: What the file says.
        plate: The clip.
        file: For errors.
        notes: Gets sentences about how the file was understood.

    Raises:
        InputError: the file does not say which frames its poses are of.
    """
    count, numbers = len(raw.poses), raw.numbers
    if raw.names is not None:
        bare = [PurePosixPath(name.replace("\\", "/")).name for name in raw.names]
        told = _exported(bare, raw.shift, plate, file, notes)
        if told is not None:
            return told
        if all(name in plate.names for name in bare):
            return tuple(plate.names[name] for name in bare)
        split = split_names(bare)
        unnumbered = next((name for name in bare if split[name].number is None), None)
        if unnumbered is not None:
            raise InputError(
                f"{file} has a picture {unnumbered}, whose name holds no frame number.",
                "Name the pictures by their frames, for example frame_0001.png.",
            )
        numbers = tuple(split[name].number or 0 for name in bare)
    elif numbers is not None and raw.own and any(number in plate.numbers for number in numbers):
        return numbers
    if numbers is None:
        if count != len(plate.numbers):
            raise InputError(
                f"{file} has {count} pose{'s' * (count != 1)} without frame numbers, and the clip "
                f"{len(plate.numbers)} frame{'s' * (len(plate.numbers) != 1)}.",
                "Export the camera with frame numbers, or a pose for every frame.",
            )
        notes.append(f"{file.name} has no frame numbers: its poses are the clip's frames in order.")
        return tuple(plate.numbers)
    if plate.movie and (shifted := _of_files(numbers, plate, file, notes)) is not None:
        return shifted
    if plate.movie and 0 not in numbers and any(number - 1 in plate.numbers for number in numbers):
        notes.append(f"Frame 1 of {file.name} is the movie's first.")
        return tuple(number - 1 for number in numbers)
    if any(number in plate.numbers for number in numbers):
        return numbers
    if count == len(plate.numbers):  # as many, but counted from elsewhere
        shift = plate.numbers.start - min(numbers)
        notes.append(f"Frame {min(numbers)} of {file.name} is the clip's first: both have {count} frames.")
        return tuple(number + shift for number in numbers)
    return numbers


def _exported(
    bare: list[str], told: int | None, plate: Plate, file: Path, notes: list[str]
) -> tuple[int, ...] | None:
    """Frames of pictures that vdepth exported, by what the export says or by their names; None: not so."""
    found = [_numbered(name) for name in bare]
    files = [number for _, number in found if number is not None]
    if len(files) < len(bare):
        return None
    if told is not None:
        return tuple(number - told for number in files)
    if plate.shift is None or not plate.stem or any(stem != plate.stem for stem, _ in found):
        return None
    if any(name not in plate.names for name in bare):
        return _of_files(tuple(files), plate, file, notes, ours=True)
    return None  # a sequence's own files


def _numbered(name: str) -> tuple[str, int | None]:
    """``<stem>.<number>.<ending>`` in its parts, as exports name pictures."""
    stem, _, digits = name.rpartition(".")[0].rpartition(".")
    return stem, int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None


def _of_files(
    numbers: tuple[int, ...], plate: Plate, file: Path, notes: list[str], ours: bool = False
) -> tuple[int, ...] | None:
    """Frames, where the numbers are those of vdepth's files of the clip; None: they are not.

    Numbers that are a movie's own, too, are its own unless the pictures carry the name of an export.
    """
    shift = plate.shift
    if not shift or any(number - shift not in plate.numbers for number in numbers):
        return None
    first, last = min(numbers), max(numbers)
    own, start = "the clip's own", plate.numbers.start + shift
    files = f"those of vdepth's files, of which {start} is the clip's first"
    if all(number - plate.movie in plate.numbers for number in numbers):
        taken, other = (files, own) if ours else (own, files)
        notes.append(
            f"The numbers of {file.name}, {first} to {last}, fit the clip in two ways: they are taken as "
            f"{taken}, not as {other}. Should that be wrong, "
            f"{'name the pictures otherwise' if ours else 'number the first frame 1 there'}."
        )
        return tuple(number - shift for number in numbers) if ours else None
    notes.append(f"The numbers of {file.name} are {files}.")
    return tuple(number - shift for number in numbers)


def _ranges(numbers: Iterable[int]) -> str:
    """``3, 7-9`` of ascending numbers."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    said = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:_SHOWN]]
    return ", ".join(said) + (", …" if len(spans) > _SHOWN else "")
