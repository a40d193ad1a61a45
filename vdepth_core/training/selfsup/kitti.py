"""KITTI's raw recordings (Geiger et al., IJRR 2013), by lists of targets such as Eigen's and Zhou's.

A list is the user's file: a line a target, ``folder frame side``, as ``2011_09_26/2011_09_26_drive_0022_sync
473 r``. Recordings lie as they unpack; pictures may be PNG or JPEG. The nominal camera is Monodepth2's: one
for all days, whose principal point is the middle counted in indices, as published.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ...errors import InputError
from .gallery import HELD_OUT, Gallery, Sample

CAMERAS = {"l": 2, "r": 3}
PARTNER = {"l": "r", "r": "l"}
NOMINAL = (0.58, 1.92, 0.5, 0.5)  # Monodepth2: fx and cx in widths, fy and cy in heights
_EARTH = 6_378_137.0  # metres
_SUFFIXES = (".png", ".jpg")
Resize = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Target:
    """A line of a list."""

    folder: str
    frame: int
    side: str


class KittiRaw(Gallery):
    """Targets of KITTI's raw recordings with their neighbours in time, their stereo partner, or both."""

    def __init__(
        self,
        root: Path,
        split: Path,
        val_split: Path | None,
        size: tuple[int, int],
        offsets: tuple[int, ...],
        partner: bool,
        calibrated: bool,
        velocity: bool,
        resize: Resize,
    ) -> None:
        """Reads the lists; targets whose neighbours are missing are left out.

        Args:
            root: Folder of the days.
            split, val_split: Lists of targets; without a second the end of the first is held out.
            size: (height, width) to train at.
            offsets: Of the neighbours in time; none for stereo alone.
            partner: Whether the other camera's picture is a source.
            calibrated: Whether the calibration of the day counts, or the nominal camera.
            velocity: Whether measured motion is wanted.
            resize: (H, W, 3) uint8 and (height, width) -> uint8 of that size.

        Raises:
            InputError: a list is wrong, or a target is missing.
        """
        self._root, self._partner, self._resize = root, partner, resize
        self._calibrated, self._velocity = calibrated, velocity
        self.size, self.offsets = size, offsets
        first = read_split(split)
        second = [] if val_split is None else read_split(val_split)
        if not second:
            cut = max(1, len(first) // HELD_OUT)
            first, second = first[:-cut] or first, first[-cut:]
        kept = [[target for target in targets if self._whole(target)] for targets in (first, second)]
        self._targets = [*kept[0], *kept[1]]
        self.dropped = len(first) + len(second) - len(self._targets)
        self.training = range(len(kept[0]))
        self.validation = range(len(kept[0]), len(self._targets))
        if not kept[0] or not kept[1]:
            raise InputError(
                f"{split.name} names no target under {root} that has all its neighbours.",
                "Give the folder that holds 2011_09_26 and the other days.",
            )
        listed = "\n".join(f"{t.folder} {t.frame} {t.side}" for t in self._targets)
        self.facts = {
            "targets": hashlib.sha256(listed.encode()).hexdigest(),
            "offsets": offsets,
            "partner": partner,
            "calibrated": calibrated,
            "velocity": velocity,
            "size": size,
        }

    def load(self, number: int) -> Sample:
        """Reads a target and its sources; see `Gallery.load`."""
        target = self._targets[number]
        places = [(target.side, target.frame)]
        places += [(target.side, target.frame + offset) for offset in self.offsets]
        if self._partner:
            places.append((PARTNER[target.side], target.frame))
        pictures = [self._picture(target.folder, side, frame) for side, frame in places]
        height, width = pictures[0].shape[:2]
        small = np.stack([self._resize(picture, self.size) for picture in pictures])
        K = self._matrix(target, height, width)
        left = target.side == "l" if self._partner else None
        return Sample(small, K, left, self._motion(target) if self._velocity else None)

    def _matrix(self, target: Target, height: int, width: int) -> np.ndarray:
        rows, columns = self.size
        if not self._calibrated:
            fx, fy, cx, cy = NOMINAL
            return np.array(((fx * columns, 0, cx * columns), (0, fy * rows, cy * rows), (0, 0, 1)))
        K = calibration(self._root / target.folder.split("/")[0] / "calib_cam_to_cam.txt")[target.side].copy()
        K[:2, 2] += 0.5
        K *= np.array((columns / width, rows / height, 1))[:, None]
        K[:2, 2] -= 0.5
        return K

    def _motion(self, target: Target) -> np.ndarray:
        folder = self._root / target.folder / "oxts" / "data"
        here, *others = (folder / f"{target.frame + offset:010d}.txt" for offset in (0, *self.offsets))
        return np.stack([displacement(here, other) for other in others])

    def _whole(self, target: Target) -> bool:
        """Whether all pictures are there; a target that is not is an error, a neighbour at an end is none."""
        there = self._frames(target.folder, target.side)
        if target.frame not in there:
            raise InputError(
                f"{self._root / target.folder} has no frame {target.frame} of camera {CAMERAS[target.side]}.",
                "Unpack the recordings there that the list names, or shorten the list.",
            )
        if self._partner and target.frame not in self._frames(target.folder, PARTNER[target.side]):
            return False
        return all(target.frame + offset in there for offset in self.offsets)

    def _frames(self, folder: str, side: str) -> dict[int, Path]:
        return listing(self._root / folder / f"image_{CAMERAS[side]:02d}" / "data")

    def _picture(self, folder: str, side: str, frame: int) -> np.ndarray:
        path = self._frames(folder, side)[frame]
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(f"The picture {path} cannot be read.", "Unpack it again.")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_split(path: Path) -> list[Target]:
    """The targets of a list.

    Args:
        path: A line each: folder, frame and side (``l`` or ``r``).

    Raises:
        InputError: it cannot be read, or a line is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"The list {path} cannot be read: {error}.", "Check the path.") from error
    targets = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not words[1].isdecimal() or words[2] not in CAMERAS:
            raise InputError(
                f"Line {number} of {path.name} is no target: {line.strip()[:80]}.",
                "A line is a folder, a frame and a side, as 2011_09_26/2011_09_26_drive_0022_sync 473 r.",
            )
        targets.append(Target(words[0].strip("/"), int(words[1]), words[2]))
    return targets


@lru_cache(maxsize=1024)
def listing(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by their numbers; none where there is no such folder.

    Args:
        folder: ``image_02/data`` of a recording.
    """
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.stem.isdecimal())
    return {int(path.stem): path for path in paths}


