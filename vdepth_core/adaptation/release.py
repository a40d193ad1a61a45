"""What an adaptation leaves to the user: weights, a report, and the camera's path where one was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..geometry.camera import CameraSource, Intrinsics
from ..geometry.camera_path import CameraPath
from ..learning.state import parts_of
from .outlines import SOFT
from .report import Look, look, outlines, write_report
from .session import STUDENT

if TYPE_CHECKING:
    from ..learning.checkpoint import Standing
    from .session import Session

LENSES = {"given": "given", "estimated": "learnt from the clip", "assumed": "assumed"}
"""What to say of a path's lens, by its source."""


def weights_facts(session: Session, recipe: str, steps: int) -> dict[str, str]:
    """What the weights say about themselves: the stricter terms of student and teacher hold.

    Where somebody knows a unit, of a path or of two eyes, disparity has a meaning in it.

    Args:
        session: Of the run, with what is believed in its modules.
        recipe: Its name.
        steps: Of training.
    """
    student, teacher = session.student, session.teacher
    meaning = session.meaning() if session.meaning is not None else {}
    specs = [student.spec] if teacher is None else [student.spec, teacher.spec]
    sides = zip(("height", "width"), student.spec.fixed_size or (), strict=False)
    return {
        "license": " AND ".join(dict.fromkeys(spec.license for spec in specs)),
        "commercial": "true" if all(spec.commercial for spec in specs) else "false",
        "source": student.spec.name,
        "sha256": student.spec.weights_sha256,
        "recipe": recipe,
        "steps": str(steps),
        **{side: str(pixels) for side, pixels in sides},  # of a network of one size
        **meaning,
    } | ({} if teacher is None else {"teacher": teacher.spec.name})


def camera_path(session: Session) -> CameraPath | None:
    """Where the cameras are believed to have been; None: the recipe does not ask.

    Args:
        session: With what is believed in its modules.
    """
    cameras = session.cameras
    if cameras is None:
        return None
    info, footage = session.clip.info, session.footage
    with torch.no_grad():
        poses = cameras.path.poses(range(footage.count)).cpu().numpy()
        K = cameras.lens.matrix().double().cpu().numpy()
    poses[:, :3, 3] /= cameras.unit
    found: CameraSource = "estimated" if cameras.lens.focal.requires_grad else "assumed"
    own = Intrinsics(
        float(K[0, 0]), float(K[1, 1]), float(K[0, 2]) + 0.5, float(K[1, 2]) + 0.5,
        "given" if session.lens is not None else found,
    )  # fmt: skip
    return CameraPath(
        tuple(session.numbers),
        poses,
        (own.scaled(info.width / footage.width, info.height / footage.height),),
        info.width,
        info.height,
        session.path.unit if session.path is not None else "arbitrary",
    )


def look_at(session: Session, weights: Mapping[str, Tensor]) -> Look:
    """What the student says with some weights; they stay in it.

    Args:
        session: Of the run.
        weights: The student's.
    """
    student = session.student
    student.network.load_state_dict(weights)

    def disparity(index: int) -> np.ndarray:
        with torch.no_grad():
            maps = student.predict(session.footage.pictures([index]).to(student.device))
        found: np.ndarray = maps[0].cpu().numpy()
        return found

    return look(session.footage, disparity, session.progress)


def report(
    path: Path,
    session: Session,
    recipe: str,
    standing: Standing,
    untouched: Mapping[str, Tensor],
    found: CameraPath | None,
    warnings: Sequence[str],
) -> None:
    """Writes the report; the kept weights are in the student afterwards.

    Warns where the adapted depth has lost much of its outlines' contrast.

    Args:
        path: The HTML file.
        session, recipe, standing: The run.
        untouched: The student's weights before it.
        found: The camera's path, if any.
        warnings: Sentences so far.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
        Cancelled: the user asked to stop.
    """
    looks = look_at(session, untouched), look_at(session, parts_of(standing.kept, STUDENT))
    kept = outlines(looks)
    if kept is not None and kept < SOFT:
        remedy = "fewer steps or more --edges" if session.cameras is not None else "fewer steps"
        softer = (
            f"Depth's outlines have {100 * (1 - kept):.0f} % less contrast than before: look at the pictures "
            f"of {path.name}; {remedy} would keep more."
        )
        session.progress.warn(softer)
        warnings = list(dict.fromkeys((*warnings, softer)))  # whoever listens may have added it already
    counters, info = standing.counters, session.clip.info
    facts = [
        ("Clip", info.path.name),
        ("Frames", f"{session.footage.count} in {len(session.shots)} shot{'s' * (len(session.shots) != 1)}"),
        ("Network's picture", f"{session.footage.width} × {session.footage.height}"),
        ("Recipe", recipe),
        ("Model", session.student.spec.name),
        ("Steps", str(counters.step)),
    ]
    if session.cameras is not None and found is not None:
        lens = found.intrinsics[0]
        fov = 2 * np.degrees(np.arctan(info.width / 2 / lens.fx))
        facts += [
            ("Lens", f"{fov:.1f} degrees across ({LENSES[lens.source]})"),
            ("Camera", "from the camera file" if session.path else "recovered from the clip"),
            ("Gap", ", ".join(f"{gap} frames" for gap in session.cameras.gaps)),
        ]
    facts += [(name, tell()) for name, tell in session.told.items()]
    changed = sum(_best(standing).values()) < sum(counters.history[0][1].values())
    verdict = (
        f"Adapted by {recipe} in {counters.step} steps."
        if changed
        else "Nothing improved on what was held out: the weights are those of the model as it was."
    )
    write_report(
        path, f"Adapting to {info.path.name}", verdict, session.footage, session.numbers, looks,
        counters, facts, warnings,
    )  # fmt: skip


def _best(standing: Standing) -> dict[str, float]:
    return min(standing.counters.history, key=lambda entry: sum(entry[1].values()))[1]
