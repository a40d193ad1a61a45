"""Small random checkpoints of the depth families `transformers` knows, in the published layout.

Their depth means nothing, but every step of loading and running a published model is the real one. The
weights are drawn so that values neither vanish nor saturate on the way (transformers' own initialisation of
0.02 gives constant pictures in networks this narrow).
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...choices import one_of
from ...errors import UsageError
from ...weights.building import quiet_transformers
from ..transformers.folder import check_release

if TYPE_CHECKING:
    from torch import nn

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_BEIT = {
    "model_type": "beit",
    "image_size": 64,
    "patch_size": 16,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "use_relative_position_bias": True,
    "reshape_hidden_states": False,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
_ZOEDEPTH = {
    "model_type": "zoedepth",
    "backbone_config": _BEIT,
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 16,
    "bottleneck_features": 16,
    "bin_embedding_dim": 16,
    "num_relative_features": 8,
    "num_attractors": [4, 2, 2, 1],
    "bin_configurations": [{"n_bins": 16, "min_depth": 1e-3, "max_depth": 10.0}],
}
_DINOV2_FOR_PATCHES = {
    "model_type": "dinov2",
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "mlp_ratio": 2,
    "image_size": 32,
    "patch_size": 16,
    "use_mask_token": False,
}


def _depth_anything(kind: str, max_depth: int) -> dict[str, Any]:
    return {
        "model_type": "depth_anything",
        "backbone_config": {
            "model_type": "dinov2",
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "mlp_ratio": 2,
            "image_size": 70,
            "patch_size": 14,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": False,
        },
        "reassemble_hidden_size": 32,
        "neck_hidden_sizes": [16, 16, 24, 32],
        "fusion_hidden_size": 16,
        "head_hidden_size": 8,
        "depth_estimation_type": kind,
        "max_depth": max_depth,
    }


_CONFIGS: dict[str, dict[str, Any]] = {
    "depth-anything": _depth_anything("relative", 1),
    "depth-anything-metric": _depth_anything("metric", 20),
    "dpt": {
        "model_type": "dpt",
        "image_size": 64,
        "patch_size": 16,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "backbone_out_indices": [0, 1, 2, 3],
        "neck_hidden_sizes": [8, 8, 16, 16],
        "fusion_hidden_size": 16,
    },
    "dpt-beit": {
        "model_type": "dpt",
        "backbone_config": _BEIT,
        "neck_hidden_sizes": [8, 8, 16, 16],
        "fusion_hidden_size": 16,
    },
    "dpt-swinv2": {
        "model_type": "dpt",
        "backbone_config": {
            "model_type": "swinv2",
            "image_size": 64,
            "embed_dim": 8,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 2, 2, 4],
            "window_size": 4,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
        "neck_hidden_sizes": [8, 16, 32, 64],
        "fusion_hidden_size": 16,
    },
    "dpt-hybrid": {
        "model_type": "dpt",
        "is_hybrid": True,
        "backbone_config": {
            "model_type": "bit",
            "global_padding": "same",
            "layer_type": "bottleneck",
            "depths": [1, 1, 1],
            "embedding_size": 8,
            "hidden_sizes": [16, 32, 64],
            "num_groups": 4,
            "out_features": ["stage1", "stage2", "stage3"],
            "embedding_dynamic_padding": True,
        },
        "backbone_featmap_shape": [1, 64, 4, 4],
        "image_size": 64,
        "patch_size": 16,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "backbone_out_indices": [0, 1, 2, 3],
        "reassemble_factors": [1, 1, 1, 0.5],
        "neck_hidden_sizes": [16, 32, 16, 16],
        "fusion_hidden_size": 16,
    },
    "depth-pro": {
        "model_type": "depth_pro",
        "patch_size": 32,
        "fusion_hidden_size": 16,
        "intermediate_hook_ids": [2, 0],
        "intermediate_feature_dims": [16, 16],
        "scaled_images_feature_dims": [32, 32, 16],
        "use_fov_model": True,
        "image_model_config": _DINOV2_FOR_PATCHES,
        "patch_model_config": _DINOV2_FOR_PATCHES,
        "fov_model_config": _DINOV2_FOR_PATCHES,
    },
    "zoedepth": _ZOEDEPTH,
    "zoedepth-nk": _ZOEDEPTH
    | {
        "bin_configurations": [
            {"name": "nyu", "n_bins": 16, "min_depth": 1e-3, "max_depth": 10.0},
            {"name": "kitti", "n_bins": 16, "min_depth": 1e-3, "max_depth": 80.0},
        ],
        "num_patch_transformer_layers": 4,  # as in every published one: the network insists on 4 and 128
        "patch_transformer_hidden_size": 128,
        "patch_transformer_intermediate_size": 32,
        "patch_transformer_num_attention_heads": 2,
    },
    "tipsv2-dpt": {
        "model_type": "tipsv2_dpt",
        "backbone_config": {
            "model_type": "tipsv2_vision_model",
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "mlp_ratio": 2,
            "image_size": 70,
            "patch_size": 14,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": False,
        },
        "neck_hidden_sizes": [8, 8, 16, 16],
        "fusion_hidden_size": 16,
        "num_depth_bins": 16,
    },
    "glpn": {
        "model_type": "glpn",
        "depths": [1, 1, 1, 1],
        "hidden_sizes": [8, 16, 32, 32],
        "num_attention_heads": [1, 2, 2, 4],
        "mlp_ratios": [2, 2, 2, 2],
        "decoder_hidden_size": 16,
    },
}
_DPT_PROCESSING = {"size": {"height": 64, "width": 64}, "ensure_multiple_of": 32, **_HALF}
_DEPTH_ANYTHING_PROCESSING = {
    "size": {"height": 70, "width": 70},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 14,
    **_IMAGENET,
}
_ZOEDEPTH_PROCESSING = {
    "image_processor_type": "ZoeDepthImageProcessor",
    "size": {"height": 64, "width": 96},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 32,
    "do_pad": True,
    **_HALF,
}
_PROCESSING: dict[str, dict[str, Any]] = {
    "depth-anything": _DEPTH_ANYTHING_PROCESSING,
    "depth-anything-metric": _DEPTH_ANYTHING_PROCESSING,
    "dpt": _DPT_PROCESSING,
    "dpt-beit": _DPT_PROCESSING | {"keep_aspect_ratio": True},
    "dpt-swinv2": _DPT_PROCESSING,
    "dpt-hybrid": _DPT_PROCESSING,
    "depth-pro": {
        "image_processor_type": "DepthProImageProcessor",
        "size": {"height": 128, "width": 128},
        **_HALF,
    },
    "zoedepth": _ZOEDEPTH_PROCESSING,
    "zoedepth-nk": _ZOEDEPTH_PROCESSING,
    "tipsv2-dpt": {
        "image_processor_type": "Tipsv2DptImageProcessor",
        "size": {"height": 70, "width": 70},
        "do_normalize": False,
    },
    "glpn": {"image_processor_type": "GLPNImageProcessor", "size_divisor": 32, "do_rescale": True},
}
# Biases that keep the last ReLU open; a field of view in degrees; ZoeDepth's bins spread out and told apart.
_BIASES: dict[str, tuple[float, ...]] = {
    r"head\.(conv3|head\.4|layers\.4)": (1.5,),
    r"fov_model\.head\.layers\.4": (50.0,),
    r"metric_head\.seed_bin_regressors?(\.\w+)?\.conv2": tuple(k / 3 - 2 for k in range(16)),
    r"metric_head\.conditional_log_binomial(\.\w+)?\.mlp\.2": (0.0, 0.0, -3.0, 3.0),
}

FAMILIES: tuple[str, ...] = tuple(_CONFIGS)
"""What `make_tiny` can make."""


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes ``config.json``, ``model.safetensors`` and ``preprocessor_config.json`` of a small random model.

    The same family and seed give the same bytes; torch's global random state is left alone.

    Args:
        family: One of `FAMILIES`.
        folder: Where to write; made where it is missing.
        seed: Of the random weights.

    Raises:
        UsageError: there is no such family.
        WeightsError: the installed transformers does not have the network.
    """
    if family not in FAMILIES:
        raise UsageError(f"There is no tiny {family}.", one_of(family, FAMILIES))
    content = _CONFIGS[family]
    check_release(folder, content["model_type"])
    import torch
    from transformers import CONFIG_MAPPING, MODEL_FOR_DEPTH_ESTIMATION_MAPPING

    with quiet_transformers():
        config = CONFIG_MAPPING[content["model_type"]].from_dict(content)
        with torch.random.fork_rng(devices=[]):
            networks: Any = MODEL_FOR_DEPTH_ESTIMATION_MAPPING
            network: Any = networks[type(config)](config)
        _draw(network, seed)
        folder.mkdir(parents=True, exist_ok=True)
        network.save_pretrained(folder)
    processing = {"image_processor_type": "DPTImageProcessor", "do_resize": True} | _PROCESSING[family]
    text = json.dumps(processing, indent=2, sort_keys=True) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")


def _draw(network: nn.Module, seed: int) -> None:
    import torch

    source = torch.Generator().manual_seed(seed)

    def normal(like: torch.Tensor, deviation: float) -> torch.Tensor:
        return torch.randn(like.shape, generator=source) * deviation

    with torch.no_grad():
        for name, value in sorted(network.named_parameters()):
            if name.endswith(("lambda1", "lambda_1", "lambda_2")):
                value.fill_(0.5)
            elif name.endswith("position_embeddings"):
                value.copy_(normal(value, 0.5))
            elif value.ndim > 1:
                value.copy_(normal(value, 1 / math.sqrt(value[0].numel())))
            elif "norm" in name and name.endswith("weight"):
                value.fill_(1.0)
            else:
                value.copy_(normal(value, 0.05))
        for name, module in network.named_modules():
            for pattern, bias in _BIASES.items():
                if re.fullmatch(pattern, name):
                    module.get_parameter("bias").copy_(torch.tensor(bias))
