"""The public `evaluate`: a prediction against ground truth; accuracy always, temporal figures where possible.

Temporal measures reward a constant video, so they never come alone; and they need positive depth on one
scale, so they are taken under one alignment for the clip, which the result names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import cv2
import numpy as np

from ..choices import Protocol, one_of
from ..clip import open_clip
from ..clip.images import read_image, to_display8
from ..errors import InputError, UsageError
from ..flow.dis import DisFlow
from ..progress import Progress
from ..types import Quantity
from .accuracy import DISPARITY_FLOOR, Accuracy, disparity_at, evaluate_clip
from .boundaries import BoundaryF1, mean_boundaries
from .depth_maps import Camera, DepthMaps, open_prediction, open_truth
from .ordinal import Ordinal, mean_ordinal
from .remarks import Seen, remarks
from .tae import AlignmentError, alignment_error
from .temporal import Consistency, consistency
from .tgm import gradient_matching
from .undefined import UndefinedMeasure

STAGE = "evaluate"
_LEAST = 1e-9  # units a metre: no file has fewer
MAX_DEPTH = 80.0  # metres, as KITTI; rooms are evaluated to 10
_Measure = TypeVar("_Measure")
# Disparity (H, W) that knows nothing of the scene (the first ramp is near below): a figure means something
# only beside what these score.
BASELINES: dict[str, Callable[[int, int], np.ndarray]] = {
    "constant": lambda height, width: np.ones((height, width)),
    "vertical ramp": lambda height, width: np.linspace(0.2, 1, height)[:, None].repeat(
        width, 1
    ),  # near below
    "horizontal ramp": lambda height, width: np.linspace(0.2, 1, width)[None].repeat(height, 0),
}
_ONE_SCALE = ("clip-lstsq", "first-frame", "none")  # protocols whose depths are comparable between frames


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on one clip.

    Attributes:
        prediction, truth: Where they come from.
        quantity: What the predictions are.
        min_depth, max_depth: Range of valid truth, metres.
        accuracy: Under the protocol asked for.
        baselines: What pictures that know nothing of the scene score, see `BASELINES`; aligned alike, without
            alignment by ``clip-lstsq`` (they have no metres).
        boundaries: Whether depth jumps where the truth does, mean over frames.
        alignment: The protocol whose scale and shift (one pair for the clip) hold for boundaries and the
            temporal figures.
        ordinal: ORD and D3R (slic), mean over frames; None where not asked for, or truth is flat.
        consistency: rTC, aTC and OPW along optical flow; None without pictures.
        tae: Against the camera's motion; None without poses.
        tgm: Temporal gradient matching, metres; None where no pixel has truth twice in a row.
        notes: Why a temporal figure that could be expected is missing.
        warnings: What makes the figures doubtful, see `vdepth_core.evaluation.remarks`.
    """

    prediction: str
    truth: str
    quantity: Quantity
    min_depth: float
    max_depth: float
    accuracy: Accuracy
    baselines: dict[str, Accuracy]
    boundaries: BoundaryF1
    alignment: str
    ordinal: Ordinal | None = None
    consistency: Consistency | None = None
    tae: AlignmentError | None = None
    tgm: float | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what is not a number is None."""
        values = asdict(self)
        if self.consistency is not None:
            values["consistency"]["rtc"] = {f"{k:g}": v for k, v in self.consistency.rtc.items()}
        for scores in (values["accuracy"], *values["baselines"].values()):
            for name in ("scale", "shift"):
                if np.isnan(scores[name]):
                    scores[name] = None
        return values


def evaluate(
    pred: Any,
    truth: Any,
    *,
    protocol: Protocol = "clip-lstsq",
    max_depth: float = MAX_DEPTH,
    min_depth: float = 1e-3,
    gt_scale: float | None = None,
    pred_scale: float | None = None,
    quantity: Quantity | None = None,
    clip: str | Path | None = None,
    ordinal: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a prediction against ground truth.

    Args:
        pred: A finished job's folder, a folder of EXR, PNG, npy or npz maps, an .npz or .npy file, an array.
        truth: The same kinds, planar depth in metres after division by ``gt_scale``; or a folder with
            ``depth/``, and beside it ``color/``, ``K.txt`` and ``poses_cam_to_world.txt``, which turn on the
            temporal figures.
        protocol: The alignment of accuracy, see `vdepth_core.evaluation.accuracy`. Under ``eigen`` pictures
            need not be of one size nor follow each other, so nothing is said about time.
        max_depth: Farthest valid truth, metres.
        min_depth: Nearest valid truth, metres.
        gt_scale: Units a metre of the truth; None: 1000 for 16-bit PNG or what ``scale.txt`` says, else 1.
        pred_scale: The same of the prediction; a fit does not need it.
        quantity: ``depth`` or ``disparity``, where the prediction does not say, or holds both.
        clip: The plate: turns on rTC, aTC and OPW. Default: an RGB-D folder's pictures.
        ordinal: Whether to measure ORD and D3R (slic) too: about a second a frame, and needs scikit-image.
        progress: Stage ``evaluate``, one unit a measure; may cancel.

    Raises:
        InputError: something cannot be read, or the numbers of frames differ.
        UsageError: unknown protocol or quantity, an empty depth range, nothing says what is predicted, or it
            says something else, or scikit-image is not installed where it is needed.

    Examples:
        >>> import vdepth_core
        >>> found = vdepth_core.evaluate("depth/", "truth/", max_depth=10)
        >>> found.accuracy.protocol, found.accuracy.frames
        ('clip-lstsq', 6)
        >>> found.accuracy.abs_rel < found.baselines["constant"].abs_rel
        True
    """
    if protocol not in get_args(Protocol):
        raise UsageError(
            f"There is no evaluation protocol {protocol!r}.", one_of(protocol, get_args(Protocol))
        )
    if quantity is not None and quantity not in get_args(Quantity):
        raise UsageError(f"There is no quantity {quantity!r}.", "Use depth or disparity.")
    for scale in (gt_scale, pred_scale):
        if scale is not None and not _LEAST < scale < 1 / _LEAST:
            raise UsageError(f"{scale:g} units a metre is no scale.", "Give for example 1000.")
    progress = progress or Progress()
    predicted = open_prediction(pred, quantity, protocol, pred_scale)
    known, files, camera = open_truth(truth, gt_scale)
    _same_count(predicted, known)
    quantity = predicted.quantity
    assert quantity is not None
    progress.stage(STAGE, None)

    seen, seen_truth = Seen(max_depth), Seen(max_depth)

    def ours() -> Iterator[np.ndarray]:
        return seen.watch(predicted, progress.check)

    def theirs() -> Iterator[np.ndarray]:
        return seen_truth.watch(known, progress.check)

    def score(name: Protocol) -> Accuracy:
        return evaluate_clip(
            ours, theirs, protocol=name, min_depth=min_depth, max_depth=max_depth, quantity=quantity
        )

    def ignorant(picture: Callable[[int, int], np.ndarray]) -> Accuracy:
        return evaluate_clip(
            lambda: (picture(*frame.shape) for frame in known), theirs,
            protocol="clip-lstsq" if protocol == "none" else protocol,
            min_depth=min_depth, max_depth=max_depth,
        )  # fmt: skip

    accuracy = score(protocol)
    baselines = {name: ignorant(picture) for name, picture in BASELINES.items()}
    aligned_by: Protocol = protocol if protocol in _ONE_SCALE else "clip-lstsq"
    fit = accuracy if aligned_by == protocol else score(aligned_by)
    single = protocol == "eigen" or not seen_truth.one_size
    pictures = None if single else _pictures(clip, files, predicted, known)
    depth = _Aligned(predicted, known, fit, quantity, min_depth, max_depth, progress)
    why = "The eigen protocol scores single pictures" if protocol == "eigen" else "Truth is of several sizes"
    notes = [f"{why}: nothing is said about time"] if single else []

    def compared() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for d, g in zip(depth, known, strict=True):
            with np.errstate(invalid="ignore"):
                yield d, g, (g > min_depth) & (g < max_depth)

    def temporal(measure: Callable[[], _Measure]) -> _Measure | None:
        try:
            return measure()
        except UndefinedMeasure as error:
            notes.append(error.message)
            return None

    several = len(known) > 1 and not single
    return Evaluation(
        predicted.name,
        f"{known.name} ({known.note})" if known.note else known.name,
        quantity,
        min_depth,
        max_depth,
        accuracy,
        baselines,
        mean_boundaries(compared()),
        aligned_by,
        mean_ordinal(compared()) if ordinal else None,
        temporal(lambda: _consistency(depth, pictures)) if pictures and several else None,
        temporal(lambda: _tae(depth, camera, known, min_depth, max_depth)) if camera and several else None,
        temporal(lambda: gradient_matching(depth, known, min_depth=min_depth, max_depth=max_depth))
        if several
        else None,
        tuple(notes),
        tuple(remarks(predicted, known, (seen, seen_truth), accuracy, fit)),
    )


