"""What any of our depth networks answers in training: disparities of its scales, and their meaning."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Convert = Callable[[Tensor], Tensor]


def scales_of(network: nn.Module, frames: Tensor, both: bool = False) -> tuple[list[Tensor], Convert]:
    """Runs a network for training.

    Args:
        network: One of `networks`; those with ``all_scales`` answer every scale they are trained at.
        frames: (B, 3, H, W), normalised as the network wants it.
        both: Whether what a network says of another eye is wanted too, as a second channel.

    Returns:
        (B, 1, h, w) each, finest first, and what makes inverse depth of them: the ``inverse_depth`` of the
        network, if what it answers is none already. A network without ``all_scales`` answers one scale.
    """
    if not hasattr(network, "all_scales"):
        return [network(frames)[:, None]], as_it_is
    every: Callable[[Tensor], list[Tensor]] = network.all_scales  # type: ignore[assignment]
    disparities = [disparity[:, : 2 if both else 1] for disparity in every(frames)]
    convert: Convert = getattr(network, "inverse_depth", as_it_is)
    return disparities, convert


def as_it_is(disparity: Tensor) -> Tensor:
    """Disparity that is inverse depth.

    Args:
        disparity: Of any shape.
    """
    return disparity
