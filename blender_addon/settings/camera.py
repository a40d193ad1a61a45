# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the panel Camera & Scale."""

from __future__ import annotations

import math

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty


class VDEPTH_CameraSettings(bpy.types.PropertyGroup):
    """Of the panel Camera & Scale."""

    source: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        description="Where the mesh's focal length and optical axis are taken from",
        items=(
            ("SOLVE", "Solve", "The lens that the clip's camera solve ended with"),
            ("CLIP", "Clip Lens", "The lens entered in the Clip Editor's Track tab"),
            ("FOV", "Field of View", "The angle given here"),
            ("MODEL", "Model", "What the depth files were estimated with"),
        ),
        default="MODEL",
    )
    fov: FloatProperty(  # type: ignore[valid-type]
        name="Horizontal",
        description="Horizontal field of view of the plate",
        subtype="ANGLE",
        default=math.radians(55),
        min=math.radians(1),
        max=math.radians(170),
    )
    fit_camera: BoolProperty(  # type: ignore[valid-type]
        name="Fit Camera Too",
        description="Give the camera that the mesh is parented to the same focal length and shift",
        default=True,
    )
    parent_to_solve: BoolProperty(  # type: ignore[valid-type]
        name="Follow Solve",
        description="Put the mesh at the camera that follows the clip's solve, with the solve's lens",
        default=True,
    )
    make_active: BoolProperty(  # type: ignore[valid-type]
        name="Scene Camera", description="Render through the camera that follows the solve", default=True
    )
    floor: BoolProperty(  # type: ignore[valid-type]
        name="Floor",
        default=False,
        description="Set Up Shot also finds the ground, and puts it at Z = 0 with the camera above it",
    )
    horizon: EnumProperty(  # type: ignore[valid-type]
        name="Horizon",
        description="What the horizon is taken from; it says how far the far end of relative depth is",
        items=(
            ("auto", "Automatic", "What is picked, else the first that the shot shows of these"),
            ("uprights", "Uprights", "Upright edges of walls, doors and furniture"),
            ("lines", "Lines on the Ground", "Lanes, kerbs or boards that run to one point of the horizon"),
            ("far", "Far End", "The farthest is infinitely far, as where the sky is seen"),
            ("level", "Level Camera", "The camera looks neither up nor down"),
            ("depth", "As Estimated", "The depth itself, as near and far have it"),
        ),
        default="auto",
    )
    eye: FloatProperty(  # type: ignore[valid-type]
        name="Camera Height",
        description="Of the camera over the ground, which gives the scene its scale: 1.6 m is eye height, "
        "1.3 m a car's; not used where depth is in metres",
        subtype="DISTANCE",
        default=1.6,
        min=0.01,
        soft_max=10,
    )
