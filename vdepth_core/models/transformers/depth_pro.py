"""Depth Pro (Bochkovskii 2024) as published for transformers: metric depth, and the lens it was seen through.

The network predicts canonical inverse depth C of the whole picture squeezed into a square (the aspect is not
kept), and the horizontal field of view φ. With the focal length f = W / (2·tan(φ/2)) of a picture W pixels
wide, the metric inverse depth is C·W / f, limited to 1e-4 … 1e4 per metre. We hand out C and φ and leave the
focal length to the job: φ is guessed anew in every frame, but a shot has one lens, and depth scaled by a
wavering lens would flicker.

Pictures are scaled to [-1, 1], then resized bilinearly without antialiasing; so is the answer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...types import ModelSpec
from ..network_model import NetworkModel
from .preprocessor_config import Processing, normaliser

if TYPE_CHECKING:
    from torch import Tensor, nn

DEPTH_PRO = Processing(image_mean=(0.5,) * 3, image_std=(0.5,) * 3)  # the size follows from the configuration


def describe(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a Depth Pro's configuration fixes.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.

    Raises:
        WeightsError: the input size is too small for the network's patches.
    """
    # The smallest scaled copy of the picture is one patch: 384 / 0.25 = 1536 in the published one.
    least = math.ceil(config.patch_size / min(config.scaled_images_ratios))
    size = processing.size or (least, least)
    if min(size) < least:
        raise WeightsError(
            f"The preprocessor asks for {size[1]}x{size[0]} pixels, but this Depth Pro needs {least}.",
            "Get preprocessor_config.json again from its publisher.",
        )
    return {
        "quantity": "disparity",
        "space": "metric",
        "canonical": True,
        "multiple": math.gcd(32, *size),
        "native_size": min(size),
        "fixed_size": size,
    }


class DepthPro(NetworkModel):
    """Depth Pro without its field-of-view head: the lens must come from elsewhere."""

    def prepare(self, rgb: Tensor, size: tuple[int, int]) -> Tensor:
        """Decoded pictures -> (T, 3, *size), resampled as published; see `PreparingModel.prepare`."""
        import torch.nn.functional as F

        rgb = rgb.permute(0, 3, 1, 2) if rgb.shape[-1] == 3 else rgb
        return F.interpolate(rgb.to(self.device).float() / 255, size, mode="bilinear")

    def predict(self, frames: Tensor) -> Tensor:
        """Frames -> canonical disparity (T, H, W) float32, per picture width; see `DepthModel.predict`."""
        disparity: Tensor = self._infer(frames)[0]
        return disparity

    def _forward(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        import torch.nn.functional as F

        size, fixed = tuple(frames.shape[2:]), self.spec.fixed_size
        if fixed is not None and fixed != size:
            # Published, the scaling to [-1, 1] comes first; bilinear weights sum to 1, so it is the same.
            frames = F.interpolate(frames, fixed, mode="bilinear")
        output = super()._forward(frames)
        disparity = output.predicted_depth.float()
        if disparity.shape[1:] != size:
            disparity = F.interpolate(disparity[:, None], size, mode="bilinear")[:, 0]
        fov = output.field_of_view
        return disparity, None if fov is None else fov.float()


class DepthProCamera(DepthPro):
    """Depth Pro with its field-of-view head, a `CameraModel`."""

    def predict_with_fov(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames -> canonical disparity and field of view; see `CameraModel.predict_with_fov`.

        Args:
            frames: As of `DepthModel.predict`.
        """
        disparity, fov = self._infer(frames)
        return disparity, fov


def build(
    network: nn.Module, spec: ModelSpec, device: str, dtype: str, processing: Processing
) -> DepthPro | DepthProCamera:
    """The model for a loaded network; a `CameraModel` where the checkpoint has the head for it.

    Args:
        network: With its weights.
        spec: What it predicts.
        device: Where it runs, as torch spells it.
        dtype: One of `DTYPES`.
        processing: Its input scaling.
    """
    from ..wrappers import keep_full_precision

    keep_full_precision(network, "head.layers.4")
    normalise = normaliser(processing, device)
    config: Any = network.config
    if not config.use_fov_model:
        return DepthPro(network, spec, device, dtype, normalise)
    keep_full_precision(network, f"fov_model.head.layers.{2 * config.num_fov_head_layers}")
    return DepthProCamera(network, spec, device, dtype, normalise)
