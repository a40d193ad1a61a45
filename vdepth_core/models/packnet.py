"""PackNet01: the depth network of a PackNet-SfM checkpoint, under the prefixes of its training code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..weights.loading import Weights, check_fit
from .network_model import Family, as_published
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn

_DEPTH = ("model.depth_net.", "depth_net.", "disp_network.")
_POSE = ("model.pose_net.", "pose_net.", "pose_network.")


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.packnet import PackNet01

    return PackNet01.for_state(state)


def _depth(weights: Weights) -> Mapping[str, Tensor]:
    """The entries of the depth network under its own names; a pose network beside it must be whole."""
    import torch

    from ..networks.packnet_pose import PackPoseNet

    state: dict[str, Tensor] = {}
    pose: dict[str, Tensor] = {}
    for key, value in weights.state.items():
        if (name := _without(key, _POSE)) != key:
            pose[name] = value
        else:  # dropout, where there was any, pushed the weights of a skip one name down
            state[_without(key, _DEPTH).replace(".conv3.0.", ".conv3.")] = value
    if pose:
        stem = pose.get("conv1.0.weight")
        contexts = 2 if stem is None or stem.ndim != 4 else max(stem.shape[1] // 3 - 1, 1)
        with torch.device("meta"):
            network = PackPoseNet(contexts)
        check_fit(network, pose, weights.path)
    return state


def _without(key: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        key = key.removeprefix(prefix)
    return key


def _matches(keys: Collection[str]) -> bool:
    names = {_without(key, _DEPTH).split(".conv", 1)[0] for key in keys}
    return {"pre_calc", "pack5", "unpack5"} <= names


FAMILY = Family("packnet01", _build, as_published, _matches, arrange=_depth, resampled=lanczos)
