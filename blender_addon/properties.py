# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's properties: `Scene.vdepth` holds the settings, `MovieClip.vdepth` the result of a clip.

Each sub-group belongs to one panel. What a user can set on a mesh lies in its modifier's sockets, not here.
"""

from __future__ import annotations

import math

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from . import menus
from .compat import VERSION
from .options import OPTIONS
from .scene.follow_sky import follow_sky
from .settings.camera import VDEPTH_CameraSettings

_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if VERSION >= (4, 5) else set()
"""Options of a path that may begin with //; older Blenders take every path for one."""


# What a menu says of the core's choices; one that is new there appears here by its name alone.
_PRESETS = {
    "draft": ("Draft", "Frame by frame with a small model, for a first look"),
    "balanced": ("Balanced", "Steady depth at a moderate cost"),
    "best": ("Best", "The best installed model, steadied over the shot"),
}
_METHODS = {
    "framewise": ("Framewise", "Each frame alone: fast, may flicker"),
    "temporal": ("Temporal", "Frames aligned with each other and filtered along their motion"),
    "rolling": ("Rolling", "Snippets of near and far frames, aligned into one clip"),
}
_RELATIVE_MODELS = "for models that know depth only up to scale and shift"


def _sky_changed(clip_result: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    follow_sky(context.scene, clip_result.id_data)


class VDEPTH_ClipResult(bpy.types.PropertyGroup):
    """On a movie clip: where its depth is, and how far it was moved into the scene's units."""

    manifest: StringProperty(name="Manifest", subtype="FILE_PATH", options=_RELATIVE)  # type: ignore[valid-type]
    folder: StringProperty(  # type: ignore[valid-type]
        name="Folder",
        subtype="DIR_PATH",
        options=_RELATIVE,
        description="Where the last estimate of this clip was begun",
    )
    sky: EnumProperty(  # type: ignore[valid-type]
        name="Sky",
        items=(
            ("DOME", "Dome", "The sky stands on a dome far behind everything, without added light"),
            ("DROP", "Drop", "The sky is cut out: renders are transparent there"),
            ("KEEP", "Keep Plate", "The sky stays where the estimate has it, as it was filmed"),
        ),
        default="KEEP",
        update=_sky_changed,
        description="What becomes of the sky in mesh, relight and compositor",
    )
    scale: FloatProperty(name="Scale", default=1.0, description="Scene units a unit of the depth files")  # type: ignore[valid-type]


class VDEPTH_CompositorSettings(bpy.types.PropertyGroup):
    """Of the panel Compositor."""

    catch_shadows: BoolProperty(  # type: ignore[valid-type]
        name="Catch Shadows",
        default=True,
        description="Have the clip's mesh, where there is one, take the shadows of your objects (Cycles)",
    )
    fog: BoolProperty(  # type: ignore[valid-type]
        name="Fog", default=True, description="Add an example: the picture fades to a colour with distance"
    )
    defocus: BoolProperty(  # type: ignore[valid-type]
        name="Defocus", default=True, description="Add an example: the picture blurs away from a distance"
    )
    file_output: BoolProperty(  # type: ignore[valid-type]
        name="File Output",
        description="Write depth and picture as float EXR files with every rendered frame",
    )


class VDEPTH_MeshSettings(bpy.types.PropertyGroup):
    """Of the panel Mesh."""

    parent_to_camera: BoolProperty(  # type: ignore[valid-type]
        name="Parent to Camera",
        default=True,
        description="Keep the mesh in the scene camera's space, so that it moves with the camera",
    )
    match_lens: BoolProperty(  # type: ignore[valid-type]
        name="Lens", default=True, description="Focal length and shift from the clip's intrinsics"
    )
    match_resolution: BoolProperty(  # type: ignore[valid-type]
        name="Resolution", default=True, description="Render size and pixel aspect of the plate"
    )
    match_rate: BoolProperty(name="Frame Rate", default=True, description="Frame rate of the clip")  # type: ignore[valid-type]
    match_range: BoolProperty(  # type: ignore[valid-type]
        name="Frame Range", default=True, description="Start and end at the frames that have depth"
    )
    match_background: BoolProperty(  # type: ignore[valid-type]
        name="Background", default=True, description="Show the clip behind the scene in the camera's view"
    )


class VDEPTH_RelightSettings(bpy.types.PropertyGroup):
    """Of the panel Relight."""

    mode: EnumProperty(  # type: ignore[valid-type]
        name="Mode",
        description="What light falls on",
        items=(
            (
                "ADD",
                "Add Light",
                "The plate as it was filmed and what new lights add to it, shadowed by its own surfaces",
            ),
            (
                "DIFFUSE",
                "Matte Surface",
                "The footage is the colour of a matte surface, which new lights alone shine on",
            ),
            (
                "CATCHER",
                "Shadow Catcher",
                "The mesh is invisible but for the shadows that objects cast on it, to be put over the plate "
                "(Cycles; the render's film becomes transparent)",
            ),
        ),
    )
    dim_world: BoolProperty(  # type: ignore[valid-type]
        name="Dark World",
        description="Leave the light of the scene's world out until the mesh is unlit again",
        default=True,
    )
    sphere: BoolProperty(  # type: ignore[valid-type]
        name="Demo Sphere",
        description="Add a ball in front of the middle of the picture that casts a shadow",
        default=False,
    )


class VDEPTH_ViewSettings(bpy.types.PropertyGroup):
    """Of the panel Novel View."""

    holes: FloatProperty(  # type: ignore[valid-type]
        name="Empty Below",
        description="Share of the picture that may be empty, behind cuts and past the plate's borders, "
        "before Fill; the rig's limits follow from it",
        subtype="PERCENTAGE",
        default=3,
        min=0.1,
        max=50,
    )
    make_active: BoolProperty(  # type: ignore[valid-type]
        name="Scene Camera", description="Render through the new view's camera", default=True
    )
    animate: BoolProperty(  # type: ignore[valid-type]
        name="Animate", description="Key a gentle swing to both sides over the clip", default=False
    )


class VDEPTH_Settings(bpy.types.PropertyGroup):
    """On the scene: what to estimate, and how."""

    clip: PointerProperty(type=bpy.types.MovieClip, name="Clip", description="Clip to estimate")  # type: ignore[valid-type]
    source: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        items=(
            ("CLIP", "Active Clip", "The Clip Editor's clip, or the one chosen here"),
            ("CAMERA", "Camera Background", "The background clip or image of the scene's camera"),
            ("IMAGE", "Image", "A movie or image sequence that was opened as an image"),
            ("FILE", "File", "A movie, or one image of a sequence, on disk"),
        ),
        description="Where the clip is taken from",
    )
    image: PointerProperty(type=bpy.types.Image, name="Image", description="Movie or image sequence")  # type: ignore[valid-type]
    filepath: StringProperty(  # type: ignore[valid-type]
        name="File",
        subtype="FILE_PATH",
        options=_RELATIVE,
        description="A movie, or one image of a sequence",
    )
    range: EnumProperty(  # type: ignore[valid-type]
        name="Range",
        items=(
            ("WHOLE", "Whole Clip", "All frames of the clip"),
            ("SCENE", "Scene Range", "The clip's frames between the scene's start and end"),
            ("CUSTOM", "Custom", "The clip's frames between two frames of the scene"),
        ),
        description="Which frames are estimated",
    )
    frame_start: IntProperty(name="Start", default=1, description="First frame, as the scene counts")  # type: ignore[valid-type]
    frame_end: IntProperty(name="End", default=48, description="Last frame, as the scene counts")  # type: ignore[valid-type]
    preset: EnumProperty(  # type: ignore[valid-type]
        name="Preset",
        items=OPTIONS["preset"].items(_PRESETS),
        default=OPTIONS["preset"].default,
        description=OPTIONS["preset"].tooltip,
    )
    model: StringProperty(  # type: ignore[valid-type]
        name="Model", description=f"{OPTIONS['model'].tooltip}; empty for the preset's choice"
    )
    model_choice: EnumProperty(  # type: ignore[valid-type]
        name="Model",
        items=menus.items,
        get=menus.get_choice,
        set=menus.set_choice,
        description="Network that estimates the depth",
    )
    method: EnumProperty(  # type: ignore[valid-type]
        name="Method",
        items=(
            (menus.PRESET, "Preset's Choice", "What the preset takes"),
            *OPTIONS["method"].items(_METHODS),
        ),
        description="How the model is run over the clip",
    )
    boost: BoolProperty(name="Boost", description=OPTIONS["boost"].tooltip)  # type: ignore[valid-type]
    size: IntProperty(  # type: ignore[valid-type]
        name="Size",
        min=0,
        max=int(OPTIONS["size"].most),
        soft_max=1024,
        step=32,
        subtype="PIXEL",
        description=f"{OPTIONS['size'].tooltip}; 0 for the preset's choice",
    )
    non_commercial: BoolProperty(  # type: ignore[valid-type]
        name="Non-Commercial", description=OPTIONS["non_commercial"].tooltip
    )
    folder: StringProperty(  # type: ignore[valid-type]
        name="Folder",
        subtype="DIR_PATH",
        options=_RELATIVE,
        description="Folder of the files, empty for the one in the preferences; {clip} stands for the clip's "
        "name, // for the folder of the .blend",
    )
    sky: BoolProperty(name="Sky", description=OPTIONS["sky"].tooltip)  # type: ignore[valid-type]
    normals: BoolProperty(name="Normals", description=OPTIONS["normals"].tooltip)  # type: ignore[valid-type]
    near: FloatProperty(  # type: ignore[valid-type]
        name="Near",
        default=OPTIONS["near"].default,
        min=OPTIONS["near"].least,
        max=OPTIONS["near"].most,
        soft_max=1000.0,
        subtype="DISTANCE",
        description=f"{OPTIONS['near'].tooltip}, {_RELATIVE_MODELS}",
    )
    far: FloatProperty(  # type: ignore[valid-type]
        name="Far",
        default=OPTIONS["far"].default,
        min=OPTIONS["far"].least,
        max=OPTIONS["far"].most,
        soft_max=10000.0,
        subtype="DISTANCE",
        description=f"{OPTIONS['far'].tooltip}, {_RELATIVE_MODELS}",
    )
    follow_time: BoolProperty(  # type: ignore[valid-type]
        name="Match Variable Rate",
        default=True,
        description="Give a movie of variable frame rate one depth file for each frame Blender shows of it",
    )
    lens: EnumProperty(  # type: ignore[valid-type]
        name="Lens",
        items=(
            ("AUTO", "Automatic", "The camera solve if there is one, else what the model says"),
            ("CLIP", "Clip's Lens", "Focal length and sensor as set in the Clip Editor"),
            ("FOV", "Field of View", "The angle given here"),
            ("MODEL", "Model", "What the model sees; 55 degrees if it does not say"),
        ),
        description="Where the field of view is taken from",
    )
    fov: FloatProperty(  # type: ignore[valid-type]
        name="Field of View",
        default=0.959931,  # 55 degrees, what the core assumes
        min=math.radians(OPTIONS["fov"].least),
        max=math.radians(OPTIONS["fov"].most),
        subtype="ANGLE",
        description=OPTIONS["fov"].tooltip,
    )
    compositor: PointerProperty(type=VDEPTH_CompositorSettings)  # type: ignore[valid-type]
    mesh: PointerProperty(type=VDEPTH_MeshSettings)  # type: ignore[valid-type]
    camera: PointerProperty(type=VDEPTH_CameraSettings)  # type: ignore[valid-type]
    relight: PointerProperty(type=VDEPTH_RelightSettings)  # type: ignore[valid-type]
    view: PointerProperty(type=VDEPTH_ViewSettings)  # type: ignore[valid-type]


CLASSES = (
    VDEPTH_ClipResult,
    VDEPTH_CompositorSettings,
    VDEPTH_MeshSettings,
    VDEPTH_CameraSettings,
    VDEPTH_RelightSettings,
    VDEPTH_ViewSettings,
    VDEPTH_Settings,
)


def register() -> None:
    """Puts the settings on scenes and clips."""
    bpy.types.Scene.vdepth = PointerProperty(type=VDEPTH_Settings)
    bpy.types.MovieClip.vdepth = PointerProperty(type=VDEPTH_ClipResult)


def unregister() -> None:
    """Takes them off again."""
    del bpy.types.MovieClip.vdepth
    del bpy.types.Scene.vdepth
