"""Small finished jobs whose truth is known, for what brings depth to metres."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.normals import normals_from_depth
from vdepth_core.output.attributes import FrameAttributes
from vdepth_core.output.channels import SEQUENCES, channels_of
from vdepth_core.output.exr import write_exr
from vdepth_core.output.finish import FAR_AWAY, DepthMapping, DisparityRange
from vdepth_core.output.journal import FileEntry
from vdepth_core.output.manifest import (
    CameraEntry,
    ClipEntry,
    FramesEntry,
    Manifest,
    ModelEntry,
    ShotEntry,
    write_manifest,
)
from vdepth_core.output.naming import frame_path, frame_pattern, manifest_path

WIDTH, HEIGHT = 96, 64
CAMERA = Intrinsics(90.0, 90.0, WIDTH / 2, HEIGHT / 2)
FIRST = 1001


def truth(count: int) -> np.ndarray:
    """Metres of a floor, a wall and a box that comes nearer: (T, H, W) float64, infinite in a window."""
    rows = (np.arange(HEIGHT) + 0.5 - CAMERA.cy) / CAMERA.fy
    floor = np.where(rows > 0, 1.2 / np.maximum(rows, 1e-9), np.inf)[:, None]
    z = np.repeat(np.minimum(np.broadcast_to(floor, (HEIGHT, WIDTH)), 12.0)[None], count, 0)
    for index in range(count):
        z[index, 20:52, 12:40] = 3.0 - 0.1 * index
    z[:, :6, 70:90] = np.inf
    return z


def write_job(
    out: Path,
    metres: np.ndarray,
    space: str = "affine_invariant",
    quantity: str = "disparity",
    *,
    scale: float = 2.0,
    shift: float = 0.3,
    shots: tuple[int, ...] = (),
    kinds: tuple[str, ...] = ("depth", "disparity"),
    clip: Path | None = None,
    compression: str = "pxr24",
) -> Path:
    """A finished job whose disparity is scale / metres + shift (of affine depth: depth is a line of it).

    Args:
        out: The folder.
        metres: (T, H, W); infinite: sky.
        space, quantity: What the model predicted.
        scale, shift: How the numbers of the model are off.
        shots: Frames at which cuts are.
        kinds: Of the sequences; with "normal", those of the files' own depth.
        clip: A folder of pictures, where the clip is needed.
        compression: Of the files.
    """
    out.mkdir(parents=True, exist_ok=True)
    count = len(metres)
    solid = np.isfinite(metres)
    near, far = 1.0, 100.0
    name = "shot"
    entries = []
    bounds = [0, *shots, count]
    files: dict[str, FileEntry] = {}
    for index, (start, stop) in enumerate(pairwise(bounds)):
        part, there = metres[start:stop], solid[start:stop]
        if space == "affine_invariant" and quantity == "depth":
            lo, hi = part[there].min(), part[there].max()
            z = near + (far - near) * (np.where(there, part, 0) - lo) / (hi - lo)
            y = np.where(there, 1 / np.maximum(z, near), 0)
            ends = DisparityRange(1 / far, 1 / near)
            mapping = DepthMapping(space, ends, near, far)
        else:
            y = np.where(there, scale / part + (shift if space == "affine_invariant" else 0), 0)
            lo, hi = float(y[there].min()), float(y[there].max())
            ends = DisparityRange(lo, hi)
            if space == "affine_invariant":
                mapping = DepthMapping(space, ends, near, far)
            else:
                mapping = DepthMapping(space, ends, 1 / hi, 1 / lo)
            z = mapping.depth(y)
        z = np.where(there, z, FAR_AWAY).astype(np.float32)
        y = y.astype(np.float32)
        for place in range(start, stop):
            number = FIRST + place
            planes = {"depth": z[place - start], "disparity": y[place - start]}
            if "normal" in kinds or "layers" in kinds:
                normals = normals_from_depth(planes["depth"], CAMERA)
                planes |= {f"normal.{axis}": normals[..., k] for k, axis in enumerate("xyz")}
            attributes = FrameAttributes(
                number=number, rate=24, pixel_aspect=1, mapping=mapping, scale=1.0, shift=0.0, shot=index,
                method="framewise", model="test", weights_sha256="", license="none", source="shot",
                source_pts=place, intrinsics=CAMERA, job="f00dcafe",
            )  # fmt: skip
            for kind in kinds:
                path = frame_path(out, name, kind, number)
                write_exr(path, channels_of(kind, planes), attributes.header(kind), compression)
                files[path.name] = FileEntry.of(path)
        camera = CameraEntry.of(CAMERA)
        entries.append(
            ShotEntry(
                index=index,
                start=start,
                stop=stop,
                start_number=FIRST + start,
                count=stop - start,
                lo=ends.lo,
                hi=ends.hi,
                near=mapping.near,
                far=mapping.far,
                camera=camera,
            )
        )
    assert set(kinds) <= set(SEQUENCES)
    manifest = Manifest(
        job="f00dcafe",
        clip=ClipEntry(
            path=str(clip or "gone"), name=name, kind="sequence", fingerprint="sha256:00", width=WIDTH,
            height=HEIGHT, pixel_aspect="1/1", rate="24/1",
        ),
        frames=FramesEntry(first=0, stop=count, start_number=FIRST, count=count),
        shots=entries,
        model=ModelEntry(name="test", quantity=quantity, space=space, license="none", commercial=True),
        method="framewise",
        camera=CameraEntry.of(CAMERA),
        sequences={kind: frame_pattern(name, kind) for kind in kinds},
        files=files,
    )  # fmt: skip
    write_manifest(manifest, manifest_path(out))
    return out


def write_plates(folder: Path, count: int) -> Path:
    """Pictures of the job's clip, numbered as its files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(folder / f"shot.{FIRST + index}.png"), picture)
    return folder


def write_colmap(folder: Path, metres: np.ndarray, unit: float, seed: int = 0, noise: float = 0.02) -> Path:
    """A COLMAP model of points on the truth of frames 0 and up, its camera at rest; 5 % of them are wrong."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    (folder / "cameras.txt").write_text(
        f"1 PINHOLE {WIDTH} {HEIGHT} {CAMERA.fx} {CAMERA.fy} {CAMERA.cx} {CAMERA.cy}\n"
    )
    images, points = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME"], []
    for index, z in enumerate(metres):
        features = []
        for _ in range(60):
            u, v = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
            depth = z[int(v), int(u)]
            if not np.isfinite(depth):
                features.append(f"{u:.3f} {v:.3f} -1")
                continue
            depth *= np.exp(rng.normal(0, noise)) * (4.0 if rng.random() < 0.05 else 1.0) / unit
            place = len(points) + 1
            x, y = (u - CAMERA.cx) / CAMERA.fx * depth, (v - CAMERA.cy) / CAMERA.fy * depth
            points.append(f"{place} {x} {y} {depth - 0.5} 1 2 3 0.5 1 0")  # the camera stands at z = -0.5
            features.append(f"{u:.3f} {v:.3f} {place}")
        images += [f"{index + 1} 1 0 0 0 0 0 0.5 1 shot.{FIRST + index}.png", " ".join(features)]
    (folder / "images.txt").write_text("\n".join(images) + "\n")
    (folder / "points3D.txt").write_text("\n".join(points) + "\n")
    return folder


def write_points(file: Path, rows: list[tuple[int, float, float, float]], unit: str) -> Path:
    """A JSON file of points of ours."""
    facts = {"format": "vdepth points", "version": 1, "unit": unit, "width": WIDTH, "height": HEIGHT}
    file.write_text(json.dumps({**facts, "points": rows}))
    return file
