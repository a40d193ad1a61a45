"""How far normals are off, through the whole finishing path: depth at a network's size, up-sampled, fitted.

    python benchmarks/normals.py [--scenes 6] [--size 1280x720]

Procedural scenes with exact depth are reduced to 448x252, brought back to the plate's size as a job does, and
their normals compared with those of the exact depth: inside, within 6 pixels of the border, and within 6
pixels of a silhouette. The baseline is the depth files' own disparity and one-sided differences.
"""

from __future__ import annotations

import argparse
import json
import platform
import time

import cv2
import numpy as np

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.normals import normals_from_depth
from vdepth_core.output.upsample import Upsampler, resize_surface
from vdepth_core.scenes.clip import render_clip

FAR = 100.0
NETWORK = (448, 252)


def differences(depth: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """The former normals: at each pixel and axis the smaller one-sided difference of inverse depth."""
    q = 1 / depth.astype(np.float64)

    def smaller(values: np.ndarray) -> np.ndarray:
        steps = np.diff(values, axis=1)
        ahead = np.concatenate([steps, steps[:, -1:]], 1)
        behind = np.concatenate([steps[:, :1], steps], 1)
        return np.where(np.abs(ahead) < np.abs(behind), ahead, behind)

    q_u, q_v = smaller(q), smaller(q.T).T
    u = np.arange(q.shape[1])[None] + 0.5 - camera.cx
    v = np.arange(q.shape[0])[:, None] + 0.5 - camera.cy
    n = np.stack([-camera.fx * q_u, camera.fy * q_v, q - u * q_u - v * q_v], 2)
    return n / np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--size", default="1280x720")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    errors: dict[str, dict[str, list[np.ndarray]]] = {}
    seconds = {"ours": 0.0, "up-sampling of depth": 0.0}
    for seed in range(1000, 1000 + options.scenes):
        clip = render_clip(seed, 1, height, width, clean=True, noise=False)
        depth = np.minimum(clip.depth[0], FAR).astype(np.float32)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        camera = Intrinsics(clip.K[0, 0], clip.K[1, 1], clip.K[0, 2], clip.K[1, 2])
        truth = differences(depth, camera)  # exact on planes, and the depth is exact
        disparity = 1 / depth
        small = cv2.resize(disparity, NETWORK, interpolation=cv2.INTER_AREA)
        span = float(np.quantile(small, 0.999) - np.quantile(small, 0.001))
        steps = cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0.04 * span
        near_step = cv2.dilate(steps.astype(np.uint8), np.ones((13, 13))) > 0
        border = np.ones(depth.shape, bool)
        border[6:-6, 6:-6] = False
        solid = depth < FAR
        places = {
            "inside": solid & ~near_step & ~border,
            "border": solid & border & ~near_step,
            "silhouette": solid & near_step,
        }
        began = time.perf_counter()
        surface = np.maximum(resize_surface(small, (width, height)), 1 / FAR)
        ours = normals_from_depth(1 / surface, camera, round(width / NETWORK[0]))
        middle = time.perf_counter()
        seconds["ours"] += middle - began
        snapped = np.maximum(Upsampler(span)(small, rgb), 1 / FAR)
        seconds["up-sampling of depth"] += time.perf_counter() - middle
        before = differences(1 / snapped, camera)
        for name, found in (("ours", ours), ("before", before)):
            angle = np.degrees(np.arccos(np.clip((found * truth).sum(2), -1, 1)))
            for place, mask in places.items():
                errors.setdefault(place, {}).setdefault(name, []).append(angle[mask])
    for place, found in errors.items():
        for name, parts in found.items():
            angles = np.concatenate(parts)
            print(
                f"{place:<11} {name:<7} median {np.median(angles):6.2f}  mean {angles.mean():6.2f}  "
                f"95 % {np.quantile(angles, 0.95):6.2f} degrees  ({angles.size} pixels)"
            )
    for name, value in seconds.items():
        print(f"{name}: {1e3 * value / options.scenes:.0f} ms a frame of {options.size}")
    mean = {name: float(np.concatenate(errors["inside"][name]).mean()) for name in ("ours", "before")}
    print(
        json.dumps(
            {
                "benchmark": "normals",
                "ratio": round(mean["ours"] / mean["before"], 4),
                "ours": round(mean["ours"], 3),
                "baseline": round(mean["before"], 3),
                "unit": "degrees, mean inside",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
