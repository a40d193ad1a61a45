"""vdepth: depth for video that artists can composite with.

The public names load on first use, so that importing this package costs nothing:

    >>> import vdepth_core
    >>> manifest = vdepth_core.estimate("shot.mov", "depth/", {"preset": "balanced"})
    >>> depth = vdepth_core.read_sequence("depth/")[0]  # (H, W) float32
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .adaptation.adapt import adapt
    from .clip import open_clip
    from .errors import VdepthError
    from .evaluation.evaluate import evaluate
    from .jobs.batch import estimate
    from .jobs.config import EstimateConfig
    from .methods.windowed.stream import stream
    from .models.registry import list_models, load_model
    from .output.exports.export import export
    from .output.manifest import Manifest
    from .output.sequence import read_sequence

__all__ = [
    "EstimateConfig",
    "Manifest",
    "VdepthError",
    "adapt",
    "estimate",
    "evaluate",
    "export",
    "list_models",
    "load_model",
    "open_clip",
    "read_sequence",
    "stream",
]

_HOME = {
    "EstimateConfig": "jobs.config",
    "Manifest": "output.manifest",
    "VdepthError": "errors",
    "adapt": "adaptation.adapt",
    "evaluate": "evaluation.evaluate",
    "estimate": "jobs.batch",
    "export": "output.exports.export",
    "list_models": "models.registry",
    "load_model": "models.registry",
    "open_clip": "clip",
    "read_sequence": "output.sequence",
    "stream": "methods.windowed.stream",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vdepth_core' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
