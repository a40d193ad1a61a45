"""The pictures that a finished job is depth of, wherever its clip still is."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..clip import Clip, ShotView, open_clip
from ..clip.options import ClipOptions
from ..errors import InputError
from ..geometry.camera_files.plate import Plate
from ..types import Shot
from .manifest import Manifest
from .naming import safe_name

if TYPE_CHECKING:
    from .sequence import DepthSequence


def plate_of(manifest: Manifest, path: Path | None = None) -> Clip:
    """The job's clip, opened as the job opened it.

    Args:
        manifest: Of the finished job.
        path: Where the clip is now; None: where the job found it.

    Raises:
        InputError: it is gone, or another; or the job was resampled in time.
    """
    if manifest.count != manifest.frames.stop - manifest.frames.first:
        raise InputError(
            f"The depth of {manifest.clip.name} was resampled to a constant rate: its frames are not the "
            "clip's.",
            "Estimate the clip without --cfr.",
        )
    given = {name: manifest.configuration.get(name) for name in ClipOptions.model_fields}
    options = ClipOptions(**{name: value for name, value in given.items() if value is not None})
    try:
        clip = open_clip(path or Path(manifest.clip.path), **options.clip_options())
    except InputError as error:
        if path is not None or os.path.exists(manifest.clip.path):
            raise
        raise InputError(error.message, "Say where the job's clip is with --clip.") from error
    if (clip.info.width, clip.info.height) != (manifest.clip.width, manifest.clip.height):
        hint = "Estimate it again." if path is None else f"Name {manifest.clip.name} itself."
        raise InputError(f"{clip.info.path} is no longer the clip it was.", hint)
    return clip


def camera_plate(
    sequence: DepthSequence, clip: Clip, count: int | None = None, times: Sequence[Fraction] | None = None
) -> Plate:
    """A job's clip as camera files see it.

    Args:
        sequence: The finished job.
        clip: From `plate_of`.
        count: Its frames, all of them; None: as it declares.
        times: Seconds of each frame since the first; None: even.
    """
    info, manifest = clip.info, sequence.manifest
    count = max(info.frames_declared or 0, manifest.frames.stop) if count is None else count
    plate = Plate.of(info, count, sequence.intrinsics, clip.files, times)
    return replace(plate, stem=safe_name(manifest.clip.name), shift=shift_of(manifest, clip))


def shift_of(manifest: Manifest, clip: Clip) -> int:
    """What the numbers of a job's files have over the clip's own.

    Args:
        manifest: Of the finished job.
        clip: From `plate_of`.
    """
    return manifest.frames.start_number - manifest.frames.first - (clip.info.first_number or 0)


def pictures(manifest: Manifest, numbers: Iterable[int]) -> Generator[np.ndarray]:
    """The plates of some output frames, in order: (H, W, 3) uint8.

    Args:
        manifest: Of the finished job.
        numbers: Of frames that it has, ascending.

    Raises:
        InputError: as `plate_of` says, or a frame cannot be read.
    """
    clip, wanted = plate_of(manifest), list(numbers)
    for entry in manifest.shots:
        own = [number for number in wanted if entry.start_number <= number < entry.start_number + entry.count]
        if not own:
            continue
        first, last = own[0] - entry.start_number, own[-1] - entry.start_number
        view = ShotView(clip, Shot(entry.index, entry.start, entry.stop, entry.exposure))
        for index, frame in enumerate(view.frames(first, last + 1), first):
            if entry.start_number + index in own:
                yield frame.rgb
