"""Nerfstudio's ``transforms.json``: pictures, 16-bit depth and the camera of each frame.

Depth in the files is planar, in steps of ``depth_unit_scale_factor``, 0 where there is none. It is
Nerfstudio's own .001 (millimetres of metric depth) unless the job's far end lies beyond 16 bits of it, or so
near that few of them were used; then its option of that name must say so. Poses are camera-to-world for a
camera that looks along −z, y up.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...files import make_folder, write_bytes
from ...geometry.camera import Intrinsics
from ...geometry.camera_files.nerfstudio import shift_entry
from ...progress import Progress
from ..naming import safe_name
from ..plate import pictures
from ..sequence import DepthSequence
from .options import NerfstudioOptions
from .rig import Rig
from .surface import picture

_UNIT = 0.001
_MOST = 65535
_FEWEST = 2000  # steps to the far end from which .001 is fine enough


class Nerfstudio:
    """``transforms.json``, ``images/`` and ``depth/``."""

    name = "nerfstudio"
    Options = NerfstudioOptions

    def __init__(self, options: NerfstudioOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            UsageError: the sequence has none of the frames.
            InputError: a frame is missing or damaged, or the clip is gone.
            ResourceError: the disk is full or not writable.
        """
        rig = Rig.read(sequence, self.options, progress, views=True)
        numbers, stem = rig.numbers(self.options.frames, progress), safe_name(sequence.manifest.clip.name)
        unit = self.options.unit or unit_for(sequence.near_far[1])
        if unit != _UNIT:
            progress.warn(f"Tell Nerfstudio the unit of depth: --depth-unit-scale-factor {unit:g}.")
        images, depths = make_folder(out / "images"), make_folder(out / "depth")
        files, frames = [], []
        progress.stage("export", len(numbers))
        for number, rgb in zip(numbers, pictures(sequence.manifest, numbers), strict=True):
            with progress.step("export"):
                name = f"{stem}.{number:04d}.png"
                z = sequence[number - sequence.numbers.start]
                write_bytes(images / name, picture(rgb))
                _, data = cv2.imencode(".png", codes_of(z, unit), [cv2.IMWRITE_PNG_COMPRESSION, 3])
                write_bytes(depths / name, data.tobytes())
                files += [images / name, depths / name]
                frames.append(
                    {
                        "file_path": f"images/{name}",
                        "depth_file_path": f"depth/{name}",
                        "transform_matrix": rig.world(number).tolist(),
                        **_lens(rig.lens(number)),
                    }
                )
        told = {
            "camera_model": "OPENCV",
            "w": sequence.shape[2],
            "h": sequence.shape[1],
            **_lens(rig.lens(numbers[0])),
            "k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0,
            "depth_unit_scale_factor": unit,
            **shift_entry(rig.shift),
            "frames": frames,
        }  # fmt: skip
        path = out / "transforms.json"
        write_bytes(path, f"{json.dumps(told, indent=1)}\n".encode())
        return [path, *files]


def unit_for(far: float) -> float:
    """Depth of a step: .001 where it suits, else two digits such that 16 bits reach ``far`` and are used.

    Args:
        far: Largest depth.
    """
    least = far / _MOST
    if least <= _UNIT <= far / _FEWEST:
        return _UNIT
    digit = 10.0 ** (math.floor(math.log10(least)) - 1)
    return float(f"{math.ceil(least / digit) * digit:.3g}")  # no digits that only the product has


def codes_of(z: np.ndarray, unit: float) -> np.ndarray:
    """Depth (H, W) as 16-bit steps; 0 where there is none, or it is beyond them.

    Args:
        z: Planar.
        unit: Depth of a step.
    """
    steps = np.rint(z.astype(np.float64) / unit)
    return np.where((z > 0) & (steps <= _MOST), np.maximum(steps, 1), 0).astype(np.uint16)


def _lens(lens: Intrinsics) -> dict[str, Any]:
    return {"fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy}
