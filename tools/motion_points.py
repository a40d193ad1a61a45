# SPDX-License-Identifier: Apache-2.0
"""Finds the exact depth of points in clips with a moving camera, for ``vdepth train-embedded --points``.

python tools/motion_points.py CLIP … -o DIR [--frames 64] [--side 1280]

The environment is vdepth's, with ``pip install pycolmap`` (BSD-3, COLMAP) beside it. Each clip gives a folder
of shards, DIR/NAME (their form: `vdepth_core.training.shards`), and its licence in it. Kept are points
that COLMAP saw in at least `SEEN` frames under an angle of at least `ANGLE`, and that lie within `OFF` of
where they were found: what moves by itself, and what is too far for the camera's way, is left out. Look at
the picture it writes, DIR/NAME/look.png, before you train on it: near points are red, far ones blue.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.progress import Progress
from vdepth_core.training.card import label
from vdepth_core.training.shards import SHORTER, homes, write_points, write_shards

SEEN = 5  # frames
ANGLE = 1.5  # degrees between the rays of the two frames farthest apart
LEAST_ANGLE = 0.3  # degrees a point must be seen under to hold the frames together meanwhile
OFF = 1.0  # pixels of reprojection error
FIRST_ANGLE = 4.0  # degrees the first two frames must see points under; COLMAP's 16 is for photographs
FEATURES = 4096  # a frame
FOCAL = 0.8  # times the longer side, the first guess: a phone's main lens
FEWEST = 40  # points a frame must have to be kept
FAR = 20.0  # times the median depth; what lies beyond is left out


def main() -> None:
    """Reads the command line and makes the folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument(
        "--frames", type=int, default=64, help="most frames of a clip, in pairs of neighbours"
    )
    parser.add_argument("--side", type=int, default=1280, help="longest side points are found at, pixels")
    options = parser.parse_args()
    for clip, home in zip(options.clips, homes(options.clips, options.out), strict=True):
        if home.exists():
            print(f"{home} is there already; delete it to measure again")
            continue
        pictures = _frames(clip, options.frames, options.side)
        points = _points(pictures)
        pairs = [(k, k + 1) for k in range(0, len(pictures) - 1, 2)]
        kept = [t for pair in pairs if min(len(points[t]) for t in pair) >= FEWEST for t in pair]
        if len(kept) < 2:
            print(f"{clip.name}: the camera's way was not found, or shows no depth; left out")
            continue
        unit = float(np.median(np.concatenate([points[t][:, 2] for t in kept])))
        frames = []
        for t in kept:
            height, width = pictures[t].shape[:2]
            small = min(1.0, SHORTER / min(height, width))
            size = round(width * small), round(height * small)
            picture = cv2.resize(pictures[t], size, interpolation=cv2.INTER_AREA)
            scaled = points[t] * (size[0] / width, size[1] / height, 1 / unit)
            frames.append((picture, scaled[scaled[:, 2] > 1 / FAR]))
        write_shards([frames], home, write_points, partial(label, clip, _drawn(frames)))
        count = np.mean([len(found) for _, found in frames])
        print(f"{clip.name}: {len(frames)} frames of {len(pictures)}, {count:.0f} points a frame")


