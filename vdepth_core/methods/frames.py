"""The loop per-frame methods share: decode, predict and store, overlapping, in batches at fixed positions."""

from __future__ import annotations

import logging
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import InputError, ResourceError, UsageError
from ..types import CameraModel
from .depth_check import DepthCheck

if TYPE_CHECKING:
    from torch import Tensor

    from ..progress import Progress
    from ..store import DepthStore, FrameArray
    from ..types import DepthModel, ModelSpec, ShotFrames

log = logging.getLogger(__name__)

STAGE = "infer"
CUDA_BATCH = 8


@dataclass(frozen=True)
class FrameBatch:
    """Some frames of a shot as a network wants them, from ``start`` on."""

    start: int
    frames: Tensor  # (n, 3, h, w)
    luma: np.ndarray  # (n, h, w) uint8


def predict_shot(
    shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress, batch: int | None = None
) -> None:
    """Fills ``store.raw`` and ``store.luma`` for every frame of the shot, ``store.fov`` for a `CameraModel`.

    Batches start at multiples of ``batch`` from the shot's start, so a resumed job runs the same batches.
    Batches that are done are skipped. Out of CUDA memory, a batch is split in halves, and so are the ones
    after it.

    Args:
        batch: Frames a forward pass; None: `CUDA_BATCH` for a model on a CUDA device, else 1. A model that
            chains frames gets its chains, whole.

    Raises:
        UsageError: the model sees several frames at once.
        InputError: the clip gave fewer frames than the shot has.
        ResourceError: not even one frame fits the device's memory.
        WeightsError: what the model gives is no depth; see `DepthCheck`.
        Cancelled: the user asked to stop.
    """
    check_per_frame(model)
    chain = model.spec.chain
    size = chain if chain > 1 else batch or (CUDA_BATCH if _on_cuda(model) else 1)
    limit = size
    warned = False
    check = DepthCheck(model.spec.name, store.luma, shot.shot.start)
    writing: list[Future[None]] = []
    needed = [store.raw, store.luma] + ([store.fov] if isinstance(model, CameraModel) else [])
    with ThreadPoolExecutor(1, "vdepth-read") as reader, ThreadPoolExecutor(1, "vdepth-write") as writer:
        try:
            for start, stop in _runs_to_do(store, needed, size, progress):
                source = decode_batches(shot, store, start, stop, size)
                coming = reader.submit(next, source, None)
                try:
                    while (item := coming.result()) is not None:
                        progress.check()
                        coming = reader.submit(next, source, None)
                        raw, fov, limit = _predict(model, item.frames, limit)
                        said = raw
                        raw, bad = repair(said)
                        if bad:
                            check.numbers(said, range(item.start, item.start + len(said)), item.luma)
                        if bad and not warned:
                            warned = True
                            progress.warn(
                                f"The model {model.spec.name} gave values that are not numbers (first at "
                                f"frame {shot.shot.start + item.start}); they were filled from neighbours."
                            )
                        while len(writing) > 1:
                            writing.pop(0).result()
                        writing.append(writer.submit(_write, store, item, raw, fov, progress))
                finally:  # the decoder must be at rest before anybody else reads the clip
                    wait([coming])
                    source.close()
        finally:
            for future in writing:
                future.result()
    if model.spec.space != "metric":  # a wall seen head on is one depth in metres; relative, it is nothing
        check.varied(store.raw, range(store.count))


def check_per_frame(model: DepthModel) -> None:
    """Refuses a model that does not predict frame by frame.

    Raises:
        UsageError: it is one.
    """
    if model.spec.window != 1:
        raise UsageError(
            f"The model {model.spec.name} looks at {model.spec.window} frames at once; this method runs "
            "per-frame models.",
            "Choose another method, or another model.",
        )


