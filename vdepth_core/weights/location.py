"""Where weights lie: the embedded model's inside the package, all others in one folder of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ..errors import WeightsError

# Model -> file names looked for, in this order; the published names are accepted as they are.
FILES: dict[str, tuple[str, ...]] = {
    "tcmonodepth-small": ("tcmonodepth-small.safetensors", "tcmonodepth-small.pt.tar"),
    "tcmonodepth-large": ("tcmonodepth-large.safetensors", "tcmonodepth-large.pt.tar"),
    "midas-v21": ("midas-v21.safetensors", "midas_v21_384.pt", "midas_v21-f6b98070.pt"),
}
_EMBEDDED = Path(__file__).with_name("embedded.safetensors")


def weights_folder() -> Path:
    """The folder of installed weights: ``VDEPTH_WEIGHTS``, or the user's data folder; it need not exist."""
    chosen = os.environ.get("VDEPTH_WEIGHTS")
    return (
        Path(chosen).expanduser()
        if chosen
        else Path(platformdirs.user_data_dir("vdepth", appauthor=False)) / "weights"
    )


def find_weights(name: str) -> Path:
    """The weights file of the model ``name``.

    Raises:
        WeightsError: it is not installed.
    """
    if name == "embedded":
        if _EMBEDDED.is_file():
            return _EMBEDDED
        raise WeightsError(
            "The embedded model's weights are missing from this installation.", "Reinstall vdepth."
        )
    folder = weights_folder()
    names = FILES.get(name, (f"{name}.safetensors",))
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise WeightsError(
        f"The weights of {name} are not installed.",
        f"Put {' or '.join(names)} into {folder}, or give the file itself with --model PATH.",
    )
