"""Small random checkpoints of networks that learn depth from video, in the files their training code saves.

Entries and their names are the published ones; where a network's width shows in its tensors it is narrow. The
weights are drawn so that values neither vanish nor saturate on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...choices import one_of
from ...errors import UsageError
from ..layouts import Files, depth_and_pose_files

if TYPE_CHECKING:
    from torch import Tensor, nn

Draw = Callable[["nn.Module"], dict[str, "Tensor"]]

_WIDTH = 8  # channels of a ResNet's stem, where 64 are published
_SIZE = {"height": 64, "width": 96, "use_stereo": False}
_BIAS = 0.05
_NORM = 0.7  # of normalisations: a deep chain of residuals would grow otherwise
_GAIN = math.sqrt(2)  # He et al. 2015: what a ReLU takes away


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes the files of a small random network; the same family and seed give the same bytes.

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

    source = torch.Generator().manual_seed(seed)

    def drawn(network: nn.Module) -> dict[str, Tensor]:
        _draw(network, source)
        return dict(network.state_dict())

    with torch.random.fork_rng(devices=[]):
        files = _FAMILIES[family](drawn)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        torch.save(content, folder / name)


def _draw(network: nn.Module, source: Any) -> None:
    """Weights that keep the size of what passes, and residual branches that add little to it."""
    import torch

    with torch.no_grad():
        for module in network.modules():
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if weight is not None and hasattr(module, "running_mean"):
                weight.fill_(_NORM)
            elif weight is not None and weight.ndim > 1:
                deviation = _GAIN / math.sqrt(weight[0].numel())
                weight.copy_(torch.randn(weight.shape, generator=source) * deviation)
                if bias is not None:
                    bias.copy_(torch.randn(bias.shape, generator=source) * _BIAS)


def _monodepth2(drawn: Draw, layers: int = 18) -> Files:
    from ...networks.monodepth2 import Monodepth2
    from ...networks.monodepth2_pose import SeparatePose

    depth, pose = drawn(Monodepth2(layers, width=_WIDTH)), drawn(SeparatePose(width=_WIDTH))
    return depth_and_pose_files("monodepth2", depth, pose, facts=_SIZE)


def _sfmlearner(drawn: Draw) -> Files:
    from ...networks.dispnet import DispNet
    from ...networks.pose_exp import PoseExpNet

    narrow = (8, 8, 8, 16, 16, 16, 16)
    return depth_and_pose_files("sfmlearner", drawn(DispNet(narrow, narrow)), drawn(PoseExpNet()))


def _featdepth(drawn: Draw) -> Files:
    from ...networks.featdepth_train import MonoFm

    state = drawn(MonoFm(width=_WIDTH, planes=16, narrow=_WIDTH))
    parts = (("Depth",), ("Pose",), ("extractor.",))
    depth, pose, features = ({k: v for k, v in state.items() if k.startswith(part)} for part in parts)
    return depth_and_pose_files("featdepth", depth, pose, features)


def _packnet(drawn: Draw) -> Files:
    from ...networks.packnet import PackNet01
    from ...networks.packnet_pose import PackPoseNet

    return depth_and_pose_files("packnet", drawn(PackNet01((16,) * 5, 16, 2)), drawn(PackPoseNet()))


def _diffnet(drawn: Draw) -> Files:
    from ...networks.diffnet import DiffNet
    from ...networks.monodepth2_pose import SeparatePose

    state, pose = drawn(DiffNet(4, _WIDTH)), drawn(SeparatePose(width=_WIDTH))
    return depth_and_pose_files("diffnet", state, pose, facts=_SIZE)


def _ddv(drawn: Draw) -> Files:
    from ...networks.ddv import Ddv

    return depth_and_pose_files("ddv", drawn(Ddv(_WIDTH)), facts=_SIZE)


def _leftright(drawn: Draw) -> Files:
    from ...networks.leftright import LeftRightNet

    facts = _SIZE | {"use_stereo": True}
    return depth_and_pose_files("leftright", drawn(LeftRightNet(width=_WIDTH)), facts=facts)


_FAMILIES: dict[str, Callable[[Draw], Files]] = {
    "monodepth2": _monodepth2,
    "monodepth2-resnet50": lambda drawn: _monodepth2(drawn, 50),
    "sfmlearner": _sfmlearner,
    "featdepth": _featdepth,
    "packnet01": _packnet,
    "diffnet": _diffnet,
    "ddv": _ddv,
    "leftright": _leftright,
}

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""What `make_tiny` can make."""
