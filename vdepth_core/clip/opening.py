"""The front door: from what the user typed to a clip."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

from ..errors import InputError, UsageError
from .base import Clip
from .naming import is_sequence

_log = logging.getLogger(__name__)


def open_clip(
    path: Path | str,
    *,
    rate: Fraction | None = None,
    transfer: str | None = None,
    colorspace: str | None = None,
) -> Clip:
    """Opens a movie, a folder of images, one image of a sequence, or a pattern like ``shot.####.exr``.

    Args:
        path: File, folder or pattern.
        rate: Frames per second of an image sequence; by default what its EXR files say, else 24.
        transfer: The transfer characteristic (``pq``, ``hlg``, ``linear``, ``srgb`` …); by default what the
            files declare.
        colorspace: The colour space (``logc3``, ``acescg`` … or a name of the OpenColorIO configuration in
            force); by default what the files' metadata name.

    Raises:
        InputError: it does not exist or cannot be used; one sentence says why.
        UsageError: ``rate`` is given for a movie, which has its own; no such transfer or colour space.
    """
    path = Path(path).expanduser()
    if is_sequence(path):
        from .sequence import SequenceClip

        return SequenceClip(path, rate, transfer, colorspace)
    if not path.exists():
        raise InputError(
            f"{path} does not exist.", "Check the path; patterns like shot.####.exr need an image suffix."
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes).", "Copy or record it again.")
    if rate is not None:
        raise UsageError(f"{path.name} is a movie and has its own frame rate.", "Leave the rate out.")
    from .movie import MovieClip

    clip = MovieClip(path, transfer, colorspace)
    _log.debug("opened %s: %s", path, clip.info)
    return clip
