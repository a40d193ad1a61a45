"""Detail transfer: the low frequencies of one estimate, the edges of another.

What the published merge network was taught to imitate, without a network: where ``high`` explains ``low``
(a local line, fitted over windows on averaged cells: the guided filter of He et al., ECCV 2010, blind to how
soft ``low`` is), the answer is that line of ``high``, whose edges are sharp and in place; where it does not,
``low`` stays, and where both are just sloping planes, too. Windows shrink from stage to stage: the first
moves swollen edges to where ``high`` has them, the last keeps small things. Then what ``high`` brought in
beyond edges is taken out again.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CELLS = 128  # across the shorter side in the last stage: half a pixel of a network that sees 256 there
STAGES = (8, 4, 2, 1)  # cells of the stages, in those of the last
REACH = 4  # cells from a window's centre to its border
FLAT = 1e-6  # a variance of the whole map's below which there is nothing to fit
FAINT = 1e-5  # a variance beyond a plane's below which agreement is chance: steps of a hundredth of the whole
DOUBT = 1e-3  # share of a window's variance that a perfect fit is taken to leave: no window outvotes all


class Transfer:
    """Analytic detail transfer; a `Merge` of maps of any size."""

    name = "transfer"

    def __init__(self, device: str = "cpu") -> None:
        """It has no weights, and works wherever the maps are.

        Args:
            device: Not looked at.
        """

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """Gives ``low`` the edges of ``high``.

        Every value lies within the range that ``low`` has nearby; an edge that ``high`` has the other way
        round stays as ``low`` has it.

        Args:
            low: (N, 1, H, W) float32, right in the large, and soft.
            high: (N, 1, H, W) float32, sharp, in any scale and shift, which may differ from place to place.

        Returns:
            (N, 1, H, W) float32 in the terms of ``low``.
        """
        cell = max(1, round(min(low.shape[-2:]) / CELLS))
        unit, centre, spread = standardised(low)
        guide, _, _ = standardised(high)
        sharp = unit
        for size in STAGES:
            sharp = _fit(sharp, guide, size * cell)
        sharp += _calm(unit - sharp, 2 * cell)
        return _within(sharp, unit, cell).mul_(spread).add_(centre)


def standardised(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each map with mean 0 and variance 1, its mean and its deviation (N, 1, 1, 1); flat ones become 0.

    Args:
        maps: (N, 1, H, W).
    """
    spread, centre = torch.std_mean(maps, dim=(1, 2, 3), keepdim=True, correction=0)
    spread = spread.clamp(min=1e-12)
    return (maps - centre) / spread, centre, spread


def _fit(low: Tensor, high: Tensor, cell: int) -> Tensor:
    """``low`` as a local line of ``high``, as far as there is one."""
    grid = _grid(low, cell)
    x, y = (functional.adaptive_avg_pool2d(maps, grid) for maps in (high, low))
    mean_x, mean_y = _box(x), _box(y)
    var_x, var_y = (_box(x * x) - mean_x * mean_x).clamp(min=0), (_box(y * y) - mean_y * mean_y).clamp(min=0)
    common = _box(x * y) - mean_x * mean_y
    slope = common.clamp(min=0) / (var_x + FLAT)  # no edge is turned over
    left = (var_y - slope * common.clamp(min=0)).clamp(min=0)
    # Of the windows that see a pixel, those that explain what they see say most.
    weight = 1 / (left + DOUBT * var_y + 1e-7)
    trust = _trust(x, y, (mean_x, mean_y), (var_x, var_y, common))
    # Where `high` is the softer of the two there is nothing to be had from it.
    sharper = slope * slope * _steepness(high, grid) / _steepness(low, grid)
    trust = trust * sharper.clamp(max=1).square()
    lines = torch.cat((trust * slope, trust * (mean_y - slope * mean_x), trust), 1)
    lines = _spread(_box(weight * lines) / _box(weight), low)
    return torch.addcmul(lines[:, 1:2], lines[:, :1], high).add_((1 - lines[:, 2:]).mul_(low))


def _trust(x: Tensor, y: Tensor, means: tuple[Tensor, Tensor], moments: tuple[Tensor, ...]) -> Tensor:
    """Squared correlation of two maps within windows, once a plane is taken from either.

    Two floors agree in that they rise, which says nothing of the tiles that one of them has.
    """
    var_x, var_y, common = moments
    for axis in (-2, -1):
        steps = torch.linspace(-1, 1, x.shape[axis], device=x.device, dtype=x.dtype)
        place = (steps[:, None] if axis == -2 else steps).expand(1, 1, *x.shape[-2:])
        middle = _box(place)
        spread = _box(place * place) - middle * middle + 1e-12
        along_x, along_y = (
            _box(place * maps) - middle * mean for maps, mean in zip((x, y), means, strict=True)
        )
        var_x = var_x - along_x * along_x / spread
        var_y = var_y - along_y * along_y / spread
        common = common - along_x * along_y / spread
    var_x, var_y, common = (moment.clamp(min=0) for moment in (var_x, var_y, common))
    return common * common / ((var_x + FAINT) * (var_y + FAINT))


def _steepness(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean squared gradient within windows: of two edges of one height the sharper one has more."""
    across = functional.pad(maps, (0, 1, 0, 0), mode="replicate").diff(dim=-1).square_()
    down = functional.pad(maps, (0, 0, 0, 1), mode="replicate").diff(dim=-2).square_()
    return _box(functional.adaptive_avg_pool2d(across.add_(down), grid)) + 1e-12


def _calm(difference: Tensor, cell: int) -> Tensor:
    """What a difference is over whole surfaces: the median of cells nearby, which edges do not move."""
    cells = functional.adaptive_avg_pool2d(difference, _grid(difference, cell))
    around = functional.unfold(functional.pad(cells, (2, 2, 2, 2), mode="replicate"), 5)
    return _spread(_box(around.median(1).values.view_as(cells), reach=1), difference)


def _within(maps: Tensor, low: Tensor, cell: int) -> Tensor:
    """``maps`` kept in the range that ``low`` has nearby."""
    both = torch.cat((low, -low), 1)
    tops = functional.adaptive_max_pool2d(both, _grid(low, cell))
    tops = functional.max_pool2d(tops, 2 * REACH + 1, 1, REACH)
    tops = _spread(tops, low)
    return torch.maximum(torch.minimum(maps, tops[:, :1]), -tops[:, 1:])


def _grid(maps: Tensor, cell: int) -> tuple[int, int]:
    height, width = maps.shape[-2:]
    return -(-height // cell), -(-width // cell)


def _box(cells: Tensor, reach: int = REACH) -> Tensor:
    """Means over windows, cut off at the border; the window is small, whatever the maps' size."""
    for window, pad in (((1, 2 * reach + 1), (0, reach)), ((2 * reach + 1, 1), (reach, 0))):
        cells = functional.avg_pool2d(cells, window, 1, pad, count_include_pad=False)
    return cells


def _spread(cells: Tensor, maps: Tensor) -> Tensor:
    return functional.interpolate(cells, size=maps.shape[-2:], mode="bilinear", align_corners=False)
