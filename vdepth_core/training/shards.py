"""Shards: a few frames of one clip with their disparity in one small file, the form all stored data takes.

A folder of shards holds ``train-*.npz`` and, for validation, ``held-*.npz``. Each has ``rgb`` (T, H, W, 3)
uint8 and ``disparity`` (T, H, W) float16: not a number where unknown, 0 for the sky, and of one scale and
shift over the whole clip. Frames 2k and 2k + 1 are neighbours in time, other ones lie far apart. Sensor
recordings and clips labelled by a model are turned into such folders here; `cycles_scenes` renders them.

Where depth is known at points only, as structure from motion finds it, a shard has ``points`` (N, 4) float32
in place of the maps: number of the frame, x and y in pixels (the first pixel's centre is at 0.5), disparity
in the clip's own unit, whose median is 1. `tools/motion_points.py` makes such folders.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..clip import ClipReader, ShotView, open_clip
from ..errors import InputError
from ..files import atomic_path, take_place
from ..methods.temporal.method import Temporal
from ..models.sizing import network_size
from ..progress import Progress
from ..protocols import DepthModel
from ..store import DepthStore

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

SHORTER = 448  # most pixels of a stored picture's shorter side; training crops are cut from it
FRAMES = 8  # frames a shard, taken from all over the clip
HELD_OUT = 0.2  # the last part of every clip, never trained on
NEAREST, FARTHEST = 0.2, 10.0  # metres a depth sensor is believed between
LABELLED = 96  # most frames of a clip that are kept with a teacher's labels

_DAMAGED = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
Frame = tuple[np.ndarray, np.ndarray]  # picture and disparity, or points
Maps = np.ndarray | Sequence[np.ndarray]  # one a frame
Write = Callable[[Path, np.ndarray, Sequence[np.ndarray]], None]


def write_shard(path: Path, rgb: np.ndarray, disparity: Maps) -> None:
    """Writes rgb (T, H, W, 3) uint8 and disparity (T, H, W), atomically.

    Args:
        path: The ``.npz``, replaced if it is there.
        rgb: sRGB.
        disparity: In 1/m, stored as float16; 0 for the sky.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, rgb=rgb, disparity=np.asarray(disparity, np.float16))


def load_shard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads rgb (T, H, W, 3) uint8 and disparity (T, H, W) float32.

    Args:
        path: What `write_shard` wrote.

    Raises:
        InputError: it is no shard.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            rgb, disparity = data["rgb"], data["disparity"].astype(np.float32)
    except _DAMAGED as error:
        raise InputError(
            f"{path} is no shard of maps: {error}.", "Make it again, or leave it out."
        ) from error
    if rgb.ndim != 4 or rgb.shape[3] != 3 or rgb.shape[:3] != disparity.shape:
        raise InputError(f"{path} holds {rgb.shape} pictures for {disparity.shape} truth.", "Make it again.")
    if np.isnan(disparity).all():
        raise InputError(f"{path} knows the depth of no pixel.", "Leave it out.")
    return rgb, disparity


def write_points(path: Path, rgb: np.ndarray, points: Sequence[np.ndarray]) -> None:
    """Writes frames with the disparity of points in them, atomically.

    Args:
        path: The ``.npz``, replaced if it is there.
        rgb: (T, H, W, 3) uint8, sRGB.
        points: For each frame (n, 3): x, y, disparity; see the module.
    """
    rows = [np.column_stack((np.full(len(found), t), found)) for t, found in enumerate(points)]
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, rgb=rgb, points=np.concatenate(rows).astype(np.float32))


