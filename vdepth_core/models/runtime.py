"""ONNX Runtime runs small networks on a CPU about twice as fast as torch (``pip install 'vdepth[fast]'``).

A network is exported in memory when its model is loaded, for pictures of any size; nothing is written. Each
size of input and number of threads then gets a session in which the size is fixed: with open sizes ONNX
Runtime does without its fastest layouts.
"""

from __future__ import annotations

import io
import logging
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from ..choices import Runtime
from ..errors import UsageError
from .device import kind_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

TORCH: Literal["torch"] = "torch"
INSTALL = "Install it: pip install 'vdepth[fast]'"
WORTH_FRAMES = 50
"""From how many frames on exporting pays: it takes half a second, and a frame of a small network is 20 to 50
milliseconds faster afterwards."""
LARGEST = 50_000_000
"""Parameters of the largest network that is exported: the graph holds them twice more."""
_OPSET = 17
_INPUT, _ANSWER = "rgb", "depth"
_SESSIONS = 4  # kept at once: a job has one or two sizes
_CLOSE = 1e-5  # of the largest value; roundings leave 4e-7


def onnx_runtime() -> str | None:
    """What is installed, as ``onnxruntime 1.32.0``; None: not it, or not the ``onnx`` that exporting takes.

    Nothing is imported.
    """
    try:
        version("onnx")
        return f"onnxruntime {version('onnxruntime')}"
    except PackageNotFoundError:
        return None


def wanted_runtime(
    runtime: Runtime, device: str, *, dtype: str, compiled: bool, frames: int | None
) -> Runtime:
    """What of ``auto`` can be said before the model is known: ``torch``, or still ``auto`` where ONNX pays.

    Args:
        runtime: What was asked for; anything but ``auto`` stays.
        device: As torch spells it.
        dtype: As asked for: ``auto`` is ``fp32`` on a CPU.
        compiled: Whether torch is to compile the network.
        frames: How many there are; None: nobody knows.
    """
    if runtime != "auto":
        return runtime
    plain = kind_of(device) == "cpu" and dtype != "bf16" and not compiled
    worth = frames is None or frames >= WORTH_FRAMES
    return "auto" if plain and worth and onnx_runtime() is not None else TORCH


def runtime_of(model: object) -> str:
    """What runs a loaded model: ``torch``, or ``onnxruntime`` and its version.

    Args:
        model: Any; those of other packages are taken for torch's.
    """
    return str(getattr(model, "runtime", TORCH))


def run_on_onnx(model: Any, *, asked: bool) -> None:
    """Has ONNX Runtime run a model's network from now on, if it can.

    Args:
        model: Loaded.
        asked: Somebody asked for just that: where it cannot be, refuse.

    Raises:
        UsageError: ``asked``, and it cannot be.
    """
    try:
        reason = _obstacle(model)
        if reason is None:
            model.hand_to(OnnxNetwork(model.network, model.spec.multiple))
    except Exception as error:  # exporters fail in many ways
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        if not asked:
            _log.warning("%s does not run on ONNX Runtime here, torch runs it: %s", model.spec.name, reason)
    if reason is not None and asked:
        hint = "" if onnx_runtime() else f"{INSTALL}, or leave --runtime out."
        raise UsageError(
            f"{model.spec.name} cannot run on ONNX Runtime: {reason}.", hint or "Leave --runtime out."
        )


def _obstacle(model: Any) -> str | None:
    if onnx_runtime() is None:
        return "it is not installed"
    if kind_of(str(getattr(model, "device", "cpu"))) != "cpu":
        return "it is used on CPUs only"
    if not getattr(model, "portable", False):
        return "this network keeps to torch, whose last digits are the published ones"
    if model.spec.parameters > LARGEST:
        return "the network is too large to gain by it"
    return None


class OnnxNetwork:
    """A network that ONNX Runtime runs.

    Attributes:
        runtime: Which version of it does.
        graph: The network in ONNX' format, height and width open.
    """

    def __init__(self, network: nn.Module, multiple: int) -> None:
        """Exports ``network`` and holds its answer against torch's, for a size it was not exported at.

        Args:
            network: On the CPU, in evaluation mode: (N, 3, H, W) -> (N, H, W).
            multiple: Of the sides of its input.

        Raises:
            RuntimeError: ONNX Runtime's answer is another one.
        """
        import torch

        self.runtime = str(onnx_runtime())
        self._sessions: dict[tuple[int, ...], Any] = {}
        began = time.perf_counter()
        self.graph = _exported(network, torch.zeros(1, 3, 2 * multiple, 3 * multiple))
        probe = torch.linspace(0, 1, 3 * 12 * multiple**2).reshape(1, 3, 3 * multiple, 4 * multiple)
        with torch.inference_mode():
            expected = network(probe)
            off = float((self(probe) - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
        if not off < _CLOSE:
            raise RuntimeError(f"its answer is {off:.1e} off torch's")
        self._sessions.clear()
        _log.info("exported to %s in %.0f ms", self.runtime, (time.perf_counter() - began) * 1000)

    def __call__(self, batch: Tensor) -> Tensor:
        """The network's answer, frame by frame: no frame's depends on those beside it.

        Args:
            batch: (N, 3, H, W) as the network wants it, on the CPU.

        Returns:
            (N, H, W) float32.
        """
        import torch

        session = self.session((batch.shape[2], batch.shape[3]))
        frames = batch.contiguous().numpy()
        answers = [session.run(None, {_INPUT: frame[None]})[0] for frame in frames]
        return torch.cat([torch.from_numpy(answer) for answer in answers])

    def session(self, size: tuple[int, int]) -> Any:
        """What runs pictures of a size on as many threads as torch has; made once.

        Args:
            size: (height, width).
        """
        import onnxruntime
        import torch

        key = (*size, torch.get_num_threads())
        if key not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = key[-1], 1
            options.log_severity_level = 3  # errors
            options.use_deterministic_compute = True
            for name, side in zip(("height", "width"), size, strict=True):
                options.add_free_dimension_override_by_name(name, side)
            # Other stages of a job want the core that a thread would wait on.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            while len(self._sessions) >= _SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[key] = onnxruntime.InferenceSession(
                self.graph, options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[key]


def _exported(network: nn.Module, example: torch.Tensor) -> bytes:
    """The network as an ONNX graph whose height and width are open.

    The tracing exporter takes half a second where that on `torch.export` takes three or more.
    """
    import torch

    graph: Any = io.BytesIO()  # which the tracer takes, whatever its types say
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that is read
        torch.onnx.export(
            network, (example,), graph, dynamo=False, opset_version=_OPSET, input_names=[_INPUT],
            output_names=[_ANSWER], dynamic_axes={_INPUT: {2: "height", 3: "width"}},
        )  # fmt: skip
    exported: bytes = graph.getvalue()
    return exported
