"""The random numbers of `chrono`, in the order in which the published code draws them.

They come from the seed alone, so a resumed shot draws them again and throws away those of what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .options import ChronoOptions
from .plan import Window

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class WindowNoise:
    """What one window begins with.

    Attributes:
        begin: (N, 4, h, w) of its new frames; of all of them where none of the others is looked at.
        again: (steps, C, 4, h, w) for the frames before, where they are noised anew; else None.
    """

    begin: Tensor
    again: Tensor | None


def window_noises(
    windows: tuple[Window, ...], shape: tuple[int, int, int], options: ChronoOptions, picture: tuple[int, int]
) -> Iterator[WindowNoise]:
    """Draws what every window begins with, in order.

    Published, one generator first draws noise for the pictures of the whole clip, which is then multiplied by
    zero; `strict` draws it too, frame by frame, which gives the same numbers.

    Args:
        windows: Of the shot.
        shape: (4, h, w) of a frame's latent.
        options: Of the method.
        picture: (height, width) of the pictures.
    """
    import torch

    source = torch.Generator().manual_seed(options.seed)
    if options.numerics == "strict":
        unused = torch.empty(3, *picture)
        for _ in range(windows[-1].stop):
            unused.normal_(generator=source)
        del unused
    for window in windows:
        count = window.stop - window.first if options.mode == "naive" else window.new
        begin = torch.randn((count, *shape), generator=source)
        again = None
        if options.mode == "replacement" and window.context:
            drawn = [torch.randn((window.context, *shape), generator=source) for _ in range(options.steps)]
            again = torch.stack(drawn)
        yield WindowNoise(begin, again)


class PictureNoise:
    """What the pictures' latents are sampled with as published: global random numbers, from the seed."""

    def __init__(self, seed: int, shape: tuple[int, int, int]) -> None:
        import torch

        self._source: Generator = torch.Generator().manual_seed(seed)
        self._shape, self._drawn = shape, 0

    def __call__(self, start: int, stop: int) -> Tensor:
        """The noise (n, 4, h, w) of frames [start, stop), which must not come before those drawn last.

        Raises:
            ValueError: they do.
        """
        import torch

        if start < self._drawn:
            raise ValueError(f"frame {start} was drawn before")
        for _ in range(start - self._drawn):
            torch.randn(self._shape, generator=self._source)
        self._drawn = stop
        return torch.randn((stop - start, *self._shape), generator=self._source)
