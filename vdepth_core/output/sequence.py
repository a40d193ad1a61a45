"""Reads a finished job: a lazy (T, H, W) view of its EXR files, one frame in memory at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..clip.timing import parse_range
from ..errors import InputError, UsageError
from ..geometry.camera import Intrinsics
from .attributes import PREFIX
from .channels import SequenceKind
from .exr import read_exr
from .exr_header import read_header
from .journal import JOB, WORK
from .manifest import Manifest, read_manifest
from .naming import manifest_path

_CHANNEL: dict[str, tuple[tuple[SequenceKind, str], ...]] = {  # plane -> where it may lie, first one wins
    "depth": (("depth", "Z"), ("layers", "depth.Z")),
    "disparity": (("disparity", "Y"), ("layers", "disparity.Y")),
    "confidence": (("confidence", "Y"), ("layers", "confidence.Y")),
    "sky": (("sky", "Y"), ("layers", "sky.Y")),
}


class LazyFrames:
    """One plane of a sequence as (T, H, W) float32; ``frames[i]`` is (H, W), ``frames[a:b]`` is (n, H, W).

    Only what is asked for is read; `numpy.asarray` reads everything.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, out: Path, manifest: Manifest, plane: str) -> None:
        """Finds the files of ``plane``.

        Raises:
            InputError: the job has no such plane.
        """
        self._out, self._manifest = out, manifest
        found = [place for place in _CHANNEL[plane] if place[0] in manifest.sequences]
        if not found:
            raise InputError(
                f"{out} holds no {plane} sequence.", f"It holds {', '.join(manifest.sequences) or 'none'}."
            )
        self.kind, self._channel = found[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W)."""
        return self._manifest.count, self._manifest.clip.height, self._manifest.clip.width

    def __len__(self) -> int:
        return self._manifest.count

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._read(index) for index in range(len(self)))

    def __getitem__(self, index: int | slice) -> np.ndarray:
        """Reads one frame or a range.

        Raises:
            IndexError: no such frame.
            InputError: a file is missing or damaged.
        """
        if not isinstance(index, slice):
            return self._read(range(len(self))[index])
        chosen = range(len(self))[index]
        frames = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for row, position in enumerate(chosen):
            frames[row] = self._read(position)
        return frames

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("frames lie in files: an array of them is always a copy")
        frames = self[:]
        return frames if dtype is None else frames.astype(dtype, copy=False)

    def path(self, index: int) -> Path:
        """The file of frame ``index``.

        Args:
            index: From 0; not the frame's number.
        """
        return self._manifest.path(self._out, self.kind, self._manifest.numbers[index])

    def _read(self, index: int) -> np.ndarray:
        path = self.path(index)
        channels, _ = read_exr(path)
        hint = "Run the same vdepth estimate again to write it anew."
        if self._channel not in channels:
            raise InputError(f"{path} has no channel {self._channel}.", hint)
        pixels = channels[self._channel].astype(np.float32, copy=False)
        if pixels.shape != self.shape[1:]:
            raise InputError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, unlike its manifest.", hint)
        return pixels


class DepthSequence(LazyFrames):
    """Depth of a finished job, lazily: (T, H, W) planar z, with everything the files and the manifest say.

    Attributes:
        out: The job's folder.
        manifest: What the job wrote down.
    """

    def __init__(self, out: Path, manifest: Manifest) -> None:
        """See `read_sequence`."""
        super().__init__(out, manifest, "depth")
        self.out, self.manifest = out, manifest

    @property
    def disparity(self) -> LazyFrames:
        """Disparity (T, H, W), lazily.

        Raises:
            InputError: the job wrote none.
        """
        return LazyFrames(self.out, self.manifest, "disparity")

    @property
    def confidence(self) -> LazyFrames:
        """Confidence (T, H, W) in [0, 1], lazily.

        Raises:
            InputError: the job wrote none.
        """
        return LazyFrames(self.out, self.manifest, "confidence")

    @property
    def sky(self) -> LazyFrames:
        """Mask of the sky (T, H, W) in [0, 1], lazily.

        Raises:
            InputError: the job wrote none.
        """
        return LazyFrames(self.out, self.manifest, "sky")

    @property
    def numbers(self) -> range:
        """Frame numbers in the file names."""
        return self.manifest.numbers

    @property
    def times(self) -> list[Fraction]:
        """Presentation time of every frame in seconds since the clip's first frame."""
        return [Fraction(time) for time in self.manifest.clip.times]

    @property
    def rate(self) -> Fraction:
        """Nominal frames per second."""
        return Fraction(self.manifest.clip.rate)

    @property
    def intrinsics(self) -> Intrinsics:
        """The plate's camera."""
        return self.manifest.camera.intrinsics()

    @property
    def near_far(self) -> tuple[float, float]:
        """The nearest ``near`` and the farthest ``far`` of all shots: one range for the clip."""
        shots = self.manifest.shots
        return min(shot.near for shot in shots), max(shot.far for shot in shots)

    def attributes(self, index: int) -> dict[str, Any]:
        """The header of frame ``index``, without reading its pixels.

        Args:
            index: From 0, or from −1 backwards; not the frame's number.

        Raises:
            InputError: the file is missing or damaged, or another program's.
        """
        path = self.path(range(len(self))[index])
        hint = "Run the same vdepth estimate again to write it anew."
        try:
            attributes = read_header(path).attributes
        except (OSError, ValueError) as error:
            raise InputError(f"Cannot read {path}: {error}.", hint) from error
        if PREFIX + "cx" not in attributes:
            raise InputError(f"{path} was written by another program: it does not say its camera.", hint)
        return attributes


