"""The weights that merges bring, found without loading them."""

from __future__ import annotations

from pathlib import Path

from ....choices import one_of
from ....errors import UsageError, WeightsError
from ....models.licence import claim_of_file
from ....types import RefinerWeights
from ....weights.catalogue import find_entry
from ....weights.hashing import file_sha256
from ....weights.loading import read_metadata
from ....weights.location import find_weights

PIX2PIX = "boost-merge-pix2pix"
"""The published merge's name in the catalogue."""
NAMES = ("transfer", "poisson", "pix2pix", "learned")
"""The merges; the first is the default."""


def merge_weights(name_or_path: str) -> RefinerWeights | None:
    """The weights of a merge; None: it needs none.

    Args:
        name_or_path: One of `NAMES`, or the weights file of a merge network.

    Raises:
        UsageError: there is no such merge.
        WeightsError: they are not there, and the hint says how to get them.
    """
    if name_or_path in ("transfer", "poisson"):
        return None
    if name_or_path == "pix2pix":
        entry, path = find_entry(PIX2PIX), find_weights(PIX2PIX)
        terms = entry.license, entry.commercial
    else:
        path = weights_file(name_or_path)
        terms = claim_of_file(read_metadata(path))
    return RefinerWeights(str(path), file_sha256(path), *terms)


def weights_file(name_or_path: str | Path) -> Path:
    """The weights file that a user named as a merge.

    Args:
        name_or_path: What was given.

    Raises:
        UsageError: it is neither a merge nor a file.
        WeightsError: it is ``learned``, of which vdepth brings no weights; or the file is not there.
    """
    if name_or_path == "learned":
        raise WeightsError(
            "There are no weights of the learned merge.",
            "Train some: vdepth train-merge -o merge.safetensors, and name that file as the merge.",
        )
    path = Path(name_or_path).expanduser()
    if not path.suffix and not path.is_file():
        raise UsageError(f"There is no merge {name_or_path}.", one_of(str(name_or_path), NAMES))
    return path
