"""Which digits in a file's name are the frame number.

A name may hold several numbers: ``sh010_take2.1001.4k.exr``. Versions (``v003``) and measures (``4k``,
``1920x1080``, ``16bit``) never count frames. Of the others one counts that stands apart from letters, is
padded and differs between the files; where several are as likely, the last.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# A sign is one only behind a delimiter: shot.-0005, but shot-0005 is frame 5.
_DIGITS = re.compile(r"(?P<sign>(?<![^._ ])-)?(?P<digits>[0-9]+)")
_VERSION = re.compile(r"(?i)(?:^|[^a-z])(?:v|ver|version)$")  # what stands before a version's number
_MEASURE = re.compile(r"(?i)(?:k|p|i|px|bits?|bpc|fps|hz|mm)(?![a-z0-9])")  # what stands behind a measure
LARGEST = 9_999_999
"""Whatever counts further is a time stamp or a date."""
MOVIE_START = 1001
"""The number that VFX gives a movie's first frame."""
_WIDE = 3  # digits from which a number looks like one of many


@dataclass(frozen=True)
class Name:
    """A file's name, apart from the number of its frame.

    Attributes:
        before, after: What stands around the number; the whole name and nothing where there is none.
        number: The frame's number; None: the name has none.
        digits: As they are written, with the sign.
    """

    before: str
    after: str = ""
    number: int | None = None
    digits: str = ""

    @property
    def family(self) -> tuple[str, str, bool]:
        """The same for all frames of a sequence."""
        return self.before, self.after, self.number is not None

    @property
    def pattern(self) -> str:
        """With ``#`` for the number's digits, in the padding people write."""
        marks = "" if self.number is None else "#" * len(self.digits.lstrip("-"))
        return f"{self.before}{marks}{self.after}"

    @property
    def title(self) -> str:
        """What to call the sequence: the name without number and suffix, empty if that is all."""
        if self.number is None:
            return Path(self.before).stem
        head, tail = self.before.rstrip("._- "), self.after.rpartition(".")[0].strip("._- ")
        return "_".join(part for part in (head, tail) if part)


@dataclass(frozen=True)
class _Number:
    start: int
    stop: int
    text: str
    alone: bool  # no letter before it

    @property
    def strong(self) -> bool:
        digits = self.text.lstrip("-")
        return self.alone and (len(digits) >= _WIDE or (len(digits) > 1 and digits[0] == "0"))


def split_names(names: Iterable[str]) -> dict[str, Name]:
    """Finds the frame numbers in the names of the files of one folder.

    Args:
        names: Without folders.
    """
    shapes: dict[str, list[tuple[str, list[_Number]]]] = defaultdict(list)
    for name in names:
        numbers = _numbers(name)
        shapes[_shape(name, numbers)].append((name, numbers))
    split: dict[str, Name] = {}
    for files in shapes.values():
        place = _place([numbers for _, numbers in files])
        for name, numbers in files:
            split[name] = Name(name) if place is None else _split(name, numbers[place])
    return split


def in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of all their numbers, as people read them: a9 before a10.

    What stands behind the dot of a time stamp is a fraction: 1305031102.5 comes after 1305031102.25.

    Args:
        names: Without folders.
    """
    return sorted(names, key=lambda name: (_order(name), name))


def shape_of(name: str) -> str:
    """A name with all its numbers taken out: the same for files that differ in nothing else.

    Args:
        name: Without folders.
    """
    return _DIGITS.sub("#", name)


def _order(name: str) -> list[tuple[str, float, str]]:
    order: list[tuple[str, float, str]] = []
    at = 0
    for match in re.finditer(r"[0-9]{9,}\.[0-9]+|" + _DIGITS.pattern, name):
        order.append((name[at : match.start()].casefold(), 0.0, ""))
        whole, _, fraction = match[0].partition(".")
        order.append(("", int(whole), fraction))
        at = match.end()
    return [*order, (name[at:].casefold(), 0.0, "")]


def _numbers(name: str) -> list[_Number]:
    """The numbers of a name that may count frames."""
    stem = Path(name).stem
    found = []
    for match in _DIGITS.finditer(stem):
        before, after = stem[: match.start("digits")], stem[match.end() :]
        if _VERSION.search(before) or _MEASURE.match(after) or re.match(r"(?i)x[0-9]", after):
            continue
        if re.search(r"(?i)[0-9]x$", before) or int(match["digits"]) > LARGEST:
            continue
        alone = not before[-1:].isalpha() and not after[:1].isalpha()
        found.append(_Number(match.start(), match.end(), match[0], alone))
    return found


def _shape(name: str, numbers: Sequence[_Number]) -> str:
    parts, at = [], 0
    for number in numbers:
        parts += [name[at : number.start], "\0"]
        at = number.stop
    return "".join([*parts, name[at:]])


def _place(files: Sequence[Sequence[_Number]]) -> int | None:
    """Which of their numbers counts the frames of files of one shape."""
    count = len(files[0])
    if not count:
        return None
    texts = [tuple(number.text for number in numbers) for numbers in files]

    def rank(place: int) -> tuple[bool, int, int, int]:
        runs: dict[tuple[str, ...], int] = defaultdict(int)
        for text in texts:
            runs[text[:place] + text[place + 1 :]] += 1
        longest = max(runs.values())
        likely = (longest > 1) + any(numbers[place].strong for numbers in files)
        return files[0][place].alone, likely, longest if likely > 1 else 0, place

    return max(range(count), key=rank)


def _split(name: str, number: _Number) -> Name:
    return Name(name[: number.start], name[number.stop :], int(number.text), number.text)
