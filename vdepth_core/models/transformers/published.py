"""The published depth models that run on transformers, under their names in the catalogue.

What they predict and under which licence is the catalogue's to say; here stand only the facts of their
networks that are wanted before anything is installed. Loaded, the installed configuration says those too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import WeightsError
from ...types import DepthModel, ModelSpec
from ...weights.catalogue import find_entry
from ...weights.location import find_weights
from ..published import published_spec


@dataclass(frozen=True)
class Published:
    """One registered model; calling it loads it.

    Attributes:
        name: In the catalogue.
        parameters, multiple, native_size, fixed_size, canonical: See `ModelSpec`.
    """

    name: str
    parameters: int
    multiple: int
    native_size: int
    fixed_size: tuple[int, int] | None = None
    canonical: bool = False

    @property
    def spec(self) -> ModelSpec:
        """What it is, without weights hash."""
        return published_spec(
            self.name,
            multiple=self.multiple,
            native_size=self.native_size,
            fixed_size=self.fixed_size,
            canonical=self.canonical,
            parameters=self.parameters,
        )

    def __call__(self, path: Path | None = None, device: str = "cpu", dtype: str = "fp32") -> DepthModel:
        """Loads the model from where its weights are installed, or the folder ``path`` as `load_folder` does.

        Raises:
            WeightsError: the weights are missing, damaged or those of another model.
            UsageError: ``dtype`` does not exist.
        """
        from .folder import load_folder

        if path is not None:
            return load_folder(path, device, dtype)
        folder, entry = find_weights(self.name), find_entry(self.name)
        model = load_folder(folder, device, dtype)
        found = (model.spec.quantity, model.spec.space)
        if found != (entry.quantity, entry.space):
            raise WeightsError(
                f"What is installed as {self.name} predicts {found[1]} {found[0]}, not {entry.space} "
                f"{entry.quantity}: these are other weights.",
                entry.how_to_install,
            )
        model.spec = replace(model.spec, name=self.name, license=entry.license, commercial=entry.commercial)
        return model


def _depth_anything(name: str, parameters: int) -> Published:
    return Published(f"depth-anything-v2-{name}", parameters, multiple=14, native_size=518)


_SMALL, _BASE, _LARGE = 24_785_089, 97_470_785, 335_315_649

load_depth_anything_small = _depth_anything("small", _SMALL)
load_depth_anything_base = _depth_anything("base", _BASE)
load_depth_anything_large = _depth_anything("large", _LARGE)
load_depth_anything_indoor_small = _depth_anything("metric-indoor-small", _SMALL)
load_depth_anything_indoor_base = _depth_anything("metric-indoor-base", _BASE)
load_depth_anything_indoor_large = _depth_anything("metric-indoor-large", _LARGE)
load_depth_anything_outdoor_small = _depth_anything("metric-outdoor-small", _SMALL)
load_depth_anything_outdoor_base = _depth_anything("metric-outdoor-base", _BASE)
load_depth_anything_outdoor_large = _depth_anything("metric-outdoor-large", _LARGE)
load_dpt_large = Published("dpt-large", 343_030_465, 32, 384, fixed_size=(384, 384))
load_dpt_hybrid = Published("dpt-hybrid", 122_377_985, 32, 384, fixed_size=(384, 384))
load_depth_pro = Published("depth-pro", 951_991_330, 32, 1536, fixed_size=(1536, 1536), canonical=True)
load_zoedepth = Published("zoedepth", 345_073_307, 32, 384)
