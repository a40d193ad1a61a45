"""What the model says of a whole picture and of its patches, several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import UsageError
from ...methods.batching import Batcher, Load, on_cuda
from ...methods.frames import to_disparity
from ...models.sizing import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ...protocols import DepthModel
    from ...types import ModelSpec

_BATCH, _CUDA_BATCH = 4, 16  # patches; a resumed job runs the same batches, as they never span two frames


class Views:
    """Runs one model over parts of pictures, in the terms that methods align."""

    def __init__(self, model: DepthModel) -> None:
        # Patches are no clip: nothing is handed from one to the next, and none is a snippet with another.
        alone = model.spec.chain > 1 or model.spec.window > 1
        self.batch = 1 if alone else _CUDA_BATCH if on_cuda(model) else _BATCH
        self._model = model
        self._batcher = Batcher(model, Load(self.batch), least="with a single patch")

    def __call__(
        self, rgb: np.ndarray, boxes: Sequence[tuple[int, int, int, int]], size: tuple[int, int]
    ) -> Tensor:
        """Predicts parts of a picture.

        Args:
            rgb: (H, W, 3) uint8.
            boxes: (left, top, width, height) of each, in pixels.
            size: (height, width) of the network's input.

        Returns:
            (N, 1, *size) float32 on the CPU.

        Raises:
            ResourceError: not even one fits the device's memory.
        """
        import torch

        parts = [
            prepare(
                self._model, torch.from_numpy(np.ascontiguousarray(rgb[y : y + h, x : x + w]))[None], size
            )
            for x, y, w, h in boxes
        ]
        raw = self._batcher(self._model.predict, torch.cat(parts)).float().numpy()
        return torch.from_numpy(to_disparity(raw, self._model.spec))[:, None]


def check_boosts(spec: ModelSpec) -> None:
    """Refuses a model that does not see pictures of any size.

    One that looks at several frames at once sees a patch as a snippet of one frame.

    Args:
        spec: The model's.

    Raises:
        UsageError: it is one.
    """
    if spec.fixed_size is None:
        return
    height, width = spec.fixed_size
    raise UsageError(
        f"--boost looks at parts of each frame in several sizes, and {spec.name} sees pictures of "
        f"{width}x{height} only.",
        "Leave out --boost, or choose another model with --model.",
    )
