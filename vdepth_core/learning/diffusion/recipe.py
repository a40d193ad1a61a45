"""What a recipe of fine-tuning says; the loop, the data and the files are the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel

from ...types import Quantity
from .targets import Snippet, Target, target_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...models.diffusion.parts import Parts
    from ...protocols import DepthModel


CONFIG = "config.json"  # of a UNet


@dataclass(frozen=True)
class Net:
    """A model in training: its networks, and the same ones as the model that estimates with them.

    Attributes:
        parts: The UNet, the image coder, the schedule, and what the UNet is conditioned on; on ``device``.
        model: Runs on the very same networks.
        device: As torch spells it.
        config: The UNet's configuration file.
    """

    parts: Parts
    model: DepthModel
    device: str
    config: Path

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures to latents: the posterior's mean, scaled; the image coder is frozen.

        Args:
            pictures: (T, 3, H, W) in [-1, 1].

        Returns:
            (T, 4, H / 8, W / 8) float32.
        """
        import torch

        with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
            mean = self.parts.vae.encode(pictures.float()).latent_dist.mean
            latents: Tensor = mean * self.parts.vae.config.scaling_factor
        return latents

    def prepared(self, snippets: Sequence[Snippet], quantity: Quantity) -> tuple[Tensor, Tensor, Tensor]:
        """Latents of the pictures, of the targets, and which are known.

        Args:
            snippets: B of T frames each.
            quantity: Of the targets.

        Returns:
            (B, T, 4, h, w), the same, and (B, T, 1, h, w).
        """
        import torch

        from ...models.diffusion.parts import SCALE
        from .targets import known_latents

        targets: list[Target] = [target_of(snippet.disparity, quantity) for snippet in snippets]
        rgb = torch.from_numpy(np.concatenate([snippet.rgb for snippet in snippets])).to(self.device)
        maps = torch.from_numpy(np.concatenate([target.maps for target in targets])).to(self.device)
        known = torch.from_numpy(np.concatenate([target.known for target in targets])).to(self.device)
        shape = (len(snippets), len(snippets[0].rgb))
        pictures = self.encode(rgb * 2 - 1).unflatten(0, shape)
        depth = self.encode(maps[:, None].expand(-1, 3, -1, -1)).unflatten(0, shape)
        return pictures, depth, known_latents(known, SCALE).unflatten(0, shape)


@dataclass(frozen=True)
class Stage:
    """One part of a recipe's course.

    Attributes:
        name: One word.
        steps: How many.
        longest: Most frames of a snippet.
        trains: Whether a parameter of the UNet is trained, by its name.
    """

    name: str
    steps: int
    longest: int
    trains: Callable[[str], bool]


class DiffusionRecipe(ABC):
    """How one published model is trained further.

    Attributes:
        Options: Its own options.
        rate, batch: Learning rate and snippets a step, as published.
        size: (height, width) of the pictures, where nothing else is said.
        multiple: Sides of the pictures are multiples of it, in pixels.
        unet: Where the UNet lies in a folder of the model.
        halves: Whether the UNet is published in half precision.
        steady: Whether frames must follow each other in time.
    """

    Options: ClassVar[type[BaseModel]]
    rate: float = 3e-5
    batch: int = 32
    size: tuple[int, int] = (480, 640)
    multiple: int = 8
    unet: str = "unet"
    halves: bool = False
    steady: bool = False

    @abstractmethod
    def stages(self, steps: int | None) -> tuple[Stage, ...]:
        """The parts of the course, in order.

        Args:
            steps: Of each; None: as published.
        """

    @abstractmethod
    def load(self, folder: Path, device: str, dtype: torch.dtype) -> Net:
        """Reads a model to start from.

        Args:
            folder: Of the model.
            device: Where it is trained, as torch spells it.
            dtype: Of the weights.

        Raises:
            WeightsError: it is another model, or damaged.
        """

    @abstractmethod
    def empty(self, config: Path) -> Any:
        """The UNet without its weights, on the device torch makes things on.

        Args:
            config: Its configuration file.

        Raises:
            WeightsError: the file is damaged.
        """

    @abstractmethod
    def answer(self, unet: Any, sample: Tensor, times: Tensor, prompt: Tensor) -> Tensor:
        """Runs the UNet.

        Args:
            unet: In training.
            sample: (B, T, 8, h, w), latents of the pictures and noisy ones of the depth.
            times: (B, T).
            prompt: (1, tokens, d) what it is conditioned on.

        Returns:
            (B, T, 4, h, w).
        """

    @abstractmethod
    def quantity(self, net: Net) -> Quantity:
        """What the model is taught to say.

        Args:
            net: Loaded.
        """

    @abstractmethod
    def length(self, stage: Stage, rng: np.random.Generator) -> int:
        """How many frames the snippets of a pass have.

        Args:
            stage: The part of the course.
            rng: Decides.
        """

    def dilation(self, most: int, rng: np.random.Generator) -> int:
        """How far apart a snippet's frames are.

        Args:
            most: What the clip allows.
            rng: Decides.
        """
        return 1

    @abstractmethod
    def loss(self, net: Net, stage: Stage, snippets: Sequence[Snippet], rng: np.random.Generator) -> Tensor:
        """The loss of a pass, with gradients into the UNet only.

        Args:
            net: In training.
            stage: The part of the course.
            snippets: All of one length.
            rng: Decides the noise.
        """

    def finish(self, folder: Path) -> None:  # noqa: B027 (most keep the files they started from)
        """Changes what lies beside the UNet in the folder of the result.

        Args:
            folder: A copy of the one the training started from.
        """
