"""The camera of a plate, and of a shot whose model sees the lens."""

from __future__ import annotations

import numpy as np

from ..geometry.camera import Intrinsics, load_intrinsics
from ..store import FrameArray
from ..types import ClipInfo
from .config import EstimateConfig

_FOV_RANGE = (1.0, 175.0)  # degrees; what --fov takes
_ZOOM = 1.15  # spread of the estimated field of view from which a user should hear of it


def plate_camera(info: ClipInfo, config: EstimateConfig) -> Intrinsics:
    """The plate's camera: from the file, the field of view, or assumed.

    Args:
        info: The clip.
        config: With what the user said of the camera.

    Raises:
        InputError: the file cannot be read or says something else.
    """
    plate = (info.width, info.height, info.pixel_aspect)
    if config.intrinsics is not None:
        return load_intrinsics(config.intrinsics, *plate)
    if config.fov is not None:
        return Intrinsics.from_fov(config.fov, *plate)
    return Intrinsics.default(*plate)


def shot_camera(plate: Intrinsics, fov: FrameArray, info: ClipInfo) -> tuple[Intrinsics, tuple[str, ...]]:
    """One camera for a shot, and sentences about it.

    What the user gave wins; then the median of what the model saw, because a focal length that changes from
    frame to frame makes depth breathe; then the assumption.

    Args:
        plate: What `plate_camera` gave.
        fov: Horizontal degrees that the model saw in each frame of the shot; empty without a `CameraModel`.
        info: The clip.
    """
    if plate.source == "given" or not fov.done(0):
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
