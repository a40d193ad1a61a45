# SPDX-License-Identifier: Apache-2.0
"""Measures depth in clips with a moving camera, for ``vdepth train-embedded --motion``.

python tools/motion_depth.py CLIP … -o DIR [--size 320]

The environment is vdepth's. The camera's path is found as `vdepth adapt --recipe monodepth2` finds it, and
depth is triangulated along flow between frames far apart; it is kept where it is sure, and left unknown at
silhouettes, in the sky, on what moves by itself and where nothing has texture. Each clip gives a folder of
shards, DIR/NAME (their form: `vdepth_core.training.shards`), with its licence. Look at the picture in it,
look.png, before you train on it: near is bright, unknown is blue. Nothing that is there is replaced.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.adaptation.footage import Footage, read_frames
from vdepth_core.adaptation.options import Monodepth2Recipe
from vdepth_core.adaptation.reconstruction import reconstruct
from vdepth_core.adaptation.session import Session
from vdepth_core.clip import open_clip
from vdepth_core.errors import InputError
from vdepth_core.learning.student import load_student
from vdepth_core.models.sizing import network_size
from vdepth_core.progress import Progress
from vdepth_core.training.card import label
from vdepth_core.training.shards import LABELLED, SHORTER, homes, write_shard, write_shards

SURE = 0.7  # trust from which on depth is kept: its standard deviation is then 6 % of it at most
ENOUGH = 0.15  # of a frame that must be known
NEAR = 20.0  # times the median's inverse depth; what is said to be nearer is an error


def main() -> None:
    """Reads the command line and makes the folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+", help="movies, or folders of images")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="folder for a folder of each clip; what is there stays"
    )
    parser.add_argument("--size", type=int, default=320, help="shorter side depth is measured at, pixels")
    options = parser.parse_args()
    if not 64 <= options.size <= SHORTER:
        parser.error(f"--size {options.size} is not within 64 and {SHORTER}")
    try:
        places = homes(options.clips, options.out)
    except InputError as error:
        parser.error(str(error))
    made = [_make(clip, home, options.size) for clip, home in zip(options.clips, places, strict=True)]
    sys.exit(0 if any(made) else 3)


def _make(clip: Path, home: Path, size: int) -> bool:
    """Makes a clip's folder, and says what came of it."""
    if home.exists():
        print(f"{home} is there already; delete it to measure again")
        return True
    try:
        shots = measured(clip, size)
    except InputError as error:
        print(f"{clip.name} is left out: {error.message}")
        return False
    frames = [frame for shot in shots for frame in shot]
    if not frames:
        print(f"{clip.name} is left out: too little of it is sure")
        return False
    write_shards(shots, home, write_shard, partial(label, clip, _drawn(frames)))
    known = np.mean([1 - np.isnan(disparity).mean() for _, disparity in frames])
    print(f"{clip.name}: {len(frames)} frames, {known:.0%} of them known", flush=True)
    return True


def measured(path: Path, size: int) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Pairs of neighbours from all over a clip, by shot: each has a unit of its own.

    Args:
        path: Of the clip.
        size: Shorter side, pixels.

    Returns:
        Pictures (h, w, 3) uint8 and disparity (h, w) in units of the median's, not a number where unknown.

    Raises:
        InputError: the clip shows no parallax, or no camera explains it.
    """
    clip, progress, student = open_clip(path), Progress(), load_student("embedded", "cpu")
    shots = [shot for shot in clip.scan(progress=progress) if len(shot) > 1]
    info = clip.info
    height, width = network_size(info.width, info.height, info.pixel_aspect, student.spec, size)
    with tempfile.TemporaryDirectory() as name, Footage(Path(name), shots, height, width) as footage:
        read_frames(clip, footage, shots, progress)
        session = Session(
            clip, shots, footage, student, None, (height, width), Path(name), 0, progress
        )  # fmt: skip
        with closing(session):
            cameras = reconstruct(session, Monodepth2Recipe())
            depths = cameras.depths
            assert depths is not None
            pairs = [(k, k + 1) for span in cameras.spans for k in span[:-1:2]]
            frames: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in footage.shots]
            for pair in pairs[:: max(1, -(-2 * len(pairs) // LABELLED))]:
                inverse, trust = (maps.numpy() for maps in depths.read(pair))
                sure = (trust >= SURE) & (inverse > 0) & (inverse < NEAR)
                if sure.mean((1, 2)).min() >= ENOUGH:
                    pictures = [footage.frames.read(k)[0] for k in pair]
                    shot = next(k for k, shot in enumerate(footage.shots) if pair[0] in shot)
                    frames[shot] += list(zip(pictures, np.where(sure, inverse, np.nan), strict=True))
    return [shot for shot in frames if shot]


def _drawn(frames: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Four of the frames, each beside its depth."""
    rows = []
    for place in np.linspace(0, len(frames) - 1, 4).astype(int):
        rgb, disparity = frames[place]
        top = np.nanquantile(disparity, 0.98)
        shade = np.uint8(np.nan_to_num(np.clip(disparity / top, 0, 1)) * 255)
        drawn = cv2.applyColorMap(shade, cv2.COLORMAP_INFERNO)
        drawn[np.isnan(disparity)] = (90, 40, 0)
        rows.append(np.hstack((rgb[..., ::-1], drawn)))
    return np.vstack(rows)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # the folders that are there are whole
        sys.exit(130)
