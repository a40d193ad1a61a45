"""How two eyes stand to each other, found from matches of their pictures before anything is learnt.

What is near lies further left in the right eye's picture than what is far, wherever the eyes converge: that
tells left from right. One line through the matches says what disparity the model's numbers mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..align.scale_shift import fit_pair
from ..errors import InputError
from ..flow.dis import DisFlow

if TYPE_CHECKING:
    from ..learning.student import Student
    from ..progress import Progress
    from ..store import FrameArray
    from .footage import Footage

STAGE = "match"
FRAMES = 12  # pairs, spread over the clip
GRID = 4  # every fourth pixel of them both ways
_SURE = 0.5  # of a match, by its way there and back
_MATCHED = 0.25  # least share of pixels with a match
_SAME = 0.25  # pixels; what the matches of one picture with itself may be off
_ROUGH, _CROOKED = 0.004, 0.02  # of the height: three quarters of the rows are at most so far off
_ROUGH_PIXELS = 0.75  # but matches are no better than this
_TELLS = 0.1  # confidence of a line (`fit_pair`) from which the model tells near from far


@dataclass(frozen=True)
class Rig:
    """What the matches say.

    Attributes:
        scale, shift: Disparity in widths = scale · model's disparity + shift; scale is positive.
        vertical: Three quarters of the matches are at most so far off their row, as a share of the height.
        crossed: Share of the matches that lie further right in the right eye's picture.
        agreement: Whether the model agrees with the matches about what is near.
    """

    scale: float
    shift: float
    vertical: float
    crossed: float
    agreement: bool


def find_rig(footage: Footage, right: FrameArray, student: Student, progress: Progress) -> Rig:
    """Matches both eyes in some frames, and lays the model's disparity through the matches.

    Args:
        footage: The left eye's frames.
        right: The right eye's, of the same shape.
        student: Before it is adapted.
        progress: Stage ``match``; may cancel.

    Raises:
        InputError: the eyes are swapped, not rectified, show the same or different things; or the model
            gives the same depth everywhere.
        Cancelled: the user asked to stop.
    """
    chosen = np.unique(np.linspace(0, footage.count - 1, FRAMES).round().astype(int)).tolist()
    progress.stage(STAGE, len(chosen))
    matches, matched = [], 0.0
    estimator = DisFlow("medium")
    for index in chosen:
        with progress.step(STAGE):
            flow, seen = estimator.motion(footage.frames.read(index)[0], right.read(index)[0])
            with torch.no_grad():
                own = student.predict(footage.pictures([index]).to(student.device))[0].cpu().numpy()
            sure = seen[::GRID, ::GRID] > _SURE
            matched += float(sure.mean()) / len(chosen)
            found = np.dstack((own, flow))[::GRID, ::GRID][sure]
            matches.append(found.astype(np.float64))
    own, across, down = np.concatenate(matches).T
    if matched < _MATCHED:
        raise InputError(
            "The pictures of the two eyes do not match.", "Give both eyes of one rig, at the same moments."
        )
    vertical = _check_rows(down, footage.height, progress)
    if np.quantile(np.abs(across), 0.95) < _SAME:
        raise InputError(
            "Both eyes show the same picture, so there is no disparity to learn from.",
            "Give the other eye's clip with --right.",
        )
    return _fit(own, -across / footage.width, vertical, progress)


def _check_rows(down: np.ndarray, height: int, progress: Progress) -> float:
    """How far the matches are off their rows; refuses a rig that was never rectified."""
    off = float(np.quantile(np.abs(down), 0.75))
    if off > _CROOKED * height:
        raise InputError(
            f"The pictures of the two eyes differ by {off / height:.1%} of their height vertically.",
            "Rectify them first: rows must show the same.",
        )
    if off > max(_ROUGH * height, _ROUGH_PIXELS):
        progress.warn(
            f"The pictures of the two eyes differ by {off / height:.1%} of their height vertically; "
            "rectified ones would teach more."
        )
    return off / height


def _fit(own: np.ndarray, disparity: np.ndarray, vertical: float, progress: Progress) -> Rig:
    (mx, sx), (my, sy) = _spread(own), _spread(disparity)
    if sx <= 1e-9 * max(1.0, abs(mx)):
        raise InputError(
            "The model gives the same depth everywhere in this clip.",
            "Choose another model, or another part.",
        )
    x, y = (own - mx) / sx, (disparity - my) / max(sy, 1e-9)
    fit, mirrored = fit_pair(x, y), fit_pair(x, -y)
    backed, denied = (found.weight if found is not None else 0.0 for found in (fit, mirrored))
    crossed = float((disparity < 0).mean())
    agreement = max(backed, denied) > _TELLS
    if denied > backed if agreement else crossed > 0.5:
        raise InputError(
            "The eyes seem to be swapped: what is near lies further right in the right eye's picture.",
            "Exchange the clips, or the halves.",
        )
    if not agreement or fit is None:
        progress.warn("The model hardly agrees with the eyes about what is near; it may change a lot.")
        return Rig(sy / sx, my - mx * sy / sx, vertical, crossed, agreement=False)
    scale = fit.scale * sy / sx
    return Rig(scale, my + fit.shift * sy - scale * mx, vertical, crossed, agreement=True)


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Median, and mean absolute deviation from it."""
    median = float(np.median(values))
    return median, float(np.abs(values - median).mean())
