"""The recipe `leftright`: left-right consistency (Godard et al., CVPR 2017) on the two eyes of one clip.

Published, one network says the disparity of both eyes from the left picture (`networks.leftright`). Any other
student sees each picture by itself, the right one as it is: its depth is as good there. Its numbers are read
as disparity by one line for the whole clip, which is learnt too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..learning.losses.leftright import leftright_terms
from ..learning.losses.resampling import area
from ..models.metric import reading_fact
from ..networks.leftright import MAX_DISPARITY, LeftRightNet
from ..store import FrameArray
from .eyes import paired_shots
from .footage import Footage, read_frames, split_pairs
from .options import LeftRightRecipe
from .rig import Rig, find_rig

if TYPE_CHECKING:
    from .session import Session

Predict = Callable[[Tensor], Tensor]
SCALES = 4
CROSSED = 0.1  # share of the picture behind the plane of convergence from where it is not parallel eyes'
LEAST = 1e-4  # of the width: disparity below it is as far as metric depth goes
RATE = 1e-3  # ten times the network's: the reading is but two numbers


class Reading(nn.Module):
    """A student's disparity as that between the eyes, in widths: a · d + b, a > 0, within ± .3.

    Negative ones are what lies behind the plane where the eyes converge.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: float, shift: float) -> None:
        """``scale`` and ``shift``: where a and b begin."""
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("shift", torch.tensor(shift))
        self.change = nn.Parameter(torch.zeros(2))  # of log a, and of b in hundredths of a width

    def line(self) -> tuple[Tensor, Tensor]:
        """a and b, differentiable."""
        return self.scale * self.change[0].exp(), self.shift + self.change[1] / 100

    def values(self) -> tuple[float, float]:
        """a and b as they are believed."""
        a, b = self.line()
        return float(a.detach()), float(b.detach())

    def told(self) -> str:
        """a and b in words."""
        a, b = self.values()
        return f"{a:.4g} of the width times the model's number {'+' if b >= 0 else '−'} {abs(b):.4g}"

    def forward(self, disparity: Tensor) -> Tensor:
        """Disparity in widths, differentiable.

        Args:
            disparity: The student's, of any shape.
        """
        a, b = self.line()
        return (a * disparity + b).clamp(-MAX_DISPARITY, MAX_DISPARITY)


