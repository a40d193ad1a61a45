"""Marigold (Ke et al., Repurposing Diffusion-Based Image Generators for Monocular Depth, CVPR 2024).

diffusers' own pipeline does the work; here it becomes a `DepthModel` whose answer depends on nothing but the
frames: all frames start from the same seeded noise, which keeps a clip calmer than noise of their own would.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...types import ModelSpec, Quantity, Space
from ...weights.configs import read_json
from ..sizing import LARGEST_INPUT
from .latent import NATIVE, find_dtype, folder_spec, loaded_spec, place, seeded_noise
from .parts import Parts, find_folder, make_scheduler, quiet_diffusers, read_parts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PIPELINE = "MarigoldDepthPipeline"
INDEX = "model_index.json"
# Share of the noise in a chained frame's start, as diffusers documents; the rest is the frame before.
FRESH = 0.9
_MOST_STEPS = 1000  # the noise of the published schedules has no more
CHAIN = 32  # frames; a new chain is a tenth of a new start, and what a killed job does again
_QUANTITIES: dict[Any, Quantity] = {"depth": "depth", "disparity": "disparity"}


class MarigoldModel:
    """Marigold as a `DepthModel`: affine-invariant depth in [0, 1], 0 is near.

    Where ``spec.chain`` is more than 1 (its video mode) the frames of one `predict` call are a chain, as
    diffusers documents for video: each starts from 0.9 · noise + 0.1 · the latents of the one before, the
    first from the noise alone. Nothing is kept between calls, so a resumed job gets the same numbers if it
    calls with the same runs of frames. A chain needs no more memory than one frame.

    Attributes:
        spec: What its numbers mean; ``window`` is 1 in either mode.
        device: Where it runs, as torch spells it.
        seed: Of the noise.
    """

    def __init__(
        self,
        parts: Parts,
        settings: dict[str, Any],
        spec: ModelSpec,
        device: str,
        dtype: torch.dtype,
        *,
        seed: int = 0,
    ) -> None:
        """Builds the pipeline from networks of ``dtype``, on ``device``.

        Args:
            settings: The pipeline's configuration, as in ``model_index.json``.

        Raises:
            WeightsError: the scheduler is not known here.
        """
        from diffusers import DDIMScheduler, MarigoldDepthPipeline

        from .steady_lcm import SteadyLCMScheduler

        self.spec, self.device, self.seed = spec, device, seed
        self._dtype = dtype
        for network in (parts.unet, parts.vae):
            place(network, device)
        config = dict(parts.scheduler)
        if config.get("_class_name") == "LCMScheduler":
            scheduler = make_scheduler(config | {"_class_name": "SteadyLCMScheduler"}, SteadyLCMScheduler)
            scheduler.seed = seed
        else:
            scheduler = make_scheduler(config, DDIMScheduler)
        with quiet_diffusers():
            pipeline: Any = MarigoldDepthPipeline(
                parts.unet, parts.vae, scheduler, text_encoder=None, tokenizer=None, **settings
            )
        pipeline.empty_text_embedding = parts.prompt
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline

    def predict(self, frames: Tensor) -> Tensor:
        """Predicts ``spec.quantity``.

        Args:
            frames: (T, 3, H, W) in [0, 1], on any device; sides that are no multiples of 8 are padded with
                copies of the last row and column.

        Returns:
            (T, H, W) in [0, 1], float32 on the model's device (float64 for a model in fp64).

        Raises:
            ValueError: the shape does not fit.
        """
        import torch

        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"{tuple(frames.shape)} is not (T, 3, H, W)")
        height, width = frames.shape[2:]
        noise = seeded_noise(height, width, self.seed).to(self.device, self._dtype)
        maps, start = [], noise
        for part in frames.split(1 if self.spec.chain > 1 else len(frames)):
            found = self._pipeline(
                part,
                latents=start.expand(len(part), -1, -1, -1),
                batch_size=len(part),
                processing_resolution=0,  # the frames come in the size they are wanted in
                match_input_resolution=False,
                output_type="pt",
                output_latent=True,
            )
            maps.append(found.prediction[:, 0])
            start = FRESH * noise + (1 - FRESH) * found.latent
        return torch.cat(maps).to(torch.promote_types(self._dtype, torch.float32))


def load_marigold(
    folder_or_repo: str | Path,
    device: str = "cpu",
    dtype: str | torch.dtype = "fp16",
    spec: ModelSpec | None = None,
    *,
    video: bool = False,
    seed: int = 0,
) -> MarigoldModel:
    """Loads Marigold from a diffusers folder; its ``model_index.json`` says how many steps it takes.

    Args:
        folder_or_repo: The folder, or ``owner/name`` of a repository on the Hugging Face hub, which is then
            fetched into huggingface_hub's cache.
        device: Where it runs, as torch spells it.
        dtype: ``fp16``, ``bf16``, ``fp32``, or ``fp64`` for checks; CPUs take ``fp32`` for ``fp16``.
        spec: What is known of the weights; None: what the folder, or the catalogue of the repository, says.
        video: Make the frames of a call a chain, as ``spec.chain`` may ask too; `CHAIN` of them at once.
        seed: See `MarigoldModel`.

    Raises:
        WeightsError: the folder is missing, incomplete, damaged or of another layout.
        UsageError: ``dtype`` does not exist.
    """
    found = find_dtype(dtype, device)
    folder, entry = find_folder(folder_or_repo)
    _settings(folder / INDEX)  # what it says before gigabytes are read
    if spec is None and entry is not None:
        spec = entry.spec()
    parts = read_parts(folder, found)
    return marigold_of(parts, folder, device, found, spec, video=video, seed=seed)


def marigold_of(
    parts: Parts,
    folder: Path,
    device: str,
    dtype: torch.dtype,
    spec: ModelSpec | None = None,
    *,
    video: bool = False,
    seed: int = 0,
) -> MarigoldModel:
    """Marigold of networks that are loaded already.

    Args:
        parts: Of ``folder``, in ``dtype``.
        folder: Whose ``model_index.json`` says how it is run.
        device, dtype, spec, video, seed: See `load_marigold`.

    Raises:
        WeightsError: the folder's index describes no Marigold.
    """
    index = folder / INDEX
    settings = _settings(index)
    if spec is None:
        quantity, space = _meaning(index, settings)
        size = settings["default_processing_resolution"] or NATIVE["native_size"]
        spec = folder_spec(folder, quantity, space, {**NATIVE, "native_size": size})
    spec = loaded_spec(replace(spec, chain=CHAIN) if video else spec, folder, parts)
    return MarigoldModel(parts, settings, spec, device, dtype, seed=seed)


def _settings(index: Path) -> dict[str, Any]:
    content = read_json(index)
    if content.get("_class_name") != PIPELINE:
        raise WeightsError(
            f"{index} describes no {PIPELINE}, but: {content.get('_class_name') or 'nothing'}.",
            "Give the folder of Marigold, or of a model trained from it.",
        )
    settings = {
        "prediction_type": content.get("prediction_type"),
        "scale_invariant": content.get("scale_invariant", True),
        "shift_invariant": content.get("shift_invariant", True),
        "default_denoising_steps": content.get("default_denoising_steps"),
        "default_processing_resolution": content.get("default_processing_resolution"),
    }
    steps, size = settings["default_denoising_steps"], settings["default_processing_resolution"]
    sizes = size is None or (isinstance(size, int) and 0 < size <= LARGEST_INPUT)
    if not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS or not sizes:
        raise WeightsError(
            f"{index} does not say how many steps its model takes, or says no usable size.",
            "Get the folder again from its publisher.",
        )
    return settings


def _meaning(index: Path, settings: dict[str, Any]) -> tuple[Quantity, Space]:
    quantity = _QUANTITIES.get(str(settings["prediction_type"]))
    if quantity is None or not settings["scale_invariant"]:
        raise WeightsError(
            f"{index} describes predictions that are no relative depth "
            f"({str(settings['prediction_type'])[:80]}).",
            "Give the folder of a Marigold depth model.",
        )
    return quantity, "affine_invariant" if settings["shift_invariant"] else "scale_invariant"
