"""A small random checkpoint of ChronoDepth, in the published layout.

Its depth means nothing, but UNet, image coder, image encoder and schedule are Stable Video Diffusion's, only
small: blocks that attend over space and time, a decoder that looks along time, half-precision files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...choices import one_of
from ...errors import UsageError
from ...weights.building import quiet_transformers
from .diffusion import draw, multiply, write_json

if TYPE_CHECKING:
    from torch import Generator

_WIDTH = 16  # of the image embedding
_UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 8,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
    "up_block_types": ["UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"],
    "block_out_channels": [32, 32],
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 24,
    "layers_per_block": 1,
    "cross_attention_dim": _WIDTH,
    "num_attention_heads": [2, 4],
    "num_frames": 10,
}
_VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "block_out_channels": [32] * 4,
    "layers_per_block": 1,
    "latent_channels": 4,
    "sample_size": 64,
    "scaling_factor": 0.18215,
    "force_upcast": True,
}
_SCHEDULE: dict[str, Any] = {
    "_class_name": "EulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "interpolation_type": "linear",
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}
_SIZE = (64, 64)  # of the pictures that the last layers are scaled on
_SPREAD = 0.3  # standard deviation of depth; its range is [-1, 1]

FAMILIES = ("chronodepth",)
"""What `make_tiny` can make."""


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes a small random model with the files and subfolders of the published ones.

    The same seed gives the same bytes; torch's global random state is left alone.

    Args:
        family: One of `FAMILIES`.
        folder: Where to write; made where it is missing.
        seed: Of the random weights.

    Raises:
        UsageError: there is no such family.
    """
    if family not in FAMILIES:
        raise UsageError(f"There is no tiny {family}.", one_of(family, FAMILIES))
    import torch
    from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    source = torch.Generator().manual_seed(seed)
    encoder_config = CLIPVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        projection_dim=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        patch_size=56,
        hidden_act="gelu",
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        unet: Any = UNetSpatioTemporalConditionModel(**_UNET)
        vae: Any = AutoencoderKLTemporalDecoder(**_VAE)
        encoder: Any = CLIPVisionModelWithProjection(encoder_config)
    for network in (unet, vae, encoder):
        draw(network, source)
    _scale(unet, vae, source)
    folder.mkdir(parents=True, exist_ok=True)
    unet.half().save_pretrained(folder)
    vae.half().save_pretrained(folder / "vae", variant="fp16")
    with quiet_transformers():
        encoder.half().save_pretrained(folder / "image_encoder", variant="fp16")
    write_json(folder / "scheduler" / "scheduler_config.json", _SCHEDULE)


def _scale(unet: Any, vae: Any, source: Generator) -> None:
    """Scales the last layers: latents and the UNet's answer get about unit deviation, depth `_SPREAD`."""
    import torch

    pictures = torch.rand((2, 3, *(side // 16 for side in _SIZE)), generator=source) * 2 - 1
    pictures = torch.nn.functional.interpolate(pictures, _SIZE, mode="bilinear")
    with torch.no_grad():
        size = 1 / vae.config.scaling_factor
        multiply(vae.quant_conv, size / float(vae.encode(pictures).latent_dist.mean.std()))
        latents = vae.encode(pictures).latent_dist.mean / size
        noisy = torch.cat((latents, torch.randn(latents.shape, generator=source)), 1)[None]
        state = torch.randn((1, 1, _WIDTH), generator=source)
        velocity = unet(noisy, 1.6, state, torch.tensor([[6.0, 127.0, 0.0]])).sample[0]
        multiply(unet.conv_out, 1 / float(velocity.std()))
        depth = velocity / velocity.std() * size
        maps = vae.decode(depth, num_frames=2).sample.mean(1)
        multiply(vae.decoder.time_conv_out, _SPREAD / float(maps.std()))
        middle = float(vae.decode(depth, num_frames=2).sample.mean())
        vae.decoder.time_conv_out.bias.sub_(round(middle, 2))
