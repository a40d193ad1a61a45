"""Finds the clips with known depth in a folder, by the layouts that data sets come in.

Known are folders of shards, RGB-D folders (``color/`` and ``depth/``: 16-bit PNG, EXR or npy), Hypersim,
TartanAir and Virtual KITTI 2, each as its authors unpack it. Scenes are what their authors call so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ...errors import InputError, UsageError
from ...evaluation.depth_maps import open_truth
from .footage import FileFootage, Footage, ShardFootage, Split, joined, split

if TYPE_CHECKING:
    from collections.abc import Mapping

HYPERSIM_FOCAL = 886.81  # pixels, of its pictures of 1024x768
_CENTIMETRES = 100.0
_SKY = 65_535  # of Virtual KITTI's depth
_FARTHEST = 1000.0  # metres: TartanAir's sky is farther


def find_footage(folder: Path) -> Split:
    """The clips of a folder, split by scene.

    Args:
        folder: Of one of the known layouts.

    Raises:
        InputError: it is of none, or holds one scene only.
    """
    return joined([footage_of(folder)])


def footage_of(
    folder: Path, keep: Callable[[Sequence[Footage]], Sequence[Footage]] = lambda clips: clips
) -> Split:
    """The clips of a folder, split by scene; of a single scene nothing is held out.

    Args:
        folder: Of one of the known layouts.
        keep: Which clips can be learnt from.

    Raises:
        InputError: it is of none.
    """
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Give a folder of clips with depth.")
    if shards := sorted(folder.glob("train-*.npz")):
        return _shards(folder, shards, keep)
    for layout in LAYOUTS.values():
        if clips := sorted(layout(folder), key=lambda clip: clip.scene):
            return split(keep(clips), folder)
    raise InputError(
        f"{folder} is of no layout known here.",
        f"Known are folders of shards, and {', '.join(LAYOUTS)}.",
    )


def _shards(
    folder: Path, training: Sequence[Path], keep: Callable[[Sequence[Footage]], Sequence[Footage]]
) -> Split:
    """A folder of shards says itself what is held out, if it does."""
    held = sorted(folder.glob("held-*.npz"))
    if not held:
        return split(keep([ShardFootage(path, path.stem) for path in training]), folder)
    parts = [tuple(keep([ShardFootage(path, path.stem) for path in paths])) for paths in (training, held)]
    facts = tuple(f"{clip.scene} {clip.count}" for part in parts for clip in part)
    return Split(parts[0], parts[1], facts, (folder,))


def rgbd(folder: Path) -> Iterator[Footage]:
    """Folders with ``color/`` and ``depth/``: the folder itself, and those in it; each is a scene.

    Args:
        folder: To look in.

    Raises:
        InputError: depth is missing, or the numbers of pictures and maps differ.
    """
    for home in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        if not (home / "color").is_dir():
            continue
        if not (home / "depth").is_dir():
            raise InputError(
                f"{home} has pictures in color, but no folder depth.",
                f"Put their depth into {home / 'depth'}.",
            )
        maps, pictures, _ = open_truth(home, None)
        if len(pictures) != len(maps):
            raise InputError(
                f"{home} has {len(pictures)} pictures in color and {len(maps)} maps in depth.",
                "Give a folder with as many of either.",
            )

        def depth(number: int, read: Callable[[int], np.ndarray] = maps.read) -> np.ndarray:
            return from_metres(read(number))

        yield FileFootage(home.name, pictures, depth)


def hypersim(folder: Path) -> Iterator[Footage]:
    """Hypersim (Roberts et al., ICCV 2021): ``ai_001_001/images/scene_cam_00_final_preview`` and geometry.

    Args:
        folder: Of the scenes ``ai_*``.

    Raises:
        UsageError: h5py, which reads its depth, is not installed.
    """
    for home in sorted(folder.glob("ai_*_*")):
        for view in sorted((home / "images").glob("scene_cam_*_final_preview")):
            geometry = view.with_name(view.name.replace("_final_preview", "_geometry_hdf5"))
            pairs = [
                (picture, depth)
                for picture in sorted(view.glob("frame.*.tonemap.jpg"))
                if (depth := geometry / f"{picture.name[:-12]}.depth_meters.hdf5").is_file()
            ]
            if pairs:
                _h5py()
                depths = [depth for _, depth in pairs]
                yield FileFootage(home.name, [p for p, _ in pairs], _each(depths, _hypersim_depth))


def tartanair(folder: Path) -> Iterator[Footage]:
    """TartanAir (Wang et al., IROS 2020), both versions: ``ENV/Easy/P000/image_left`` and ``depth_left``.

    Args:
        folder: Of the environments, which are the scenes.
    """
    for images in sorted(folder.glob("*/*/P*/image_*")):
        side = images.name.removeprefix("image_")
        depths = images.with_name(f"depth_{side}")
        pairs = []
        for picture in sorted(images.glob("*.png")):
            for end in ("npy", "png"):
                if (depth := depths / f"{picture.stem}_depth.{end}").is_file():
                    pairs.append((picture, depth))
                    break
        if pairs:
            scene = images.relative_to(folder).parts[0]
            yield FileFootage(scene, [p for p, _ in pairs], _each([d for _, d in pairs], _tartanair_depth))


def virtual_kitti(folder: Path) -> Iterator[Footage]:
    """Virtual KITTI 2 (Cabon et al., 2020): ``Scene01/clone/frames/rgb/Camera_0`` and ``frames/depth``.

    Args:
        folder: Of the scenes.
    """
    for images in sorted(folder.glob("Scene*/*/frames/rgb/Camera_*")):
        depths = images.parents[1] / "depth" / images.name
        pairs = [
            (picture, depth)
            for picture in sorted(images.glob("rgb_*.jpg"))
            if (depth := depths / f"{picture.stem.replace('rgb', 'depth')}.png").is_file()
        ]
        if pairs:
            scene = images.relative_to(folder).parts[0]
            yield FileFootage(scene, [p for p, _ in pairs], _each([d for _, d in pairs], _vkitti_depth))


LAYOUTS: Mapping[str, Callable[[Path], Iterator[Footage]]] = {
    "RGB-D folders": rgbd,
    "Hypersim": hypersim,
    "TartanAir": tartanair,
    "Virtual KITTI": virtual_kitti,
}


def from_metres(depth: np.ndarray) -> np.ndarray:
    """Disparity of planar depth: not a number where depth is 0 or none, 0 where it is infinite.

    Args:
        depth: (H, W), metres.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = np.where(depth > 0, 1 / depth.astype(np.float32), np.float32(np.nan))
    return disparity.astype(np.float32)


