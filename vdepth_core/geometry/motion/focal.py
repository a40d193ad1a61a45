"""The focal length of a clip from nothing but its motion, and how sure it is.

Stretches of the clip's shots are bundle-adjusted with a free focal length (`shots`), begun from two views.
What each stretch says is weighed by what it is sure of; where stretches contradict each other, the result is
as unsure as they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...clip import ShotView
from ...errors import InputError
from ...progress import Progress
from ..bundle import Rules, cost_of
from ..camera import DEFAULT_FOV, Intrinsics
from .gaps import choose_gap
from .parallax import WIDTH, Motion, motion_of
from .shots import ALIKE, Said, ShotSolution, solve_shot
from .sightings import STEPS, look_around
from .two_views import inverse_depths

if TYPE_CHECKING:
    from ...clip import Clip
    from ...types import Shot

STAGE = "lens"
VAGUE = 0.15
"""Standard deviation of the focal length's logarithm above which it is not known."""
STRETCHES = 3  # of a clip
SPAN = 96  # frames that are read of each …
FRAMES = 28  # … and these, at most, are solved for
LEAST = 8  # frames a stretch needs
SHORT = 2.5  # by which a bundle's own deviation is short of what it is off: benchmarks/focal.py
FLOOR = 0.01  # no focal length is surer: a centre a percent aside, a lens that bends a little do as much
TRUSTED = 0.8  # of the frames have to be explained
STARTS = (0.6, 0.96, 1.6)  # focal lengths in widths: 80, 55 and 35 degrees
_HINT = "Give the lens with --fov or --camera FILE."


@dataclass(frozen=True)
class Stretch:
    """What some frames in a row say.

    Attributes:
        motion: What the camera does in them.
        focal: Focal length in widths of the picture; 0: they do not say.
        error: Standard deviation of its logarithm.
    """

    motion: Motion
    focal: float = 0.0
    error: float = np.inf


def lens_from_motion(clip: Clip, start: int, stop: int | None, progress: Progress) -> Intrinsics:
    """The plate's camera, one for the whole clip, found from how it moves; stage ``lens``.

    Args:
        clip: Opened; it is scanned for cuts.
        start, stop: Its frames that count; stop None: to the end.
        progress: Told of each stretch; may cancel.

    Raises:
        InputError: the camera does not travel, its motion does not say enough, or a picture is damaged.
        Cancelled: the user asked to stop.
    """
    info, name = clip.info, clip.info.path.name
    shots = [
        shot for shot in clip.scan(start=start, stop=stop, progress=_Unseen(progress)) if len(shot) >= LEAST
    ]
    chosen = _stretches(shots)
    progress.stage(STAGE, len(chosen))
    found = []
    for shot in chosen:
        with progress.step(STAGE):
            found.append(look_at(_read(clip, shot), progress))
    if not any(one.motion == "travels" for one in found):
        what = "stands still" if found else "is seen too briefly"
        if any(one.motion == "turns" for one in found):
            what = "only turns, or sees something flat,"
        raise InputError(f"The camera {what} in {name}, which does not say what its lens is.", _HINT)
    focal, error = together(found)
    if not error <= VAGUE:
        known = f"to ± {error:.0%} only" if error < 1 else "not at all"
        raise InputError(f"How the camera moves in {name} tells its focal length {known}.", _HINT)
    width = info.width
    wide = 2 * np.degrees(np.arctan(0.5 / focal))
    used = len([one for one in found if one.focal > 0])
    detail = f"{used} stretch{'es' * (used != 1)} of the clip"
    lens = Intrinsics.from_fov(float(wide), width, info.height, info.pixel_aspect, "motion")
    return Intrinsics(lens.fx, lens.fy, lens.cx, lens.cy, "motion", detail, error)


