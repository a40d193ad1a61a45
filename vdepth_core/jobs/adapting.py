"""A job that first adapts its model to the clip: the weights lie in the job's folder and are its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import JobConflictError
from ..output.naming import ADAPTED
from ..progress import Progress
from .config import MOTION, EstimateConfig
from .record import read_record

STUDENT = "embedded"  # unless the user names a model: presets may choose one that is not ours to train


def adapted_config(
    path: Path, out: Path, config: EstimateConfig, progress: Progress, *, overwrite: bool
) -> EstimateConfig:
    """Adapts, or goes on adapting, or finds that it is done; the configuration then asks for the result.

    Everything that decides the adaptation decides the bytes of the weights, and they are part of the job's
    identity as any model is.

    Args:
        path: The clip.
        out: The job's folder; there.
        config: With ``adapt``.
        progress: Told of the stages of `adapt`.
        overwrite: Whether another job in the folder gives way.

    Raises:
        JobConflictError: the folder holds a job with a model that was not adapted here, or that is gone.
        UsageError: the folder holds what was adapted with other options.
        VdepthError: as of `adapt`.
    """
    from ..adaptation.adapt import adapt
    from ..adaptation.places import Places
    from ..adaptation.recipes import create_recipe
    from ..clip.options import ClipOptions
    from ..learning.checkpoint import is_checkpoint

    weights = out / ADAPTED
    before = read_record(out)
    if before is not None and not weights.exists() and not overwrite:
        model = Path(str(before.chosen.model))
        if model.name != ADAPTED or model.exists():
            raise JobConflictError(
                f"{out} holds a job with another model.", "Choose another folder, or add --overwrite."
            )
        if not is_checkpoint(Places(weights).state):  # minutes by the clock never come out the same
            raise JobConflictError(
                f"The weights that the job in {out} was made with are gone, and their checkpoint too.",
                "Add --overwrite to adapt and estimate anew.",
            )
    assert config.adapt is not None
    knows = getattr(create_recipe(config.adapt, {})[0], "knows", ())
    known: dict[str, Any] = {name: getattr(config, name) for name in ("fov", "intrinsics") if name in knows}
    if "camera" in knows and config.camera not in (None, MOTION):
        known["camera"] = config.camera
    done = adapt(
        path, weights, recipe=config.adapt, model=config.model or STUDENT, minutes=config.adapt_minutes,
        size=config.size, seed=config.seed, device=config.device, frames=config.frames, resume=None,
        overwrite=overwrite, progress=progress, **known,
        **{name: getattr(config, name) for name in ClipOptions.model_fields},
    )  # fmt: skip
    if not done.changed:
        progress.warn("Adapting improved nothing here: the depth is that of the model as it was.")
    return config.model_copy(update={"adapt": None, "model": str(weights)})
