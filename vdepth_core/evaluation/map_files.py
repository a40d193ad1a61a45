"""One depth map from one file: EXR and PNG through OpenImageIO, npy and npz through `arrays`.

Whatever is wrong with a file is one sentence: nothing is read before its header has said how much there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import require_file, said_by_oiio
from ..types import Quantity
from .arrays import open_arrays

MAX_PIXELS = 1 << 28  # 16384 x 16384; no depth map is larger, a damaged header may say anything
PLANES: tuple[tuple[str, Quantity], ...] = (  # EXR channels, npz keys; the first that is wanted
    ("Z", "depth"), ("depth.Z", "depth"), ("depth", "depth"),
    ("disparity.Y", "disparity"), ("disparity", "disparity"),
)  # fmt: skip


def load_map(path: Path, wanted: Quantity | None = None) -> tuple[np.ndarray, Quantity | None]:
    """Reads one map.

    Args:
        path: EXR, PNG, or anything NumPy wrote.
        wanted: What to read of a file that holds depth and disparity; None: depth.

    Returns:
        (H, W), numbers as stored, and what they are where the file says so.

    Raises:
        InputError: it cannot be read, is damaged, or holds no single map.
    """
    kind = path.suffix.lower()
    if kind == ".exr":
        values, quantity = _load_exr(path, wanted)
    elif kind == ".png":
        values, quantity = _load_png(path), None
    else:
        array, quantity = open_arrays(path, PLANES, wanted)
        if len(array.shape) == 3 and array.shape[-1] == 1 != array.shape[0]:
            values = array.whole()[..., 0]
        elif array.count != 1:
            raise InputError(f"{path} has shape {array.shape}, not (H, W).", "Give one map a file.")
        else:
            values = array[0]
    if not values.size:
        raise InputError(f"{path} is empty.", "Give one map a file.")
    return values, quantity


def _load_png(path: Path) -> np.ndarray:
    with _Opened(path) as image:
        spec = image.spec()
        if spec.nchannels != 1 or str(spec.format) != "uint16":
            raise InputError(
                f"{path} is no 16-bit grey PNG ({spec.format} with {spec.nchannels} channels).",
                "Colour-mapped depth cannot be evaluated.",
            )
        return _pixels(image, path, 0, 0)


def _load_exr(path: Path, wanted: Quantity | None) -> tuple[np.ndarray, Quantity | None]:
    with _Opened(path) as image:
        names: dict[str, tuple[int, int]] = {}
        part = 0
        while image.seek_subimage(part, 0):
            for position, name in enumerate(image.spec().channelnames):
                names.setdefault(name, (part, position))
            part += 1
        for name, quantity in sorted(PLANES, key=lambda entry: entry[1] != wanted):
            if name in names:
                values = _pixels(image, path, *names[name])
                if name == "Z" and {"X", "Y"} <= names.keys() and _is_position(image, path, names, values):
                    raise InputError(
                        f"{path} holds positions (X, Y and Z differ), not depth.",
                        "Give planar depth: one channel, or the same in X, Y and Z.",
                    )
                return values, quantity
        layers = [name for name in names if name.rpartition(".")[0].lower().endswith("depth")]
        if len(layers) == 1:  # another program's layer, such as ViewLayer.Depth.Z
            return _pixels(image, path, *names[layers[0]]), "depth"
        if "Y" in names or len(names) == 1:
            name = "Y" if "Y" in names else next(iter(names))
            # our own disparity sequence; another writer's single channel says nothing about itself
            return _pixels(image, path, *names[name]), "disparity" if "_disparity." in path.name else None
    raise InputError(
        f"{path} has no depth channel; it has {', '.join(list(names)[:8])}.",
        "Name it Z, Y or disparity.Y.",
    )


class _Opened:
    """An image that OpenImageIO has opened, of a size that can be."""

    def __init__(self, path: Path) -> None:
        import OpenImageIO as oiio

        self._path, self._image = path, None
        require_file(path)
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.", "Check the file.") from error
        self._image = oiio.ImageInput.open(str(path))
        if self._image is None:
            said_by_oiio(oiio)
            raise InputError(
                f"{path} cannot be read; it is damaged or no {path.suffix[1:].upper()}.",
                "Render or copy it again.",
            )
        spec = self._image.spec()
        if not 0 < spec.width * spec.height <= MAX_PIXELS or spec.nchannels > 1024:
            self._image.close()
            raise InputError(
                f"{path} says it has {spec.width} x {spec.height} pixels, which is no depth map.",
                "Render or copy it again.",
            )

    def __enter__(self) -> Any:
        return self._image

    def __exit__(self, *_: object) -> None:
        if self._image is not None:
            self._image.close()


def _pixels(image: Any, path: Path, part: int, channel: int) -> np.ndarray:
    """One channel of a part, float32, or as it is stored where that is an integer."""
    image.seek_subimage(part, 0)
    spec = image.spec()
    kind = "uint16" if str(spec.format) == "uint16" else "float"
    values = None
    if 0 < spec.width * spec.height <= MAX_PIXELS and not spec.deep:
        values = image.read_image(part, 0, channel, channel + 1, kind)
    if values is None:
        said_by_oiio(image)
        raise InputError(f"{path} is damaged: its pixels cannot be read.", "Render or copy it again.")
    return np.asarray(values)[..., 0]


def _is_position(image: Any, path: Path, names: dict[str, tuple[int, int]], z: np.ndarray) -> bool:
    other = _pixels(image, path, *names["X"])
    return other.shape != z.shape or not np.array_equal(other, z, equal_nan=True)