def read_sequence(out: str | Path, clip: str | Path | None = None) -> DepthSequence:
    """Opens the output folder of a finished job.

    Args:
        out: Output folder of `estimate`.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.

    Returns:
        The depth, lazily: ``len(s)``, ``s[3]`` (H, W), ``s[10:20]`` (10, H, W), ``s.disparity``,
            ``s.attributes(3)``.

    Raises:
        InputError: there is no finished job; frames are only looked at when they are read.

    Examples:
        >>> import vdepth_core
        >>> depth = vdepth_core.read_sequence("depth/")
        >>> depth.shape, depth[0].dtype, depth.attributes(0)["vdepth/units"]
        ((6, 64, 96), dtype('float32'), 'scene units')
        >>> bool(depth[0].min() >= 0.5)
        True
    """
    out = Path(out)
    manifest = read_manifest(manifest_path(out))
    path = str(clip) if clip is not None else _found(out, manifest.clip.path)
    entry = manifest.clip.model_copy(update={"path": path})
    return DepthSequence(out, manifest.model_copy(update={"clip": entry}))


def numbers_of(sequence: DepthSequence, frames: str | None) -> range:
    """The frames that are wanted.

    Args:
        sequence: The finished job.
        frames: The range as the user wrote it; None: all.

    Raises:
        UsageError: the sequence has none of them.
    """
    if frames is None:
        return sequence.numbers
    start, stop = parse_range(frames, 0)
    found = range(max(start, sequence.numbers.start), min(stop, sequence.numbers.stop))
    if not found:
        raise UsageError(
            f"The sequence has no frame of {frames}.",
            f"Its frames are {sequence.numbers.start} to {sequence.numbers.stop - 1}.",
        )
    return found


def _found(out: Path, path: str) -> str:
    """Where the clip is that was at ``path``: there, or as far from a folder that moved with it as it was."""
    if os.path.exists(path):
        return path
    try:
        beside = json.loads((out / WORK / JOB).read_text(encoding="utf-8"))["beside"]
        moved = os.path.abspath(out / beside)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return path
    return moved if beside and os.path.exists(moved) else path
