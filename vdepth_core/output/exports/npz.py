"""NumPy: the whole clip as one ``.npz``, written frame by frame."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

from ...files import atomic_path
from ...progress import Progress
from ..conventions import MEANINGS
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import NpzOptions
from .rig import Rig
from .scaling import converter_of


class Npz:
    """``<clip>_<convention>.npz``.

    Holds ``depth`` (T, H, W) float32, ``numbers``, ``times`` in seconds, ``intrinsics`` (fx, fy, cx, cy), the
    same of every frame in ``lenses`` (T, 4), and ``facts``, a JSON text. With a camera file also ``poses``
    (T, 4, 4), camera-to-world in OpenCV axes and units of the depth; NaN where the file has none.
    """

    name = "npz"
    Options = NpzOptions

    def __init__(self, options: NpzOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence, values exact; see `Exporter.export`.

        Raises:
            InputError: a frame is missing or damaged, or the camera file is.
            ResourceError: the disk is full or not writable.
        """
        convention = self.options.convention
        converter = converter_of(sequence, convention)
        progress.stage("export", len(sequence))
        rig, camera = Rig.read(sequence, self.options, progress), sequence.intrinsics
        known = [number for number in sequence.numbers if rig.knows(number)]
        facts = {
            "convention": convention,
            "meaning": MEANINGS[convention],
            "space": sequence.manifest.model.space,
            "near": converter.near,
            "far": converter.far,
            "rate": sequence.manifest.clip.rate,
            "model": sequence.manifest.model.name,
            "license": sequence.manifest.model.license,
        }
        small = {
            "numbers": np.asarray(sequence.numbers, np.int64),
            "times": np.asarray([float(time) for time in sequence.times], np.float64),
            "intrinsics": np.asarray([camera.fx, camera.fy, camera.cx, camera.cy], np.float64),
            "facts": np.asarray(json.dumps(facts)),
            "lenses": np.full((len(sequence), 4), np.nan),
        }
        if rig.path is not None:
            small["poses"] = np.full((len(sequence), 4, 4), np.nan)
        for number in known:
            lens, index = rig.lens(number), number - sequence.numbers.start
            small["lenses"][index] = lens.fx, lens.fy, lens.cx, lens.cy
            if rig.path is not None:
                small["poses"][index] = rig.pose(number)
        path = out / f"{safe_name(sequence.manifest.clip.name)}_{convention}.npz"
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            header = BytesIO()
            shape = {"descr": "<f4", "fortran_order": False, "shape": sequence.shape}
            np.lib.format.write_array_header_2_0(header, shape)
            with archive.open(_entry("depth"), "w", force_zip64=True) as file:
                file.write(header.getvalue())
                for z in sequence:
                    with progress.step("export"):
                        file.write(np.ascontiguousarray(converter.convert(z), "<f4").tobytes())
            for name, values in small.items():
                buffer = BytesIO()
                np.lib.format.write_array(buffer, values, allow_pickle=False)
                archive.writestr(_entry(name), buffer.getvalue())
        return [path]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the same values give the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry._compresslevel = 1  # type: ignore[attr-defined]  # public only as compress_level, and only from 3.13
    return entry
