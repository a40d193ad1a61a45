"""Generated clips and a small exact model, for tests of every room."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from vdepth_core.networks.tcmonodepth_small import TCSmallNet
from vdepth_core.types import ModelSpec


def write_movie(path: Path, frames: int, shots: int = 1, size: tuple[int, int] = (96, 64)) -> Path:
    """An H.264 movie at 24 fps; each shot pans over its own random picture."""
    width, height = size
    per_shot = -(-frames // shots)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            shot, within = divmod(index, per_shot)
            random = np.random.default_rng(shot)
            cells = random.integers(0, 255, (height // 8, 2 * width // 8, 3), np.uint8)
            wide = cells.repeat(8, 0).repeat(8, 1)
            picture = np.ascontiguousarray(wide[:, within : within + width])
            if shot % 2:
                picture = 255 - picture // 4
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


class RampModel:
    """Disparity from the picture itself, so that frames differ and every value is known: ramp + green / 4."""

    def __init__(self, size: int = 64) -> None:
        self.spec = ModelSpec(
            "ramp", "disparity", "affine_invariant", "CC0", True, native_size=size, weights_sha256="00"
        )
        self.seen = 0

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) -> (T, H, W)."""
        self.seen += len(frames)
        return torch.linspace(0.2, 1.0, frames.shape[2])[None, :, None] + frames[:, 1] / 4


def random_network(seed: int) -> TCSmallNet:
    """Random weights whose output is not all zero behind the last ReLU."""
    torch.manual_seed(seed)
    network = TCSmallNet().eval()
    torch.nn.init.normal_(network.decoder.final.weight, 0, 1)
    torch.nn.init.constant_(network.decoder.final.bias, 1)  # type: ignore[arg-type]
    return network