def _frames(path: Path, most: int, side: int) -> list[np.ndarray]:
    """Pairs of neighbours from all over the clip's longest shot."""
    clip = open_clip(path)
    shot = max(clip.scan(progress=Progress()), key=len)
    stride = max(1, -(-len(shot) // most))
    found = []
    for k, frame in enumerate(ShotView(clip, shot).frames()):
        if k // 2 % stride == 0:
            height, width = frame.rgb.shape[:2]
            shrink = min(1.0, side / max(height, width))
            size = round(width * shrink), round(height * shrink)
            found.append(cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA))
    return found[: len(found) // 2 * 2]


def _points(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """For each picture (n, 3): x, y and the disparity of what structure from motion is sure of."""
    found = [np.zeros((0, 3)) for _ in pictures]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        for t, picture in enumerate(pictures):
            cv2.imwrite(str(folder / f"pictures/{t:05d}.png"), picture[..., ::-1])
        database = folder / "database.db"
        height, width = pictures[0].shape[:2]
        reader = pycolmap.ImageReaderOptions(
            camera_model="SIMPLE_RADIAL",
            camera_params=f"{FOCAL * max(width, height)},{width / 2},{height / 2},0",
        )
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.sift.max_num_features = FEATURES
        pycolmap.extract_features(
            database,
            folder / "pictures",
            camera_mode=pycolmap.CameraMode.SINGLE,
            reader_options=reader,
            extraction_options=extraction,
        )
        pycolmap.match_sequential(database)
        best = max((_solve(database, folder, lens) for lens in (True, False)), key=_registered)
    if best is None:
        return found
    sure = _sure(best)
    for image in best.images.values():
        if not image.has_pose:
            continue
        pose = image.cam_from_world
        pose = pose() if callable(pose) else pose
        rows = []
        for point in image.points2D:
            if point.has_point3D() and point.point3D_id in sure:
                z = float((pose * best.points3D[point.point3D_id].xyz)[2])
                if z > 0:
                    rows.append((*point.xy, 1 / z))
        found[int(Path(image.name).stem)] = np.array(rows).reshape(-1, 3)
    return found


def _solve(database: Path, folder: Path, lens: bool) -> Any:
    """The camera's way and the points; ``lens``: find focal length and distortion, too.

    Where a clip shows little depth they cannot be found, and the attempt ends after two frames. A wrong focal
    length scales all depths nearly alike, which no loss here minds.
    """
    options = pycolmap.IncrementalPipelineOptions(
        multiple_models=False, random_seed=0, ba_refine_focal_length=lens, ba_refine_extra_params=lens
    )
    options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = lens
    options.mapper.init_min_tri_angle = FIRST_ANGLE
    options.mapper.init_max_forward_motion = 1.0  # cars drive forward
    options.mapper.filter_min_tri_angle = options.triangulation.min_angle = LEAST_ANGLE
    place = folder / f"solved-{lens}"
    place.mkdir()
    solved = pycolmap.incremental_mapping(database, folder / "pictures", place, options)
    return max(solved.values(), key=_registered, default=None)


def _registered(solved: Any) -> int:
    return 0 if solved is None else int(solved.num_reg_images())


def _sure(solved: Any) -> set[int]:
    """Points seen often, under a wide enough angle, and where they should be."""
    centres = {key: image.projection_center() for key, image in solved.images.items() if image.has_pose}
    kept = set()
    for key, point in solved.points3D.items():
        seen = {element.image_id for element in point.track.elements}
        if len(seen) < SEEN or point.error > OFF:
            continue
        rays = np.array([point.xyz - centres[image] for image in seen])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        least = min(float(a @ b) for a, b in itertools.combinations(rays[:: max(1, len(rays) // 8)], 2))
        if np.degrees(np.arccos(np.clip(least, -1, 1))) >= ANGLE:
            kept.add(key)
    return kept


def _drawn(frames: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Four of the frames and their points, side by side."""
    tiles = []
    for place in np.linspace(0, len(frames) - 1, 4).astype(int):
        rgb, points = frames[place]
        tile = np.ascontiguousarray(rgb[..., ::-1] // 2)
        rank = points[:, 2].argsort().argsort() / max(len(points) - 1, 1)
        shades = cv2.applyColorMap(np.uint8(255 * rank)[:, None], cv2.COLORMAP_JET)[:, 0]
        for (x, y, _), shade in zip(points, shades, strict=True):
            cv2.circle(tile, (int(x), int(y)), 3, shade.tolist(), -1)
        tiles.append(tile)
    return np.vstack((np.hstack(tiles[:2]), np.hstack(tiles[2:])))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the folders that are there are whole
        sys.exit(130)
