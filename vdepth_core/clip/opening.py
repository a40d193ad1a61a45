"""The front door: from what the user typed to a clip."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

from ..choices import Shown, one_of
from ..errors import InputError, UsageError
from .base import Clip
from .naming import find_sequence, is_sequence
from .peek import peek
from .timing import Timecode, can_drop, parse_timecode

_NOT_UPRIGHT = (
    "The file asks to turn or mirror its picture, and as stated not all of that is done; models see a "
    "picture that lies on its side worse."
)
_log = logging.getLogger(__name__)


def open_clip(
    path: Path | str,
    *,
    rate: Fraction | None = None,
    timecode: str | None = None,
    transfer: str | None = None,
    colorspace: str | None = None,
    layer: str | None = None,
    every_file: bool = False,
    still: bool = False,
    orientation: Shown | None = None,
) -> Clip:
    """Opens a movie, a folder of images, one image of a sequence, or a pattern like ``shot.####.exr``.

    Args:
        path: File, folder or pattern.
        rate: Frames per second of an image sequence; by default what its files say, else 24.
        timecode: Time code of the first frame, ``01:00:00:00``; by default what the files say.
        transfer: The transfer characteristic (``pq``, ``hlg``, ``linear``, ``srgb`` …); by default what the
            files declare.
        colorspace: The colour space (``logc3``, ``acescg`` … or a name of the OpenColorIO configuration in
            force); by default what the files' metadata name.
        layer: The layer of an EXR sequence; by default the beauty.
        every_file: Take all images there are in the order of the numbers in their names, gaps or not.
        still: Take one image by itself, whatever numbers it and its neighbours have.
        orientation: How much is done of what the files ask to make the picture upright, see
            `Orientation.shown`; by default all.

    Raises:
        InputError: it does not exist or cannot be used; one sentence says why.
        UsageError: an option does not go with the clip, as a movie has a rate and no layers, or is none.

    Examples:
        >>> import vdepth_core
        >>> clip = vdepth_core.open_clip("shot.mov")
        >>> clip.info.width, clip.info.height, clip.info.rate
        (96, 64, Fraction(24, 1))
        >>> next(clip.read(2, 3)).rgb.shape  # one frame, decoded
        (64, 96, 3)
    """
    if orientation is not None and orientation not in get_args(Shown):
        raise UsageError(f"There is no orientation {orientation}.", one_of(orientation, get_args(Shown)))
    path = Path(path).expanduser()
    code = None if timecode is None else parse_timecode(timecode)
    try:
        clip = _open(path, rate, code, transfer, colorspace, layer, every_file, still, orientation)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    if clip.info.shown != "upright":
        clip.info = replace(clip.info, notes=(*clip.info.notes, _NOT_UPRIGHT))
    if code is not None:
        clip.info = replace(clip.info, timecode=_counted(code, clip.info.rate))
    _log.debug("opened %s: %s", path, clip.info)
    return clip


def _open(
    path: Path,
    rate: Fraction | None,
    timecode: Timecode | None,
    transfer: str | None,
    colorspace: str | None,
    layer: str | None,
    every_file: bool,
    still: bool,
    orientation: Shown | None,
) -> Clip:
    if is_sequence(path):
        sequence = find_sequence(path, every_file, still)
        if not (len(sequence.files) == 1 and peek(sequence.files[0]).animated):
            from .sequence import SequenceClip

            return SequenceClip(path, sequence, rate, transfer, colorspace, layer, timecode, orientation)
        path = sequence.files[0]  # an animated PNG is a movie
    if not path.exists():
        hint = "Check the path; patterns like shot.####.exr need an image suffix."
        if any(sign in path.name for sign in "*?"):
            hint = "Leave the quotes out: movies are found by a pattern only by the shell."
        raise InputError(f"{path} does not exist.", hint)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes).", "Copy or record it again.")
    if rate is not None:
        raise UsageError(f"{path.name} is a movie and has its own frame rate.", "Leave the rate out.")
    for given, option in ((layer is not None, "--layer"), (every_file, "--every-file"), (still, "--still")):
        if given:
            raise UsageError(f"{path.name} is a movie; {option} is for images.", f"Leave {option} out.")
    from .movie import MovieClip

    return MovieClip(path, transfer, colorspace, orientation)


def _counted(code: Timecode, rate: Fraction) -> str:
    """The time code a user states, if a clip of this rate can have it."""
    last = max(1, round(rate)) - 1
    if code.frame > last:
        raise UsageError(
            f"--timecode {code} has frame {code.frame}, but at {rate} frames per second they end at {last}.",
            "State the time code at the clip's own rate.",
        )
    if code.drop_frame and not can_drop(rate):
        raise UsageError(
            f"--timecode {code} is drop-frame, which there is at 29.97 and 59.94 frames per second only.",
            f"Write it with colons, or state the rate with --rate; it is {rate} now.",
        )
    return str(code)
