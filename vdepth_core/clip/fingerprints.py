"""A clip's identity: what its files hold. No name, folder or date is part of it: a copy is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..checksums import Checksums
from ..errors import InputError
from ..progress import Progress
from .base import Clip

STAGE = "checksum"
_READERS = 4  # threads; hashing releases the interpreter
_LENGTH = 32  # hex digits a frame: 128 bits
_LONG = 1 << 30  # bytes; reading more takes so long that a person wants to see it


@dataclass(frozen=True)
class Fingerprint:
    """What a clip, or a range of a sequence, holds.

    Attributes:
        digest: SHA-256, the identity of the whole.
        frames: Content of each frame of a sequence, by its number; empty for a movie, whose frames lie in one
            file.
    """

    digest: str
    frames: Mapping[int, str] = field(default_factory=dict)

    def changed(self, before: Mapping[int, str]) -> list[int]:
        """Numbers of the frames that are not as they were, are new or are gone, in order.

        Args:
            before: Frame number -> fingerprint of the frame, as it was.
        """
        numbers = sorted(self.frames.keys() | before.keys())
        return [number for number in numbers if self.frames.get(number) != before.get(number)]


def fingerprint(
    clip: Clip,
    start: int = 0,
    stop: int | None = None,
    *,
    checksums: Checksums | None = None,
    progress: Progress | None = None,
) -> Fingerprint:
    """Reads every file of frames [start, stop) of a sequence, or a movie (a very large one in samples).

    Args:
        clip: The clip.
        start, stop: Clip frame indices; a movie is always taken as a whole.
        checksums: What is known of files read before.
        progress: Asked for cancellation, and told of a stage ``checksum`` where there is much to read.

    Raises:
        InputError: a file cannot be read.
        Cancelled: ``progress`` says so.
    """
    checksums, progress = checksums or Checksums(), progress or Progress()
    sequence = clip.info.kind == "sequence"
    files = clip.files[start:stop] if sequence else clip.files

    def read(index: int) -> str:
        progress.check()
        digest = checksums.of(files[index], sampled=not sequence)
        if long:
            progress.advance(STAGE)
        return digest

    try:
        long = sum(file.stat().st_size for file in files) > _LONG
        if long:
            progress.stage(STAGE, len(files))
        with ThreadPoolExecutor(_READERS, "vdepth-checksum") as pool:
            digests = list(pool.map(read, range(len(files))))
    except OSError as error:
        raise InputError(
            f"{error.filename or clip.source} cannot be read ({error.strerror or error}).",
            "Check the file and the disk it lies on.",
        ) from error
    if not sequence:
        return Fingerprint(digests[0])
    first = (clip.info.first_number or 0) + start
    frames = {first + index: digest[:_LENGTH] for index, digest in enumerate(digests)}
    whole = hashlib.sha256()
    for number, digest in frames.items():
        whole.update(f"{number}:{digest}\n".encode())
    return Fingerprint(whole.hexdigest(), frames)