def load_points(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Reads rgb (T, H, W, 3) uint8 and for each frame its points (n, 3) float32: x, y, disparity.

    Args:
        path: What `write_points` wrote.

    Raises:
        InputError: it is no such shard.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            rgb, points = data["rgb"], data["points"].astype(np.float32)
    except _DAMAGED as error:
        raise InputError(
            f"{path} is no shard of points: {error}.", "Make it again, or leave it out."
        ) from error
    if rgb.ndim != 4 or rgb.shape[3] != 3 or points.ndim != 2 or points.shape[1] != 4:
        raise InputError(f"{path} holds {rgb.shape} pictures and {points.shape} points.", "Make it again.")
    return rgb, [points[points[:, 0] == t, 1:] for t in range(len(rgb))]


def from_rgbd(folder: Path, out: Path) -> Path:
    """Makes shards of a recording by a depth camera, unless ``out`` is there.

    Args:
        folder: Holds ``color/`` and ``depth/``, of the same order when sorted; depth as 16-bit PNG,
            0 missing, in millimetres or in the unit ``scale.txt`` says (how many make a metre).
        out: Folder to make.

    Raises:
        InputError: the folder is not like that.
    """
    if out.is_dir():
        return out
    colour, depth = (sorted((folder / part).glob("*.*")) for part in ("color", "depth"))
    if not colour or len(colour) != len(depth):
        raise InputError(
            f"{folder} has {len(colour)} picture{'s' * (len(colour) != 1)} in color "
            f"and {len(depth)} in depth.",
            "Give a folder with as many of either.",
        )
    scale = folder / "scale.txt"
    per_metre = float(scale.read_text()) if scale.is_file() else 1000.0

    frames = []
    for picture, truth in zip(colour, depth, strict=True):
        bgr, units = cv2.imread(str(picture)), cv2.imread(str(truth), cv2.IMREAD_UNCHANGED)
        if bgr is None or units is None or units.ndim != 2:
            raise InputError(f"{picture.name} or {truth.name} is no picture.", "Remove this frame.")
        metres = units.astype(np.float32) / per_metre
        known = (metres > NEAREST) & (metres < FARTHEST)
        frames.append(_shrink(bgr[..., ::-1], np.where(known, 1 / np.maximum(metres, NEAREST), np.nan)))
    return write_shards([frames], out, write_shard)


def from_clip(path: Path, teacher: DepthModel, out: Path) -> Path:
    """Makes shards of a clip labelled by a model, unless ``out`` is there.

    A label is the mean of the model's maps of the picture and of its mirror image, made steady over the shot
    by the method `temporal`: what flickers in a label is learnt. All frames share the model's own scale,
    divided by the clip's largest value: aligning each by itself would throw away what the teacher knows about
    time.

    Args:
        path: Movie or image sequence.
        teacher: Predicts disparity.
        out: Folder to make.

    Raises:
        InputError: the clip cannot be read, or the teacher predicts no disparity.
    """
    if out.is_dir():
        return out
    if teacher.spec.quantity != "disparity":
        raise InputError(f"{teacher.spec.name} predicts no disparity.", "Choose another teacher.")
    clip, progress = open_clip(path), Progress()
    shots = [shot for shot in clip.scan(progress=progress) if len(shot) > 1]
    if not shots:
        raise InputError(f"{path.name} has no two frames in a row to label.", "Give another clip.")
    stride = max(1, -(-sum(map(len, shots)) // LABELLED))
    size = network_size(clip.info.width, clip.info.height, clip.info.pixel_aspect, teacher.spec)
    for stage in ("infer", "settle"):
        progress.stage(stage, None)
    pairs = []
    with tempfile.TemporaryDirectory() as folder, ClipReader(clip) as reader:
        for shot in shots:
            with DepthStore(Path(folder) / str(shot.index), len(shot), *size) as store:
                method = Temporal()
                method.run(ShotView(reader, shot), _Mirrored(teacher), store, progress)
                method.settle(shot, teacher.spec, store, progress)
                for k, frame in enumerate(ShotView(clip, shot).frames(0)):
                    if k // 2 % stride == 0 and k // 2 * 2 + 1 < len(shot):
                        pairs.append(_shrink(frame.rgb, store.final.read(k)[0]))
    top = max(float(np.max(label)) for _, label in pairs) or 1.0
    return write_shards([[(picture, label / top) for picture, label in pairs]], out, write_shard)


class _Mirrored:
    """A model that also looks at the picture in a mirror, and takes the mean."""

    def __init__(self, model: DepthModel) -> None:
        self.model, self.spec = model, model.spec

    def predict(self, frames: Tensor) -> Tensor:
        return (self.model.predict(frames) + self.model.predict(frames.flip(-1)).flip(-1)) / 2


def write_shards(
    parts: Sequence[Sequence[Frame]], out: Path, write: Write, finish: Callable[[Path], None] | None = None
) -> Path:
    """Splits off the held-out end, and writes shards whose pairs of neighbours lie far apart in the clip.

    Args:
        parts: Frames of one clip, in its order; every second one and the next are neighbours in time. A part
            has one scale of its own, and no shard holds frames of two.
        out: Folder to make; there is none of that name.
        write: What writes a shard: `write_shard` or `write_points`.
        finish: Adds what else belongs in the folder, before it gets its name.
    """
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    counts = {"train": 0, "held": 0}
    for frames in parts:
        pairs = [frames[k : k + 2] for k in range(0, len(frames) - 1, 2)]
        first_held = len(pairs) - int(len(pairs) * HELD_OUT)
        for kind, part in (("train", pairs[:first_held]), ("held", pairs[first_held:])):
            shards = -(-2 * len(part) // FRAMES)
            for number in range(shards):
                rgb, disparity = zip(*(frame for pair in part[number::shards] for frame in pair), strict=True)
                write(temporary / f"{kind}-{counts[kind] + number:05d}.npz", np.stack(rgb), disparity)
            counts[kind] += shards
    if finish:
        finish(temporary)
    take_place(temporary, out)
    _log.info("%s: %d shards, %d more held out", out.name, counts["train"], counts["held"])
    return out


def homes(clips: Sequence[Path], out: Path) -> list[Path]:
    """Where the shards of each clip go: a folder of its name in ``out``.

    Args:
        clips: Movies, or folders of images.
        out: The folder.

    Raises:
        InputError: two clips have one name, or ``out`` is a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file.", "Name a folder.")
    found: dict[Path, Path] = {}
    for clip in (clip.resolve() for clip in clips):
        home = out / (clip.name if clip.is_dir() else clip.stem)
        if home in found:
            raise InputError(f"{found[home]} and {clip} have one name.", "Measure them into two folders.")
        found[home] = clip
    return list(found)


def _shrink(rgb: np.ndarray, disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both at the stored size; disparity is picked, not mixed, so that edges and gaps stay sharp."""
    height, width = rgb.shape[:2]
    shrink = min(1.0, SHORTER / min(height, width))
    size = round(width * shrink), round(height * shrink)
    picture = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)
    return picture, cv2.resize(disparity.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
