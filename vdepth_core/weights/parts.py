"""Networks whose weights are several files: a folder, or an archive, of what training code saved.

Monodepth2 and its descendants save the encoder and the decoder of a depth network, and those of its pose
network, each in a file of its own; together they are one state.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .archive import extract
from .folders import PARTS, depth_files
from .loading import Weights, read_weights
from .reading import unreadable

if TYPE_CHECKING:
    from torch import Tensor

POSE_PARTS = ("pose_encoder", "pose")


def read_network(path: Path, parts: Collection[str] = PARTS) -> Weights:
    """Reads the weights of one network.

    Args:
        path: A weights file (`read_weights`), a zip archive of weights files, or a folder of them.
        parts: In an archive or a folder, the names, without endings, of the files that make the network:
            `PARTS` a depth network, `POSE_PARTS` its pose network. Where there is only one file that is no
            pose network, it is the depth network.

    Raises:
        WeightsError: a file is missing, damaged or dangerous, or two of them hold the same entry.
    """
    if path.is_dir():
        try:
            return _merged(path.iterdir(), path, parts)
        except OSError as error:
            raise unreadable(path, error) from error
    if path.suffix == ".zip":
        with tempfile.TemporaryDirectory(prefix="vdepth-") as folder:
            return _merged(extract(path, Path(folder)), path, parts)
    return read_weights(path)


def _merged(paths: Iterable[Path], source: Path, parts: Collection[str]) -> Weights:
    state: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for path in depth_files(paths, source, parts):
        weights = read_weights(path)
        if twice := state.keys() & weights.state.keys():
            raise WeightsError(
                f"{source.name} holds the entry {min(twice)} in two files.", "Give one file of them."
            )
        state |= weights.state
        metadata |= weights.metadata
    return Weights(source, state, metadata)
