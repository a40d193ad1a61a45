"""The merges by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ....protocols import Merge
from ....weights.loading import load_state_dict
from .weights import NAMES, weights_file

_MADE_BY = ("transfer:Transfer", "poisson:Poisson", "pix2pix:Pix2Pix.load", "learned:Learned.load")
MERGES = dict(zip(NAMES, _MADE_BY, strict=True))  # module beside this file and what makes it of a device


def load_merge(name_or_path: str | Path, device: str = "cpu") -> Merge:
    """A merge, ready to be called.

    Args:
        name_or_path: One of `MERGES`, or the weights file of a merge network.
        device: Where its weights go, as torch spells it, if it has any; maps are merged where they are.

    Raises:
        UsageError: there is no such merge.
        WeightsError: its weights are not installed, and the hint says how to; or they are damaged.
    """
    if isinstance(name_or_path, str) and name_or_path in MERGES and name_or_path != "learned":
        return _made(name_or_path, device)
    path = weights_file(name_or_path)
    ours = any(key.startswith("down.") for key in load_state_dict(path))
    return _made("learned" if ours else "pix2pix", device, path)


def _made(name: str, *arguments: str | Path) -> Merge:
    module, made_by = MERGES[name].split(":")
    make = import_module(f".{module}", __package__)
    for part in made_by.split("."):
        make = getattr(make, part)
    merge: Merge = make(*arguments)  # type: ignore[operator]
    return merge
