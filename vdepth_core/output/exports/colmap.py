"""A dense workspace of COLMAP: pictures, cameras, depth and normal maps, as its own stereo leaves them.

``colmap stereo_fusion --workspace_path FOLDER --output_path fused.ply`` makes one cloud of it. Depth is
planar and 0 where there is none; normals are in the camera's axes. A map is ``width&height&channels&``, then
float32 by channels, rows and columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import atomic_path, make_folder, write_bytes
from ...geometry.normals import normals_from_depth
from ...progress import Progress
from ..naming import safe_name
from ..plate import pictures
from ..sequence import DepthSequence
from .colmap_model import SparseModel
from .options import FramesOptions
from .rig import Rig
from .scaling import is_sky
from .surface import picture

_TOWARD = np.array((1, -1, -1), np.float32)  # normals with y up and z to the camera, in OpenCV's axes


class Colmap:
    """``images/``, ``sparse/`` and ``stereo/``."""

    name = "colmap"
    Options = FramesOptions

    def __init__(self, options: FramesOptions) -> None:
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
        images, sparse = make_folder(out / "images"), make_folder(out / "sparse")
        depths, normals = (make_folder(out / "stereo" / f"{kind}_maps") for kind in ("depth", "normal"))
        files: list[Path] = []
        named: list[str] = []
        texts = [sparse / "images.txt", sparse / "points3D.txt"]
        progress.stage("export", len(numbers))
        with (
            atomic_path(texts[0]) as seen,
            atomic_path(texts[1]) as points,
            seen.open("w", encoding="utf-8") as of_images,
            points.open("w") as of_points,
        ):
            model = SparseModel(of_images, of_points, rig.shift)
            for number, rgb in zip(numbers, pictures(sequence.manifest, numbers), strict=True):
                with progress.step("export"):
                    z, lens = sequence[number - sequence.numbers.start], rig.lens(number)
                    there = ~is_sky(z) & (z > 0)
                    name = f"{stem}.{number:04d}.png"
                    facing = normals_from_depth(np.where(there, z, 1e10), lens) * _TOWARD
                    named.append(name)
                    made = {
                        images / name: picture(rgb),
                        depths / f"{name}.geometric.bin": _map(np.where(there, z, 0)[..., None]),
                        normals / f"{name}.geometric.bin": _map(facing * there[..., None]),
                    }
                    for path, data in made.items():
                        write_bytes(path, data)
                    files += made
                    model.add(name, z, rgb, lens, rig.pose(number))
            model.finish()
        write_bytes(sparse / "cameras.txt", model.cameras.encode())
        write_bytes(out / "stereo" / "fusion.cfg", "\n".join((*named, "")).encode())
        return [sparse / "cameras.txt", *texts, out / "stereo" / "fusion.cfg", *files]


def _map(values: np.ndarray) -> bytes:
    """(H, W, C) as a map of COLMAP."""
    height, width, channels = values.shape
    head = f"{width}&{height}&{channels}&".encode()
    return head + np.ascontiguousarray(np.moveaxis(values, 2, 0), "<f4").tobytes()
