"""Folds batch normalisation into the convolution before it, for inference."""

from __future__ import annotations

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold_batchnorms(network: nn.Module) -> nn.Module:
    """Folds normalisations that directly follow a convolution.

    Recognised are neighbours in a Sequential (also across a nested Sequential's end), ``conv1``/``bn1``
    pairs, and those a module names in its ``FOLDED``. The result computes the same up to float rounding; a
    normalisation elsewhere stays as it is.

    Args:
        network: Changed in place, for evaluation: a copy would take most of a loading's time.

    Returns:
        The same.
    """
    network.eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            names = list(module._modules)
            for before, after in pairwise(names):
                if isinstance(module._modules[after], nn.BatchNorm2d):
                    owner, name = _last(module, before)
                    _fuse(owner, name, module, after)
        for name, child in list(module.named_children()):
            if name.startswith("conv") and isinstance(child, nn.Conv2d):
                norm = "bn" + name.removeprefix("conv")
                if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                    _fuse(module, name, module, norm)
        for conv, norm in getattr(module, "FOLDED", ()):
            if hasattr(module, conv):
                _fuse(module, conv, module, norm)
    return network


def _last(owner: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module computed last within child ``name`` of ``owner``: its owner and its name there."""
    child = owner._modules[name]
    inner = child._modules.get("conv") if child is not None and not isinstance(child, nn.Conv2d) else None
    if isinstance(inner, nn.Sequential):  # a unit that only wraps a Sequential, as `SeparableConv`
        return inner, list(inner._modules)[-1]
    return owner, name


def _fuse(owner: nn.Module, conv: str, norm_owner: nn.Module, norm: str) -> None:
    layer, batch = getattr(owner, conv), getattr(norm_owner, norm)
    if isinstance(layer, nn.Conv2d):
        layer.weight, layer.bias = fuse_conv_bn_weights(
            layer.weight,
            layer.bias,
            batch.running_mean,
            batch.running_var,
            batch.eps,
            batch.weight,
            batch.bias,
        )
        setattr(norm_owner, norm, nn.Identity())
