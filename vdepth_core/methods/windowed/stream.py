"""Depth of frames as they come: one in, one out (Video Depth Anything's stream)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UsageError
from ...models.sizing import network_size, prepare
from ...protocols import StreamModel
from ..depth_check import DepthCheck
from ..frames import STAGE, decode_batches

if TYPE_CHECKING:
    from torch import Tensor

    from ...progress import Progress
    from ...protocols import DepthModel, ShotFrames
    from ...store import DepthStore


def stream(
    pictures: Iterable[np.ndarray], model: DepthModel, *, size: int | None = None
) -> Iterator[np.ndarray]:
    """Yields the depth of each picture as soon as it comes, from it and those before.

    For what is live: nothing is aligned afterwards, and scale and shift are those that the first frames
    settled. Every call begins anew, as a cut would want it. `estimate` is more accurate.

    Args:
        pictures: (H, W, 3) uint8 sRGB, of one size.
        model: Of `load_model`, one that sees windows of frames (Video Depth Anything).
        size: Shorter side of the network's input, pixels; None: the model's own.

    Yields:
        (H, W) float32 in ``model.spec.quantity``: disparity grows towards the camera, depth away from it.

    Raises:
        UsageError: the model looks at single pictures.
        ValueError: a picture is not (H, W, 3) uint8, or of another size than the first.

    Examples:
        >>> import vdepth_core
        >>> model = vdepth_core.load_model("video_depth_anything_tiny.pth")  # of `vdepth make-tiny`
        >>> pictures = (frame.rgb for frame in vdepth_core.open_clip("shot.mov").read(0, 3))
        >>> [depth.shape for depth in vdepth_core.stream(pictures, model, size=42)]
        [(64, 96), (64, 96), (64, 96)]
    """
    check_stream(model)
    return _enlarged(pictures, model, size)  # checked now, not at the first frame


def check_stream(model: DepthModel) -> StreamModel:
    """The model, as one that takes frames as they come.

    Args:
        model: Loaded.

    Raises:
        UsageError: it does not.
    """
    if isinstance(model, StreamModel):
        return model
    raise UsageError(
        f"The model {model.spec.name} does not take frames one by one and remember those before.",
        "Use video-depth-anything-small; a model of single pictures has its predict.",
    )


def stream_shot(shot: ShotFrames, model: StreamModel, store: DepthStore, progress: Progress) -> None:
    """Fills ``store.raw`` and ``store.luma``, frame by frame, from the shot's first.

    What a frame remembers is not kept on the disk (22 MB a frame of the small network), so a shot that was
    stopped begins anew, to the same bytes.

    Args:
        shot: Its frames.
        model: On the accelerator.
        store: Of the shot.
        progress: Told of each frame, stage ``infer``; may cancel.

    Raises:
        InputError: the clip gave fewer frames than the shot has.
        WeightsError: the model gives no depth.
        Cancelled: the user asked to stop.
    """
    if not store.raw.missing() and not store.luma.missing():
        progress.skip(STAGE, store.count)
        return
    check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
    start = 0

    def frames() -> Iterator[Tensor]:
        nonlocal start
        for item in decode_batches(shot, model, store, 0, store.count, 1):
            progress.check()
            start = item.start
            store.luma.write(item.start, item.luma)
            yield item.frames

    for said in model.stream(frames()):
        store.raw.write(start, check.repaired(said.cpu().numpy(), range(start, start + 1)))
        progress.advance(STAGE)
    if model.spec.space != "metric":
        check.varied(store.raw, range(store.count))


def _enlarged(pictures: Iterable[np.ndarray], model: DepthModel, size: int | None) -> Iterator[np.ndarray]:
    import torch
    from torch.nn.functional import interpolate

    shape: tuple[int, int] | None = None

    def frames() -> Iterator[Tensor]:
        nonlocal shape
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
                raise ValueError(f"pictures are (H, W, 3) uint8, this one is {picture.shape} {picture.dtype}")
            height, width = picture.shape[:2]
            if shape not in (None, (height, width)):
                raise ValueError(f"a picture of {width}x{height} among those of {shape[1]}x{shape[0]}")
            shape = height, width
            small = network_size(width, height, Fraction(1), model.spec, size)
            yield prepare(model, torch.from_numpy(np.ascontiguousarray(picture))[None], small)

    for said in check_stream(model).stream(frames()):
        assert shape is not None
        large = interpolate(said[None], size=shape, mode="bilinear", align_corners=True)  # as published
        yield large[0, 0].cpu().numpy()
