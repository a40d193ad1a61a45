"""What all methods share that run a model frame by frame; those of other packages may build on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models.sizing import network_size
from .frames import check_per_frame

if TYPE_CHECKING:
    from ..choices import Dtype
    from ..protocols import DepthModel
    from ..types import ClipInfo, ModelSpec


class PerFrame:
    """Takes every per-frame model as it is: at its own size, in the device's usual precision."""

    models: tuple[str, ...] = ()

    def check(self, model: DepthModel) -> None:
        """Takes every per-frame model; see `Method.check`, and `check_per_frame` for what it raises."""
        check_per_frame(model)

    def dtype(self, device: str) -> Dtype | None:
        """Leaves the precision to the device; see `Method.dtype`."""

    def input_size(self, info: ClipInfo, spec: ModelSpec, size: int | None) -> tuple[int, int]:
        """The model's own size, as `network_size` gives it; see `Method.input_size`."""
        return network_size(info.width, info.height, info.pixel_aspect, spec, size)

    def disk_space(self, spec: ModelSpec, frames: int, height: int, width: int) -> int:
        """Nothing beside the store; see `Method.disk_space`."""
        return 0
