"""Where a network runs, and on how many CPU threads: depthwise ones can be several times slower with two than
with one.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import get_args

import platformdirs

from ..choices import Device, is_device
from ..errors import UsageError
from ..files import write_bytes
from ..progress import Progress
from ..protocols import DepthModel

_log = logging.getLogger(__name__)

PROBE = "probe"  # the stage: how many threads are fastest
_REPEATS = 3
_SLOW_S = 0.5  # a pass that takes longer is timed once: no more than two passes come before the first frame
_MARGIN = 0.95  # more threads must pay: the other stages want them too


def pick_device(device: str = "auto") -> str:
    """The device to run on, as torch spells it: what was asked for, checked, or the best there is.

    Args:
        device: ``auto`` or a `Device`, or ``cuda:1`` for the second GPU.

    Raises:
        UsageError: there is no such device, or not here.
    """
    import torch

    there: dict[str, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, available in there.items() if available)
    if not is_device(device):
        raise UsageError(
            f"There is no device {device}.",
            f"Choose one of {', '.join(get_args(Device))}; cuda:1 is the second of several GPUs.",
        )
    kind, _, number = device.partition(":")
    if not there[kind]:
        raise UsageError(
            f"The device {device} is not available on this machine.", "Use --device auto or cpu."
        )
    if number and int(number) >= (count := torch.cuda.device_count()):
        raise UsageError(
            f"The device {device} is not available on this machine: its CUDA devices are cuda:0 to "
            f"cuda:{count - 1}."
            if count > 1
            else f"The device {device} is not available on this machine: its one CUDA device is cuda:0.",
            "Choose one of them.",
        )
    return device


def kind_of(device: str) -> str:
    """``cuda`` of ``cuda:1``: what decides a job's bytes, and how it is run.

    Args:
        device: As torch spells it.
    """
    return device.split(":", maxsplit=1)[0]


def cpu_threads(model: DepthModel, size: tuple[int, int], progress: Progress) -> int:
    """How many threads run ``model`` fastest on this machine's CPU, measured once a machine and remembered.

    A number that changed between two runs could change the last bits of a prediction; remembering it keeps a
    resumed job, and the same job run twice, byte-identical.

    Args:
        model: Loaded, on the CPU.
        size: (height, width) of its input.
        progress: Told of a stage ``probe`` while it is measured.
    """
    path = Path(platformdirs.user_cache_dir("vdepth")) / "threads.json"
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        known = {}
    known = known if isinstance(known, dict) else {}
    key = f"{model.spec.name}/{model.spec.weights_sha256[:16]}/{size[0]}x{size[1]}/{os.cpu_count()}"
    if (runtime := getattr(model, "runtime", "torch")) != "torch":
        key += f"/{runtime}"
    if not isinstance(known.get(key), int) or known[key] < 1:
        progress.stage(PROBE, 1)
        known[key] = probe_threads(model, size)
        progress.advance(PROBE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, json.dumps(known, indent=1, sort_keys=True).encode())
        except Exception as error:
            _log.debug("cannot remember the thread count in %s: %s", path, error)
    return int(known[key])


def probe_threads(model: DepthModel, size: tuple[int, int]) -> int:
    """Measures one frame with all threads and with one.

    A slow network gets one pass each, without warming up. What that costs the first is far less than what
    threads are worth to a network so large, or what they cost a depthwise one.

    Args:
        model: A model on the CPU.
        size: (height, width) of the network input.

    Returns:
        The faster number of threads; the torch setting is left as it was.
    """
    import torch

    everything = _cores()
    if everything == 1:
        return 1
    frames = torch.full((1, 3, *size), 0.5)
    before = torch.get_num_threads()
    seconds: dict[int, float] = {}
    try:
        for threads in (everything, 1):
            torch.set_num_threads(threads)
            if hasattr(model, "ready"):
                model.ready(size)  # what is done once a job is no frame's time
            seconds[threads] = _time(model, frames)
            if seconds[threads] < _SLOW_S:
                seconds[threads] = min(_time(model, frames) for _ in range(_REPEATS))  # min: others run too
    finally:
        torch.set_num_threads(before)
    best = everything if seconds[everything] < _MARGIN * seconds[1] else 1
    _log.debug("%s: %s seconds a frame by threads, taking %d", model.spec.name, seconds, best)
    return best


def set_threads(count: int) -> None:
    """Sets torch's thread count for this process; the same count gives the same bits.

    Args:
        count: 1 at least.
    """
    import torch

    torch.set_num_threads(count)


def _time(model: DepthModel, frames: object) -> float:
    start = time.perf_counter()
    model.predict(frames)  # type: ignore[arg-type]
    return time.perf_counter() - start


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
