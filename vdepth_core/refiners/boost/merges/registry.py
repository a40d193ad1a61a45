"""The merges by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ....choices import one_of
from ....errors import UsageError
from ....protocols import Merge
from ....weights.loading import load_state_dict

MERGES = {  # name -> module beside this file and what makes the merge of a device; the first is the default
    "transfer": "transfer:Transfer",
    "poisson": "poisson:Poisson",
    "pix2pix": "pix2pix:Pix2Pix.load",
    "learned": "learned:Learned.load",
}


def load_merge(name_or_path: str | Path, device: str = "cpu") -> Merge:
    """A merge, ready to be called.

    Args:
        name_or_path: One of `MERGES`, or the weights file of a merge network.
        device: Where its weights go, as torch spells it, if it has any; maps are merged where they are.

    Raises:
        UsageError: there is no such merge.
        WeightsError: its weights are not installed, and the hint says how to; or they are damaged.
    """
    if isinstance(name_or_path, str) and name_or_path in MERGES:
        return _made(name_or_path, device)
    path = Path(name_or_path).expanduser()
    if not path.suffix and not path.exists():
        raise UsageError(f"There is no merge {name_or_path}.", one_of(str(name_or_path), MERGES))
    ours = any(key.startswith("down.") for key in load_state_dict(path))
    return _made("learned" if ours else "pix2pix", device, path)


def _made(name: str, *arguments: str | Path) -> Merge:
    module, made_by = MERGES[name].split(":")
    make = import_module(f".{module}", __package__)
    for part in made_by.split("."):
        make = getattr(make, part)
    merge: Merge = make(*arguments)  # type: ignore[operator]
    return merge
