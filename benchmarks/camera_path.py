"""How far recovered cameras are from the true ones: path, focal length, seconds.

    python benchmarks/camera_path.py [--seeds 7001-7006] [--frames 28] [--size 448x256] [--rgbd FOLDER...]

Procedural still scenes, which no model was trained on, and RGB-D folders (``color/``, ``K.txt``,
``poses_cam_to_world.txt``), with the embedded model's disparity. The error of a path (ATE) is the root mean
square distance of the camera centres after alignment by a similarity, in percent of the path's length. Each
is solved with its true lens, and with an unknown one. The baseline of the last line is a lens of 55 degrees.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from vdepth_core.adaptation.footage import Footage
from vdepth_core.adaptation.solving import solve
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.learning.student import load_student
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.progress import Progress
from vdepth_core.scenes import render_clip
from vdepth_core.types import Shot


def path_error(found: np.ndarray, true: np.ndarray) -> float:
    """Percent of the path's length."""
    here, there = found[:, :3, 3] - found[:, :3, 3].mean(0), true[:, :3, 3] - true[:, :3, 3].mean(0)
    u, s, v = np.linalg.svd(there.T @ here)
    sign = np.diag((1, 1, np.sign(np.linalg.det(u @ v))))
    scale = (s * np.diag(sign)).sum() / (here**2).sum()
    off = there - scale * here @ (u @ sign @ v).T
    length = np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1).sum()
    return 100 * float(np.sqrt((off**2).sum(1).mean()) / length)


def procedural(seed: int, count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (N, h, w, 3) uint8, K for pixel indices, camera-to-world poses."""
    clip = render_clip(seed, count, height, width)
    K = clip.K.copy()
    K[:2, 2] -= 0.5
    return np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8), K, clip.poses


def recorded(folder: Path, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of an RGB-D folder at the network's size."""
    spec = load_student("embedded").spec
    pictures = [cv2.imread(str(path))[..., ::-1] for path in sorted((folder / "color").iterdir())]
    height, width = pictures[0].shape[:2]
    shape = network_size(width, height, 1, spec, size)
    small = [frames_to_tensor([np.ascontiguousarray(p)], shape).mul_(255).round_().byte() for p in pictures]
    K = np.loadtxt(folder / "K.txt").reshape(3, 3)
    factors = np.array((shape[1] / width, shape[0] / height))
    K[:2, 2] = (K[:2, 2] + 0.5) * factors - 0.5
    K[0, 0], K[1, 1] = K[0, 0] * factors[0], K[1, 1] * factors[1]
    poses = np.loadtxt(folder / "poses_cam_to_world.txt").reshape(-1, 4, 4)
    return torch.cat(small).permute(0, 2, 3, 1).numpy(), K, poses


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="7001-7006")
    parser.add_argument("--frames", type=int, default=28)
    parser.add_argument("--size", default="448x256")
    parser.add_argument("--rgbd", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    first, last = map(int, options.seeds.split("-"))
    student = load_student("embedded")
    clips = [(f"seed {seed}", lambda seed=seed: procedural(seed, options.frames, height, width))
             for seed in range(first, last + 1)]  # fmt: skip
    clips += [(folder.name, lambda folder=folder: recorded(folder, height)) for folder in options.rgbd]
    errors: dict[str, list[float]] = {"known": [], "learned": []}
    focal: dict[str, list[float]] = {"ours": [], "assumed": []}
    for name, make in clips:
        frames, K, poses = make()
        shots = [Shot(0, 0, len(frames))]
        with (
            tempfile.TemporaryDirectory() as folder,
            torch.inference_mode(),
            Footage(Path(folder), shots, *frames.shape[1:3]) as footage,
        ):
            footage.frames.write(0, frames)
            maps = [student.predict(footage.pictures([k]))[0].numpy() for k in range(len(frames))]
            for lens in ("known", "learned"):
                began = time.perf_counter()
                known = K if lens == "known" else None
                found = solve(footage, maps.__getitem__, True, known, None, Progress())
                seconds = time.perf_counter() - began
                off = path_error(found.poses, poses)
                errors[lens].append(off)
                text = f"{name:<24} lens {lens:<8} ATE {off:6.2f} %  {seconds:5.1f} s"
                if lens == "learned":
                    shift = 100 * abs(found.K[0, 0] / K[0, 0] - 1)
                    default = Intrinsics.default(*frames.shape[2:0:-1]).fx
                    focal["ours"].append(shift)
                    focal["assumed"].append(100 * abs(default / K[0, 0] - 1))
                    how = "cannot be seen, 55° assumed" if found.focal_known else "found"
                    text += f"  focal length off {shift:5.1f} % ({how}, ± {100 * found.focal_error:.1f} %)"
                print(text, flush=True)
    for lens, values in errors.items():
        print(f"median ATE, lens {lens}: {np.median(values):.2f} %")
    middle = {name: float(np.median(values)) for name, values in focal.items()}
    print(
        json.dumps(
            {
                "benchmark": "camera_path",
                "ratio": round(middle["ours"] / middle["assumed"], 4),
                "ours": round(middle["ours"], 2),
                "baseline": round(middle["assumed"], 2),
                "unit": "percent, median error of the focal length",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
