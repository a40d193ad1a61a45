# SPDX-License-Identifier: Apache-2.0
"""Turns the rendered demo shot into the bundled clip and truth. Runs under the core's Python.

    python encode.py DIR OUT [--crf N]

DIR is what render.py wrote. The picture gets what a camera adds: vignette, softness, grain; then H.264.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenEXR
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from vdepth_core.demo import pack

RATE = 24
NO_SURFACE = 1e9  # Cycles writes 1e10 where a ray meets nothing
EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date keeps the archive's bytes reproducible


def main() -> None:
    """Reads the command line and writes clip.mp4 and truth.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--crf", type=int, default=18)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    write_clip(sorted((options.folder / "colour").glob("[0-9]*.png")), options.out / "clip.mp4", options.crf)
    camera = json.loads((options.folder / "camera.json").read_text())
    write_truth(sorted((options.folder / "depth").glob("[0-9]*.exr")), camera, options.out / "truth.npz")


def write_clip(pictures: list[Path], path: Path, crf: int) -> None:
    """Encodes 16-bit PNG pictures, graded and grained, as H.264."""
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        first = _picture(pictures[0])
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, RATE)
        # One thread: the bytes then do not depend on the machine.
        stream.options = {"crf": str(crf), "preset": "veryslow", "tune": "film", "threads": "1"}
        context = stream.codec_context
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        stream.metadata["timecode"] = "01:00:00:00"
        rng = np.random.default_rng(11)
        for index, source in enumerate(pictures):
            rgb = (film(_picture(source), rng) * 255).round().astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
            frame.color_primaries, frame.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def film(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lens and film on display-referred rgb (H, W, 3) in [0, 1]: vignette, softness, tone-dependent grain."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    picture = cv2.GaussianBlur(rgb * (1 - 0.16 * radius**2.5)[..., None], (0, 0), 0.45)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 0.6)
    grain = 0.75 * grain.mean(axis=2, keepdims=True) + 0.25 * grain
    luma = picture.mean(axis=2, keepdims=True)
    strength = 0.028 * np.sqrt(np.clip(luma * (1.15 - luma), 0.02, None))
    filmed: np.ndarray = np.clip(picture + strength * grain, 0, 1)
    return filmed


def write_truth(depths: list[Path], camera: dict[str, Any], path: Path) -> None:
    """Packs depth frames, intrinsics and poses into an .npz of packed frames."""
    with zipfile.ZipFile(path, "w") as archive:
        _member(archive, "intrinsics", np.array([camera[k] for k in ("fx", "fy", "cx", "cy")]))
        _member(archive, "poses", np.array(camera["poses"]))
        for index, source in enumerate(depths):
            depth = read_depth(source)
            _member(archive, f"depth_{index:04d}", pack(np.where(depth < NO_SURFACE, depth, np.inf)))


def read_depth(path: Path) -> np.ndarray:
    """The Z channel (H, W) float32 of a Blender multilayer EXR."""
    for part in OpenEXR.File(str(path), separate_channels=True).parts:
        for name, channel in part.channels.items():
            if name.endswith("Depth.Z"):
                return np.array(channel.pixels)
    raise ValueError(f"{path} has no Depth.Z channel")


def _picture(path: Path) -> np.ndarray:
    """A 16-bit PNG as (H, W, 3) float32 in [0, 1]."""
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bgr is None:
        raise ValueError(f"{path} is not a picture")
    return bgr[..., ::-1].astype(np.float32) / 65535


def _member(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
    with archive.open(info, "w") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


if __name__ == "__main__":
    main()
