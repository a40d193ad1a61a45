"""The teacher's depth of a clip, made steady and put on the student's scale, once, on disk.

Steady, because what flickers in the supervision is learnt: the teacher runs frame by frame through the method
`temporal` (co-alignment of the whole shot, motion-compensated filter). A model that teaches itself would
otherwise ask for no change at all in the residual form of the temporal loss. On the student's scale by one
robust scale and shift for the whole clip; fitting each frame by itself would throw the temporal information
away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ..align.scale_shift import fit_pair
from ..clip import ClipReader, ShotView
from ..errors import InputError, UsageError
from ..methods.temporal.method import Temporal
from ..store import DepthStore

if TYPE_CHECKING:
    from ..clip import Clip
    from ..learning.student import Student
    from ..progress import Progress
    from ..protocols import DepthModel
    from ..types import ModelSpec, Shot
    from .footage import Footage

SAMPLES = 48  # frames, spread over the clip, that the scale and shift are fitted on
GRID = 4  # every fourth pixel of them both ways


@dataclass(frozen=True)
class Supervision:
    """What the targets are.

    Attributes:
        scale, shift: target = scale · teacher's disparity + shift, for the whole clip.
        spread: Mean absolute deviation of the targets from their median: the unit losses are measured in.
        agreement: Whether teacher and student agree enough for scale and shift to mean something.
    """

    scale: float
    shift: float
    spread: float
    agreement: bool


def check_teacher(spec: ModelSpec) -> None:
    """Refuses models that cannot teach.

    Args:
        spec: Of the model that the user chose.

    Raises:
        UsageError: it sees several frames at once, or its depth has no reciprocal.
    """
    if spec.window != 1:
        raise UsageError(
            f"The teacher {spec.name} looks at {spec.window} frames at once.", "Choose a per-frame model."
        )
    if spec.quantity == "depth" and spec.space == "affine_invariant":
        raise UsageError(
            f"The teacher {spec.name} predicts depth with an unknown shift, which gives no disparity.",
            "Choose a teacher that predicts disparity or metric depth.",
        )


def supervise(
    clip: Clip, shots: Sequence[Shot], teacher: DepthModel, student: Student, footage: Footage, folder: Path,
    size: tuple[int, int], progress: Progress,
) -> Supervision:  # fmt: skip
    """Predicts, steadies and aligns; writes ``footage.target``, whose frames must be there.

    Args:
        clip, shots: What to predict.
        teacher: A per-frame model; see `check_teacher`.
        student: Gives the scale, before it is adapted.
        footage: Takes the targets.
        folder: For the teacher's predictions at its own size, resumable.
        size: (height, width) of the teacher's network input.
        progress: Stages ``infer`` and ``settle``.

    Raises:
        InputError: a frame cannot be read, or the teacher's depth is the same everywhere.
        Cancelled: the user asked to stop.
    """
    for stage in ("infer", "settle"):
        progress.stage(stage, footage.count)
    stores = []
    try:
        with ClipReader(clip) as reader:
            for shot in shots:
                store = DepthStore(folder / f"shot-{shot.index}", len(shot), *size)
                stores.append(store)
                method = Temporal()
                method.run(ShotView(reader, shot), teacher, store, progress)
                method.settle(shot, teacher.spec, store, progress)
        depth = _Teacher(stores, footage)
        fit = _fit(depth, student, footage)
        for index in range(footage.count):
            progress.check()
            if not footage.target.done(index):
                target = np.maximum(fit.scale * depth.read(index) + fit.shift, 0)  # students end at 0
                footage.target.write(index, target[None].astype(np.float32))
    finally:
        for store in stores:
            store.close()
    return fit


class _Teacher:
    """The steady disparity of any frame of the clip, at the student's size."""

    def __init__(self, stores: Sequence[DepthStore], footage: Footage) -> None:
        self._places = [(store, k) for store in stores for k in range(store.count)]
        self._size = (footage.height, footage.width)

    def read(self, index: int) -> np.ndarray:
        """(h, w) float32 of frame ``index``."""
        store, k = self._places[index]
        disparity: np.ndarray = store.final.read(k)[0]
        if disparity.shape == self._size:
            return disparity
        larger = disparity.shape[0] > self._size[0]
        interpolation = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(disparity, self._size[::-1], interpolation=interpolation))


def _fit(teacher: _Teacher, student: Student, footage: Footage) -> Supervision:
    """Teacher onto student over frames of the whole clip, robust and symmetric, in units of their spreads."""
    chosen = np.unique(np.linspace(0, footage.count - 1, SAMPLES).round().astype(int)).tolist()
    xs, ys = [], []
    for index in chosen:
        with torch.no_grad():
            own = student.predict(footage.pictures([index]).to(student.device))[0].cpu().numpy()
        xs.append(teacher.read(index)[::GRID, ::GRID].ravel())
        ys.append(own[::GRID, ::GRID].ravel())
    x, y = np.concatenate(xs).astype(np.float64), np.concatenate(ys).astype(np.float64)
    (mx, sx), (my, sy) = _spread(x), _spread(y)
    if sx <= 1e-9 * max(1.0, abs(mx)) or sy <= 1e-9 * max(1.0, abs(my)):
        who = "The teacher" if sy > sx else "The model"
        raise InputError(
            f"{who} gives the same depth everywhere in this clip.",
            "Choose another model, or another part of it.",
        )
    fit = fit_pair((x - mx) / sx, (y - my) / sy)
    if fit is None or fit.weight == 0:  # the teacher is to be believed: its spread becomes the student's
        return Supervision(sy / sx, my - mx * sy / sx, sy, agreement=False)
    scale = fit.scale * sy / sx
    return Supervision(scale, my + fit.shift * sy - scale * mx, scale * sx, agreement=True)


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Median, and mean absolute deviation from it."""
    median = float(np.median(values))
    return median, float(np.abs(values - median).mean())
