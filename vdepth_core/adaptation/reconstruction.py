"""From a clip and the untouched model to cameras: what every recipe by view synthesis begins with.

The steps: each shot gets its gap, the model predicts the clip as it is, the cameras are taken from the user
or solved from flow and that depth, what moves by itself is found, disparity gets its meaning, and depth is
triangulated. All of it lies in the session's folder; a stopped preparation goes on where it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..files import write_bytes
from ..geometry.camera import Intrinsics
from ..models.metric import reading_fact
from .cameras import LEAST, Cameras, Lens, Path, Reading
from .depths import Depths
from .gaps import choose_gaps
from .lens import matrix_at
from .meaning import find_meaning
from .moving import find_moving, open_static
from .parallax import check_parallax
from .solving import solve
from .targets import trusted_spans

if TYPE_CHECKING:
    from .options import ViewOptions
    from .session import Session

READING_RATE = 1e-2  # steps are hundredths of a factor e (`cameras.STEP`), and of the median's inverse depth
RATE = (
    2e-3  # of path and lens: solved from points, they are nearer to the truth than the depth that moves them
)
_KEPT = "cameras.json"
_BATCH = 4


@dataclass(frozen=True)
class _Solved:
    """Poses (N, 4, 4) camera-to-world, K (3, 3), which frames' poses are explained, gaps of the shots."""

    poses: np.ndarray
    K: np.ndarray
    trusted: np.ndarray
    focal_known: bool
    gaps: list[int]


def reconstruct(session: Session, options: ViewOptions) -> Cameras:
    """Finds the clip's cameras, brings them into the session, and triangulates.

    Args:
        session: Its ``lens`` and ``path`` are what the user knows; its ``cameras`` are filled.
        options: Of the recipe.

    Raises:
        InputError: the clip shows no parallax, or no camera explains it.
        Cancelled: the user asked to stop.
    """
    footage, progress = session.footage, session.progress
    solved = _solved(session, options)
    spans, gaps = trusted_spans(footage.shots, solved.gaps, solved.trusted)
    affine = session.student.spec.space == "affine_invariant"
    meaning = find_meaning(footage, solved.K, solved.poses, spans, gaps, affine)
    if not meaning.agreement:
        progress.warn("The model and the clip hardly agree about what is near; the model may change a lot.")
    poses = solved.poses.copy()
    poses[:, :3, 3] *= meaning.unit
    static = None
    if options.moving:
        static = session.keep(open_static(session.folder, footage))
        find_moving(footage, static, solved.K, solved.poses, spans, gaps, progress)
    depths = None
    if options.geometric:
        depths = session.keep(Depths(session.folder, footage))
        depths.find(solved.K, poses, spans, gaps, static, progress)
    session.cameras = Cameras(
        session.bring("path", Path(poses, learnt=session.path is None), RATE),
        session.bring("lens", Lens(solved.K, learnt=not solved.focal_known), RATE),
        session.bring("reading", Reading(meaning.scale, meaning.shift, affine), READING_RATE),
        meaning.unit,
        spans,
        gaps,
        static,
        depths,
    )
    if session.path is not None and session.path.unit != "arbitrary":
        session.meaning = partial(_meaning, session.cameras, session.path.unit)
    return session.cameras


def _meaning(cameras: Cameras, unit: str) -> dict[str, str]:
    """What disparity is along a path whose unit somebody knows."""
    scale, shift = (cameras.unit * value for value in cameras.reading.values())
    return reading_fact(scale, shift, cameras.unit * LEAST) | {"unit": unit}


def remember_start(session: Session) -> None:
    """Writes the untouched model's disparity to ``footage.target``; stage ``infer``.

    Args:
        session: Whose student it is.

    Raises:
        Cancelled: the user asked to stop.
    """
    footage, progress = session.footage, session.progress
    progress.stage("infer", footage.count)
    for first in range(0, footage.count, _BATCH):
        indices = list(range(first, min(first + _BATCH, footage.count)))
        with progress.step("infer", len(indices)):
            if not all(footage.target.done(index) for index in indices):
                with torch.no_grad():
                    maps = session.student.predict(footage.pictures(indices).to(session.device))
                footage.target.write(first, maps.cpu().numpy())


def _solved(session: Session, options: ViewOptions) -> _Solved:
    """The cameras as the user knows them or as they are solved; kept on disk, as solving takes its time."""
    footage, progress, kept = session.footage, session.progress, session.folder / _KEPT
    info, K, poses = session.clip.info, None, None
    sizes = (info.height, info.width), (footage.height, footage.width)
    if session.lens is not None:
        K = matrix_at(session.lens, *sizes)
    trusted = np.ones(footage.count, bool)
    if session.path is not None:
        trusted = np.isin(session.numbers, session.path.numbers)
        known = zip(session.numbers, trusted, strict=True)
        poses = np.stack([session.path.pose(number) if there else np.eye(4) for number, there in known])
    shown = None if poses is not None else check_parallax(footage, progress, info.path.name)
    gaps = [options.gap] * len(footage.shots) if options.gap else choose_gaps(footage, progress)
    remember_start(session)
    if K is not None and poses is not None:
        return _Solved(poses, K, trusted, True, gaps)
    if not kept.exists():
        found = solve(
            footage,
            lambda index: footage.target.read(index)[0],
            session.student.spec.space == "affine_invariant",
            K,
            poses,
            progress,
            gaps,
            shown,
            matrix_at(Intrinsics.default(info.width, info.height, info.pixel_aspect), *sizes),
        )
        facts = {
            "poses": found.poses.tolist(),
            "K": found.K.tolist(),
            "trusted": (found.trusted & trusted).tolist(),
            "focal_known": found.focal_known,
        }
        write_bytes(kept, json.dumps(facts).encode())  # numbers are read back to the last bit
    facts = json.loads(kept.read_text())
    return _Solved(
        np.array(facts["poses"]), np.array(facts["K"]), np.array(facts["trusted"]), facts["focal_known"], gaps
    )
