"""The camera of a USD stage (``.usd``, ``.usda``, ``.usdc``, ``.usdz``): Houdini, Maya, Blender, Nuke.

A `UsdGeomCamera` looks along −z with y up. Focal length and apertures are in the same unit, so only their
ratios count; where the stage says how long its unit is (``metersPerUnit``), positions become metres.
Needs usd-core, the extra ``usd``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, UsageError
from ...files import require_file, write_bytes
from ..camera import Intrinsics
from ..camera_path import CameraPath
from .raw import RawPath, fault
from .rotations import FLIP

if TYPE_CHECKING:
    from .plate import Plate

ENDINGS = (".usd", ".usda", ".usdc", ".usdz")
_PRIM = "/World/Camera"
_APERTURE = 36.0  # wide, in tenths of a unit: USD's own measure of film
_SHAPE = 0.02  # how far the shape of the aperture may be off the plate's before only its width counts
_MOST = 1_000_000  # frames
_METRES = "metersPerUnit"
_HINT = "Export the camera alone, baked, over the frame range of the clip."


def read(path: Path, plate: Plate) -> RawPath:
    """Reads the one camera of a stage.

    Args:
        path: The file.
        plate: For its shape and, of a camera that stands still, its frames.

    Raises:
        UsageError: usd-core is not installed.
        InputError: it is no such file, or has no camera or several.
    """
    require_file(path)
    usd, geom = library()
    from pxr import Tf

    try:
        stage = usd.Stage.Open(str(path.absolute()))
    except Tf.ErrorException as error:
        raise fault(path, "", "USD cannot open it", _HINT) from error
    cameras = [prim for prim in stage.Traverse() if prim.IsA(geom.Camera)]
    if len(cameras) != 1:
        names = ", ".join(str(prim.GetPath()) for prim in cameras[:6])
        what = f"it has {len(cameras)} cameras: {names}" if cameras else "it has no camera"
        raise fault(path, "", what, _HINT)
    camera = geom.Camera(cameras[0])
    numbers, times = _frames(path, stage, camera, plate)
    scale = geom.GetStageMetersPerUnit(stage) if stage.HasAuthoredMetadata(_METRES) else 1.0
    poses, lenses, narrow = [], [], False
    cache = geom.XformCache()
    for time in times:
        cache.SetTime(time)
        placed = cache.GetLocalToWorldTransform(camera.GetPrim()).RemoveScaleShear()
        pose = np.array(placed, np.float64).T @ FLIP
        pose[:3, 3] *= scale
        poses.append(pose)
        try:
            lens, fits = _lens(camera, time, plate)
        except ValueError as error:
            raise fault(path, str(camera.GetPath()), str(error), _HINT) from error
        lenses.append(lens)
        narrow = narrow or not fits
    note = (
        f"The aperture of the camera in {path.name} has not the clip's shape: its width counts, as renderers "
        "do it."
    )
    return RawPath(
        np.stack(poses), "metres" if stage.HasAuthoredMetadata(_METRES) else "scene",
        tuple(lenses) if len(set(lenses)) > 1 else tuple(lenses[:1]), numbers=numbers,
        own=not times[0].IsNumeric(), notes=(note,) if narrow else (), rest=FLIP,
    )  # fmt: skip


def write(camera: CameraPath, path: Path, plate: Plate) -> None:
    """Writes a stage with an animated camera; ``.usd`` and ``.usda`` are text.

    Args:
        camera: The path.
        path: The file, replaced if it is there.
        plate: For its rate.

    Raises:
        UsageError: usd-core is not installed.
        ResourceError: it cannot be written.
    """
    usd, geom = library()
    from pxr import Gf

    stage = usd.Stage.CreateInMemory()
    geom.SetStageUpAxis(stage, geom.Tokens.y)
    if camera.unit == "metres":
        geom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetFramesPerSecond(float(plate.rate))
    stage.SetTimeCodesPerSecond(float(plate.rate))
    stage.SetStartTimeCode(camera.numbers[0])
    stage.SetEndTimeCode(camera.numbers[-1])
    stage.SetDefaultPrim(geom.Xform.Define(stage, "/World").GetPrim())
    prim = geom.Camera.Define(stage, _PRIM)
    placed = prim.AddTransformOp()
    for number, pose in zip(camera.numbers, camera.poses, strict=True):
        placed.Set(Gf.Matrix4d((pose @ FLIP).T.tolist()), number)
        if len(camera.intrinsics) > 1 or number == camera.numbers[0]:
            time = number if len(camera.intrinsics) > 1 else usd.TimeCode.Default()
            set_lens(prim, camera.lens(number), camera.width, camera.height, time)
    write_bytes(path, stage.GetRootLayer().ExportToString().encode())


def set_lens(camera: Any, lens: Intrinsics, width: int, height: int, time: Any) -> None:
    """Gives a camera of USD a lens; its floats have 24 bits.

    Args:
        camera: A ``UsdGeom.Camera``.
        lens: In pixels of a picture of ``width`` x ``height``.
        width, height: In pixels.
        time: The time code it holds at.
    """
    high = _APERTURE * height / width * lens.fx / lens.fy
    camera.CreateHorizontalApertureAttr(_APERTURE)
    camera.CreateFocalLengthAttr().Set(lens.fx / width * _APERTURE, time)
    camera.CreateVerticalApertureAttr().Set(high, time)
    camera.CreateHorizontalApertureOffsetAttr().Set((0.5 - lens.cx / width) * _APERTURE, time)
    camera.CreateVerticalApertureOffsetAttr().Set((lens.cy / height - 0.5) * high, time)


def library() -> tuple[Any, Any]:
    """The modules ``Usd`` and ``UsdGeom``.

    Raises:
        UsageError: usd-core is not installed.
    """
    try:
        from pxr import Usd, UsdGeom
    except ImportError as error:
        raise UsageError(
            "A USD camera needs usd-core, which is not installed.", 'Run pip install "vdepth[usd]".'
        ) from error
    return Usd, UsdGeom


def _frames(path: Path, stage: Any, camera: Any, plate: Plate) -> tuple[tuple[int, ...], list[Any]]:
    """Frame numbers, and the times on the stage at which they are."""
    usd, geom = library()
    samples: set[float] = set()
    prim = camera.GetPrim()
    for attribute in prim.GetAttributes():
        samples.update(attribute.GetTimeSamples())
    while prim.GetPath().pathString != "/":
        if (moved := geom.Xformable(prim)) and moved.TransformMightBeTimeVarying():
            samples.update(moved.GetTimeSamples())
        prim = prim.GetParent()
    if not samples:  # it stands still and holds for all frames
        return tuple(plate.numbers), [usd.TimeCode.Default()] * len(plate.numbers)
    first, last = min(samples), max(samples)
    if stage.HasAuthoredTimeCodeRange():
        first, last = stage.GetStartTimeCode(), stage.GetEndTimeCode()
    beat = stage.GetFramesPerSecond() / stage.GetTimeCodesPerSecond()  # frames a time code
    if not (math.isfinite(first) and math.isfinite(last) and 0 <= (last - first) * beat < _MOST):
        raise InputError(f"{path} has no frame range: {first:g} to {last:g}.", _HINT)
    numbers = range(math.ceil(first * beat - 1e-6), math.floor(last * beat + 1e-6) + 1)
    if not numbers:
        raise InputError(f"{path} has no frame between {first:g} and {last:g}.", _HINT)
    return tuple(numbers), [usd.TimeCode(number / beat) for number in numbers]


def _lens(camera: Any, time: Any, plate: Plate) -> tuple[Intrinsics, bool]:
    """The lens in pixels of the plate, and whether the aperture has its shape."""
    seen = camera.GetCamera(time)
    if seen.projection != seen.Perspective:
        raise ValueError("it has no perspective")
    focal, wide, high = seen.focalLength, seen.horizontalAperture, seen.verticalAperture
    if not (focal > 0 and wide > 0 and high > 0):
        raise ValueError(f"a focal length of {focal:g} on an aperture of {wide:g} x {high:g} is none")
    fx, fy = focal / wide * plate.width, focal / high * plate.height
    square = fx * float(plate.pixel_aspect)
    fits = abs(fy / square - 1) <= _SHAPE
    if not fits:
        fy = square
    cx = plate.width / 2 - seen.horizontalApertureOffset / focal * fx
    cy = plate.height / 2 + seen.verticalApertureOffset / focal * fy
    return Intrinsics(fx, fy, cx, cy), fits
