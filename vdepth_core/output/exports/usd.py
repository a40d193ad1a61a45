"""USD: an animated mesh (or points) in the plate's colours, and the camera that looks at it.

One layer a frame, played by a value clip of the stage, so that neither writing nor reading holds more than a
frame. Open ``<clip>.usda``; the files beside it belong to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...geometry.camera_files.usd import set_lens
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import UsdOptions
from .rig import Rig
from .surface import Surface, surfaces

_PRIM = "/World/Depth"


class Usd:
    """``<clip>.usda`` with ``<clip>_topology.usda`` and ``<clip>_frame.<frame:04d>.usdc``."""

    name = "usd"
    Options = UsdOptions

    def __init__(self, options: UsdOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            UsageError: usd-core is not installed, or the sequence has none of the frames.
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """
        try:
            from pxr import Usd as pxr_usd
        except ImportError as error:
            raise UsageError(
                "USD needs usd-core, which is not installed.", 'Run pip install "vdepth[usd]".'
            ) from error
        stem = safe_name(sequence.manifest.clip.name)
        rig, files, numbers = Rig.read(sequence, self.options, progress), [], []
        for surface in surfaces(rig, self.options, progress, mesh=not self.options.points):
            path = out / f"{stem}_frame.{surface.number:04d}.usdc"
            stage = pxr_usd.Stage.CreateNew(str(path))
            self._write(stage, surface, surface.number)
            stage.GetRootLayer().Save()
            del stage
            files.append(path)
            numbers.append(surface.number)
        topology, root = out / f"{stem}_topology.usda", out / f"{stem}.usda"
        stage = pxr_usd.Stage.CreateNew(str(topology))
        self._define(stage)
        stage.GetRootLayer().Save()
        stage = pxr_usd.Stage.CreateNew(str(root))
        self._root(stage, rig, numbers, stem)
        stage.GetRootLayer().Save()
        return [root, topology, *files]

    def _define(self, stage: Any) -> tuple[Any, Any]:
        """The thing, and its colours; that it has none by itself is what a value clip needs to know."""
        from pxr import Sdf, UsdGeom

        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)  # in each layer: it may be opened alone
        thing = (UsdGeom.Points if self.options.points else UsdGeom.Mesh).Define(stage, _PRIM)
        if not self.options.points:
            thing.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
            thing.CreateFaceVertexCountsAttr()
            thing.CreateFaceVertexIndicesAttr()
        else:
            thing.CreateWidthsAttr()
        thing.CreatePointsAttr()
        thing.CreateExtentAttr()
        colours = UsdGeom.PrimvarsAPI(thing).CreatePrimvar(
            "displayColor", Sdf.ValueTypeNames.Color3fArray, UsdGeom.Tokens.vertex
        )
        return thing, colours

    def _write(self, stage: Any, surface: Surface, time: int) -> None:
        """One frame's values."""
        from pxr import Vt

        thing, colours = self._define(stage)
        thing.GetPointsAttr().Set(Vt.Vec3fArray.FromNumpy(surface.points), time)
        colours.Set(Vt.Vec3fArray.FromNumpy(_linear(surface.colours)), time)
        ends = [surface.points.min(0), surface.points.max(0)] if len(surface.points) else np.zeros((2, 3))
        thing.GetExtentAttr().Set(Vt.Vec3fArray.FromNumpy(np.asarray(ends, np.float32)), time)
        if self.options.points:
            # As wide as the distance to the next point, so that they close up seen from the camera.
            widths = np.abs(surface.points[:, 2]) * np.float32(self.options.stride / 1000)
            thing.GetWidthsAttr().Set(Vt.FloatArray.FromNumpy(widths), time)
            return
        counts = np.full(len(surface.faces), 4, np.int32)
        thing.GetFaceVertexCountsAttr().Set(Vt.IntArray.FromNumpy(counts), time)
        thing.GetFaceVertexIndicesAttr().Set(Vt.IntArray.FromNumpy(surface.faces.ravel()), time)

    def _root(self, stage: Any, rig: Rig, numbers: list[int], stem: str) -> None:
        """What is opened: the camera, and the thing as the frames' files have it."""
        from pxr import Gf, Sdf, UsdGeom
        from pxr import Usd as pxr_usd

        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        rate = float(rig.sequence.rate)
        stage.SetFramesPerSecond(rate)
        stage.SetTimeCodesPerSecond(rate)
        stage.SetStartTimeCode(numbers[0])
        stage.SetEndTimeCode(numbers[-1])
        world = UsdGeom.Xform.Define(stage, "/World")
        stage.SetDefaultPrim(world.GetPrim())
        camera = self._camera(stage, rig, numbers)
        thing = (UsdGeom.Points if self.options.points else UsdGeom.Mesh).Define(stage, _PRIM)
        if rig.path is not None:  # what the frames' files hold is in the camera's axes
            for moved in (camera, thing):
                placed = moved.AddTransformOp()
                for number in numbers:
                    placed.Set(Gf.Matrix4d(rig.world(number).T.tolist()), number)
        prim = thing.GetPrim()
        prim.GetReferences().AddReference(f"./{stem}_topology.usda", _PRIM)
        clips = pxr_usd.ClipsAPI(prim)
        clips.SetClipPrimPath(_PRIM)
        clips.SetClipManifestAssetPath(Sdf.AssetPath(f"./{stem}_topology.usda"))
        clips.SetClipAssetPaths([Sdf.AssetPath(f"./{stem}_frame.{number:04d}.usdc") for number in numbers])
        clips.SetClipActive([(number, index) for index, number in enumerate(numbers)])
        clips.SetClipTimes([(number, number) for number in numbers])

    def _camera(self, stage: Any, rig: Rig, numbers: list[int]) -> Any:
        """The plate's camera; a shot's lens holds from its first frame on, a path's is each frame's."""
        from pxr import UsdGeom

        camera = UsdGeom.Camera.Define(stage, "/World/Camera")
        manifest = rig.sequence.manifest
        width, height = manifest.clip.width, manifest.clip.height
        nearest, farthest = rig.sequence.near_far
        camera.CreateClippingRangeAttr((min(0.1, nearest / 2), 10 * farthest))
        for time in numbers if rig.path is not None else [entry.start_number for entry in manifest.shots]:
            set_lens(camera, rig.lens(time), width, height, time)
        return camera


def _linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB (N, 3) uint8 -> linear light, as USD's colours are (IEC 61966-2-1)."""
    values = np.arange(256) / 255
    table = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(table.astype(np.float32)[rgb])
