"""From a clip and the untouched model to cameras: what every recipe by view synthesis begins with.

The steps: each shot gets its gap, the model predicts the clip as it is, the cameras are taken from the user
or solved from flow and that depth, what moves by itself is found, disparity gets its meaning, and depth is
triangulated. All of it lies in the session's folder; a stopped preparation goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import UsageError
from ..geometry.camera import Intrinsics
from .cameras import Cameras, Lens, Path, Reading
from .depths import Depths
from .lens import matrix_at
from .meaning import find_meaning
from .targets import choose_gap

if TYPE_CHECKING:
    from .options import ViewOptions
    from .session import Session

RATE = 1e-2  # of what is learnt beside the network, whose steps are hundredths (`cameras.STEP`)
_BATCH = 4


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
    gaps = [options.gap or choose_gap(footage, shot) for shot in footage.shots]
    remember_start(session)
    K, poses = _known(session)
    affine = session.student.spec.space == "affine_invariant"
    meaning = find_meaning(footage, K, poses, gaps, affine)
    if not meaning.agreement:
        progress.warn("The model and the clip hardly agree about what is near; the model may change a lot.")
    scaled = poses.copy()
    scaled[:, :3, 3] *= meaning.unit
    depths = None
    if options.geometric:
        depths = session.keep(Depths(session.folder, footage))
        depths.find(K, scaled, gaps, None, progress)
    session.cameras = Cameras(
        session.bring("path", Path(scaled, learnt=session.path is None), RATE),
        session.bring("lens", Lens(K, learnt=session.lens is None), RATE),
        session.bring("reading", Reading(meaning.scale, meaning.shift, affine), RATE),
        meaning.unit,
        gaps,
        None,
        depths,
    )
    return session.cameras


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


def _known(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """K at the footage's size, and the poses of its frames, as the user knows them."""
    if session.path is None:
        raise UsageError("The camera's path is not known.", "Give it with --camera.")
    info, footage = session.clip.info, session.footage
    lens = session.lens or Intrinsics.default(info.width, info.height, info.pixel_aspect)
    poses = np.stack([session.path.pose(number) for number in session.numbers])
    return matrix_at(lens, (info.height, info.width), (footage.height, footage.width)), poses
