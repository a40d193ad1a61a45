"""Generated footage for benchmarks (textured, moving, hard cuts) and a model that costs time but no CPU."""

from __future__ import annotations

import os
import platform
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate

from vdepth_core.types import ModelSpec


def make_clip(path: Path, width: int, height: int, frames: int, shots: int = 1) -> Path:
    """Writes an H.264 movie of ``frames`` frames at 24 fps in ``shots`` equally long shots.

    Every shot pans over its own random picture with a sharp disc moving the other way: something to decode,
    to match and to compress, unlike flat colour.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20"}
        for index in range(frames):
            shot, within = divmod(index, -(-frames // shots))
            if not within:
                wide = _panorama(shot, width, height)
            frame = av.VideoFrame.from_ndarray(_view(wide, within, width, height), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _panorama(shot: int, width: int, height: int) -> np.ndarray:
    random = np.random.default_rng(shot)
    wide = np.zeros((height, width * 2, 3), np.float32)
    for octave in range(2, 8):
        cells = random.random((max(2**octave * height // width, 2), 2 ** (octave + 1), 3), np.float32)
        wide += cv2.resize(cells, (width * 2, height), interpolation=cv2.INTER_CUBIC) / octave
    wide -= wide.min()
    wide *= (90 + 150 * (shot * 0.37 % 1)) / wide.max()
    return wide.clip(0, 255).astype(np.uint8)


def _view(wide: np.ndarray, within: int, width: int, height: int) -> np.ndarray:
    left = width - abs(within * 3 % (2 * width) - width)  # to and fro: a jump would be a cut
    picture = np.ascontiguousarray(wide[:, left : left + width])
    centre = (abs(within * 5 % (2 * width) - width), height // 2)
    return cv2.circle(picture, centre, height // 5, (130, 180, 60), -1, cv2.LINE_AA)


class StandIn:
    """A model that sleeps, as an accelerator lets the CPU do; it answers a ramp and the blurred picture."""

    def __init__(self, seconds_a_frame: float) -> None:
        self.spec = ModelSpec("stand-in", "disparity", "affine_invariant", "none", True, native_size=384)
        self.seconds_a_frame = seconds_a_frame

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) -> (T, H, W) after the time it is to take."""
        until = time.perf_counter() + self.seconds_a_frame * len(frames)
        ramp = torch.linspace(0.2, 1.0, frames.shape[2])[None, :, None]
        # smooth like a network's answer: raw texture would not compress as depth does
        smooth = interpolate(avg_pool2d(frames[:, 1:2], 16), size=frames.shape[2:], mode="bilinear")[:, 0]
        disparity = ramp + 0.4 * smooth
        time.sleep(max(until - time.perf_counter(), 0.0))
        return disparity


def machine() -> str:
    """One line saying what the figures were measured on."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"
