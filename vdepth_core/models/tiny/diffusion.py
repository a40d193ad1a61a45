"""Small random checkpoints of RollingDepth and Marigold, in the published layout.

Their depth means nothing, but every step of loading and running a published model is the real one: a UNet
with self- and text attention, an image coder of scale 8, a text encoder, a tokenizer, published schedules.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...choices import one_of
from ...errors import UsageError
from ...weights.building import quiet_transformers
from ..diffusion.parts import ONE_STEP

if TYPE_CHECKING:
    from torch import Generator, nn

_WIDTH = 16  # of the text embedding
_UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [16, 32],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": _WIDTH,
    "attention_head_dim": [2, 4],
    "norm_num_groups": 8,
    "use_linear_projection": True,
}
_VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [8, 8, 16, 16],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 64,
    "scaling_factor": 0.18215,
}
_LCM = {"original_inference_steps": 50, "timestep_scaling": 10.0}
_MARIGOLD = {
    "prediction_type": "depth",
    "scale_invariant": True,
    "shift_invariant": True,
    "default_denoising_steps": 4,
    "default_processing_resolution": 768,
}
_FAMILIES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "rollingdepth": ("RollingDepthPipeline", {}, "DDIMScheduler", {}),
    "marigold": ("MarigoldDepthPipeline", _MARIGOLD, "DDIMScheduler", {}),
    "marigold-lcm": ("MarigoldDepthPipeline", _MARIGOLD, "LCMScheduler", _LCM),
}
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_SIZE = (64, 96)  # of the pictures that the last layers are scaled on
_SPREAD = 0.3  # standard deviation of depth; its range is [-1, 1]

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""What `make_tiny` can make."""


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes a small random model with the files and subfolders of a published repository.

    The same family and seed give the same bytes; torch's global random state is left alone.

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
    from diffusers import AutoencoderKL, UNet2DConditionModel

    pipeline, facts, scheduler, schedule = _FAMILIES[family]
    source = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        unet: Any = UNet2DConditionModel(**_UNET)
        vae: Any = AutoencoderKL(**_VAE)
    for network in (unet, vae):
        draw(network, source)
    _scale(unet, vae, source)
    folder.mkdir(parents=True, exist_ok=True)
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    _write_text_encoder(folder, source)
    schedule = {"_class_name": scheduler, **ONE_STEP, **schedule}
    write_json(folder / "scheduler" / "scheduler_config.json", schedule)
    parts = {
        "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    write_json(folder / "model_index.json", {"_class_name": pipeline} | facts | parts)


def draw(network: nn.Module, source: Generator) -> None:
    """Weights that keep the size of what passes; norms as they are initialised.

    Args:
        network: Changed in place.
        source: Of the numbers.
    """
    import torch

    with torch.no_grad():
        for name, value in sorted(network.named_parameters()):
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=source) / math.sqrt(value[0].numel()))
            elif "norm" not in name:
                value.copy_(torch.randn(value.shape, generator=source) * 0.1)


def _scale(unet: Any, vae: Any, source: Generator) -> None:
    """Scales the last layers so that latents have about unit deviation, and depth `_SPREAD`.

    What is measured is rounded: its last digits depend on the machine, and the files should not.
    """
    import torch

    pictures = torch.rand((2, 3, *(side // 16 for side in _SIZE)), generator=source) * 2 - 1
    pictures = torch.nn.functional.interpolate(pictures, _SIZE, mode="bilinear")
    with torch.no_grad():
        size = 1 / vae.config.scaling_factor
        moments = vae.encode(pictures).latent_dist.mean
        multiply(vae.quant_conv, size / float(moments.std()))
        latents = vae.encode(pictures).latent_dist.mean / size
        noisy = torch.cat((latents, torch.randn(latents.shape, generator=source)), 1)
        prompt = torch.randn((len(latents), 2, _WIDTH), generator=source)
        depth = unet(noisy, 999, encoder_hidden_states=prompt).sample
        multiply(unet.conv_out, 1 / float(depth.std()))
        maps = vae.decode(depth / depth.std() * size).sample.mean(1)
        multiply(vae.decoder.conv_out, _SPREAD / float(maps.std()))
        middle = float(vae.decode(depth / depth.std() * size).sample.mean())
        vae.decoder.conv_out.bias.sub_(round(middle, 2))


def multiply(layer: nn.Module, factor: float) -> None:
    """Scales a layer by a rounded number: the last digits of what is measured depend on the machine.

    Args:
        layer: Changed in place.
        factor: Of weights and biases.
    """
    for value in layer.parameters():
        value.mul_(float(f"{factor:.2g}"))


def _write_text_encoder(folder: Path, source: Generator) -> None:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), _BEGIN, _END]
    vocabulary = {word: number for number, word in enumerate(words)}
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        projection_dim=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act="gelu",
        bos_token_id=vocabulary[_BEGIN],
        eos_token_id=vocabulary[_END],
        pad_token_id=0,
    )
    with quiet_transformers():
        with torch.random.fork_rng(devices=[]):
            encoder = CLIPTextModel(config)
        draw(encoder, source)
        encoder.save_pretrained(folder / "text_encoder")
    special = {"bos_token": _BEGIN, "eos_token": _END, "pad_token": "!", "unk_token": _END}
    tokenizer = folder / "tokenizer"
    write_json(tokenizer / "vocab.json", vocabulary)
    write_json(tokenizer / "special_tokens_map.json", special)
    write_json(
        tokenizer / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True} | special,
    )
    (tokenizer / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a configuration, and its folder.

    Args:
        path: The file.
        content: What it holds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
