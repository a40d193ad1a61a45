"""How much goes through a model at once: as memory allows, less when it runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ResourceError

if TYPE_CHECKING:
    from torch import Tensor

    from ..protocols import ClipDiffusionModel, DepthModel, SnippetModel

log = logging.getLogger(__name__)

MOST = 16  # snippets; more fills no accelerator better
_USE = 0.8  # of the free memory; allocators lose some to fragments


@dataclass(frozen=True)
class Load:
    """How a model is loaded with work.

    Attributes:
        batch: Frames, or snippets, a forward pass.
        low_memory: Even in a snippet, pictures go one at a time where the model can.
    """

    batch: int
    low_memory: bool = False


def choose_load(model: SnippetModel, height: int, width: int, length: int) -> Load:
    """What fits the memory that is free on the model's device, from what one snippet is seen to take.

    Other devices than CUDA get one snippet at a time, which is as fast there as several.

    Args:
        model: Loaded, on its device.
        height, width: Of its input, in pixels.
        length: Frames of a snippet.
    """
    import torch

    if not on_cuda(model):
        return Load(1)
    device = torch.device(model.device)
    noise = model.noise(height, width, 0)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    try:
        with torch.inference_mode():
            model.predict_snippets(noise.expand(1, length, -1, -1, -1), noise)
    except torch.cuda.OutOfMemoryError:
        return Load(1, low_memory=True)
    need = max(1, torch.cuda.max_memory_allocated(device) - before)
    load = Load(max(1, min(MOST, int(_USE * free / need))))
    log.debug("a snippet takes %.2f of %.1f GB free: %d at once", need / 1e9, free / 1e9, load.batch)
    return load


class Batcher:
    """Runs a model's functions over batches in parts that fit the memory.

    Out of CUDA memory, the part is split in halves, and so are the ones after it; the last resort is the
    model's own low-memory mode, where it has one.

    Attributes:
        size: Items a batch should have: it never changes, so a resumed job cuts the same batches.
    """

    def __init__(
        self,
        model: DepthModel | SnippetModel | ClipDiffusionModel,
        load: Load,
        *,
        whole: bool = False,
        least: str = "one picture at a time",
    ) -> None:
        """Sets the model's low-memory mode, where it has one, as ``load`` says.

        Args:
            model: Whose functions are run.
            load: How large the parts are at first.
            whole: A batch must not be split.
            least: What does not fit when nothing helps.
        """
        self.size, self._limit, self._model = load.batch, load.batch, model
        self._whole, self._least = whole, least
        if hasattr(model, "low_memory"):
            model.low_memory = load.low_memory

    def __call__(self, function: Callable[..., Tensor], *items: Tensor) -> Tensor:
        """``function`` of the tensors ``items``, split along axis 0, put together again; on the CPU, at least
        float32.

        Raises:
            ResourceError: not even one item fits.
        """
        return self.several(lambda *parts: (function(*parts),), *items)[0]

    def several(self, function: Callable[..., tuple[Tensor, ...]], *items: Tensor) -> tuple[Tensor, ...]:
        """As calling does, but for a function that answers with several tensors.

        Args:
            function: Answers with tensors that have the items along axis 0.
            *items: Tensors that have as many items along axis 0.

        Raises:
            ResourceError: not even one item fits.
        """
        import torch

        found: list[tuple[Tensor, ...]] = []
        done = 0
        while done < len(items[0]):
            try:
                with torch.inference_mode():
                    parts = function(*(item[done : done + self._limit] for item in items))
                size = len(items[0][done : done + self._limit])
                found.append(tuple(_at_home(part, size) for part in parts))
            except torch.cuda.OutOfMemoryError:
                self._shrink()
                torch.cuda.empty_cache()
                continue
            done += len(found[-1][0])
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    def _shrink(self) -> None:
        if self._limit > 1 and not self._whole:
            self._limit //= 2
        elif not getattr(self._model, "low_memory", True):
            self._model.low_memory = True  # type: ignore[union-attr]
        else:
            raise ResourceError(
                f"The model {self._model.spec.name} does not fit the GPU's memory, {self._least}.",
                "Use a smaller --size, --dtype fp16, or --device cpu.",
            )
        log.warning("out of GPU memory: going on with %d at once", self._limit)


def on_cuda(model: object) -> bool:
    """Whether a model runs on a CUDA device, whichever.

    Args:
        model: What has no device runs on the CPU.
    """
    return str(getattr(model, "device", "cpu")).startswith("cuda")


def _at_home(part: Tensor, size: int) -> Tensor:
    import torch

    if not isinstance(part, torch.Tensor) or not part.ndim or len(part) != size:
        what = tuple(part.shape) if isinstance(part, torch.Tensor) else type(part).__name__
        raise ValueError(f"the model gave {what} for a batch of {size}")

    return part.detach().to("cpu", torch.promote_types(part.dtype, torch.float32))
