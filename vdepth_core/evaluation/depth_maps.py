"""Depth as it lies around: folders of maps, archives, arrays, finished jobs and RGB-D recordings.

Read frame by frame, as often as asked, so that evaluating a long clip holds two frames. Numbers come out as
they were stored, divided by the units a metre has; 0, NaN and infinity mean no value in truth.
"""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..clip.images import read_image
from ..clip.naming import IMAGE_SUFFIXES
from ..clip.options import ClipOptions
from ..errors import InputError, UsageError
from ..geometry.camera import Intrinsics
from ..output.naming import manifest_path
from ..output.sequence import read_sequence
from ..types import Quantity
from .arrays import Arrays, open_arrays
from .map_files import PLANES, load_map

MAPS = (".exr", ".png", ".npy", ".npz")
PNG_UNITS = 1000.0  # a metre: 16-bit PNG are millimetres, unless somebody says otherwise
_NUMBER, _DIGITS = re.compile(r"([0-9]+)"), re.compile(r"[0-9]+")
_LAST = re.compile(r"(.*?)([0-9]+)([^0-9]*)")  # the last number of a name, and what is around it
_STAMP = re.compile(r"[0-9]\.$")  # before the fraction of a second
_KNOWN = f"Known: {', '.join(MAPS)} maps, an .npz or .npy with (T, H, W), a job's folder, an RGB-D folder."


@dataclass(frozen=True)
class DepthMaps:
    """Maps of a clip; iterating reads them, every time anew.

    Attributes:
        name: What the user gave.
        count: Number of frames.
        quantity: What the numbers are; None where nothing says.
        read: Frame index -> (H, W).
        note: How they were read, in a few words.
        first: Index of the first frame in its clip: a job may have been asked for a part.
        opened: How a job opened its clip, for `open_clip`.
        numbers: The frames' numbers, where file names have them.
        relative: Whether the numbers are known to be no metres.
    """

    name: str
    count: int
    quantity: Quantity | None
    read: Callable[[int], np.ndarray]
    note: str = ""
    first: int = 0
    opened: Mapping[str, Any] = field(default_factory=dict)
    numbers: Sequence[int] | None = None
    relative: bool = False

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.read(index) for index in range(self.count))


@dataclass(frozen=True)
class Camera:
    """What an RGB-D folder knows beside depth.

    Attributes:
        intrinsics: In pixels of the depth maps.
        poses: (T, 4, 4) camera to world, metres.
    """

    intrinsics: Intrinsics
    poses: np.ndarray


def open_prediction(
    source: Any, quantity: Quantity | None, protocol: str, scale: float | None = None
) -> DepthMaps:
    """Opens what is to be scored.

    Args:
        source: A finished job's folder, a folder of maps, an .npz or .npy file, or (T, H, W) itself.
        quantity: What the numbers are, where the source does not say; of what holds both, which to take.
        protocol: Without alignment a job's depth is taken, else its disparity.
        scale: Units a metre has, as for `open_truth`.

    Raises:
        InputError: there is nothing that can be read.
        UsageError: nobody says whether it is depth or disparity, or it says that it is the other.
    """
    if _is_job(source):
        _refuse_scale(source, scale)
        maps = _of_job(Path(source), quantity, protocol)
    else:
        maps = open_maps(source, scale, quantity)
    if quantity is None and maps.quantity is None:
        raise UsageError(
            f"Nothing says whether {maps.name} holds depth or disparity.",
            "Say so with --quantity, or quantity= in Python.",
        )
    if quantity and maps.quantity not in (None, quantity):
        raise UsageError(f"{maps.name} says that it holds {maps.quantity}.", "Leave the quantity away.")
    return replace(maps, quantity=quantity or maps.quantity)


