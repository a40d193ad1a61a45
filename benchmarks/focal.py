"""How far a focal length found from a clip's motion is from the true one, and whether it knows how far.

    python benchmarks/focal.py [--seeds 7001-7006] [--rgbd FOLDER...] [--still CLIP...]

Procedural scenes and RGB-D folders (``color/``, ``K.txt``; cut into pieces of 36 frames), each a clip of
which nothing is known; no model takes part. Off: percent that the focal length is too long or short. Sigma:
by how many of its stated standard deviations. ``--still`` names clips whose camera does not travel: they have
to be refused. The baseline of the last line is a lens of 55 degrees.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.clip import open_clip
from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import DEFAULT_FOV
from vdepth_core.geometry.motion.focal import VAGUE, lens_from_motion, look_at
from vdepth_core.geometry.motion.parallax import WIDTH
from vdepth_core.progress import Progress
from vdepth_core.scenes import render_clip

PIECE = 36  # frames of a recording


def procedural(seeds: range, count: int) -> Iterator[tuple[str, list[np.ndarray], float]]:
    """Name, luma of each frame, and the true focal length in widths."""
    for seed in seeds:
        clip = render_clip(seed, count, 256, WIDTH)
        frames = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        yield f"seed {seed}", [cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in frames], clip.K[0, 0] / WIDTH


def recorded(folder: Path) -> Iterator[tuple[str, list[np.ndarray], float]]:
    """The same of the pieces of an RGB-D folder."""
    files = sorted((folder / "color").iterdir())
    for first in range(0, max(1, len(files) - PIECE // 2), PIECE):
        lumas = []
        for file in files[first : first + PIECE]:
            picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            height, width = picture.shape
            size = (WIDTH, round(WIDTH * height / width))
            lumas.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        yield f"{folder.name} {first}", lumas, np.loadtxt(folder / "K.txt").reshape(3, 3)[0, 0] / width


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="7001-7006")
    parser.add_argument("--frames", type=int, default=28)
    parser.add_argument("--rgbd", type=Path, nargs="*", default=[])
    parser.add_argument("--still", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    first, last = map(int, options.seeds.split("-"))
    parts = [procedural(range(first, last + 1), options.frames), *map(recorded, options.rgbd)]
    assumed = 0.5 / np.tan(np.radians(DEFAULT_FOV) / 2)
    errors: list[float] = []
    baseline: list[float] = []
    sigmas: list[float] = []
    print(
        f"{'clip':<28} {'motion':<8} {'true':>6} {'found':>6}  {'off':>7} {'stated':>8} {'sigma':>6} {'s':>6}"
    )
    for part in parts:
        for name, lumas, true in part:
            began = time.perf_counter()
            found = look_at(lumas, Progress())
            row = f"{name:<28} {found.motion:<8} {true:6.3f} "
            if found.error <= VAGUE:
                off = np.log(found.focal / true)
                errors.append(100 * abs(found.focal / true - 1))
                baseline.append(100 * abs(assumed / true - 1))
                sigmas.append(abs(off) / found.error)
                row += f"{found.focal:6.3f}  {100 * (found.focal / true - 1):+6.1f}% "
                row += f"±{100 * found.error:6.1f}% {sigmas[-1]:6.1f}"
            else:
                row += f"refused: known to ±{100 * found.error:.0f}% only"
            print(f"{row} {time.perf_counter() - began:6.1f}", flush=True)
    for path in options.still:
        try:
            lens = lens_from_motion(open_clip(path), 0, None, Progress())
            print(f"{path.name:<28} NOT REFUSED: fx {lens.fx:.0f} ± {lens.error:.0%}", flush=True)
        except InputError as error:
            print(f"{path.name:<28} refused: {error}", flush=True)
    print(
        f"{len(errors)} found: median off {np.median(errors):.1f} %, worst {max(errors):.1f} %; within one "
        f"stated deviation {np.mean(np.less(sigmas, 1)):.0%}, within two {np.mean(np.less(sigmas, 2)):.0%}"
    )
    ours, theirs = float(np.median(errors)), float(np.median(baseline))
    print(
        json.dumps(
            {
                "benchmark": "focal",
                "ratio": round(ours / theirs, 4),
                "ours": round(ours, 2),
                "baseline": round(theirs, 2),
                "unit": "percent, median error of the focal length",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