class LeftRightConsistency:
    """An `Objective` over frames of both eyes."""

    def __init__(
        self, footage: Footage, right: FrameArray, both: Callable[[Predict, Tensor, Tensor], list[Tensor]],
        options: LeftRightRecipe, device: str,
    ) -> None:  # fmt: skip
        """``both``: the student, left and right pictures -> (B, 2, h, w) a scale, finest first, in widths."""
        self._footage, self._right, self._both = footage, right, both
        self._options, self._device = options, device
        split = split_pairs(footage.shots)  # neighbours look alike: what is held out is apart from the rest
        self.training: Sequence[int] = split.training
        self.validation: Sequence[int] = split.validation

    def terms(
        self, predict: Predict, frames: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        """The published terms; see `Objective.terms`.

        Args:
            predict: Pictures (n, 3, h, w) -> disparity (n, h, w).
            frames: Numbers of frames.
            rng: For training: some are mirrored. None: as they are.
        """
        left = self._footage.pictures(frames).to(self._device)
        right = _pictures(self._right, frames).to(self._device)
        if rng is not None and rng.uniform() < 0.5:  # the mirror image of the right picture is a left one
            left, right = right.flip(-1), left.flip(-1)
        options, pairs = self._options, self._both(predict, left, right)
        return leftright_terms(pairs, left, right, options.smoothness, options.consistency)


class LeftRight:
    """Each eye made from the other by disparity that is smooth and the same in both."""

    name = "leftright"
    taught = False
    stereo = True
    Options = LeftRightRecipe

    def __init__(self, options: LeftRightRecipe) -> None:
        self._options = options
        self.needs_lens = options.baseline is not None
        self.knows = ("fov", "intrinsics") if self.needs_lens else ()

    def build(self, session: Session) -> LeftRightConsistency:
        """Reads the other eye, and finds how the two stand; see `Recipe.build`."""
        footage, right = session.footage, read_right(session)
        rig = find_rig(footage, right, session.student, session.progress)
        session.told["Rows"] = lambda: f"three quarters at most {rig.vertical:.2%} of the height off"
        network = session.student.network
        if isinstance(network, LeftRightNet):
            _warn_of_convergence(rig, session)
            both = _both_heads(network)
            line = _as_it_is
        else:
            reading = session.bring("reading", Reading(rig.scale, rig.shift), RATE)
            session.told["Disparity"] = reading.told
            both = _both_pictures(reading)
            line = reading.values
        if self._options.baseline is not None:
            _tell_metres(session, rig, self._options.baseline, line)
        return LeftRightConsistency(footage, right, both, self._options, session.device)


def read_right(session: Session) -> FrameArray:
    """The right eye's frames, as `Footage.frames` has the left one's.

    Args:
        session: Of a run with two eyes.

    Raises:
        InputError: a frame cannot be read, or has no counterpart.
        Cancelled: the user asked to stop.
        ValueError: there is one eye only.
    """
    if session.right is None:
        raise ValueError("there is no right eye")
    shots = paired_shots(session.clip, session.right, session.shots, session.progress)
    footage = session.footage
    shape = (footage.height, footage.width, 3)
    right = session.keep(FrameArray(session.folder / "right.u8", footage.count, shape, "u1"))
    read_frames(session.right, footage, shots, session.progress, into=right)
    return right


def pyramid(disparity: Tensor) -> list[Tensor]:
    """One disparity at the published scales; in widths it is the same number at each.

    Args:
        disparity: (B, 2, H, W) in widths.
    """
    height, width = disparity.shape[-2:]
    return [area(disparity, (max(1, height >> scale), max(1, width >> scale))) for scale in range(SCALES)]


def _both_pictures(reading: Reading) -> Callable[[Predict, Tensor, Tensor], list[Tensor]]:
    def both(predict: Predict, left: Tensor, right: Tensor) -> list[Tensor]:
        return pyramid(torch.stack(reading(predict(torch.cat((left, right)))).chunk(2), 1))

    return both


def _both_heads(network: LeftRightNet) -> Callable[[Predict, Tensor, Tensor], list[Tensor]]:
    def both(predict: Predict, left: Tensor, right: Tensor) -> list[Tensor]:
        return network.all_scales(left)

    return both


def _as_it_is() -> tuple[float, float]:
    return 1.0, 0.0


def _tell_metres(
    session: Session, rig: Rig, baseline: float, line: Callable[[], tuple[float, float]]
) -> None:
    """Has the weights say what disparity is in metres: parallel eyes see depth z at f B / z pixels.

    Raises:
        InputError: the eyes converge.
    """
    if rig.crossed > CROSSED:
        raise InputError(
            f"{rig.crossed:.0%} of the picture lies behind the plane where the eyes converge, so that "
            "--baseline says nothing about metres.",
            "Give pictures of parallel eyes, or leave --baseline out.",
        )
    assert session.lens is not None
    inverse = session.clip.info.width / (baseline * session.lens.fx)  # of a disparity of one width

    def meaning() -> dict[str, str]:
        a, b = line()
        return reading_fact(inverse * a, inverse * b, inverse * LEAST) | {"unit": "metres"}

    session.meaning = meaning
    session.told["Depth"] = lambda: f"in metres, of eyes {baseline:g} m apart"


def _warn_of_convergence(rig: Rig, session: Session) -> None:
    if rig.crossed > CROSSED:
        session.progress.warn(
            f"{rig.crossed:.0%} of the picture lies behind the plane where the eyes converge, which "
            f"{session.student.spec.name} cannot say; shift the pictures apart, or adapt another model."
        )


def _pictures(array: FrameArray, indices: Sequence[int]) -> Tensor:
    stack = np.concatenate([array.read(index) for index in indices])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float().div_(255)
