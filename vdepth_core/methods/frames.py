"""The loop per-frame methods share: decode, predict and store, overlapping, in batches at fixed positions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, UsageError
from ..models.sizing import prepare
from ..protocols import CameraModel
from ..runs import missing_runs
from .batching import Batcher, Load, on_cuda
from .depth_check import DepthCheck

if TYPE_CHECKING:
    from torch import Tensor

    from ..progress import Progress
    from ..protocols import ClipDiffusionModel, DepthModel, ShotFrames, SnippetModel
    from ..store import DepthStore
    from ..types import ModelSpec

STAGE = "infer"
CUDA_BATCH = 8


@dataclass(frozen=True)
class FrameBatch:
    """Some frames of a shot as a network wants them, from ``start`` on, on the model's device."""

    start: int
    frames: Tensor  # (n, 3, h, w)
    luma: np.ndarray  # (n, h, w) uint8


def batch_of(spec: ModelSpec, cuda: bool, batch: int | None) -> int:
    """Frames a forward pass: a chain's, the user's, or what suits the device.

    Args:
        spec: Of the model.
        cuda: Whether it runs on a CUDA device.
        batch: What the user wants; None: `CUDA_BATCH` on CUDA, else 1.
    """
    if spec.chain > 1:
        return spec.chain
    return batch or (CUDA_BATCH if cuda else 1)


def predict_shot(
    shot: ShotFrames,
    model: DepthModel,
    store: DepthStore,
    progress: Progress,
    batch: int | None = None,
    within: range | None = None,
) -> None:
    """Fills ``store.raw`` and ``store.luma`` for every frame of the shot, ``store.fov`` for a `CameraModel`.

    Batches start at multiples of ``batch`` from the shot's start, so a resumed job runs the same batches.
    Batches that are done are skipped. Out of CUDA memory, a batch is split in halves, and so are the ones
    after it.

    Args:
        shot: Its frames.
        model: On the accelerator.
        store: Says what is done, and takes the rest.
        progress: Told of each frame, stage ``infer``; may cancel.
        batch: Frames a forward pass; None: `CUDA_BATCH` for a model on a CUDA device, else 1. A model that
            chains frames gets its chains, whole.
        within: Only these frames, from a multiple of the batch on to another, or to the end: whether the
            shot's depth varies at all is left open then. None: all.

    Raises:
        UsageError: the model sees several frames at once.
        InputError: the clip gave fewer frames than the shot has.
        ResourceError: not even one frame fits the device's memory.
        WeightsError: what the model gives is no depth; see `DepthCheck`.
        Cancelled: the user asked to stop.
    """
    check_per_frame(model)
    chain = model.spec.chain
    size = batch_of(model.spec, on_cuda(model), batch)
    wanted = range(store.count) if within is None else within
    least = f"with a single frame of {store.width}x{store.height}"
    batcher = Batcher(model, Load(size), whole=chain > 1, least=least)
    check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
    writing: list[Future[None]] = []
    needed = [store.raw, store.luma] + ([store.fov] if isinstance(model, CameraModel) else [])

    def is_done(index: int) -> bool:
        return index not in wanted or all(array.done(index) for array in needed)

    runs = missing_runs(store.count, size, is_done)
    if done := len(wanted) - sum(stop - start for start, stop in runs):
        progress.skip(STAGE, done)
    with ThreadPoolExecutor(1, "vdepth-read") as reader, ThreadPoolExecutor(1, "vdepth-write") as writer:
        try:
            for start, stop in runs:
                source = decode_batches(shot, model, store, start, stop, size)
                coming = reader.submit(next, source, None)
                try:
                    while (item := coming.result()) is not None:
                        progress.check()
                        coming = reader.submit(next, source, None)
                        raw, fov = _predict(model, batcher, item.frames)
                        raw = check.repaired(raw, range(item.start, item.start + len(raw)), item.luma)
                        while len(writing) > 1:
                            writing.pop(0).result()
                        writing.append(writer.submit(_write, store, item, raw, fov, progress))
                finally:  # the decoder must be at rest before anybody else reads the clip
                    wait([coming])
                    source.close()
        finally:
            for future in writing:
                future.result()
    # A wall seen head on is one depth in metres; relative, it is nothing.
    if within is None and model.spec.space != "metric":
        check.varied(store.raw, range(store.count))


