"""16-bit grey PNG, one file a frame, one linear code for the whole clip in a JSON file beside them."""

from __future__ import annotations

from pathlib import Path

import cv2

from ...files import write_bytes
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import DepthOptions
from .scaling import converter_of, fit_scaling, is_sky, write_sidecar


class Png16:
    """``<clip>_<convention>.<frame:04d>.png`` and ``<clip>_<convention>.json``."""

    name = "png16"
    Options = DepthOptions

    def __init__(self, options: DepthOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """
        convention = self.options.convention
        converter = converter_of(sequence, convention)
        progress.stage("measure", len(sequence))
        scaling = fit_scaling(sequence, converter, 1 << 16, progress, "measure")
        progress.stage("export", len(sequence))
        stem = f"{safe_name(sequence.manifest.clip.name)}_{convention}"
        files = []
        for number, z in zip(sequence.numbers, sequence, strict=True):
            with progress.step("export"):
                path = out / f"{stem}.{number:04d}.png"
                codes = scaling.encode(converter.convert(z), is_sky(z))
                _, data = cv2.imencode(".png", codes, [cv2.IMWRITE_PNG_COMPRESSION, 3])
                write_bytes(path, data.tobytes())
                files.append(path)
        files.append(
            write_sidecar(out / f"{stem}.json", sequence, converter, scaling, f"{stem}.####.png, 16-bit grey")
        )
        return files
