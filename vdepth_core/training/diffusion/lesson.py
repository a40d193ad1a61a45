"""The lesson of a recipe: its snippets, drawn by seed and step, its loss, its error on what is held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...files import write_bytes
from ...learning.checkpoint import Standing
from ...learning.diffusion.recipe import DiffusionRecipe, Net, Stage
from ...learning.diffusion.scoring import Scored, score
from ...learning.diffusion.targets import Snippet
from ...learning.loop import Lesson
from ..prefetch import Prefetch
from .footage import Footage, Split, cut, whole

if TYPE_CHECKING:
    from .settings import Settings

SAMPLES = "samples"  # folder of the sample pictures
_ROW = 160  # pixels of a sample picture's frames in height


class DepthLesson(Lesson):
    """Depth of snippets, as a recipe teaches it."""

    stage = "train"

    def __init__(
        self,
        recipe: DiffusionRecipe,
        net: Net,
        stage: Stage,
        number: int,
        data: Split,
        settings: Settings,
        accelerator: Any,
        start: int,
        out: Path,
        saved: Callable[[Standing], None],
    ) -> None:
        """Begins to read.

        Args:
            recipe, net, stage, number: What is trained, and which part of the course it is.
            data: What there is to learn from.
            settings: Of the training.
            accelerator: accelerate's: precision, and who else computes gradients of the same step.
            start: The first step.
            out: Folder of the result.
            saved: Called behind each checkpoint.

        Raises:
            InputError: no clip is long enough, or nothing can be held out.
        """
        self._recipe, self._net, self._stage, self._number = recipe, net, stage, number
        self._data, self._settings, self._accelerator = data, settings, accelerator
        self._out, self._saved = out, saved
        self._batch = settings.batch or recipe.batch
        self._clips = {
            length: [clip for clip in data.training if self._frames(clip) >= length]
            for length in range(1, stage.longest + 1)
        }
        if not self._clips[stage.longest] or not data.held_out:
            raise InputError(
                f"No clip has {stage.longest} frames {'in a row ' * recipe.steady}to learn from.",
                "Give longer clips, or shorter snippets.",
            )
        self._held: list[Snippet] = []
        self._batches = Prefetch(self._pieces, start)

    def close(self) -> None:
        """Reads no more."""
        self._batches.close()

    def terms(self, step: int) -> dict[str, Tensor]:
        """The whole step's loss at once; the loop uses `backward`, which needs less memory.

        Args:
            step: From 0.
        """
        losses = [self._loss(step, *piece) for piece in self._pieces(step)]
        return {"latent": torch.stack(losses).sum()}

    def backward(self, step: int) -> float:
        """Adds up the gradients of the step's snippets, also other processes'; see `Lesson.backward`."""
        total = 0.0
        for number, snippets in self._batches.get():
            loss = self._loss(step, number, snippets)
            self._accelerator.backward(loss)
            total += float(loss.detach())
        if self._accelerator.num_processes == 1:
            return total
        for parameter in self._net.parts.unet.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad = self._accelerator.reduce(parameter.grad, "sum")
        return float(self._accelerator.reduce(torch.tensor(total, device=self._net.device), "sum"))

    def validate(self, standing: Standing) -> dict[str, float]:
        """Mean relative error on held-out clips, one scale and shift each; writes a sample picture.

        Args:
            standing: Where the training stands.

        Raises:
            InputError: nothing that is held out can be scored.
        """
        with standing.averaged(), self._accelerator.autocast():
            found = score(self._net.model, self._held_out(), self._settings.max_depth)
        if not found:
            raise InputError(
                f"What is held out has no depth below {self._settings.max_depth:g} m.",
                "Give a larger --max-depth.",
            )
        if self._accelerator.is_main_process:
            name = f"{self._stage.name}-{standing.counters.step:06d}.png"
            (self._out / SAMPLES).mkdir(exist_ok=True)
            write_bytes(self._out / SAMPLES / name, sheet(self._held_out(), found))
        return {"abs_rel": float(np.mean([each.accuracy.abs_rel for each in found]))}

    def saved(self, standing: Standing) -> None:
        """Writes the result as it is; see `Lesson.saved`."""
        if self._accelerator.is_main_process:
            self._saved(standing)

    def _loss(self, step: int, number: int, snippets: Sequence[Snippet]) -> Tensor:
        rng = np.random.default_rng((self._settings.seed, self._number, step, number, 1))
        with self._accelerator.autocast():
            loss = self._recipe.loss(self._net, self._stage, snippets, rng)
        return loss * (len(snippets) / self._batch)

    def _pieces(self, step: int) -> list[tuple[int, list[Snippet]]]:
        """What this process sees of a step: snippets of one length together."""
        most, world = self._settings.at_once, self._accelerator.num_processes
        pieces = range(self._accelerator.process_index, -(-self._batch // most), world)
        return [
            (number, self._drawn(step, number, min(most, self._batch - number * most))) for number in pieces
        ]

    def _drawn(self, step: int, number: int, count: int) -> list[Snippet]:
        rng = np.random.default_rng((self._settings.seed, self._number, step, number, 0))
        length = self._recipe.length(self._stage, rng)
        clips, size = self._clips[length], self._settings.size
        found = []
        for _ in range(count):
            clip = clips[int(rng.integers(len(clips)))]
            frames = self._places(clip, length, rng)
            found.append(cut(clip, frames, size, rng, self._settings.degrade))
        return found

    def _places(self, clip: Footage, length: int, rng: np.random.Generator) -> list[int]:
        """Which frames of a clip make a snippet."""
        have = self._frames(clip)
        apart = self._recipe.dilation((have - 1) // (length - 1), rng) if length > 1 else 1
        first = int(rng.integers(have - apart * (length - 1)))
        if self._recipe.steady and clip.run < clip.count:
            first += clip.run * int(rng.integers(clip.count // clip.run))
        return [first + apart * k for k in range(length)]

    def _frames(self, clip: Footage) -> int:
        return clip.run if self._recipe.steady else clip.count

    def _held_out(self) -> list[Snippet]:
        """Windows from the middle of held-out clips, read once."""
        if not self._held:
            size = self._settings.size
            clips = self._data.held_out
            spread = np.linspace(0, len(clips) - 1, min(self._settings.held_out, len(clips))).round()
            for clip in (clips[int(place)] for place in spread):
                count = min(self._net.model.spec.window, self._stage.longest, self._frames(clip))
                first = (self._frames(clip) - count) // 2
                self._held.append(whole(clip, range(first, first + count), size))
        return self._held


def sheet(clips: Sequence[Snippet], found: Sequence[Scored]) -> bytes:
    """A PNG of held-out clips: the first frame's picture, its truth, and what the model says of it.

    Args:
        clips: As they were scored.
        found: Their scores.
    """
    rows = []
    for clip, each in zip(clips, found, strict=False):
        scale, shift = each.accuracy.scale, each.accuracy.shift
        truth, said = clip.disparity[0], each.disparity[0] * scale + shift
        top = max(float(np.nanmax(truth)), 1e-6)
        tiles = [clip.rgb[0].transpose(1, 2, 0)[..., ::-1] * 255]
        for values in (truth, said):
            grey = np.nan_to_num(np.clip(values / top, 0, 1)) * 255
            tiles.append(cv2.applyColorMap(grey.astype(np.uint8), cv2.COLORMAP_TURBO).astype(np.float32))
        row = cv2.hconcat([np.ascontiguousarray(tile, np.float32) for tile in tiles])
        width = round(row.shape[1] * _ROW / row.shape[0])
        rows.append(cv2.resize(row, (width, _ROW), interpolation=cv2.INTER_AREA))
    return bytes(cv2.imencode(".png", np.round(cv2.vconcat(rows)).astype(np.uint8))[1])
