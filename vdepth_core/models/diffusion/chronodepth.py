"""ChronoDepth (Shao et al., Temporally Consistent Video Depth from Video Diffusion Priors, CVPR 2025).

Stable Video Diffusion XT, fine-tuned to give a clip's depth: a window of frames is denoised together, and
the UNet is told which of them are done already. Its convention, near is 0, is taken from how its authors
colour it; nobody here has seen its weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...choices import ClipSampler
from ...errors import WeightsError
from ...types import ModelSpec
from ...weights.configs import read_json
from ...weights.zero_image import zero_image_embedding
from .latent import find_dtype, folder_spec, loaded_spec, place
from .parts import LATENT_CHANNELS, SCALE, Parts, check_parts, read_network

if TYPE_CHECKING:
    import torch
    from torch import Tensor

UNET = "UNetSpatioTemporalConditionModel"  # of the configuration at the folder's root
FACTS: Mapping[str, Any] = {"window": 10, "multiple": SCALE, "native_size": 1024, "native_side": "longer"}
STEPS = 5
CONTEXT_TIME = -4.0  # the time that frames are told to be of which are done
PAD = 64  # pixels: pictures are padded to multiples of it, which the UNet's blocks halve three times more

TIME_IDS = (
    6.0,
    127.0,
    0.0,
)  # frames a second less one, motion, noise: as it was trained
_FILES = tuple(f"diffusion_pytorch_model{end}" for end in (".fp16.safetensors", ".safetensors"))
_FULL = ("encoder", "quant_conv", "decoder.conv_out", "decoder.time_conv_out")  # of the image coder
_PARTS = ("vae", "scheduler")
_RHO = 7.0  # Karras et al. (2022)
_MOST_NOISE = 1e5
_SCHEDULE = {
    "_class_name": "EulerDiscreteScheduler",
    "prediction_type": "v_prediction",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}
_HINT = (
    "Put the subfolders vae, scheduler and image_encoder of Stable Video Diffusion XT beside ChronoDepth's "
    "config.json and diffusion_pytorch_model.safetensors."
)


class ChronoDepthModel:
    """ChronoDepth as a `DepthModel`, and as the `ClipDiffusionModel` that the method `chrono` takes apart.

    Latents, noise and depth are float32 whatever the networks compute in (float64 for a model in fp64).

    Attributes:
        spec: What its numbers mean.
        device: Where it runs, as torch spells it.
        low_memory: Encode one picture at a time.
        seed: Of the noise of `predict`.
    """

    def __init__(
        self, parts: Parts, spec: ModelSpec, device: str, dtype: torch.dtype, *, seed: int = 0
    ) -> None:
        """Moves the networks, which are of ``dtype``, to ``device``."""
        import torch

        self.spec, self.device, self.low_memory, self.seed = spec, device, False, seed
        self._unet, self._vae, self._dtype = parts.unet, parts.vae, dtype
        for network in (self._unet, self._vae):
            place(network, device, channels_last=False)
        self._state = parts.prompt.to(device, dtype)  # (1, 1, d)
        self._ids = torch.tensor([TIME_IDS], device=device, dtype=dtype)
        self._ends = float(parts.scheduler["sigma_max"]), float(parts.scheduler["sigma_min"])
        self._wide = torch.promote_types(dtype, torch.float32)

    def predict(self, frames: Tensor) -> Tensor:
        """One window, as a `DepthModel`.

        Args:
            frames: (T, 3, H, W) in [0, 1], T at most ``spec.window``, on any device.

        Returns:
            Affine-invariant depth (T, H, W) in [0, 1] on the model's device.

        Raises:
            ValueError: the shape does not fit.
        """
        import torch

        if len(frames) > self.spec.window:
            raise ValueError(f"{len(frames)} frames are more than the {self.spec.window} of a window")
        latents = self.encode(frames)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(self.seed))
        height, width = frames.shape[2:]
        return self.decode(self.denoise(latents, latents[:0], noise))[:, :height, :width]

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) of the latents of pictures; see `ClipDiffusionModel.latent_size`."""
        return -(-height // PAD) * PAD // SCALE, -(-width // PAD) * PAD // SCALE

    def encode(self, frames: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pictures to latents.

        Args:
            frames: (T, 3, H, W) in [0, 1], on any device.
            noise: (T, 4, h, w) to sample the posterior with, as published; None: its mean.

        Returns:
            (T, 4, ⌈H/64⌉·8, ⌈W/64⌉·8), scaled.

        Raises:
            ValueError: the shape does not fit.
        """
        import torch
        import torch.nn.functional as F

        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"{tuple(frames.shape)} is not (T, 3, H, W)")
        height, width = frames.shape[2:]
        pictures = frames.to(self.device, self._wide) * 2 - 1
        pictures = F.pad(pictures, (0, -width % PAD, 0, -height % PAD), mode="replicate")
        found = []
        with torch.no_grad():
            for part in pictures.split(1 if self.low_memory else max(1, len(pictures))):
                posterior = self._vae.encode(part).latent_dist
                found.append(torch.stack((posterior.mean, posterior.std)))
        mean, std = torch.cat(found, 1).to(self._wide)
        latents: Tensor = mean if noise is None else mean + std * noise.to(mean)
        scaled: Tensor = latents * self._vae.config.scaling_factor
        return scaled

    def denoise(
        self,
        latents: Tensor,
        context: Tensor,
        noise: Tensor,
        *,
        steps: int = STEPS,
        sampler: ClipSampler = "published",
        again: Tensor | None = None,
    ) -> Tensor:
        """A window's new frames from noise; see `ClipDiffusionModel.denoise`.

        With ``sampler`` ``published`` the scaled latents replace the state before the step is taken from it,
        as the published loop does; ``edm`` is the textbook's step (Karras et al., 2022), from the state.

        Raises:
            ValueError: the shapes do not fit.
        """
        import torch

        if len(latents) != len(context) + len(noise) or latents.shape[1] != LATENT_CHANNELS:
            shapes = ", ".join(str(tuple(value.shape)) for value in (latents, context, noise))
            raise ValueError(f"{shapes} are not the frames of a window, its context and the rest")
        sigmas, times = karras_schedule(steps, *self._ends)
        latents, context = (value.to(self.device, self._wide) for value in (latents, context))
        kept = len(context)
        state = noise.to(context) * math.sqrt(sigmas[0] ** 2 + 1)  # of the frames that are stepped
        if again is not None:
            state = torch.cat((context, state))
        for step, (sigma, following) in enumerate(pairwise(sigmas)):
            time = torch.full((len(latents),), times[step], device=self.device)
            if again is None:
                time[:kept] = CONTEXT_TIME
            else:
                state = torch.cat((context + again[step].to(context) * sigma, state[kept:]))
            scaled = state / math.sqrt(sigma**2 + 1)
            seen = torch.cat((context, scaled)) if again is None else scaled
            velocity = self._velocity(latents, seen, time)[-len(state) :]
            state = euler_step(scaled if sampler == "published" else state, velocity, sigma, following)
        return state[-len(noise) :]

    def decode(self, depth_latents: Tensor) -> Tensor:
        """Depth latents (T, 4, h, w) of frames in a row -> depth (T, 8h, 8w) in [0, 1].

        The decoder looks along time too, so its answer depends on which frames it gets together.

        Args:
            depth_latents: As `denoise` gives them.
        """
        import torch

        scaled = depth_latents.to(self.device, self._dtype) / self._vae.config.scaling_factor
        with torch.no_grad():
            pictures = self._vae.decode(scaled, num_frames=len(scaled)).sample.to(self._wide)
        maps: Tensor = (pictures.mean(1).clamp(-1, 1) + 1) / 2
        return maps

    def _velocity(self, latents: Tensor, depth: Tensor, times: Tensor) -> Tensor:
        import torch

        sample = torch.cat((latents, depth), 1)[None].to(self._dtype)
        state = self._state.expand(len(latents), -1, -1)
        with torch.no_grad():
            answer: Tensor = self._unet(sample, times, state, self._ids, return_dict=False)[0]
        return answer[0].to(self._wide)


def karras_schedule(steps: int, highest: float, lowest: float) -> tuple[list[float], list[float]]:
    """Standard deviations of the noise, ``steps`` + 1 of which the last is 0, and the UNet's ``steps`` times.

    Stable Video Diffusion's: Karras et al. (2022), eq. 5, and a quarter of the logarithm as time, in float32.

    Args:
        steps: Of denoising.
        highest, lowest: The first and the last that is not 0.
    """
    ramp = np.linspace(0, 1, steps)
    ends = highest ** (1 / _RHO), lowest ** (1 / _RHO)
    sigmas = np.append((ends[0] + ramp * (ends[1] - ends[0])) ** _RHO, 0).astype(np.float32)
    return sigmas.tolist(), (np.float32(0.25) * np.log(sigmas[:-1])).tolist()


def euler_step(state: Tensor, velocity: Tensor, sigma: float, following: float) -> Tensor:
    """One step of Euler's from noise ``sigma`` to ``following`` (Karras et al., 2022).

    Args:
        state: Noisy latents.
        velocity: What the UNet says of them, v-prediction.
        sigma, following: Standard deviations of the noise before and after.
    """
    clean = state / (sigma**2 + 1) - velocity * (sigma / math.sqrt(sigma**2 + 1))
    return state + (state - clean) * ((following - sigma) / sigma)


def load_chronodepth(
    folder: Path,
    device: str = "cpu",
    dtype: str | torch.dtype = "fp16",
    spec: ModelSpec | None = None,
    *,
    seed: int = 0,
) -> ChronoDepthModel:
    """Loads ChronoDepth: the UNet from the folder itself, Stable Video Diffusion XT's parts from subfolders.

    Args:
        folder: With ``config.json`` and the UNet's weights, and the subfolders vae, scheduler and
            image_encoder (or ``zero_image.safetensors``, which is made from it); safetensors only.
        device: Where it runs, as torch spells it.
        dtype: ``fp16``, ``bf16``, ``fp32``, or ``fp64`` for checks; CPUs take ``fp32`` for ``fp16``.
        spec: What is known of the weights; None: what the folder says.
        seed: See `ChronoDepthModel`.

    Raises:
        WeightsError: the folder is missing, incomplete, damaged or of another layout.
        UsageError: ``dtype`` does not exist.
    """
    found = find_dtype(dtype, device)
    parts = read_clip_parts(folder, found)
    spec = spec or folder_spec(folder, "depth", "affine_invariant", FACTS)
    return ChronoDepthModel(parts, loaded_spec(spec, folder, parts), device, found, seed=seed)


def read_clip_parts(folder: Path, dtype: torch.dtype, unet_folder: Path | None = None) -> Parts:
    """Reads the networks of a folder for ``dtype``; every key of their weights must match.

    Args:
        folder: See `load_chronodepth`.
        dtype: What the networks are to run in.
        unet_folder: Where the UNet lies, if not in ``folder`` itself.

    Raises:
        WeightsError: a part is missing, damaged, or does not fit the others.
    """
    from diffusers import AutoencoderKLTemporalDecoder

    from ...networks.frame_times import FrameTimesUNet

    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing:
        raise WeightsError(f"The folder {folder} lacks the subfolders {', '.join(missing)}.", _HINT)
    scheduler = _read_scheduler(folder / "scheduler" / "scheduler_config.json")
    unet = read_network(FrameTimesUNet, unet_folder or folder, dtype, names=_FILES[::-1])
    vae = read_network(AutoencoderKLTemporalDecoder, folder / "vae", dtype, full=_FULL, names=_FILES)
    parts = Parts(unet, vae, scheduler, zero_image_embedding(folder, dtype))
    check_parts(folder, parts, _HINT)
    if unet.num_upsamplers > int(math.log2(PAD // SCALE)):
        raise WeightsError(f"The UNet in {folder} has more levels than Stable Video Diffusion's.", _HINT)
    return parts


def _read_scheduler(path: Path) -> dict[str, Any]:
    config = read_json(path)
    other = [f"{key} {config.get(key)}"[:80] for key, value in _SCHEDULE.items() if config.get(key) != value]
    ends = [config.get(key) for key in ("sigma_min", "sigma_max")]
    if not other and not all(isinstance(end, int | float) and 0 < end < _MOST_NOISE for end in ends):
        other = [f"sigmas {ends}"[:80]]
    if other:
        raise WeightsError(f"{path} is no schedule of Stable Video Diffusion's: it has {other[0]}.", _HINT)
    return config
