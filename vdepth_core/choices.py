"""The words that options take, in one place: the command line lists them without loading what they choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args

from .errors import UsageError

Preset = Literal["draft", "balanced", "best"]
Compression = Literal["zip", "zips", "pxr24"]
Device = Literal["auto", "cuda", "mps", "cpu"]
"""Of several CUDA devices one can be named by its number from 0, ``cuda:1``: see `is_device`."""
Dtype = Literal["auto", "fp32", "fp16", "bf16"]
Shown = Literal["upright", "turned", "stored"]
Runtime = Literal["auto", "torch", "onnx"]
Predicts = Literal[
    "affine-disparity", "affine-depth", "scale-disparity", "scale-depth", "metric-disparity", "metric-depth"
]
Protocol = Literal["clip-lstsq", "first-frame", "per-frame", "median", "eigen", "none"]
Convention = Literal["z", "inverse-z", "ray", "white-near"]
BoostPlan = Literal["shot", "published"]
ClipSampler = Literal["published", "edm"]
Moments = Literal["fp32", "bf16", "8bit"]
TemporalForm = Literal["residual", "plain"]
HorizonSource = Literal["auto", "picked", "uprights", "lines", "far", "level", "depth"]
EyesLayout = Literal[
    "side-by-side", "half-side-by-side", "top-bottom", "half-top-bottom", "anaglyph", "vr180", "rgbd", "right"
]
StereoLayout = Literal["side-by-side", "half-side-by-side", "top-bottom", "half-top-bottom"]


def one_of(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is not ``known``: the one probably meant, then all, in their order if any.

    Args:
        word: As the user wrote it.
        known: What there is; a sequence keeps its order, anything else is sorted.
    """
    names = list(known) if isinstance(known, Sequence) else sorted(known)
    near = likeliest(word, names)
    meant = "" if near is None else f"Did you mean {near}? "
    return f"{meant}Choose one of {', '.join(names)}."


def listed(words: Sequence[str]) -> str:
    """Words in a row: ``one``, ``one and two``, ``one, two and three``.

    Args:
        words: One at least.
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def check_seed(seed: int) -> None:
    """Refuses a seed that the generators of random numbers do not take.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        UsageError: it is another number.
    """
    if not 0 <= seed < 2**32:
        raise UsageError(f"The seed {seed} is not possible.", f"Give 0 to {2**32 - 1}.")


def likeliest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that was probably meant; None: it looks like none of them.

    Args:
        word: As the user wrote it.
        known: What there is.
    """
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else None


def is_device(word: str) -> bool:
    """Whether ``word`` is a `Device`, or names one of several CUDA devices.

    Args:
        word: As the user wrote it.
    """
    return word.replace("cuda:", "", 1).isdecimal() if ":" in word else word in get_args(Device)


def menu(words: Any) -> str:
    """How the help shows what an option takes: ``[draft|balanced|best]``, of one of the types above.

    Args:
        words: A ``Literal``.
    """
    return f"[{'|'.join(map(str, get_args(words)))}]"
