"""How many full-size pictures may be in memory: bounded by bytes, so that 8K needs no more than HD."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import lru_cache

MB = 1 << 20
_TRIM, _MMAP = -1, -3  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
_KEPT, _LARGEST = 64 * MB, 32 * MB  # the second is the most glibc takes


def at_most(count: int, each: int, budget: int) -> int:
    """How many of ``count`` things of ``each`` bytes fit into ``budget`` bytes; one always does.

    Args:
        count: How many there are, or are wanted.
        each: Bytes of one.
        budget: Bytes.
    """
    return max(1, min(count, budget // max(each, 1)))


@lru_cache(maxsize=1)
def keep_pages() -> None:
    """Has glibc keep up to 64 MB that were freed, instead of giving them back at once.

    Every map of a frame is made, used and freed again. What goes back to the system comes as fresh pages,
    each a fault: a fifth of the time of up-sampling 720p, and half of that of turning disparity into depth.
    Other C libraries stay as they are.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_TRIM, _KEPT)
            mallopt(_MMAP, _LARGEST)


def give_back() -> None:
    """Has glibc give all that was freed back to the system, for after work that takes much and is over.

    Networks free their activations in pieces that lie between maps still in use: 0.4 GB after boosting 8K.
    Other C libraries stay as they are.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
