"""A folder of clips as a training set: decoded once, at the size of the training, into a cache.

Sources never lie behind a cut. Every clip has its own camera: a JSON file of its name beside it, or
``camera.json`` in a folder of images; else what the user says of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import repeat
from math import sqrt
from pathlib import Path

import numpy as np

from ...adaptation.eyes import open_eyes, paired_shots
from ...adaptation.footage import Footage, read_frames
from ...adaptation.gaps import luma_of
from ...clip import Clip, fingerprint, open_clip
from ...clip.naming import IMAGE_SUFFIXES
from ...errors import InputError
from ...geometry.camera import Intrinsics, load_intrinsics
from ...geometry.motion.gaps import choose_gap
from ...progress import Progress
from ...store import FrameArray
from .gallery import HELD_OUT, Gallery, Sample

CAMERA = "camera.json"
EYES = ("left", "right")  # folders of stereo clips
_STEP = 32  # sides of a network's input are multiples of it


class ClipFolder(Gallery):
    """The frames of a folder's clips with their neighbours in time."""

    training: list[int]
    validation: list[int]

    def __init__(
        self,
        clips: Sequence[Clip],
        size: tuple[int, int],
        offsets: tuple[int, ...],
        gap: int | None,
        fov: float | None,
        intrinsics: Path | None,
        cache: Path,
        progress: Progress,
        partners: Sequence[Clip] | None = None,
    ) -> None:
        """Decodes what the cache lacks.

        Args:
            clips: See `find_clips`.
            size: (height, width) to train at.
            offsets: Of the sources, in gaps.
            gap: In frames; None: what the motion of each shot asks for.
            fov: Horizontal field of view in degrees of clips without a camera file.
            intrinsics: Camera file of clips without one of their own.
            cache: Folder of decoded frames; may be deleted at any time.
            progress: Stages ``scan`` and ``read``; may cancel.
            partners: The right eye of each clip, rectified, with the left one's camera; None: one eye.

        Raises:
            InputError: a clip or camera cannot be read, nothing says what a clip's camera is, or no shot is
                long enough.
            Cancelled: somebody asked to stop.
        """
        self.size, self.offsets, self._gap = size, offsets, gap
        self._footage: list[Footage] = []
        self._right: list[FrameArray] = []
        self._matrices: list[np.ndarray] = []
        self._places: list[tuple[int, int, int, int]] = []
        self.training, self.validation = [], []
        digests = []
        try:
            for clip, partner in zip(clips, partners or repeat(None), strict=False):
                K = index_matrix_of(camera_of(clip, fov, intrinsics), clip, size)
                digest = fingerprint(clip).digest
                digests.append([digest, K.tolist(), *([fingerprint(partner).digest] if partner else [])])
                self._add(clip, partner, K, cache / f"{digest[:16]}-{size[1]}x{size[0]}", progress)
            if not self.validation:
                raise InputError(
                    "No shot is long enough to learn from.", "Give longer clips, or a smaller --gap."
                )
        except BaseException:
            self.close()
            raise
        self.training = self.training or self.validation
        self.facts = {"clips": digests, "offsets": offsets, "gap": gap, "size": size}

    def load(self, number: int) -> Sample:
        """Reads a frame and its neighbours; see `Gallery.load`."""
        which, index, gap, eye = self._places[number]
        eyes = [self._footage[which].frames, *self._right[which : which + 1]]
        pictures = [eyes[eye].read(index + gap * offset)[0] for offset in (0, *self.offsets)]
        if len(eyes) == 1:
            return Sample(np.stack(pictures), self._matrices[which])
        pictures.append(eyes[1 - eye].read(index)[0])
        return Sample(np.stack(pictures), self._matrices[which], left=eye == 0)

    def _add(self, clip: Clip, partner: Clip | None, K: np.ndarray, folder: Path, progress: Progress) -> None:
        """Decodes a clip, and takes the targets that have all their neighbours; the last are held out."""
        progress.stage("scan", None)
        least = (self._gap or 1) if self.offsets else 0
        shots = [shot for shot in clip.scan(progress=progress) if len(shot) > least]
        if not shots:
            return
        footage = Footage(folder, shots, *self.size)
        self._footage.append(footage)
        self._matrices.append(K)
        progress.stage("read", footage.count)
        read_frames(clip, footage, shots, progress)
        if partner is not None:
            name = f"right-{fingerprint(partner).digest[:16]}.u8"
            right = FrameArray(folder / name, footage.count, (*self.size, 3), "u1")
            self._right.append(right)
            read_frames(partner, footage, paired_shots(clip, partner, shots, progress), progress, into=right)
        luma = luma_of(footage)
        targets = [
            (len(self._footage) - 1, index, gap, eye)
            for span in footage.shots
            for gap in [self._gap or (choose_gap(luma, span, footage.width) if self.offsets else 1)]
            for index in span
            if all(index + gap * offset in span for offset in self.offsets)
            for eye in ((0,) if partner is None else (0, 1))
        ]
        first, cut = len(self._places), len(targets) - -(-len(targets) // HELD_OUT)
        self._places += targets
        self.training += range(first, first + cut)
        self.validation += range(first + cut, first + len(targets))

    def close(self) -> None:
        """Closes the cache."""
        for footage in self._footage:
            footage.close()
        for right in self._right:
            right.close()


def has_eyes(data: Path) -> bool:
    """Whether a folder has the two eyes of stereo clips in folders of their own.

    Args:
        data: What the user named.
    """
    return all((data / eye).is_dir() for eye in EYES)


def find_pairs(data: Path) -> list[tuple[Clip, Clip]]:
    """The stereo clips of a folder: those of its folders ``left`` and ``right`` that have the same name.

    Args:
        data: It has both folders.

    Raises:
        InputError: one is missing or cannot be read, or two are no eyes of one rig.
    """
    left, right = (find_clips(data / eye) for eye in EYES)
    if len(left) == len(right) == 1:
        return [(left[0], open_eyes(left[0], right[0].source, None, {})[1] or right[0])]
    names = [{clip.source.stem: clip for clip in clips} for clips in (left, right)]
    if lonely := sorted(names[0].keys() ^ names[1].keys()):
        raise InputError(
            f"{lonely[0]} is in one of the folders left and right of {data} only.",
            "Give both eyes of a clip the same name.",
        )
    return [
        (clip, open_eyes(clip, names[1][name].source, None, {})[1] or names[1][name])
        for name, clip in names[0].items()
    ]


def find_clips(data: Path) -> list[Clip]:
    """The clips of a folder, by name: its movies, and its folders of images; or what it is itself.

    Args:
        data: A folder, or one clip.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    if not data.is_dir():
        return [open_clip(data)]
    entries = sorted(data.iterdir())
    if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
        return [open_clip(data)]
    clips = []
    for entry in entries:
        if entry.name.startswith(".") or entry.suffix.lower() in {".json", ".txt", ".csv", ".md"}:
            continue
        if entry.is_dir() and not any(file.suffix.lower() in IMAGE_SUFFIXES for file in entry.iterdir()):
            continue
        clips.append(open_clip(entry))
    if not clips:
        raise InputError(
            f"The folder {data} holds no clips.", "Give a folder of movies, or of folders of images."
        )
    return clips


def camera_of(clip: Clip, fov: float | None, intrinsics: Path | None) -> Intrinsics:
    """The camera of a clip, in pixels of its plate.

    Args:
        clip: Opened.
        fov: Said of all clips.
        intrinsics: The same.

    Raises:
        InputError: a file is wrong, or nothing says what it is.
    """
    info = clip.info
    own = clip.source / CAMERA if clip.source.is_dir() else clip.source.with_suffix(".json")
    file = own if own.is_file() else intrinsics
    if file is not None:
        return load_intrinsics(file, info.width, info.height, info.pixel_aspect)
    if fov is not None:
        return Intrinsics.from_fov(fov, info.width, info.height, info.pixel_aspect)
    raise InputError(
        f"Nothing says what the camera of {clip.source.name} is.",
        f"Give --fov or --intrinsics for all clips, or write {own.name} for this one.",
    )


def index_matrix_of(camera: Intrinsics, clip: Clip, size: tuple[int, int]) -> np.ndarray:
    """K (3, 3) float64 for pixel indices of the clip's frames at a size.

    Args:
        camera: In pixels of the plate.
        clip: Opened.
        size: (height, width).
    """
    small = camera.scaled(size[1] / clip.info.width, size[0] / clip.info.height)
    return np.array(((small.fx, 0, small.cx - 0.5), (0, small.fy, small.cy - 0.5), (0, 0, 1)))


def size_like(published: tuple[int, int], clip: Clip) -> tuple[int, int]:
    """A size of about the published number of pixels and the clip's aspect, sides multiples of 32.

    Args:
        published: (height, width).
        clip: Opened; the first of all.
    """
    aspect = float(Fraction(clip.info.width, clip.info.height) * clip.info.pixel_aspect)
    height = sqrt(published[0] * published[1] / aspect)
    sides = (height, height * aspect)
    rows, columns = (max(2 * _STEP, round(side / _STEP) * _STEP) for side in sides)
    return rows, columns