class _Aligned:
    """Predicted depth in metres at the truth's size, one scale and shift a clip; read anew each time."""

    def __init__(
        self, pred: DepthMaps, truth: DepthMaps, fit: Accuracy, quantity: Quantity,
        min_depth: float, max_depth: float, progress: Progress,
    ) -> None:  # fmt: skip
        self._pred, self._truth, self._fit, self._quantity = pred, truth, fit, quantity
        self._range, self._progress = (min_depth, max_depth), progress

    def __iter__(self) -> Iterator[np.ndarray]:
        for index, values in enumerate(self._pred):
            self._progress.check()
            shape = self._truth.read(index).shape
            p = disparity_at(values.astype(np.float64), self._quantity, shape)
            disparity = np.maximum(self._fit.scale * p + self._fit.shift, DISPARITY_FLOOR)
            yield np.clip(1 / disparity, *self._range).astype(np.float32)


def _same_count(pred: DepthMaps, truth: DepthMaps) -> None:
    if len(pred) != len(truth):
        raise InputError(
            f"{pred.name} holds {_counted(pred, 'prediction')}, {truth.name} holds "
            f"{_counted(truth, 'frame')} of truth.",
            "Give both the same frames.",
        )


def _counted(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"


def _pictures(
    clip: str | Path | None, files: list[Path], pred: DepthMaps, truth: DepthMaps
) -> Callable[[], Iterator[np.ndarray]] | None:
    """The plate at the truth's size, RGB uint8; None when there is none."""
    if clip is None and not files:
        return None
    size = truth.read(0).shape[::-1]
    if clip is None and len(files) != len(truth):
        raise InputError(
            f"{files[0].parent} holds {_counted(files, 'picture')}, but {truth.name} holds "
            f"{_counted(truth, 'depth map')}.",
            "Give the plate with --clip.",
        )

    def frames() -> Iterator[np.ndarray]:
        if clip is None:
            plate: Iterator[np.ndarray] = (to_display8(read_image(file).pixels) for file in files)
            yield from (_resized(rgb, size) for rgb in plate)
            return
        with closing(open_clip(clip, **pred.opened).read(pred.first, pred.first + len(pred))) as source:
            count = 0
            for frame in source:
                count += 1
                yield _resized(frame.rgb, size)
        if count < len(pred):
            raise InputError(
                f"{clip} holds {count} frame{'s' * (count != 1)} from frame {pred.first} on, but {pred.name} "
                f"holds {_counted(pred, 'prediction')}.",
                "Give the clip the prediction was made from.",
            )

    return frames


def _resized(rgb: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if rgb.shape[1::-1] == size:
        return rgb
    shrinks = rgb.shape[1] > size[0]
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def _consistency(depth: _Aligned, pictures: Callable[[], Iterator[np.ndarray]]) -> Consistency:
    estimator = DisFlow("medium")

    def flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return estimator.flow(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)))

    return consistency(depth, pictures(), flow)


def _tae(
    depth: _Aligned, camera: Camera, truth: DepthMaps, min_depth: float, max_depth: float
) -> AlignmentError:
    def known() -> Iterator[np.ndarray]:
        with np.errstate(invalid="ignore"):
            yield from ((g > min_depth) & (g < max_depth) for g in truth)

    return alignment_error(depth, list(camera.poses), camera.intrinsics, known())
