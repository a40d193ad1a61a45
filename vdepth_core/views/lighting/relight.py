"""``vdepth relight``: a lighting pass for each frame of a finished job, and a film of the plate under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...clip.display import srgb_decode
from ...errors import InputError
from ...output.exr import write_exr
from ...output.naming import safe_name
from ...output.plate import pictures
from ...output.sequence import DepthSequence, LazyFrames, numbers_of, read_sequence
from ...progress import Progress
from ..cameras import ends_of
from ..finished import header_of, shots_of, times_of
from ..frame_folder import FrameFolder
from ..picture_files import displayed, light_channels, read_light
from .lights import Lights
from .passes import lighting_pass, surfaces_of

VERSION = 2


@dataclass(frozen=True)
class RelightResult:
    """Lighting passes.

    Attributes:
        record: JSON file that says what they are.
        frames: How many there are.
        film: The MP4 of the plate under them; None: none was wanted, or the clip is gone.
        made: Frames made in this run.
    """

    record: Path
    frames: int
    film: Path | None
    made: int


def relight(
    out: str | Path,
    lights: Lights,
    destination: str | Path | None = None,
    frames: str | None = None,
    movie: bool = True,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
    clip: str | Path | None = None,
) -> RelightResult:
    """Makes the lighting passes of a finished job.

    Args:
        out: Output folder of `estimate`.
        lights: See `read_lights`.
        destination: Folder for the files; default: ``out/relight``.
        frames: Frames A to B of the sequence, ``A-B``; None: all.
        movie: Whether to make a film of the plate under the pass.
        device: Where torch works.
        overwrite: Replace passes made with other lights.
        progress: Hears of the work and may stop it.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.

    Returns:
        What there is now.

    Raises:
        UsageError: the sequence has none of the frames.
        InputError: the job is not finished, or a frame is missing or damaged.
        JobConflictError: the folder holds other passes, or a file that vdepth did not write.
        ResourceError: the disk is full or not writable.
        Cancelled: the user asked to stop.
    """
    progress, sequence = progress or Progress(), read_sequence(out, clip)
    numbers = numbers_of(sequence, frames)
    sky = _sky_of(sequence)
    facts = {
        "version": VERSION,
        "job": sequence.manifest.job,
        "lights": lights.model_dump(mode="json"),
        "sky": sky is not None,
        "first": numbers[0],
        "last": numbers[-1],
    }
    stem = f"{safe_name(sequence.manifest.clip.name)}_light"
    folder = Path(destination) if destination else Path(out) / "relight"
    with FrameFolder(folder, stem, ".exr", facts, overwrite) as place:
        left = place.missing(numbers)
        progress.stage("light", len(numbers))
        progress.skip("light", len(numbers) - len(left))
        for shot, own in shots_of(sequence.manifest, left):
            middle, lens = 1 / ends_of(sequence, shot).middle, shot.camera.intrinsics()
            for number in own:
                with progress.step("light"):
                    index = number - sequence.numbers.start
                    surfaces = surfaces_of(sequence[index], lens, middle, device)
                    light = lighting_pass(surfaces, lights, number, None if sky is None else sky[index])
                    attributes = header_of(sequence, number, lens, "lighting pass, multiplies linear light")
                    with place.frame(number) as staged:
                        write_exr(staged, light_channels(light), attributes)
        film = None
        if movie:
            try:
                times = times_of(sequence, numbers)
                film = place.film(times, sequence.rate, progress, lambda: _lit(place, sequence, numbers))
            except InputError as error:
                progress.warn(f"There is no film of the plate under the pass: {error}")
        return RelightResult(place.record, len(numbers), film, len(left))


def _lit(place: FrameFolder, sequence: DepthSequence, numbers: range) -> Iterator[np.ndarray]:
    """The plates under their passes, (H, W, 3) uint8."""
    with closing(pictures(sequence.manifest, numbers)) as plates:
        for number, rgb in zip(numbers, plates, strict=True):
            light = read_light(place.path(number))
            yield displayed(srgb_decode(rgb.astype(np.float32) / 255) * light)


def _sky_of(sequence: DepthSequence) -> LazyFrames | None:
    try:
        return sequence.sky
    except InputError:
        return None