@lru_cache(maxsize=64)
def calibration(path: Path) -> dict[str, np.ndarray]:
    """The rectified cameras of a day: side -> (3, 3) float64 for pixel indices of the whole picture.

    Args:
        path: ``calib_cam_to_cam.txt``.

    Raises:
        InputError: it cannot be read, or lacks a camera.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        table = dict(line.split(":", 1) for line in lines if ":" in line)
        return {
            side: np.array([float(word) for word in table[f"P_rect_{camera:02d}"].split()]).reshape(3, 4)[
                :, :3
            ]
            for side, camera in CAMERAS.items()
        }
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The calibration {path} cannot be read: {error}.", "Unpack it, or use --camera nominal."
        ) from error


def displacement(here: Path, there: Path) -> np.ndarray:
    """How far the vehicle moved between two frames, east, north and up.

    Args:
        here, there: Files of ``oxts/data``, which begin with latitude, longitude and altitude.

    Returns:
        (3,) float64 in metres, on Mercator's map at the first one's latitude.

    Raises:
        InputError: one cannot be read.
    """
    (latitude, longitude, altitude), (other, *rest) = _place(here), _place(there)
    radius = _EARTH * math.cos(math.radians(latitude))
    north = math.asinh(math.tan(math.radians(other))) - math.asinh(math.tan(math.radians(latitude)))
    return np.array((radius * math.radians(rest[0] - longitude), radius * north, rest[1] - altitude))


def _place(path: Path) -> tuple[float, ...]:
    try:
        latitude, longitude, altitude = (float(word) for word in path.read_text(encoding="utf-8").split()[:3])
    except (OSError, ValueError) as error:
        raise InputError(
            f"The measured motion {path} cannot be read: {error}.", "Unpack it, or leave --velocity out."
        ) from error
    return latitude, longitude, altitude


def sources_of(use: str, offsets: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """The offsets in time of what is used, and whether the stereo partner is.

    Args:
        use: ``mono``, ``stereo`` or ``both``.
        offsets: The published ones.
    """
    return (() if use == "stereo" else tuple(offsets)), use != "mono"
