"""How good a model in training is on what is held out, by the protocols of `vdepth evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...choices import Protocol
from ...evaluation.accuracy import Accuracy, evaluate_clip
from ...types import ModelSpec
from .targets import HIGH, LOW, Snippet

if TYPE_CHECKING:
    from ...protocols import DepthModel

PROTOCOL: Protocol = "clip-lstsq"  # one scale and shift a clip: what joint normalisation is for


@dataclass(frozen=True)
class Scored:
    """A held-out clip.

    Attributes:
        accuracy: Under `PROTOCOL`.
        disparity: (T, H, W) what the model says, in the model's own scale.
    """

    accuracy: Accuracy
    disparity: np.ndarray


def score(model: DepthModel, clips: Sequence[Snippet], max_depth: float) -> list[Scored]:
    """Scores a model on clips, each in one window.

    Args:
        model: As it is now.
        clips: Held out; those without a known pixel are left out.
        max_depth: Farthest truth that counts, metres.
    """
    import torch

    found = []
    for clip in clips:
        with np.errstate(divide="ignore"):
            truth = np.where(clip.disparity > 0, 1 / clip.disparity, 0)
        valid = truth[(truth > 0) & (truth < max_depth)]
        if not valid.size:
            continue
        said = model.predict(torch.from_numpy(clip.rgb)).float().cpu().numpy()
        disparity = disparity_of(said, model.spec, valid)
        found.append(
            Scored(evaluate_clip(disparity, truth, protocol=PROTOCOL, max_depth=max_depth), disparity)
        )
    return found


def disparity_of(said: np.ndarray, spec: ModelSpec, depths: np.ndarray) -> np.ndarray:
    """What a model says as positive disparity.

    Affine-invariant depth has no reciprocal until somebody says what near and far are: here the truth does,
    as the user does with ``--near`` and ``--far``.

    Args:
        said: (T, H, W), the model's own numbers.
        spec: Of the model.
        depths: Of the true depth, metres.
    """
    low, high = float(said.min()), float(said.max())
    unit: np.ndarray = (said - low) / max(high - low, 1e-12)
    if spec.quantity == "disparity":
        return unit + np.float32(0.01)  # what is below a thousandth would be clipped
    near, far = np.percentile(depths, (LOW, HIGH))
    disparity: np.ndarray = 1 / (near + unit * max(far - near, 1e-6))
    return disparity
