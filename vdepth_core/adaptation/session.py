"""One run of `adapt`, as a recipe sees it: what there is to learn from, and what is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch import nn

from ..errors import ResourceError
from ..learning.checkpoint import Counters, Standing
from ..learning.config import LoopConfig
from ..learning.loop import learn, parameter_groups
from ..learning.samples import Samples
from .footage import find_motion
from .supervision import Supervision, supervise

if TYPE_CHECKING:
    from ..clip import Clip
    from ..geometry.camera import Intrinsics
    from ..geometry.camera_path import CameraPath
    from ..learning.student import Student
    from ..progress import Progress
    from ..protocols import DepthModel, Recipe
    from ..types import Shot
    from .cameras import Cameras
    from .footage import Footage


class _Closing(Protocol):
    def close(self) -> None: ...


M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound=_Closing)
STAGE = "adapt"
STUDENT = "student"  # its name among the modules in training


@dataclass
class Session:
    """What a recipe builds its objective from.

    Everything costly is prepared when a recipe asks for it, once: it lies in the work folder, and a stopped
    preparation goes on where it was. A recipe draws random weights with torch's own generator, which is
    seeded when it builds.

    Attributes:
        clip, shots: What is read of which clip; shots of two frames and more.
        footage: Its frames at the student's size; motion and targets once they are prepared.
        student: The network that is adapted.
        teacher: Whose depth to keep, for recipes that are taught; ``teacher_size``, (height, width) of its
            input.
        folder: For files of this run, until it is over.
        seed: Decides everything random.
        progress: Told about every preparation; may cancel.
        right: The right eye's clip, for recipes that learn from two.
        lens: The plate's camera where the user knows it; None: its focal length is learnt.
        path: The camera's path where the user knows it.
        cameras: What a recipe by view synthesis found of them, for whoever writes them.
        told: What a recipe has to say in the report, by name, once the kept weights are in its modules.
        meaning: Says what disparity is in a unit, for the weights; None: nothing is known.
        modules, rates: What is trained beside the student, by name, and its learning rates; see `bring`.
    """

    clip: Clip
    shots: Sequence[Shot]
    footage: Footage
    student: Student
    teacher: DepthModel | None
    teacher_size: tuple[int, int]
    folder: Path
    seed: int
    progress: Progress
    lens: Intrinsics | None = None
    path: CameraPath | None = None
    right: Clip | None = None
    cameras: Cameras | None = None
    told: dict[str, Callable[[], str]] = field(default_factory=dict)
    meaning: Callable[[], dict[str, str]] | None = None
    modules: dict[str, nn.Module] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    _kept: ExitStack = field(default_factory=ExitStack)

    @property
    def numbers(self) -> list[int]:
        """The footage's frames in the clip's own numbering."""
        first = self.clip.info.first_number or 0
        return [first + index for shot in self.shots for index in range(shot.start, shot.stop)]

    @property
    def device(self) -> str:
        """Where everything is trained, as torch spells it."""
        return self.student.device

    def bring(self, name: str, module: M, rate: float | None = None) -> M:
        """Has ``module`` trained, averaged, saved and restored with the student; returns it on the device.

        Args:
            name: What its tensors are called in the checkpoint.
            module: On any device.
            rate: Its peak learning rate; None: the student's.

        Raises:
            ValueError: there is one of that name.
        """
        if name == STUDENT or name in self.modules:
            raise ValueError(f"there is a module {name} already")
        self.modules[name] = module.to(self.device)
        if rate is not None:
            self.rates[name] = rate
        return module

    def keep(self, files: C) -> C:
        """Has files closed with the session; returns them.

        Args:
            files: With a ``close``.
        """
        self._kept.callback(files.close)
        return files

    def close(self) -> None:
        """Closes the files that recipes opened."""
        self._kept.close()

    def trained(self) -> nn.ModuleDict:
        """All modules in training."""
        return nn.ModuleDict({STUDENT: self.student.network, **self.modules})

    def follow_motion(self) -> None:
        """Fills the footage's flow and visibility; stage ``flow``.

        Raises:
            Cancelled: the user asked to stop.
        """
        find_motion(self.footage, self.progress)

    def supervise(self) -> Supervision:
        """Fills the footage's targets with the teacher's steady depth; stages ``infer`` and ``settle``.

        Raises:
            InputError: a frame cannot be read, or the teacher's depth is the same everywhere.
            Cancelled: the user asked to stop.
            ValueError: the recipe is not `taught`, so that there is no teacher.
        """
        if self.teacher is None:
            raise ValueError("there is no teacher: the recipe is not taught")
        supervision = supervise(
            self.clip, self.shots, self.teacher, self.student, self.footage, self.folder, self.teacher_size,
            self.progress,
        )  # fmt: skip
        if not supervision.agreement:
            self.progress.warn(
                f"{self.teacher.spec.name} and {self.student.spec.name} hardly agree about this clip; "
                "the model may change a lot."
            )
        return supervision


def train(
    session: Session, recipe: Recipe, config: LoopConfig, counters: Counters, state: Path, resume: bool
) -> Standing:
    """Prepares what the recipe wants, and trains it.

    Args:
        session: What is adapted, and to which footage.
        recipe: What is learnt.
        config: How long, and how fast.
        counters: Where the run stands.
        state: The checkpoint.
        resume: Go on from it.

    Raises:
        ResourceError: out of the device's memory, or the disk is full.
        Cancelled: somebody asked to stop.
    """
    student = session.student
    try:
        gpus = [session.device] if session.device.startswith("cuda") else []
        with torch.random.fork_rng(gpus):  # the caller's own random numbers stay as they are
            torch.manual_seed(config.seed)
            objective = recipe.build(session)
            trained = session.trained()
            groups = [
                group
                for name, module in trained.items()
                for group in parameter_groups(
                    module.parameters(), session.rates.get(name, config.rate), config.decay
                )
            ]
            optimiser = torch.optim.AdamW(groups)
            if resume:
                standing = Standing.restored(state, trained, optimiser, counters, config.share)
            else:
                standing = Standing.fresh(trained, optimiser, counters, config.share)
            lesson = Samples(STAGE, objective, student.predict, config)
            learn(lesson, standing, config, state, session.progress)
    except torch.cuda.OutOfMemoryError as error:
        raise ResourceError(
            f"Adapting {student.spec.name} does not fit the GPU's memory.",
            "Use a smaller --size, or --device cpu.",
        ) from error
    return standing
