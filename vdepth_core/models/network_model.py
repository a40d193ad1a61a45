"""What all our models are: a torch network on a device, with its input scaling and precision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..protocols import DepthModel
from ..types import ModelSpec
from ..weights.catalogue import find_entry, published_file
from ..weights.loading import Weights, check_fit, load_into, on_cpu
from ..weights.parts import read_network
from .device import kind_of
from .licence import claim_of_file
from .metric import as_metric
from .sizing import LARGEST_INPUT

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .runtime import OnnxNetwork

_log = logging.getLogger(__name__)

DTYPES = ("fp32", "fp16", "bf16")
Normalise = Callable[["Tensor"], "Tensor"]
Resample = Callable[["Tensor", tuple[int, int]], "Tensor"]


def fold(network: nn.Module) -> nn.Module:
    """What a `Family` whose network has batch normalisations makes of it for inference.

    Args:
        network: Changed in place.

    Returns:
        The same.
    """
    from ..networks.folding import fold_batchnorms

    return fold_batchnorms(network)


def channels_last(network: nn.Module) -> nn.Module:
    """Puts the weights of a network's 2D convolutions into channels-last order; 3D ones have none.

    Args:
        network: Changed in place.

    Returns:
        The same.
    """
    import torch

    for value in network.parameters():
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=torch.channels_last)
    return network


def as_published(network: nn.Module) -> nn.Module:
    """What a `Family` makes of its network whose last digits are to be the published ones: nothing.

    Args:
        network: In evaluation mode.
    """
    return network


class NetworkModel:
    """A per-frame network as a `DepthModel`.

    Attributes:
        spec: What its numbers mean.
        network: The torch module, in evaluation mode.
        device: Where it runs, as torch spells it.
        portable: Whether another runtime than torch may run it; see `Family.portable`.
        runtime: What runs it: ``torch``, or ``onnxruntime`` and its version.
    """

    portable = False
    runtime = "torch"

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        device: str,
        dtype: str,
        normalise: Normalise | None = None,
    ) -> None:
        """Moves ``network`` to ``device``; ``normalise`` maps frames in [0, 1] to what the network wants.

        Raises:
            UsageError: ``dtype`` does not exist.
        """
        import torch

        if dtype not in DTYPES:
            raise UsageError(f"There is no dtype {dtype}.", f"Choose one of {', '.join(DTYPES)}.")
        self.spec, self.device, self._normalise = spec, device, normalise
        kind = kind_of(device)
        if kind == "cpu" and dtype == "fp16":
            _log.debug("CPUs are slow at fp16; %s runs in fp32", spec.name)
            dtype = "fp32"
        self._half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(dtype)
        network = network.eval().requires_grad_(False).to(device)
        self.network = channels_last(network)
        self._compiled: Callable[..., Any] | None = None
        self._onnx: OnnxNetwork | None = None

    def compile(self) -> None:
        """Has `torch.compile` compile the network when it is first used.

        Where that fails (no compiler, an operation it does not know), the network runs as it is, with a
        warning.
        """
        import torch

        self._compiled = torch.compile(self.network)

    def hand_to(self, onnx: OnnxNetwork) -> None:
        """Has ONNX Runtime run the network from now on; see `runtime.run_on_onnx`.

        Args:
            onnx: The network, exported.

        Raises:
            ValueError: the model computes in half precision.
        """
        if self._half is not None:
            raise ValueError("it is to run in half precision")
        self._onnx, self.runtime = onnx, onnx.runtime

    def ready(self, size: tuple[int, int]) -> None:
        """Does now what the first frame of a size would wait for.

        Args:
            size: (height, width) of the input.
        """
        if self._onnx is not None:
            self._onnx.session(size)

    def predict(self, frames: Tensor) -> Tensor:
        """Predicts ``spec.quantity``.

        Args:
            frames: (T, 3, H, W) in [0, 1], sides multiples of ``spec.multiple``, on any device.

        Returns:
            (T, H, W) float32 on the model's device.

        Raises:
            ValueError: the shape does not fit.
        """
        maps: Tensor = self._infer(frames).float()
        return maps

    def _infer(self, frames: Tensor) -> Any:
        """Checks and moves the frames, then runs `_forward` at the model's precision."""
        frames = self._checked(frames)
        with self._precision():
            return self._forward(frames)

    def _checked(self, frames: Tensor) -> Tensor:
        """The frames on the device, as the network wants them laid out."""
        import torch

        if (
            frames.ndim != 4
            or frames.shape[1] != 3
            or any(side % self.spec.multiple for side in frames.shape[2:])
        ):
            raise ValueError(
                f"{tuple(frames.shape)} is not (T, 3, H, W) with sides multiples of {self.spec.multiple}"
            )
        return frames.to(self.device, torch.float32, memory_format=torch.channels_last)

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Where the network runs: no gradients, the model's dtype."""
        import torch

        half = torch.autocast(kind_of(self.device), dtype=self._half) if self._half else nullcontext()
        with torch.inference_mode(), half:
            yield

    def _forward(self, frames: Tensor) -> Any:
        """From frames on the device to what the network says; families with more to do replace it."""
        return self._run(self._normalise(frames) if self._normalise else frames)

    def _run(self, batch: Tensor) -> Any:
        """The network itself, on ONNX Runtime or compiled where that was asked for and works."""
        import torch

        if self._onnx is not None:
            return self._onnx(batch)
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