def open_truth(source: Any, scale: float | None) -> tuple[DepthMaps, list[Path], Camera | None]:
    """Opens ground truth.

    Args:
        source: A folder of depth maps, an RGB-D folder, an .npz or .npy file, or (T, H, W) itself, metres.
        scale: Units a metre has; None: what ``scale.txt`` beside the maps says, `PNG_UNITS` for PNG, else 1.

    Returns:
        The maps, the pictures of an RGB-D folder (none elsewhere), and its camera if it has one.

    Raises:
        InputError: there is nothing that can be read, or a camera file is wrong.
    """
    folder = Path(source) if isinstance(source, str | Path) else None
    pictures: list[Path] = []
    camera = None
    if _is_job(source):
        _refuse_scale(source, scale)
        maps = _of_job(Path(source), "depth", "none")
    elif folder is None or not (folder / "depth").is_dir():
        maps = open_maps(source, scale)
    else:
        maps = open_maps(folder / "depth", scale)
        colours = folder / "color"
        pictures = (
            _sorted(p for p in colours.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if colours.is_dir()
            else []
        )
        camera = _camera(folder, maps, pictures)
    if maps.quantity == "disparity":
        raise InputError(
            f"{maps.name} holds disparity, not depth.", "Give ground truth as planar depth in metres."
        )
    return maps, pictures, camera


def open_maps(source: Any, scale: float | None, wanted: Quantity | None = None) -> DepthMaps:
    """Opens maps of any kind.

    Args:
        source: A file, a folder of maps, or an array (T, H, W).
        scale: Units a metre has; None: as `open_truth` says.
        wanted: What to read of files that hold depth and disparity; None: depth.

    Raises:
        InputError: there is nothing that can be read.
    """
    if not isinstance(source, str | Path):
        return _of_array(source, "the array", None, scale)
    path = Path(source).expanduser()
    if path.is_dir():
        return _of_folder(path, scale, wanted)
    if not path.is_file():
        raise InputError(f"{path} does not exist.", _KNOWN)
    if path.suffix.lower() in (".npz", ".npy"):
        array, quantity = open_arrays(path, PLANES, wanted)
        return _of_array(array, str(path), quantity, scale)
    raise InputError(f"{path} holds no depth maps that can be read.", _KNOWN)


def _of_job(out: Path, quantity: Quantity | None, protocol: str) -> DepthMaps:
    sequence = read_sequence(out)
    kinds = sequence.manifest.sequences
    if quantity is None:
        has = "disparity" in kinds or "layers" in kinds
        quantity = "disparity" if has and protocol != "none" else "depth"
    frames = sequence.disparity if quantity == "disparity" else sequence
    model = sequence.manifest.model.name
    first = sequence.manifest.frames.first
    note = f"{quantity} of {model}"
    opened: Mapping[str, Any] = {}
    with contextlib.suppress(ValidationError):  # another version's options
        opened = ClipOptions.model_validate(sequence.manifest.configuration).clip_options()
    number = _number(Path(sequence.manifest.clip.path))
    numbered = number is not None and number + first == sequence.manifest.frames.start_number  # not by us
    return DepthMaps(
        str(out), len(frames), quantity, lambda index: frames[index], note, first, opened,
        numbers=sequence.manifest.numbers if numbered else None,
        relative=sequence.manifest.model.space != "metric",
    )  # fmt: skip


def _refuse_scale(job: Any, scale: float | None) -> None:
    if scale is not None:
        raise UsageError(f"{job} is a job, which says its own units.", "Leave the scale away.")


def _is_job(source: Any) -> bool:
    return isinstance(source, str | Path) and manifest_path(Path(source)).is_file()


def _of_array(array: Any, name: str, quantity: Quantity | None, scale: float | None) -> DepthMaps:
    shape = getattr(array, "shape", None)
    if shape is None:  # a list of frames
        try:
            frames = list(array)
        except TypeError:
            raise InputError(f"{type(array).__name__} is no depth.", _KNOWN) from None
        if any(np.ndim(frame) != 2 for frame in frames):
            raise InputError(f"{name} is no list of (H, W) maps.", _KNOWN)
        shape = (len(frames),)
        array = frames
    elif isinstance(array, Arrays):
        shape = (array.count,)
    elif len(shape) == 2:
        array, shape = array[None], (1, *shape)
    elif len(shape) != 3:
        raise InputError(f"{name} has shape {tuple(shape)}, not (T, H, W).", _KNOWN)
    return DepthMaps(
        name, int(shape[0]), quantity, lambda index: _metres(_plain(array[index], name), scale or 1.0)
    )


def _plain(values: Any, name: str) -> np.ndarray:
    """A map of numbers; what is masked is none."""
    array = np.ma.asanyarray(values)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} holds {array.dtype} values, no depth.", "Give float32.")
    if np.ma.is_masked(array):
        array = array.astype(np.float32).filled(np.nan)
    return np.asarray(array)


def _of_folder(folder: Path, scale: float | None, wanted: Quantity | None) -> DepthMaps:
    found = [
        path for path in folder.iterdir() if path.suffix.lower() in MAPS and not path.name.startswith(".")
    ]
    if not found:
        raise InputError(f"The folder {folder} holds no depth maps.", _KNOWN)
    kinds = sorted({path.suffix.lower() for path in found})
    if len(kinds) > 1:
        raise InputError(
            f"The folder {folder} holds files of several kinds: {', '.join(kinds)}.", "Keep one kind in it."
        )
    files = _sorted(found)
    kind = kinds[0]
    if scale is None:
        scale = _scale_beside(folder) or (PNG_UNITS if kind == ".png" else 1.0)
    quantity, numbers = _one_sequence(folder, files, wanted)
    units = "" if scale == 1 else f", {scale:g} units a metre"
    return DepthMaps(
        str(folder),
        len(files),
        quantity,
        lambda index: _metres(load_map(files[index], wanted)[0], scale),
        f"{kind[1:]}{units}",
        numbers=numbers,
    )


