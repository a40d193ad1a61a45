"""The networks of a training: new ones of a published architecture, or weights to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...choices import one_of
from ...errors import UsageError, WeightsError
from ...learning.student import load_student
from ...models.network_model import Family, channels_last
from ...networks.monodepth2 import Monodepth2
from ...networks.monodepth2_pose import repeat_stem
from ...networks.resnet import ResNet
from ...weights.loading import load_state_dict
from .settings import Settings

_PLACES: dict[
    str, tuple[str, str, dict[str, Any]]
] = {  # name -> family, class of a new network, and what it is made with
    "monodepth2": ("monodepth2", "monodepth2:Monodepth2", {}),
    "monodepth2-resnet50": ("monodepth2", "monodepth2:Monodepth2", {"layers": 50}),
    "sfmlearner": ("sfmlearner", "dispnet:DispNet", {}),
    "featdepth": ("featdepth", "featdepth:FeatDepth", {}),
    "packnet": ("packnet", "packnet:PackNet01", {}),
    "packnet-slim": (
        "packnet",
        "packnet:PackNet01",
        {"planes": (32, 64, 128, 256, 512), "stem": 32, "depth": 4},
    ),
    "ddv": ("ddv", "ddv:Ddv", {}),
    "diffnet": ("diffnet", "diffnet:DiffNet", {}),
    "leftright": ("leftright", "leftright:LeftRightNet", {}),
    "leftright-resnet50": ("leftright", "leftright:LeftRightNet", {"layers": 50}),
}
NETWORKS = tuple(_PLACES)
"""What can be trained from nothing."""

_XAVIER = ("sfmlearner", "packnet")  # families whose authors begin so
_FILLED = 0.5  # least share of an encoder that weights for it must fill


@dataclass
class DepthNetwork:
    """A depth network in training.

    Attributes:
        network: On the CPU.
        family: How its weights are read: name in the registry, and what the registry has there.
        facts: What its files must say: the licence of what it started from.
    """

    network: nn.Module
    family: str
    reads: Family
    facts: dict[str, str]

    def prepare(self, pictures: Tensor) -> Tensor:
        """What the network wants of pictures.

        Args:
            pictures: (N, 3, H, W) in [0, 1].
        """
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return self.reads.normalise(pictures) if self.reads.normalise else pictures


def depth_network(settings: Settings, usual: str) -> DepthNetwork:
    """The depth network of a training; random weights are torch's own generator's.

    Args:
        settings: Say which.
        usual: The system's.

    Raises:
        UsageError: there is no such network, or it cannot be trained so.
        WeightsError: weights are missing, damaged or of another network.
    """
    if settings.init is not None:
        if settings.network is not None:
            raise UsageError("A network is new or goes on from weights.", "Give --network or --init.")
        return _started(settings.init)
    name = settings.network or usual
    if name not in _PLACES:
        raise UsageError(f"There is no network {name} to train.", one_of(name, NETWORKS))
    family, place, more = _PLACES[name]
    module, cls = place.split(":")
    make: Callable[..., nn.Module] = getattr(import_module(f"vdepth_core.networks.{module}"), cls)
    network = begun(make(**more), xavier=family in _XAVIER)
    if settings.encoder is not None:
        fill_encoders(network, settings.encoder)
    return DepthNetwork(channels_last(network), family, _family(family), {})


def shared_network(depth: DepthNetwork) -> Monodepth2:
    """The depth network, if its encoder's features serve others, too.

    Args:
        depth: In training.

    Raises:
        UsageError: it is none of Monodepth2's.
    """
    if not isinstance(depth.network, Monodepth2):
        raise UsageError(
            f"The encoder of {depth.family} is not to be shared.",
            "Train Monodepth2's network, or leave --pose shared and --predictive-mask out.",
        )
    return depth.network


def pose_network(network: nn.Module, encoder: Path | None) -> nn.Module:
    """A pose network with the weights its authors begin with.

    Args:
        network: New.
        encoder: ImageNet weights, for those with a ResNet.
    """
    resnet = any(isinstance(module, ResNet) for module in network.modules())
    network = begun(network, xavier=not resnet)
    if encoder is not None and resnet:
        fill_encoders(network, encoder)
    return channels_last(network)


def begun(network: nn.Module, xavier: bool) -> nn.Module:
    """A network with random weights as published: Xavier's with zero biases, or torchvision's for ResNets.

    Args:
        network: New; changed in place.
        xavier: All convolutions; else only those a normalisation follows change.
    """
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            continue
        if xavier:
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif module.bias is None:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def fill_encoders(network: nn.Module, path: Path) -> None:
    """Puts ImageNet weights into the encoders of a network, whatever they are called in it.

    An encoder of several pictures gets the first convolution once a picture, divided by their number.

    Args:
        network: Changed in place.
        path: Weights in torchvision's layout of ResNets, or HRNet's; only what fits is taken.

    Raises:
        WeightsError: they fit no encoder.
    """
    state = load_state_dict(path)
    targets: list[nn.Module] = [module for module in network.modules() if isinstance(module, ResNet)]
    for target in targets or [getattr(network, "resnet_model", network)]:
        own = target.state_dict()
        given = dict(state)
        stem = given.get("conv1.weight")
        pictures = own["conv1.weight"].shape[1] // 3 if "conv1.weight" in own else 1
        if stem is not None and pictures > 1:
            given["conv1.weight"] = repeat_stem(stem, pictures)
        fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
        entries = [key for key in own if not key.startswith(("decoder.", "convs.", "fc."))]
        if len(fitting) < _FILLED * len(entries):
            raise WeightsError(
                f"{path.name} does not fit the encoder {type(target).__name__}: {len(fitting)} of "
                f"{len(entries)} entries are alike.",
                "Give ImageNet weights of the same network, in the layout of torchvision or HRNet.",
            )
        target.load_state_dict(own | fitting)


def _started(name: str) -> DepthNetwork:
    student = load_student(name)
    if student.spec.space != "scale_invariant":
        raise UsageError(
            f"{student.spec.name} predicts disparity with an unknown shift, which is no distance.",
            "Start from weights of a network of these systems, or adapt it to a clip with vdepth adapt.",
        )
    families = {_family(family).stands_for: family for family, *_ in _PLACES.values()}
    family = families.get(student.family.stands_for)
    if family is None:
        raise UsageError(
            f"The network of {student.spec.name} cannot be trained on folders.",
            f"These can: {', '.join(NETWORKS)}.",
        )
    facts = {
        "license": student.spec.license,
        "commercial": "true" if student.spec.commercial else "false",
    }
    return DepthNetwork(student.network, family, student.family, facts)


def _family(name: str) -> Family:
    family: Family = import_module(f"vdepth_core.models.{name}").FAMILY
    return family


def states_of(trained: Mapping[str, nn.Module], weights: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """The weights of all modules in training, apart.

    Args:
        trained: By name.
        weights: Of all of them as one, with the name before each key.
    """
    # the network's order of entries and one order of strides: the same weights give the same files
    return {
        name: {
            key: weights[f"{name}.{key}"].detach().cpu().clone(memory_format=torch.contiguous_format)
            for key in module.state_dict()
        }
        for name, module in trained.items()
    }