def together(found: Sequence[Stretch]) -> tuple[float, float]:
    """Focal length in widths, and the standard deviation of its logarithm, of all stretches.

    Args:
        found: What each says; one at least says something.
    """
    said = [one for one in found if one.focal > 0]
    if not said:
        return 1.0, np.inf
    logs, weights = np.log([one.focal for one in said]), np.array([one.error**-2.0 for one in said])
    middle = float(weights @ logs / weights.sum())
    # Birge's ratio: by how much they scatter more than they should, each by itself
    scatter = float(weights @ (logs - middle) ** 2) / max(len(said) - 1, 1)
    error = float(weights.sum() ** -0.5) * max(1.0, scatter**0.5)
    return float(np.exp(middle)), max(error, FLOOR)


def look_at(lumas: Sequence[np.ndarray], progress: Progress) -> Stretch:
    """What a stretch of frames says of the lens.

    Args:
        lumas: (h, w) uint8 each, in a row.
        progress: May cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    height, width = lumas[0].shape
    motion = motion_of(lumas.__getitem__, range(len(lumas)), width)
    if motion != "travels":
        return Stretch(motion)
    # neighbours as far apart as they are looked from anyway: more frames between say little and cost a lot
    step = max(1, choose_gap(lumas.__getitem__, range(len(lumas)), width) // STEPS)
    chosen = lumas[::step][:FRAMES]
    if len(chosen) < LEAST:
        step = max(1, len(lumas) // LEAST)
        chosen = lumas[::step][:FRAMES]
    luma: Callable[[int], np.ndarray] = chosen.__getitem__
    shot = range(len(chosen))
    tracks = look_around(luma, shot, choose_gap(luma, shot, width), progress)
    if not tracks:
        return Stretch(motion)
    tried: list[tuple[float, ShotSolution]] = []
    for focal in STARTS:
        progress.check()
        K = np.array(((focal * width, 0, (width - 1) / 2), (0, focal * width, (height - 1) / 2), (0, 0, 1.0)))
        inverse = [inverse_depths(track, K) for track in tracks]
        said = [Said(one, np.zeros(len(one), bool)) for one in inverse]  # a beginning, which nobody believes
        usual = width / 2 / np.tan(np.radians(DEFAULT_FOV) / 2)
        solved = solve_shot(tracks, said, len(chosen), 0, K, focal=True, affine=False, expected=usual)
        tried.append((cost_of(solved.sights, solved.scene, Rules()), solved))
    cost, best = min(tried, key=lambda one: one[0])
    if best.trusted.mean() < TRUSTED:
        return Stretch(motion)
    # Starts that end elsewhere and explain the points as well make it as unsure as they differ.
    unit = 2 * ALIKE * best.noise**2
    shares = np.exp([(cost - other) / unit for other, _ in tried])
    logs = np.log([one.scene.K[0, 0] / best.scene.K[0, 0] for _, one in tried])
    apart = float(np.sqrt(shares @ logs**2 / shares.sum()))
    error = float(np.linalg.norm((SHORT * best.focal_error, SHORT * apart, FLOOR)))
    return Stretch(motion, float(best.scene.K[0, 0]) / width, error)


class _Unseen(Progress):
    """Of a scan that is not the job's own: it can be cancelled with the rest, and nobody hears of it."""

    def __init__(self, listener: Progress) -> None:
        super().__init__()
        self._cancelled = listener._cancelled


def _stretches(shots: Sequence[Shot]) -> list[Shot]:
    """Parts to look at, spread over the clip."""
    parts = []
    for shot in shots:
        count = max(1, min(STRETCHES, len(shot) // SPAN))
        for place in np.linspace(0, max(0, len(shot) - SPAN), count).round().astype(int).tolist():
            part = shot.within(shot.start + place, shot.start + place + SPAN)
            parts += [part] if part is not None else []
    picked = np.unique(np.linspace(0, len(parts) - 1, min(STRETCHES, len(parts))).round().astype(int))
    return [parts[place] for place in picked] if parts else []


def _read(clip: Clip, shot: Shot) -> list[np.ndarray]:
    """Luma of a stretch, small, with square pixels."""
    info = clip.info
    height = max(1, round(WIDTH * info.height / info.width / float(info.pixel_aspect)))
    lumas = []
    with closing(ShotView(clip, shot).frames()) as frames:
        for frame in frames:
            small = cv2.resize(frame.rgb, (WIDTH, height), interpolation=cv2.INTER_AREA)
            lumas.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)))
    return lumas