class ResamplingModel(NetworkModel):
    """A network with a published resampling of its own."""

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        device: str,
        dtype: str,
        normalise: Normalise | None,
        resampled: Resample,
    ) -> None:
        """As `NetworkModel`; ``resampled`` makes frames in [0, 1] of a size from decoded pictures."""
        super().__init__(network, spec, device, dtype, normalise)
        self._resampled = resampled

    def prepare(self, rgb: Tensor, size: tuple[int, int]) -> Tensor:
        """Decoded pictures as frames for `predict`; see `PreparingModel.prepare`."""
        return self._resampled(rgb, size).to(self.device)


@dataclass(frozen=True)
class Family:
    """Networks of one architecture, whose weights are one file or a few parts; calling it loads one.

    Attributes:
        stands_for: The published model whose facts a user's own weights have, or these facts where none is.
        build: Makes the empty network that a state is of.
        finish: Turns the loaded network into the one that runs (folding), may be the same.
        matches: Whether a file with these keys belongs here.
        normalise: Maps frames in [0, 1] to the network's input; None: nothing to do.
        arrange: What of a checkpoint is this network's, under its keys: checkpoints may hold pose networks
            too. Entries that belong to nothing stay, so that they are refused. None: all of it.
        resampled: The published resampling; None: `sizing.resample`.
        trainable: Whether the network sees one frame and answers disparity, so that it can be adapted.
    """

    stands_for: str | ModelSpec
    build: Callable[[Mapping[str, Tensor]], nn.Module]
    finish: Callable[[nn.Module], nn.Module]
    matches: Callable[[Collection[str]], bool]
    normalise: Normalise | None = None
    arrange: Callable[[Weights], Mapping[str, Tensor]] | None = None
    resampled: Resample | None = None
    trainable: bool = True

    def __call__(
        self, path: Path, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
    ) -> DepthModel:
        """Loads the weights file or folder ``path``; see `load`."""
        return self.load(read_network(path), device, dtype, spec)

    def load(
        self, weights: Weights, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
    ) -> DepthModel:
        """Puts the network of ``weights`` on a device.

        Args:
            weights: What the file holds.
            device: Where it runs, as torch spells it.
            dtype: See `NetworkModel`.
            spec: What the catalogue says the file holds; None: it is a user's own.

        Raises:
            WeightsError: the weights are of another layout.
            UsageError: ``dtype`` does not exist.
        """
        network = self.finish(self.network(weights))
        network, spec = as_metric(network, self.spec_of(weights, spec), weights.metadata)
        model = (
            NetworkModel(network, spec, device, dtype, self.normalise)
            if self.resampled is None
            else ResamplingModel(network, spec, device, dtype, self.normalise, self.resampled)
        )
        model.portable = self.portable
        return model

    @property
    def portable(self) -> bool:
        """Whether another runtime than torch may run it: its last digits are none that were published."""
        return self.finish is not as_published

    def network(self, weights: Weights) -> nn.Module:
        """The network as published, on the CPU, in evaluation mode.

        Args:
            weights: What the file holds.

        Raises:
            WeightsError: the weights are of another layout.
        """
        import torch

        state = weights.state if self.arrange is None else self.arrange(weights)
        with torch.device("meta"):  # weights that do not fit cost no memory, and none is filled with chance
            network = self.build(state)
        check_fit(network, state, weights.path)
        network = on_cpu(network)
        load_into(network, state, weights.path)
        return network.eval()

    def spec_of(self, weights: Weights, spec: ModelSpec | None = None) -> ModelSpec:
        """``spec`` with the hash of the file; of a user's own we know of the licence what the file claims.

        A file that is published, wherever it lies, is what the catalogue says. Where a network takes one size
        only, the file may say which.

        Args:
            weights: As read.
            spec: Of a model of the catalogue; None: it is a file of the user's own.
        """
        digest = weights.sha256
        entry = published_file(digest) if spec is None else None
        if entry is not None:
            spec = entry.spec()
        elif spec is None:
            known = self.stands_for
            spec = known if isinstance(known, ModelSpec) else find_entry(known).spec()
            license_, commercial = claim_of_file(weights.metadata)
            name = weights.path.resolve().name
            spec = replace(spec, name=name, license=license_, commercial=commercial)
            if spec.fixed_size is not None:
                size = _stated_size(weights, spec.multiple) or spec.fixed_size
                spec = replace(spec, fixed_size=size, native_size=min(size))
        return replace(spec, weights_sha256=digest)


def _stated_size(weights: Weights, multiple: int) -> tuple[int, int] | None:
    """(height, width) of the network's input as the file says it, if it does."""
    height, width = (weights.metadata.get(side, "") for side in ("height", "width"))
    if not (height.isdecimal() and width.isdecimal()):
        return None
    size = int(height[:6]), int(width[:6])
    return size if all(side and side % multiple == 0 and side <= LARGEST_INPUT for side in size) else None