def check_per_frame(model: DepthModel) -> None:
    """Refuses a model that does not predict frame by frame.

    Args:
        model: The one that the user or the preset chose.

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

    Args:
        raw: (H, W) or (T, H, W), as predicted.
        spec: Of the model.
    """
    if spec.quantity == "disparity" or spec.space == "affine_invariant":
        return np.asarray(raw, np.float32)
    out = np.zeros(raw.shape, np.float32)
    np.divide(np.float32(1.0), raw, out=out, where=raw > 1e-6)
    return out


def decode_batches(
    shot: ShotFrames,
    model: DepthModel | SnippetModel | ClipDiffusionModel,
    store: DepthStore,
    start: int,
    stop: int,
    size: int,
) -> Generator[FrameBatch]:
    """Yields frames [start, stop) of the shot as the model prepares them.

    Args:
        shot: Its frames.
        model: Prepares them.
        store: Says of what size.
        start, stop: The range, 0-based within the shot.
        size: Frames at a time.

    Raises:
        InputError: the clip gave fewer frames than the shot has.
    """
    import torch

    pictures: list[Tensor] = []
    first = start
    beside = _beside(model)
    with closing(shot.frames(start, stop)) as frames:
        for frame in frames:
            with beside():
                rgb = torch.from_numpy(frame.rgb)[None]
                pictures.append(prepare(model, rgb, (store.height, store.width)))
            del frame, rgb  # not to hold a full-size picture while a batch waits
            if len(pictures) == size or first + len(pictures) == stop:
                with beside():
                    tensor = torch.cat(pictures)
                    luma = luma_of(tensor)
                yield FrameBatch(first, tensor, luma)
                first += len(pictures)
                pictures = []
    if first < stop:
        lost = stop - first - len(pictures)
        raise InputError(
            f"{shot.info.path.name} ends after frame {shot.shot.start + stop - lost - 1}, "
            f"{lost} frame{'s' * (lost != 1)} before it should.",
            "Check that the file is complete and did not change.",
        )


def luma_of(frames: Tensor) -> np.ndarray:
    """Rec. 601 luma (n, h, w) uint8 of frames (n, 3, h, w) in [0, 1].

    Args:
        frames: On any device.
    """
    rgb = frames.detach()
    luma = rgb[:, 0] * 76.245 + rgb[:, 1] * 149.685 + rgb[:, 2] * 29.07
    return np.asarray(luma.round_().clamp_(0, 255).byte().cpu().numpy())


def _beside(model: object) -> Callable[[], AbstractContextManager[None]]:
    """Makes the context in which a reading thread uses the model's device.

    On CUDA it is a stream of the thread's own: a picture is not kept waiting for the network's last batch,
    and is ready when the context is left.
    """
    if not on_cuda(model):
        return nullcontext
    import torch

    stream = torch.cuda.Stream(model.device)  # type: ignore[attr-defined]

    @contextmanager
    def beside() -> Iterator[None]:
        with torch.cuda.stream(stream):
            yield
        stream.synchronize()

    return beside


def _predict(model: DepthModel, batcher: Batcher, frames: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(n, h, w) float32, and fields of view (n,) or (0,)."""
    if isinstance(model, CameraModel):
        raw, view = batcher.several(model.predict_with_fov, frames)
    else:
        raw, view = batcher(model.predict, frames), None
    wanted = (len(frames), *frames.shape[2:])
    if tuple(raw.shape) != wanted:
        raise ValueError(f"the model gave {tuple(raw.shape)} for frames {tuple(frames.shape)}, not {wanted}")
    return raw.float().numpy(), np.empty(0, np.float32) if view is None else view.float().numpy()


def _write(store: DepthStore, item: FrameBatch, raw: np.ndarray, fov: np.ndarray, progress: Progress) -> None:
    store.luma.write(item.start, item.luma)
    store.fov.write(item.start, fov)
    store.raw.write(item.start, raw)
    progress.advance(STAGE, len(raw))
