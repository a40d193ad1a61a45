"""The merges by name."""

from __future__ import annotations

from importlib import import_module

from ....choices import one_of
from ....errors import UsageError
from ....protocols import Merge

MERGES = {  # name -> module and class beside this file; the first is the default
    "transfer": "transfer:Transfer",
}


def load_merge(name: str, device: str = "cpu") -> Merge:
    """The merge of that name, ready to be called.

    Args:
        name: One of `MERGES`.
        device: Where its weights go, as torch spells it, if it has any; maps are merged where they are.

    Raises:
        UsageError: there is no such merge.
        WeightsError: its weights are not installed; the hint says how to.
    """
    if name not in MERGES:
        raise UsageError(f"There is no merge {name}.", one_of(name, MERGES))
    module, of = MERGES[name].split(":")
    merge: Merge = getattr(import_module(f".{module}", __package__), of)(device)
    return merge