def planar(distance: np.ndarray, focal: float) -> np.ndarray:
    """Depth along the camera's axis of distances to its centre, which Hypersim gives.

    Args:
        distance: (H, W).
        focal: Focal length in pixels; the axis goes through the middle.
    """
    rows, columns = distance.shape
    y = np.arange(rows, dtype=np.float32)[:, None] - (rows - 1) / 2
    x = np.arange(columns, dtype=np.float32)[None] - (columns - 1) / 2
    depth: np.ndarray = distance * np.float32(focal) / np.sqrt(x**2 + y**2 + np.float32(focal) ** 2)
    return depth


def _each(paths: Sequence[Path], read: Callable[[Path], np.ndarray]) -> Callable[[int], np.ndarray]:
    return lambda number: from_metres(read(paths[number]))


def _hypersim_depth(path: Path) -> np.ndarray:
    with _h5py().File(path) as file:
        distance = np.asarray(file["dataset"], np.float32)
    return planar(distance, HYPERSIM_FOCAL * distance.shape[1] / 1024)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(
            "Hypersim's depth needs the package h5py, which is not installed.",
            "Install it: pip install h5py.",
        ) from error
    return h5py


def _tartanair_depth(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        depth = np.load(path, allow_pickle=False)
    else:  # four bytes of a number in the four channels of a picture, which cv2 gives as they are stored
        pixels = _read(path)
        if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
            raise InputError(f"{path} is no depth of TartanAir's.", "Get it again.")
        depth = np.ascontiguousarray(pixels).view("<f4")[..., 0]
    return np.where(depth < _FARTHEST, depth, np.float32(np.inf))


def _vkitti_depth(path: Path) -> np.ndarray:
    units = _read(path)
    if units.dtype != np.uint16 or units.ndim != 2:
        raise InputError(f"{path} is no depth of Virtual KITTI's.", "Get it again.")
    return np.where(units < _SKY, units / np.float32(_CENTIMETRES), np.float32(np.inf))


def _read(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f"{path} is no picture, or damaged.", "Get it again.")
    return pixels
