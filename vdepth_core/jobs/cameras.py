"""The camera of a plate, and of a shot whose model sees the lens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..geometry.camera import Intrinsics, load_intrinsics
from ..geometry.camera_files.formats import read_lens
from ..geometry.camera_files.plate import Plate
from ..store import FrameArray
from ..types import ClipInfo
from .config import MOTION, EstimateConfig

if TYPE_CHECKING:
    from ..clip import Clip
    from ..progress import Progress
    from .record import JobRecord

_FOV_RANGE = (1.0, 175.0)  # degrees; what --fov takes
_ZOOM = 1.15  # spread of the estimated field of view from which a user should hear of it


def plate_camera(info: ClipInfo, config: EstimateConfig) -> tuple[Intrinsics, tuple[str, ...]]:
    """The plate's camera from the best source that is known on opening the clip, and sentences about it.

    What the user gave wins; then what the clip's file tells; else it is assumed, and a model that sees the
    lens may know better (`shot_camera`). Finding it from the clip's motion is asked for and done elsewhere.

    Args:
        info: The clip.
        config: With what the user said of the camera.

    Raises:
        InputError: the file cannot be read or says something else.
        UsageError: reading it needs a package that is not installed.
    """
    plate = (info.width, info.height, info.pixel_aspect)
    default = Intrinsics.default(*plate)
    if config.camera not in (None, MOTION):
        file = Path(config.camera).expanduser()
        lens, notes = read_lens(file, Plate.of(info, max(1, info.frames_declared or 1), default))
        return replace(lens, source="given", detail=file.name), notes
    if config.intrinsics is not None:
        return load_intrinsics(config.intrinsics, *plate), ()
    if config.fov is not None:
        return Intrinsics.from_fov(config.fov, *plate), ()
    told = Intrinsics.told(info)
    return (default, ()) if told is None else (told, (info.lens.note,) if info.lens.note else ())


def moving_camera(
    clip: Clip, start: int, stop: int | None, before: JobRecord | None, digest: str, progress: Progress
) -> Intrinsics:
    """The plate's camera from the clip's motion; what the folder's job found of the same clip stays.

    Args:
        clip: Opened.
        start, stop: Its frames that count; stop None: to the end.
        before: The folder's job; None: none.
        digest: Of the clip's content.
        progress: Told of the work; may cancel.

    Raises:
        InputError: the camera does not travel, or its motion does not say enough.
        Cancelled: the user asked to stop.
    """
    if before is not None and before.camera is not None and before.clip.digest == digest:
        found = before.camera.intrinsics()
        if found.source == "motion":
            return found
    from ..geometry.motion.focal import lens_from_motion

    return lens_from_motion(clip, start, stop, progress)


def shot_camera(plate: Intrinsics, fov: FrameArray, info: ClipInfo) -> tuple[Intrinsics, tuple[str, ...]]:
    """One camera for a shot, and sentences about it.

    What is known of the plate wins; then the median of what the model saw, because a focal length that
    changes from frame to frame makes depth breathe; then the assumption.

    Args:
        plate: What `plate_camera` gave.
        fov: Horizontal degrees that the model saw in each frame of the shot; empty without a `CameraModel`.
        info: The clip.
    """
    if plate.source != "assumed" or not fov.done(0):
        return plate, ()
    views = fov.read(0, fov.count)
    middle = float(np.clip(np.median(views), *_FOV_RANGE))
    notes: tuple[str, ...] = ()
    low, high = np.quantile(views, (0.05, 0.95))
    if high > _ZOOM * low:
        notes = (
            f"The estimated field of view varies from {low:.1f} to {high:.1f} degrees: one lens of "
            f"{middle:.1f} was used for the shot. If it zooms, depth changes with it.",
        )
    camera = Intrinsics.from_fov(middle, info.width, info.height, info.pixel_aspect, "estimated")
    return camera, notes
