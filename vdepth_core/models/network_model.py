"""What all our models are: a torch network on a device, with its input scaling and precision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..types import DepthModel, ModelSpec
from ..weights.loading import load_into, load_state_dict, sha256_of
from ..weights.location import find_weights
from .licence import claim_of_file

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

DTYPES = ("fp32", "fp16", "bf16")
Prepare = Callable[["Tensor"], "Tensor"]


def fold(network: nn.Module) -> nn.Module:
    """What a `Family` whose network has batch normalisations makes of it for inference."""
    from ..networks.folding import fold_batchnorms

    return fold_batchnorms(network)


class NetworkModel:
    """A per-frame network as a `DepthModel`.

    Attributes:
        spec: What its numbers mean.
        network: The torch module, in evaluation mode.
        device: Where it runs, as torch spells it.
    """

    def __init__(
        self, network: nn.Module, spec: ModelSpec, device: str, dtype: str, prepare: Prepare | None = None
    ) -> None:
        """Moves ``network`` to ``device``; ``prepare`` maps frames in [0, 1] to what the network wants.

        Raises:
            UsageError: ``dtype`` does not exist.
        """
        import torch

        if dtype not in DTYPES:
            raise UsageError(f"There is no dtype {dtype}.", f"Choose one of {', '.join(DTYPES)}.")
        self.spec, self.device, self._prepare = spec, device, prepare
        kind = device.split(":")[0]
        if kind == "cpu" and dtype == "fp16":
            _log.debug("CPUs are slow at fp16; %s runs in fp32", spec.name)
            dtype = "fp32"
        self._half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(dtype)
        network = network.eval().requires_grad_(False).to(device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._compiled: Callable[..., Any] | None = None

    def compile(self) -> None:
        """Has `torch.compile` compile the network when it is first used.

        Where that fails (no compiler, an operation it does not know), the network runs as it is, with a
        warning.
        """
        import torch

        self._compiled = torch.compile(self.network)

    def predict(self, frames: Tensor) -> Tensor:
        """Predicts ``spec.quantity``.

        Args:
            frames: (T, 3, H, W) in [0, 1], sides multiples of ``spec.multiple``, on any device.

        Returns:
            (T, H, W) float32 on the model's device.

        Raises:
            ValueError: the shape does not fit.
        """
        return self._infer(frames).float()

    def _infer(self, frames: Tensor) -> Any:
        """Checks and moves the frames, then runs `_forward` at the model's precision."""
        import torch

        if (
            frames.ndim != 4
            or frames.shape[1] != 3
            or any(side % self.spec.multiple for side in frames.shape[2:])
        ):
            raise ValueError(
                f"{tuple(frames.shape)} is not (T, 3, H, W) with sides multiples of {self.spec.multiple}"
            )
        kind = self.device.split(":")[0]
        half = torch.autocast(kind, dtype=self._half) if self._half else nullcontext()
        with torch.inference_mode(), half:
            return self._forward(frames.to(self.device, torch.float32, memory_format=torch.channels_last))

    def _forward(self, frames: Tensor) -> Any:
        """From frames on the device to what the network says; families with more to do replace it."""
        return self._run(self._prepare(frames) if self._prepare else frames)

    def _run(self, batch: Tensor) -> Any:
        """The network itself, compiled where that was asked for and works."""
        import torch

        if self._compiled is not None:
            try:
                return self._compiled(batch)
            except torch.cuda.OutOfMemoryError:
                raise  # no fault of the compiler: the caller takes fewer frames
            except Exception as error:  # compilers fail in many ways
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                _log.warning("%s does not compile here and runs as it is: %s", self.spec.name, reason)
                self._compiled = None
        return self.network(batch)


@dataclass(frozen=True)
class Family:
    """One registered model: its facts, and how to build it; calling it loads it.

    Attributes:
        spec: What it is, without weights hash.
        build: Makes the empty network.
        finish: Turns the loaded network into the one that runs (folding), may be the same.
        matches: Whether a file with these keys belongs here.
        prepare: Maps frames in [0, 1] to the network's input; None: nothing to do.
        published: SHA-256 sums of published files, whose licence is ``spec.license``.
    """

    spec: ModelSpec
    build: Callable[[], nn.Module]
    finish: Callable[[nn.Module], nn.Module]
    matches: Callable[[Collection[str]], bool]
    prepare: Prepare | None = None
    published: tuple[str, ...] = ()

    def __call__(self, path: Path | None = None, device: str = "cpu", dtype: str = "fp32") -> DepthModel:
        """Loads the model from ``path``, or from where its weights are installed.

        Raises:
            WeightsError: the weights are missing, damaged or of another layout.
            UsageError: ``dtype`` does not exist.
        """
        source = path or find_weights(self.spec.name)
        state = load_state_dict(source)
        network = self.build()
        load_into(network, state, source)
        spec = self.spec_of(source, user_file=path is not None)
        return NetworkModel(self.finish(network.eval()), spec, device, dtype, self.prepare)

    def spec_of(self, source: Path, user_file: bool) -> ModelSpec:
        """The spec of a weights file: of a user's own file we know of the licence what the file claims."""
        digest = sha256_of(source)
        if not user_file or digest in self.published:
            return replace(self.spec, weights_sha256=digest)
        license_, commercial = claim_of_file(source)
        return replace(
            self.spec, name=source.name, weights_sha256=digest, license=license_, commercial=commercial
        )
