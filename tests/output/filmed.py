"""Finished jobs whose depth, plates and camera path are exact: a plane, a sphere, a procedural scene."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.formats import write_camera
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_path import CameraPath
from vdepth_core.output.exr import write_exr
from vdepth_core.output.manifest import (
    CameraEntry,
    ClipEntry,
    FramesEntry,
    Manifest,
    ModelEntry,
    ShotEntry,
    write_manifest,
)
from vdepth_core.output.naming import frame_pattern, manifest_path
from vdepth_core.scenes.clip import render_clip

COUNT, HEIGHT, WIDTH = 3, 48, 64
FIRST, START = 7, 1001  # number of the first plate, and of the first depth file


@dataclass(frozen=True, eq=False)
class Filmed:
    """A job with what is true of it; z (T, H, W), 1e10 is sky; rgb (T, H, W, 3) uint8; poses to the world."""

    out: Path
    camera: Path
    z: np.ndarray
    rgb: np.ndarray
    lens: Intrinsics
    poses: np.ndarray

    def points(self, index: int, stride: int = 1) -> np.ndarray:
        """The world's points at a frame's pixels, (N, 3) float64, without sky."""
        z = self.z[index, ::stride, ::stride].astype(np.float64)
        rows, columns = np.mgrid[:HEIGHT:stride, :WIDTH:stride] + 0.5
        lens, pose = self.lens, self.poses[index]
        own = np.stack(((columns - lens.cx) / lens.fx * z, (rows - lens.cy) / lens.fy * z, z), 2)[z < 1e9]
        return own @ pose[:3, :3].T + pose[:3, 3]

    def project(self, points: np.ndarray, index: int) -> np.ndarray:
        """Pixels (N, 2) of points of the world in a frame."""
        own = (points - self.poses[index, :3, 3]) @ self.poses[index, :3, :3]
        return own[:, :2] / own[:, 2:] * (self.lens.fx, self.lens.fy) + (self.lens.cx, self.lens.cy)


def _travelling() -> np.ndarray:
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    for index, pose in enumerate(poses):
        turn = cv2.Rodrigues(np.array((0.03, 0.1 * index - 0.1, 0.02 * index)))[0]
        pose[:3, :3], pose[:3, 3] = turn, (0.3 * index, 0.1, -0.2 * index)
    return poses


def _cast(kind: str, lens: Intrinsics, pose: np.ndarray) -> np.ndarray:
    """Planar depth (H, W) of a plane or a ball that stand still in the world."""
    rays = lens.rays(WIDTH, HEIGHT).astype(np.float64) @ pose[:3, :3].T
    start = pose[:3, 3]
    if kind == "plane":
        normal = np.array((0.3, -0.6, 1.0))
        return (4 - start @ normal) / (rays @ normal)
    way = start - np.array((0.2, 0.1, 5.0))
    square, along = (rays**2).sum(2), rays @ way
    under = along**2 - square * (way @ way - 4)
    return np.where(under > 0, (-along - np.sqrt(np.maximum(under, 0))) / square, 1e10)


def film(folder: Path, kind: str, known: int = COUNT, space: str = "metric") -> Filmed:
    """Makes a job; ``kind``: plane, sphere or scene; the camera file knows the first ``known`` frames."""
    lens, poses = Intrinsics(60.0, 55.0, 30.0, 25.0), _travelling()
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), np.uint8)
    if kind == "scene":
        clip = render_clip(4, COUNT, HEIGHT, WIDTH)
        K, poses = clip.K, clip.poses
        lens = Intrinsics(*(float(K[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))))
        z = np.where(np.isinf(clip.depth), 1e10, clip.depth).astype(np.float32)
        rgb = np.rint(np.moveaxis(clip.rgb, 1, 3) * 255).astype(np.uint8)
    else:
        z = np.stack([_cast(kind, lens, pose) for pose in poses]).astype(np.float32)
    plates = folder / "plates"
    plates.mkdir(parents=True)
    out, camera, name = folder / "out", folder / "camera.json", "shot"
    out.mkdir()
    for index in range(COUNT):
        cv2.imwrite(str(plates / f"shot.{FIRST + index:04d}.png"), rgb[index, ..., ::-1])
        path = out / frame_pattern(name, "depth").replace("####", f"{START + index:04d}")
        write_exr(path, {"Z": z[index]}, {})
    numbers = tuple(range(FIRST, FIRST + COUNT))
    plate = Plate(range(FIRST, FIRST + COUNT), Fraction(24), WIDTH, HEIGHT, Fraction(1), lens)
    write_camera(CameraPath(numbers[:known], poses[:known], (lens,), WIDTH, HEIGHT, "metres"), camera, plate)
    entry, there = CameraEntry.of(lens), z[z < 1e9]
    manifest = Manifest(
        job="f00d",
        clip=ClipEntry(
            path=str(plates), name=name, kind="sequence", fingerprint="sha256:00", width=WIDTH, height=HEIGHT,
            pixel_aspect="1/1", rate="24/1",
        ),
        frames=FramesEntry(first=0, stop=COUNT, start_number=START, count=COUNT),
        shots=[
            ShotEntry(
                index=0, start=0, stop=COUNT, start_number=START, count=COUNT, lo=0, hi=1,
                near=float(there.min()), far=float(there.max()), camera=entry,
            )
        ],
        model=ModelEntry(name="truth", quantity="depth", space=space, license="Apache-2.0", commercial=True),
        method="framewise", camera=entry, sequences={"depth": frame_pattern(name, "depth")},
    )  # fmt: skip
    write_manifest(manifest, manifest_path(out))
    return Filmed(out, camera, z, rgb, lens, poses)
