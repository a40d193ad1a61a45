"""The number of CPU threads: depthwise networks can be several times slower with two than with one."""

from __future__ import annotations

import logging
import os
import time

from ..types import DepthModel

_log = logging.getLogger(__name__)

_REPEATS = 3
_SLOW_S = 0.5  # a pass that takes longer is timed once: no more than two passes come before the first frame
_MARGIN = 0.95  # more threads must pay: the other stages want them too


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
            seconds[threads] = _time(model, frames)
            if seconds[threads] < _SLOW_S:
                seconds[threads] = min(_time(model, frames) for _ in range(_REPEATS))  # min: others run too
    finally:
        torch.set_num_threads(before)
    best = everything if seconds[everything] < _MARGIN * seconds[1] else 1
    _log.debug("%s: %s seconds a frame by threads, taking %d", model.spec.name, seconds, best)
    return best


def set_threads(count: int) -> None:
    """Sets torch's thread count for this process; the same count gives the same bits."""
    import torch

    torch.set_num_threads(count)


def _time(model: DepthModel, frames: object) -> float:
    start = time.perf_counter()
    model.predict(frames)  # type: ignore[arg-type]
    return time.perf_counter() - start


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