def _one_sequence(
    folder: Path, files: list[Path], wanted: Quantity | None
) -> tuple[Quantity | None, list[int] | None]:
    """What the files hold, and their numbers where they differ in nothing else.

    Raises:
        InputError: depth and disparity lie side by side.
    """
    kinds = {_DIGITS.sub("#", path.stem): path for path in files}  # one of each is looked at
    held = {name: load_map(path, wanted)[1] for name, path in kinds.items()}
    if len(set(held.values())) > 1:
        names = [next(name for name, held_ in held.items() if held_ == what) for what in set(held.values())]
        raise InputError(
            f"The folder {folder} holds several sequences: {' and '.join(sorted(names))}.",
            "Give a folder with one of them.",
        )
    numbers = [number for path in files if (number := _number(path)) is not None]
    alike = len({_LAST.sub(r"\1#\3", path.stem) for path in files}) == 1
    return next(iter(held.values())), numbers if alike and len(numbers) == len(files) else None


def _number(path: Path) -> int | None:
    """A frame's number in its file's name; the fraction of a time stamp is none."""
    part = _LAST.fullmatch(path.stem)
    return None if part is None or _STAMP.search(part[1]) else int(part[2])


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """By name, numbers as numbers: frame 10 comes after frame 9."""
    return sorted(paths, key=lambda p: [int(k) if k.isdecimal() else k for k in _NUMBER.split(p.stem)])


def _scale_beside(folder: Path) -> float | None:
    """Units a metre from ``scale.txt`` in the folder of maps or of the recording."""
    for path in (folder / "scale.txt", folder.parent / "scale.txt"):
        if path.is_file():
            try:
                scale = float(path.read_text().split()[0])
            except (ValueError, IndexError, OSError) as error:
                raise InputError(f"{path} holds no number.", "Write how many units make a metre.") from error
            if not (scale > 0 and math.isfinite(scale)):
                raise InputError(
                    f"{path} holds {scale:g}, which is no scale.", "Write how many units make a metre."
                )
            return scale
    return None


def _metres(values: np.ndarray, scale: float) -> np.ndarray:
    values = values.astype(np.float32, copy=False)
    return values if scale == 1 else np.asarray(values / np.float32(scale))


def _camera(folder: Path, maps: DepthMaps, pictures: list[Path]) -> Camera | None:
    """Of an RGB-D folder with ``K.txt`` and ``poses_cam_to_world.txt``; K is in pixels of the pictures."""
    k_path, poses_path = folder / "K.txt", folder / "poses_cam_to_world.txt"
    if not (k_path.is_file() and poses_path.is_file()):
        return None
    hint = "K.txt is 3x3 in pixels, poses_cam_to_world.txt holds 16 numbers a frame (4x4 by rows)."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file: the shape says it better
            k, poses = np.loadtxt(k_path), np.loadtxt(poses_path, ndmin=2)
        if k.shape != (3, 3) or poses.shape[1] != 16:
            raise ValueError(f"K is {k.shape}, poses are {poses.shape}")
        if not (np.isfinite(k).all() and np.isfinite(poses).all() and k[0, 0] > 0 and k[1, 1] > 0):
            raise ValueError("it holds numbers that are no camera's")
        if (np.abs(np.linalg.det(poses.reshape(-1, 4, 4)[:, :3, :3])) < 0.1).any():
            raise ValueError("a pose is no rotation")
        intrinsics = Intrinsics(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]))
    except (OSError, ValueError) as error:
        raise InputError(f"The camera of {folder} cannot be read: {error}.", hint) from error
    if len(poses) != maps.count:
        words = [
            f"{n} {what}{'s' * (n != 1)}" for n, what in ((maps.count, "depth map"), (len(poses), "pose"))
        ]
        raise InputError(f"{folder} holds {' but '.join(words)}.", hint)
    if pictures:
        (height, width), (rows, columns) = maps.read(0).shape, read_image(pictures[0]).pixels.shape[:2]
        intrinsics = intrinsics.scaled(width / columns, height / rows)
    return Camera(intrinsics, poses.reshape(-1, 4, 4))
