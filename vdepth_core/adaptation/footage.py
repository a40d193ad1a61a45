"""What a recipe learns from: frames, flow, visibility and supervision of a clip, once computed, then on disk.

Everything lies at the size the student will see, in files with a checksum a frame (`store.FrameArray`), so
memory does not depend on the clip's length and a stopped preparation goes on where it was. Pairs of
neighbours never straddle a cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..clip import ShotView
from ..flow.dis import DisFlow
from ..models.sizing import frames_to_tensor
from ..store import FrameArray

if TYPE_CHECKING:
    from torch import Tensor

    from ..clip import Clip
    from ..progress import Progress
    from ..types import Shot

STAGE = "flow"
PERIOD = 24  # pairs; of so many neighbouring ones…
HELD_OUT = 3  # …these are for validation, and the ones beside them, which share a frame, for nothing
_FLOW_STEPS = 32  # a stored flow of 1 is 1/32 pixel: finer than the flow's own noise


class Footage:
    """Frames, flow to the next frame, and supervision, of ``count`` frames in a row.

    Attributes:
        count, height, width: Number and size of the frames.
        shots: Half-open ranges of frames between two cuts.
        frames: (h, w, 3) uint8, as the network sees them.
        flow: (h, w, 2) int16, 1/32 pixels, from frame i to i + 1; `pair` gives pixels.
        seen: (h, w) uint8, 255: surely visible in the next frame.
        target: (h, w) float32, the supervision.
    """

    def __init__(self, folder: Path, shots: Sequence[Shot], height: int, width: int) -> None:
        """Opens or creates the files in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.count, self.height, self.width = sum(len(shot) for shot in shots), height, width
        ends = np.cumsum([0, *(len(shot) for shot in shots)]).tolist()
        self.shots = [range(first, last) for first, last in pairwise(ends)]
        shape = (height, width)
        self.frames = FrameArray(folder / "frames.u8", self.count, (*shape, 3), "u1")
        self.flow = FrameArray(folder / "flow.i16", self.count, (*shape, 2), "<i2")
        self.seen = FrameArray(folder / "seen.u8", self.count, shape, "u1")
        self.target = FrameArray(folder / "target.f32", self.count, shape, "<f4")

    def __enter__(self) -> Footage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files."""
        for array in (self.frames, self.flow, self.seen, self.target):
            array.close()

    def pictures(self, indices: Sequence[int]) -> Tensor:
        """Frames (n, 3, h, w) float32 in [0, 1].

        Args:
            indices: Frame numbers within the adapted range.
        """
        stack = np.concatenate([self.frames.read(index) for index in indices])
        return torch.from_numpy(stack).permute(0, 3, 1, 2).float().div_(255)

    def targets(self, indices: Sequence[int]) -> Tensor:
        """Supervision (n, h, w) float32.

        Args:
            indices: Frame numbers within the adapted range.
        """
        return torch.from_numpy(np.concatenate([self.target.read(index) for index in indices]))

    def motion(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Flow (n, h, w, 2) in pixels from frame i to i + 1, and how surely it is seen there, (n, h, w).

        Args:
            indices: Frame numbers within the adapted range, none of them the last of its shot.
        """
        flow = np.concatenate([self.flow.read(index) for index in indices])
        seen = np.concatenate([self.seen.read(index) for index in indices])
        return torch.from_numpy(flow).float().div_(_FLOW_STEPS), torch.from_numpy(seen).float().div_(255)


@dataclass(frozen=True)
class Split:
    """First frames of the pairs to learn from, and of those held out."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


def split_pairs(shots: Iterable[range]) -> Split:
    """Holds out runs of neighbouring pairs, spread over the clip; no frame is in both parts.

    Of a clip too short for that, the last pairs are held out, one of it at least; of a single pair both parts
    are that pair.

    Args:
        shots: Frame numbers of each shot; a pair is named by its first frame.
    """
    training: list[int] = []
    validation: list[int] = []
    every = [pair for shot in shots for pair in shot[:-1]]
    for shot in shots:
        for place, pair in enumerate(shot[:-1]):
            phase = place % PERIOD
            if len(shot) <= PERIOD or phase < PERIOD - HELD_OUT - 2:
                training.append(pair)
            elif PERIOD - HELD_OUT - 1 <= phase < PERIOD - 1:
                validation.append(pair)
    if not validation:
        held = max(1, min(HELD_OUT, len(every) // 4))
        validation = every[-held:]
        training = [pair for pair in every if pair < validation[0] - 1] or every
    return Split(tuple(training), tuple(validation))


def read_frames(
    clip: Clip, footage: Footage, shots: Sequence[Shot], progress: Progress, into: FrameArray | None = None
) -> None:
    """Writes ``footage.frames``, resampled as for inference; frames already there are skipped.

    Args:
        clip: The user's.
        footage: What is filled.
        shots: The adapted part of each shot, in the clip's numbering.
        progress: May cancel.
        into: Where to write instead: another eye's frames.

    Raises:
        InputError: a frame cannot be read.
        Cancelled: the user asked to stop.
    """
    size, array = (footage.height, footage.width), footage.frames if into is None else into
    for shot, span in zip(shots, footage.shots, strict=True):
        done = next((k for k, index in enumerate(span) if not array.done(index)), len(span))
        with closing(ShotView(clip, shot).frames(done)) as frames:
            for index, frame in zip(span[done:], frames, strict=True):
                progress.check()
                pixels = frames_to_tensor([frame.rgb], size).mul_(255).round_().byte()
                array.write(index, pixels.permute(0, 2, 3, 1).numpy())


def find_motion(footage: Footage, progress: Progress) -> None:
    """Writes flow and visibility from each frame to the next of its shot (DIS "medium", frozen).

    Args:
        footage: Its frames are read, its flow is filled; pairs already there are skipped.
        progress: Told of each frame but a shot's last; may cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    estimator = DisFlow("medium")
    progress.stage(STAGE, sum(len(span) - 1 for span in footage.shots))
    for span in footage.shots:
        for index in span[:-1]:
            with progress.step(STAGE):
                if footage.flow.done(index) and footage.seen.done(index):
                    continue
                forward, seen = estimator.motion(*footage.frames.read(index, index + 2))
                steps = np.clip(np.rint(forward * _FLOW_STEPS), -(2**15), 2**15 - 1)
                footage.flow.write(index, steps.astype(np.int16)[None])
                footage.seen.write(index, np.rint(seen * 255).astype(np.uint8)[None])
