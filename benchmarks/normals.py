"""How far normals are off, through the whole finishing path: depth at a network's size, up-sampled, fitted.

    python benchmarks/normals.py [--scenes 6] [--size 1280x720]

Procedural scenes with exact depth are reduced to 448x252, as they are and with the waves of an estimate
(steps blurred by a pixel, .4 % of disparity in bumps of 1.5 pixels), and brought back to the plate's size as
a job does. Their normals are compared with those of the exact depth: inside, within 6 pixels of the border
and within 6 pixels of a silhouette. Ours are fitted planes smoothed within surfaces; "fitted" are not
smoothed, and "differences" are the depth files' own, one-sided: what a mesh of them has.
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
from vdepth_core.geometry.smooth_normals import smoothed_normals
from vdepth_core.output.sharpen import reach_of, sharpened
from vdepth_core.output.upsample import Upsampler, resize_surface
from vdepth_core.output.writer import WAVES
from vdepth_core.scenes.clip import render_clip

FAR = 100.0
NETWORK = (448, 252)
BUMPS, BLUR, WAVY = 1.5, 1.0, 0.004


def wavy(disparity: np.ndarray, seed: int) -> np.ndarray:
    """A map as a network would have it: steps blurred, and bumps."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=disparity.shape), (0, 0), BUMPS)
    blurred = cv2.GaussianBlur(disparity, (0, 0), BLUR)
    return (blurred * (1 + WAVY * noise / noise.std())).astype(np.float32)


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
    errors: dict[tuple[str, str, str], list[np.ndarray]] = {}
    seconds = {"fitted": 0.0, "smoothed": 0.0, "up-sampling and sharpening of depth": 0.0}
    grain = width / NETWORK[0]
    for seed in range(1000, 1000 + options.scenes):
        clip = render_clip(seed, 1, height, width, clean=True, noise=False)
        depth = np.minimum(clip.depth[0], FAR).astype(np.float32)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        camera = Intrinsics(clip.K[0, 0], clip.K[1, 1], clip.K[0, 2], clip.K[1, 2])
        truth = differences(depth, camera)  # exact on planes, and the depth is exact
        disparity = 1 / depth
        exact = cv2.resize(disparity, NETWORK, interpolation=cv2.INTER_AREA)
        span = float(np.quantile(exact, 0.999) - np.quantile(exact, 0.001))
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
        for kind, small in (("exact", exact), ("wavy", wavy(exact, seed))):
            start = time.perf_counter()
            snapped = sharpened(Upsampler(span)(small, rgb), rgb, span, reach_of(grain))
            written = 1 / np.maximum(snapped, 1 / FAR)
            middle = time.perf_counter()
            surface = np.maximum(resize_surface(small, (width, height)), 1 / FAR)
            fitted = normals_from_depth(1 / surface, camera, round(grain))
            fit = time.perf_counter()
            ours = smoothed_normals(fitted, written, camera, WAVES * grain)
            seconds["smoothed"] += time.perf_counter() - fit
            seconds["fitted"] += fit - middle
            seconds["up-sampling and sharpening of depth"] += middle - start
            mesh = differences(written, camera)
            for name, found in (("ours", ours), ("fitted", fitted), ("differences", mesh)):
                angle = np.degrees(np.arccos(np.clip((found * truth).sum(2), -1, 1)))
                for place, mask in places.items():
                    errors.setdefault((kind, place, name), []).append(angle[mask])
    mean = {}
    for case, parts in errors.items():
        angles = np.concatenate(parts)
        mean[case] = float(angles.mean())
        print(
            f"{' '.join(f'{word:<11}' for word in case)} median {np.median(angles):6.2f}  mean "
            f"{mean[case]:6.2f}  95 % {np.quantile(angles, 0.95):6.2f} degrees  ({angles.size} pixels)"
        )
    for name, value in seconds.items():
        print(f"{name}: {1e3 * value / options.scenes / 2:.0f} ms a frame of {options.size}")
    ours, baseline = mean["wavy", "inside", "ours"], mean["wavy", "inside", "fitted"]
    print(
        json.dumps(
            {
                "benchmark": "normals",
                "ratio": round(ours / baseline, 4),
                "ours": round(ours, 3),
                "baseline": round(baseline, 3),
                "unit": "degrees, mean inside, of maps with waves",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
