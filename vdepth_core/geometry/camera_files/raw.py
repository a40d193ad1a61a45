"""What a camera file says before it is matched with a clip, and how its faults are told."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ...errors import InputError
from ...files import require_file
from ..camera import Intrinsics
from ..camera_path import PathUnit, rigid_fault

_LARGEST = 1e30  # beyond any measure, and its square is a number still
_UNIT = re.compile(r"\bunit: (\w+)")


@dataclass(frozen=True)
class RawPath:
    """Poses and lenses as a file has them; just one of `numbers`, `names` and `seconds`, or none, is there.

    Attributes:
        poses: (N, 4, 4) float64, camera-to-world, OpenCV axes.
        unit: Of their translations.
        intrinsics: One a pose or one for all, for pictures of ``size``; empty: the file does not say.
        size: Width and height in pixels; None: the clip's own.
        numbers: Frame numbers; ``own`` says that they are the clip's own and need no reading.
        names: Names of the pictures.
        shift: What the numbers in ``names`` have over the clip's own, where the file says so, as exports do.
        seconds: Time stamps.
        notes: Sentences about what was left out.
        rest: (4, 4), the pose of the program's camera that nothing has moved or turned.
    """

    poses: np.ndarray
    unit: PathUnit
    intrinsics: tuple[Intrinsics, ...] = ()
    size: tuple[int, int] | None = None
    numbers: tuple[int, ...] | None = None
    own: bool = False
    names: tuple[str, ...] | None = None
    shift: int | None = None
    seconds: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    rest: np.ndarray = field(default_factory=lambda: np.eye(4))


def fault(path: Path, place: int | str, what: str, hint: str) -> InputError:
    """The one sentence for a file that cannot be used.

    Args:
        path: The file.
        place: A line, counted from 1, or what it is in words; empty: the whole of it.
        what: What is wrong there.
        hint: The next step.
    """
    where = f", line {place}" if isinstance(place, int) else f", {place}" if place else ""
    return InputError(f"{path}{where}: {what}.", hint)


def read_text(path: Path) -> str:
    """A camera file as text.

    Args:
        path: The file.

    Raises:
        InputError: it cannot be read, or is none.
    """
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"Cannot read the camera file {path}: {reason}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The camera file {path} is no text.", "Export the camera as text.") from error


def read_object(path: Path) -> dict[str, Any]:
    """A camera file that is one JSON object.

    Args:
        path: The file.

    Raises:
        InputError: it is not.
    """
    hint = "Export the camera again."
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise fault(path, error.lineno, f"this is not JSON ({error.msg.lower()})", hint) from error
    except (ValueError, RecursionError) as error:
        raise fault(path, "", f"this is not JSON ({error})", hint) from error
    if not isinstance(data, dict):
        raise fault(path, "", "there is no object in it", hint)
    return data


def read_rows(path: Path, columns: tuple[int, ...], layout: str) -> Iterator[tuple[int, list[float]]]:
    """The rows of numbers of a text file, each with its line; comments (#) and empty lines are passed over.

    Args:
        path: The file.
        columns: How many numbers a row may have.
        layout: What they are, for the hint.

    Raises:
        InputError: it cannot be read, a row is not numbers, has too few or too many, or there is none.
    """
    empty = True
    hint = f"A line holds: {layout}."
    for line, text in enumerate(read_text(path).splitlines(), 1):
        words = text.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        if len(words) not in columns:
            wanted = " or ".join(str(count) for count in columns)
            raise fault(path, line, f"{len(words)} numbers where {wanted} belong", hint)
        yield line, [read_number(path, line, word) for word in words]
        empty = False
    if empty:
        raise fault(path, "", "it holds no pose", hint)


def read_number(path: Path, line: int, word: str) -> float:
    """A number that may be computed with.

    Args:
        path, line: Where it stands.
        word: As it is written.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not abs(value) < _LARGEST:
        raise fault(path, line, f"{word!r} is no number", "Export the camera again.")
    return value


def number(values: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A number of a JSON object that may be computed with.

    Args:
        values: The object.
        name: Of the field.
        default: Where it is missing; None: it must be there.

    Raises:
        ValueError: it is missing, or no number.
    """
    value = values.get(name, default)
    if value is None:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise ValueError(f"{name} is no number")
    return float(value)


def whole_number(values: Mapping[str, Any], name: str) -> int:
    """A whole number of a JSON object.

    Args:
        values: The object.
        name: Of the field.

    Raises:
        ValueError: it is missing, or no whole number.
    """
    value = number(values, name)
    if value != int(value):
        raise ValueError(f"{name} is no whole number")
    return int(value)


def matrix(rows: Any) -> np.ndarray:
    """A pose (4, 4) float64 from four rows of four numbers, or the sixteen of them in a row.

    Args:
        rows: As JSON has them.

    Raises:
        ValueError: they are none, or no rigid motion.
    """
    try:
        pose = np.asarray(rows, np.float64).reshape(4, 4)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("the pose is not the 16 numbers of a 4x4 matrix") from None
    if wrong := rigid_fault(pose):
        raise ValueError(f"the pose {wrong}")
    return pose


def stated_unit(path: Path, otherwise: PathUnit) -> PathUnit:
    """The unit that a comment of a text file states (``# unit: metres``), as ours do.

    Args:
        path: The file.
        otherwise: Where none does.

    Raises:
        InputError: it cannot be read.
    """
    for line in read_text(path).splitlines():
        found = _UNIT.search(line) if line.startswith("#") else None
        if found and found[1] in get_args(PathUnit):
            unit: PathUnit = found[1]  # type: ignore[assignment]  # it is one of them
            return unit
    return otherwise
