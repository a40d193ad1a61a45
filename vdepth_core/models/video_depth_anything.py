"""Video Depth Anything: relative or metric: its ``.pth`` files, or safetensors of the same tensors."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..protocols import DepthModel
from ..types import ModelSpec
from ..weights.loading import Weights
from .depth_anything_v2 import NamedFamily, imagenet
from .network_model import ResamplingModel, as_published
from .sizing import resample_keeping_overshoot

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..networks.video_depth_anything import VideoDepthAnything

_log = logging.getLogger(__name__)


class VideoDepthAnythingModel(ResamplingModel):
    """The network as a `WindowModel`, with its preprocessing."""

    network: VideoDepthAnything

    @property
    def work_bytes(self) -> int:
        """Bound of the memory that temporal attention works in."""
        return self.network.head.work_bytes

    @work_bytes.setter
    def work_bytes(self, size: int) -> None:
        self.network.head.work_bytes = size

    def compile(self) -> None:
        """Leaves the network as it is, with a warning: every shot's last window has a shape of its own."""
        _log.warning("The model %s is not compiled; it runs as it is.", self.spec.name)

    def encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        """What `decode` needs of each frame; see `WindowModel.encode`.

        Args:
            frames: (N, 3, H, W) as prepared.

        Raises:
            ValueError: the shape does not fit.
        """
        frames = self._checked(frames)
        with self._precision():
            return self.network.encode(imagenet(frames))

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        """Maps (T, H, W) of a window; see `WindowModel.decode`.

        Args:
            features: Of T frames, 32 at most.

        Raises:
            ValueError: there are more.
        """
        if len(features[0]) > self.spec.window:
            raise ValueError(f"{len(features[0])} frames are more than a window of {self.spec.window}")
        with self._precision():
            return self.network.decode([part.to(self.device) for part in features]).float()

    def stream(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Maps (1, H, W) of frames one by one; see `StreamModel.stream`.

        Args:
            frames: (1, 3, H, W) each, as prepared.

        Raises:
            ValueError: a shape does not fit, or changes.
        """
        import torch

        kept = self.network.begin()
        for frame in frames:
            if len(frame) != 1:
                raise ValueError(f"{len(frame)} frames at once are no stream")
            with torch.inference_mode():
                features = self.encode(frame)
                with self._precision():
                    said = self.network.decode_next(features, kept).float()
            yield said

    def _forward(self, frames: Tensor) -> Any:
        import torch

        features = self.network.encode(imagenet(frames))
        alone = zip(*(part.split(1) for part in features), strict=True)
        return torch.cat([self.network.decode(frame) for frame in alone])


class _Family(NamedFamily):
    """Loads them as windows."""

    def load(
        self, weights: Weights, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
    ) -> DepthModel:
        network, meant = self.network(weights), self.spec_of(weights, spec)
        assert self.resampled is not None
        return VideoDepthAnythingModel(network, meant, device, dtype, None, self.resampled)


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.video_depth_anything import VideoDepthAnything

    return VideoDepthAnything.for_state(state)


def _matches(keys: Collection[str]) -> bool:
    return "pretrained.cls_token" in keys and any(key.startswith("head.motion_modules.") for key in keys)


FAMILY = _Family(
    "video-depth-anything-small",
    _build,
    as_published,
    _matches,
    resampled=resample_keeping_overshoot,
    trainable=False,  # it sees many frames
)
