"""What a system is: one published recipe as a composition of losses, switches and a course of training.

A system says what is minimised when cameras have seen a scene, whoever made the disparities and the poses:
networks in training from folders, a student and a solved path in adaptation. Nothing heavy loads with
this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel
    from torch import Tensor, nn


@dataclass(frozen=True)
class Views:
    """A batch: what cameras saw, and what is believed of the scene and of them.

    Attributes:
        target: (B, 3, H, W) in [0, 1].
        sources: S times (B, 3, H, W).
        K: (3, 3) or (B, 3, 3), for pixel indices at H x W.
        poses: S times (B, 4, 4), from target to source, in the unit of the depth.
        disparities: (B, 1, h, w) each, finest first; one scale is enough.
        inverse_depth: From those to inverse depth, which is positive.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts in every comparison of pictures: 0 where
            something moves by itself. None: all the same.
        generator: Of the noise that breaks ties of an auto-mask; None: no noise.
        masks: (B, S, h, w) in (0, 1) a scale, what a network says that a still world explains; SfMLearner.
        measured: S times (B, 3), true translations, of which the lengths count; PackNet.
        scaled: Whether translations are to be multiplied by each picture's mean inverse depth: Monodepth2's
            plain pose CNN.
        stereo: Whether one of the sources is a stereo partner; FeatDepth trains differently then.
    """

    target: Tensor
    sources: Sequence[Tensor]
    K: Tensor
    poses: Sequence[Tensor]
    disparities: Sequence[Tensor]
    inverse_depth: Callable[[Tensor], Tensor]
    confidence: Tensor | None = None
    generator: torch.Generator | None = None
    masks: Sequence[Tensor] | None = None
    measured: Sequence[Tensor] | None = None
    scaled: bool = False
    stereo: bool = False


@dataclass(frozen=True)
class Motion:
    """What a pose network says of a batch.

    Attributes:
        poses: S times (B, 4, 4), from target to source.
        masks: See `Views`.
        scaled: See `Views`.
    """

    poses: list[Tensor]
    masks: list[Tensor] | None = None
    scaled: bool = False


@dataclass(frozen=True)
class Course:
    """How the authors train: the published optimiser is Adam (.9, .999) without weight decay.

    Attributes:
        rate: Learning rate.
        epochs: How many.
        epoch: Steps of one; None: those of a pass over the training set.
        drops: Epochs, also parts of one, after which the rate is multiplied by ``factor``, each time.
        factor: Of a drop.
        batch: Targets a step.
        size: (height, width) of the pictures.
        offsets: Of the sources in time, in frames.
        warm_up: Steps over which the rate rises from a third, linearly.
        clip: Largest norm of the gradient; None: whatever it is.
        mirror: Chance that a sample is mirrored.
        mirrors: What is: the whole ``sample``, or only what the ``depth`` network sees, whose answer is
            mirrored back.
        jitter: Most change of brightness, contrast, saturation and hue.
        jittered: Chance that a sample's colours are changed, for the networks only.
        zoom: Most enlargement a side, of which the size is then cut out at random.
        sided: Whether the depth network knows left pictures only: it sees right ones of a stereo pair in the
            mirror, and its answer is mirrored back.
        nominal: Whether KITTI's cameras are one nominal camera.
    """

    rate: float = 1e-4
    epochs: int = 20
    epoch: int | None = None
    drops: tuple[float, ...] = (15,)
    factor: float = 0.1
    batch: int = 12
    size: tuple[int, int] = (192, 640)
    offsets: tuple[int, ...] = (-1, 1)
    warm_up: int = 0
    clip: float | None = None
    mirror: float = 0.5
    mirrors: Literal["sample", "depth"] = "sample"
    jitter: tuple[float, float, float, float] = (0.2, 0.2, 0.2, 0.1)
    jittered: float = 0.5
    zoom: float = 1.0
    sided: bool = False
    nominal: bool = True


class System(ABC):
    """One published system, made of its options.

    Attributes:
        name: What it is registered as.
        course: How it is trained.
        network: The depth network it was published with; any other serves.
        pose_kinds: Pose networks that go with it, the published one first.
        stereo: Whether it learns from stereo partners only.
        Options: What it is made of: fields with help and limits, frozen.
    """

    name: ClassVar[str]
    course: ClassVar[Course] = Course()
    network: ClassVar[str]
    pose_kinds: ClassVar[tuple[str, ...]]
    stereo: ClassVar[bool] = False
    Options: ClassVar[type[BaseModel]]

    def modules(self) -> dict[str, nn.Module]:
        """What is trained beside depth and poses, new, with random weights, by name."""
        return {}

    @abstractmethod
    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """The weighted terms of the loss by name; their sum is minimised.

        Args:
            views: The batch.
            modules: Those of `modules`, in training.
        """

    @abstractmethod
    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """A new pose network with random weights.

        Args:
            kind: One of ``pose_kinds``.
            sources: How many pictures beside the target there are in time.
        """

    @abstractmethod
    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """What a pose network of `pose_network` says, read as the authors do.

        Args:
            network: In training or not.
            target: (B, 3, H, W) in [0, 1], as the networks see it.
            sources: S times (B, 3, H, W).
            offsets: Of the sources in time; negative ones are earlier than the target.
        """
