"""From the names a user gives to clips with a folder each, settled before the first of them begins.

Names that mean one clip are one clip. Folders differ whatever a disk makes of case and accents, and depend on
the clips alone, never on the order they were named in: two clips of one name are told apart by what else
they are called, then by the folders they lie in, then by a hash of their paths.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..clip.naming import find_sequence, is_sequence
from ..errors import VdepthError
from ..output.naming import folded, safe_name

_PARENTS = 3  # folders whose names may tell two clips apart
_PLACEHOLDER = re.compile(r"[._-]?(#+|@+|%0?\d*d|\$F\d*)$")


@dataclass
class Gathered:
    """One clip.

    Attributes:
        key: What makes it this clip and no other.
        path: What means it: of several names the first in the order of the alphabet.
        name: The clip's own name.
        first: Its first file, with all folders.
        files: Number of its files, 0 where it could not be opened.
        names: All names given for it, in the order given.
        folder: Where its results go.
    """

    key: tuple[str, ...]
    path: Path
    name: str
    first: Path
    files: int = 0
    names: list[Path] = field(default_factory=list)
    folder: Path = Path()


def gather(names: Sequence[Path], out: Path, every_file: bool = False, still: bool = False) -> list[Gathered]:
    """The clips that ``names`` mean, in the order of their first names; a single one gets ``out`` itself.

    Clips that cannot be opened keep a place of their own; opening them says what is wrong.

    Args:
        names: As the user gave them: files, folders, patterns; several frames of one sequence are one clip.
        out: The folder of the command; several clips get folders in it.
        every_file, still: As of `find_sequence`.
    """
    found: dict[tuple[str, ...], Gathered] = {}
    members: dict[Path, tuple[str, ...]] = {}  # frame -> its sequence, so that a folder is listed once
    for name in names:
        path = Path(os.path.abspath(name.expanduser()))
        key = members.get(path)
        if key is None:
            clip, files = _identify(name, path, every_file, still)
            key = clip.key
            found.setdefault(key, clip)
            members.update(dict.fromkeys(files, key))
        found[key].names.append(name)
    clips = list(found.values())
    for clip in clips:
        clip.path = min(clip.names, key=lambda name: (os.path.abspath(name), str(name)))
    for clip, folder in zip(clips, folder_names(clips), strict=True):
        clip.folder = out if len(clips) == 1 else out / folder
    return clips


def folder_names(clips: Sequence[Gathered]) -> list[str]:
    """One folder name a clip, each different from all others and from every other clip's own name.

    Args:
        clips: All of the command.
    """
    choices = [_choices(clip) for clip in clips]
    own = Counter(folded(choice[0]) for choice in choices)
    chosen = [0 if own[folded(choice[0])] == 1 else 1 for choice in choices]
    while True:
        taken = [folded(choice[number]) for choice, number in zip(choices, chosen, strict=True)]
        counts = Counter(taken)
        crowded = [
            index
            for index, name in enumerate(taken)
            if 0 < chosen[index] < len(choices[index]) - 1 and (counts[name] > 1 or name in own)
        ]
        if not crowded:
            return [choice[number] for choice, number in zip(choices, chosen, strict=True)]
        for index in crowded:
            chosen[index] += 1


def _choices(clip: Gathered) -> list[str]:
    """Names for a clip's folder, from the plainest to one that no other clip can have."""
    name, parents = safe_name(clip.name), clip.first.parent.parts[1:]
    digest = hashlib.sha256(os.fsencode("\0".join(clip.key))).hexdigest()
    more = [clip.first.suffix.removeprefix(".")]
    more += ["_".join(parents[-count:]) for count in range(1, min(_PARENTS, len(parents)) + 1)]
    return [name, *(f"{name}_{safe_name(part)}" for part in (*more, digest[:8], digest))]


def _identify(name: Path, path: Path, every_file: bool, still: bool) -> tuple[Gathered, Sequence[Path]]:
    """The clip that a name means, and the files that stand for the whole of it."""
    if is_sequence(path):
        try:
            sequence = find_sequence(path, every_file, still)
        except (VdepthError, OSError):
            stem = _PLACEHOLDER.sub("", path.stem) or "clip"
            return Gathered((str(path),), name, stem, path), ()
        first, last = sequence.files[0], sequence.files[-1]
        key = str(first.resolve()), str(last.resolve()), str(len(sequence.files))
        # One frame stands for all its siblings; a pattern may mean a few of them.
        files = sequence.files if path.is_file() else ()
        return Gathered(key, name, sequence.name, first, len(sequence.files)), files
    return Gathered((str(path.resolve()),), name, path.stem or "clip", path, 1), ()