def to_disparity(raw: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """The model's own numbers as methods align and filter them, float32.

    Disparity stays as it is, depth z becomes 1/z (0 where z is not positive). Affine-invariant depth stays
    too: its shift is unknown, so it has no reciprocal until finishing places it between near and far.
    """
    if spec.quantity == "disparity" or spec.space == "affine_invariant":
        return np.asarray(raw, np.float32)
    out = np.zeros(raw.shape, np.float32)
    np.divide(np.float32(1.0), raw, out=out, where=raw > 1e-6)
    return out


def _on_cuda(model: DepthModel) -> bool:
    return str(getattr(model, "device", "cpu")).startswith("cuda")


def _runs_to_do(
    store: DepthStore, needed: list[FrameArray], size: int, progress: Progress
) -> list[tuple[int, int]]:
    """Runs of frames whose batches are not complete, on batch boundaries."""
    runs: list[tuple[int, int]] = []
    for start in range(0, store.count, size):
        stop = min(start + size, store.count)
        if all(array.done(index) for array in needed for index in range(start, stop)):
            progress.skip(STAGE, stop - start)
        elif runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


def decode_batches(
    shot: ShotFrames, store: DepthStore, start: int, stop: int, size: int
) -> Generator[FrameBatch]:
    """Yields frames [start, stop) of the shot at the store's size, ``size`` at a time.

    Raises:
        InputError: the clip gave fewer frames than the shot has.
    """
    import torch

    from ..models.sizing import frames_to_tensor

    pictures: list[Tensor] = []
    first = start
    with closing(shot.frames(start, stop)) as frames:
        for frame in frames:
            pictures.append(frames_to_tensor([frame.rgb], (store.height, store.width)))
            del frame  # not to hold a full-size picture while a batch waits
            if len(pictures) == size or first + len(pictures) == stop:
                tensor = torch.cat(pictures)
                yield FrameBatch(first, tensor, _luma(tensor))
                first += len(pictures)
                pictures = []
    if first < stop:
        raise InputError(
            f"{shot.info.path.name} ends after frame {shot.shot.start + first + len(pictures) - 1}, "
            f"{stop - first - len(pictures)} frames before it should.",
            "Check that the file is complete and did not change.",
        )


def _luma(frames: Tensor) -> np.ndarray:
    """Rec. 601 luma (n, h, w) uint8 of frames (n, 3, h, w) in [0, 1]."""
    rgb = frames.detach().cpu()
    luma = rgb[:, 0] * 76.245 + rgb[:, 1] * 149.685 + rgb[:, 2] * 29.07
    return np.asarray(luma.round_().clamp_(0, 255).numpy().astype(np.uint8))


def _predict(model: DepthModel, frames: Tensor, limit: int) -> tuple[np.ndarray, np.ndarray, int]:
    """In parts of at most ``limit`` frames: (n, h, w) float32, fields of view (n,) or (0,), and the limit
    that worked.
    """
    import torch

    parts: list[np.ndarray] = []
    views: list[np.ndarray] = []
    done = 0
    while done < len(frames):
        try:
            with torch.inference_mode():
                chunk = frames[done : done + limit]
                if isinstance(model, CameraModel):
                    part, view = model.predict_with_fov(chunk)
                    views.append(view.detach().float().cpu().numpy())
                else:
                    part = model.predict(chunk)
            parts.append(part.detach().float().cpu().numpy())
        except torch.cuda.OutOfMemoryError:
            if limit == 1 or model.spec.chain > 1:  # a chain takes its frames one at a time already
                raise ResourceError(
                    f"The model {model.spec.name} does not fit the GPU's memory with a single frame of "
                    f"{frames.shape[-1]}x{frames.shape[-2]}.",
                    "Use a smaller --size, --dtype fp16, or --device cpu.",
                ) from None
            limit = max(1, limit // 2)
            log.warning("out of GPU memory: going on with %d frames at once", limit)
            torch.cuda.empty_cache()
            continue
        done += len(parts[-1])
    return np.concatenate(parts), np.concatenate(views or [np.empty(0, np.float32)]), limit


def repair(raw: np.ndarray) -> tuple[np.ndarray, bool]:
    """Replaces NaN and infinities by the nearest finite value of the same frame, 0 in a frame without any."""
    good = np.isfinite(raw)
    if good.all():
        return raw, False
    raw = raw.copy()
    for frame, mask in zip(raw, good, strict=True):
        if mask.all():
            continue
        if not mask.any():
            frame[:] = 0.0
            continue
        _, label = cv2.distanceTransformWithLabels(
            (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        values = np.zeros(int(label.max()) + 1, np.float32)
        values[label[mask]] = frame[mask]
        frame[:] = values[label]
    return raw, True


def _write(store: DepthStore, item: FrameBatch, raw: np.ndarray, fov: np.ndarray, progress: Progress) -> None:
    store.luma.write(item.start, item.luma)
    store.fov.write(item.start, fov)
    store.raw.write(item.start, raw)
    progress.advance(STAGE, len(raw))
