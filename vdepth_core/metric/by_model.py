"""A metric model's depth in a few frames of a shot, beside the shot's own."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np

from ..errors import UsageError
from ..flow.dis import reduce
from ..geometry.camera import Intrinsics
from ..methods.frames import check_per_frame, to_disparity
from ..models.registry import load_model
from ..models.sizing import network_size, prepare
from ..output.plate import pictures
from ..progress import Progress
from ..protocols import CameraModel
from .evidence import Evidence
from .values import ShotValues

STAGE = "model"
POINTS = 4000  # of a frame


class MetricModel:
    """A model that knows metres."""

    def __init__(self, name: str, device: str) -> None:
        """Loads it.

        Args:
            name: As `load_model` takes it.
            device: Where it runs.

        Raises:
            UsageError: there is no such model, or it does not know metres.
            WeightsError: its weights are missing or damaged.
        """
        self._model = load_model(name, device)
        self.name = self._model.spec.name
        if self._model.spec.space != "metric":
            known = self._model.spec.space.replace("_", "-")
            raise UsageError(
                f"The model {self.name} knows no metres: what it predicts is {known}.",
                "vdepth models says which ones are metric.",
            )
        check_per_frame(self._model)

    def evidence(self, shot: ShotValues, frames: int, progress: Progress) -> Evidence:
        """What it says of a shot.

        Args:
            shot: Which one.
            frames: How many of its frames to look at.
            progress: Told of each, stage ``model``; may cancel.

        Raises:
            InputError: the clip is gone or changed, or a depth file is missing or damaged.
            Cancelled: the user asked to stop.
        """
        spec, numbers = self._model.spec, shot.spread_over(frames)
        maps, views = [], []
        with closing(pictures(shot.sequence.manifest, numbers)) as plates:
            for rgb in plates:
                with progress.step(STAGE):
                    raw, view = self._predict(rgb, Fraction(shot.sequence.manifest.clip.pixel_aspect))
                maps.append(to_disparity(raw, spec))
                views.append(view)
        gain = shot.sequence.manifest.clip.width / self._lens(shot, views).fx if spec.canonical else 1.0
        x, target = [], []
        for number, inverse in zip(numbers, maps, strict=True):
            own = shot.x(number).astype(np.float32)
            size = min(own.shape[0], inverse.shape[0]), min(own.shape[1], inverse.shape[1])
            own, known = reduce(own, size).ravel(), reduce(inverse, size).ravel() * np.float32(gain)
            there = np.flatnonzero(np.isfinite(own) & np.isfinite(known) & (known > 0))
            there = there[:: max(1, len(there) // POINTS)]
            x.append(own[there])
            target.append(shot.target(1 / known[there].astype(np.float64)))
        found = np.concatenate(x).astype(np.float64)
        return Evidence("model", f"model {self.name}", found, np.concatenate(target))

    def _predict(self, rgb: np.ndarray, aspect: Fraction) -> tuple[np.ndarray, float | None]:
        """(h, w) as the model predicts it, and the horizontal field of view where it sees one."""
        import torch

        size = network_size(rgb.shape[1], rgb.shape[0], aspect, self._model.spec)
        with torch.inference_mode():
            frames = prepare(self._model, torch.from_numpy(np.ascontiguousarray(rgb))[None], size)
            if isinstance(self._model, CameraModel):
                raw, view = self._model.predict_with_fov(frames)
                return raw[0].float().cpu().numpy(), float(view[0])
            return self._model.predict(frames)[0].float().cpu().numpy(), None

    def _lens(self, shot: ShotValues, views: list[float | None]) -> Intrinsics:
        """The shot's lens where somebody knows it, else what the model saw."""
        seen, manifest = [view for view in views if view is not None], shot.sequence.manifest
        if shot.camera.source != "assumed" or not seen:
            return shot.camera
        clip = manifest.clip
        return Intrinsics.from_fov(
            float(np.median(seen)), clip.width, clip.height, Fraction(clip.pixel_aspect)
        )
