"""``vdepth novel-view``: a finished job from another camera, frame by frame (depth-image-based rendering).

What the plate hides comes from clean plates (`vdepth fuse`), which know it from other frames of the shot;
what no frame shows is continued from the background. A frame depends on its own files alone, so memory does
not grow with the clip and a stopped run goes on to the same bytes.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry.camera import Intrinsics
from ..output.naming import safe_name
from ..output.plate import pictures, plate_of
from ..output.sequence import DepthSequence, numbers_of, read_sequence
from ..output.spherical import mark_vr180
from ..progress import Progress
from .cameras import Ends, FilePath, Move, ends_of, mover, second_eye
from .clean_plates import CleanPlates
from .finished import header_of, shots_of, times_of
from .frame_folder import FrameFolder
from .options import PATHS, ViewOptions
from .picture_files import read_picture, write_picture
from .render import SKY, Rendered, Source, View, render
from .stereo import depth_beside, together

VERSION = 1


@dataclass(frozen=True)
class ViewResult:
    """A new view.

    Attributes:
        record: JSON file that says what it is.
        frames: How many there are.
        film: The MP4; None: none was wanted.
        made: Frames made in this run.
        holes: Mean share of a picture that the plate does not show, of those.
        found: Mean share of a picture that other frames show in its place, of those.
    """

    record: Path
    frames: int
    film: Path | None
    made: int
    holes: float
    found: float


def check(out: str | Path, clip: str | Path | None = None, **options: Any) -> None:
    """Refuses what `novel_view` would, before other work is done for it.

    Args:
        out: Output folder of `estimate`.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.
        options: Fields of `ViewOptions`.

    Raises:
        UsageError: an option is wrong, or the sequence has none of the frames.
        InputError: the job is not finished, its clip is gone or changed, or a camera file cannot be read.
    """
    wanted, sequence = ViewOptions.parse(options), read_sequence(out, clip)
    numbers_of(sequence, wanted.frames)
    FilePath.read(wanted, plate_of(sequence.manifest), sequence, Progress())


def novel_view(
    out: str | Path,
    destination: str | Path | None = None,
    clean: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
    clip: str | Path | None = None,
    **options: Any,
) -> ViewResult:
    """Renders a finished job from another camera.

    Args:
        out: Output folder of `estimate`.
        destination: Folder for the files; default: ``out/view_<path>``.
        clean: Folder of clean plates, which ``vdepth fuse`` made of this job; None: holes are only filled
            from what is around them.
        device: Where torch works.
        overwrite: Replace a view made with other options.
        progress: Hears of the work and may stop it.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.
        options: Fields of `ViewOptions`; ``path`` must be there.

    Returns:
        What there is now.

    Raises:
        UsageError: an option is wrong, or the sequence has none of the frames.
        InputError: the job is not finished, its clip is gone or changed, or a file cannot be read.
        JobConflictError: the folder holds another view, or a file that vdepth did not write.
        ResourceError: the disk is full or not writable.
        Cancelled: the user asked to stop.
    """
    wanted, progress = ViewOptions.parse(options), progress or Progress()
    sequence = read_sequence(out, clip)
    numbers = numbers_of(sequence, wanted.frames)
    path = FilePath.read(wanted, plate_of(sequence.manifest), sequence, progress)
    plates = None if clean is None else CleanPlates.open(Path(clean), sequence.manifest)
    kind = wanted.path if wanted.path in PATHS else "path"
    folder = Path(destination) if destination else Path(out) / f"view_{kind}"
    facts = {
        "version": VERSION,
        "job": sequence.manifest.job,
        "clean": "" if plates is None else plates.identity,
        "poses": None if path is None else path.identity,
        "options": wanted.model_dump(mode="json", exclude={"path", "camera"}),
        "path": kind,
        "first": numbers[0],
        "last": numbers[-1],
    }
    stem = f"{safe_name(sequence.manifest.clip.name)}_view"
    with FrameFolder(folder, stem, f".{wanted.format}", facts, overwrite) as place:
        left = set(place.missing(numbers))
        progress.stage("view", len(numbers))
        progress.skip("view", len(numbers) - len(left))
        made, holes, found = 0, 0.0, 0.0
        with closing(_frames(sequence, sorted(left), wanted, path, plates, device)) as frames:
            for number, frame, lens in frames:
                with progress.step("view"):
                    with place.frame(number) as staged:
                        attributes = header_of(sequence, number, lens, "view")
                        write_picture(staged, frame.rgb, _depth(wanted, frame), attributes)
                    made, holes, found = made + 1, holes + frame.holes, found + frame.found
        film = None
        if wanted.movie:
            times = times_of(sequence, numbers)
            vr180 = wanted.path == "stereo" and wanted.layout == "vr180"
            film = place.film(
                times, sequence.rate, progress, lambda: (read_picture(place.path(n)) for n in numbers),
                mark_vr180 if vr180 else None,
            )  # fmt: skip
        count = max(made, 1)
        return ViewResult(place.record, len(numbers), film, made, holes / count, found / count)


def _frames(
    sequence: DepthSequence, numbers: list[int], options: ViewOptions, path: FilePath | None,
    plates: CleanPlates | None, device: str,
) -> Generator[tuple[int, Rendered, Intrinsics]]:  # fmt: skip
    """Each frame's number, picture and lens, one in memory at a time."""
    for shot, own in shots_of(sequence.manifest, numbers):
        ends, lens = ends_of(sequence, shot), shot.camera.intrinsics()
        move = mover(options, shot, ends, lens, path)
        with closing(pictures(sequence.manifest, own)) as rgbs:
            for number, rgb in zip(own, rgbs, strict=True):
                z = sequence[number - sequence.numbers.start]
                source = Source(rgb, z, lens, ends.span)
                clean = None if plates is None else plates.read(number)
                if options.path == "stereo":
                    yield number, *_eyes(source, clean, ends, options, device)
                else:
                    there: Move = move(number)
                    view = View(there.motion, there.lens, z.shape)
                    yield number, render(source, view, clean, device), there.lens


def _eyes(
    source: Source, clean: Any, ends: Ends, options: ViewOptions, device: str
) -> tuple[Rendered, Intrinsics]:
    """The plate and its second eye in one picture."""
    left = source.rgb.astype(np.float32) / 255
    if options.layout == "rgbd":
        both = depth_beside(left, source.z, ends.far, ends.near)
        return Rendered(both, source.z, 0.0, 0.0), source.lens
    move = second_eye(options, ends, source.lens, source.z.shape[1])
    # Nothing leaves the limits of comfort: what is nearer than the near end stands there.
    far = 1 / ends.far if ends.far > 1 / SKY else float(2 * SKY)
    deep = far if options.layout != "vr180" else float(2 * SKY)
    z = np.clip(source.z, 1 / ends.near, deep)
    held = Source(source.rgb, z, source.lens, source.span)
    right = render(held, View(move.motion, move.lens, z.shape), clean, device)
    rgb = together(options.layout, left, right.rgb, source.lens)
    return Rendered(rgb, right.z, right.holes, right.found), move.lens


def _depth(options: ViewOptions, frame: Rendered) -> np.ndarray | None:
    """Depth that fits the frame's picture."""
    return frame.z if options.path != "stereo" or options.layout == "right" else None
