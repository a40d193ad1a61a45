"""The Protocols: the seams (model, method, refiner, exporter, recipe), and what rooms ask of each other.

Values that they speak of, and their conventions, are in `types`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from pydantic import BaseModel
    from torch import Tensor

    from .choices import ClipSampler, Dtype
    from .progress import Progress
    from .store import DepthStore, FrameArray
    from .types import ClipInfo, Frame, ModelSpec, RefinerWeights, Shot, ShotAlignment


class ShotFrames(Protocol):
    """The frames of one shot, as a method sees them: decoded on demand, never all in memory."""

    shot: Shot
    info: ClipInfo

    def __len__(self) -> int:
        """Number of frames in the shot."""

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Yields frames [start, stop) of the shot, 0-based within it, in order; decoded ahead in a thread.

        Args:
            start, stop: Frames of the shot; stop None: to its end.
        """


class Light(Protocol):
    """From a picture's numbers to light."""

    @property
    def perceptual(self) -> bool:
        """Whether equal steps of the numbers look equal, so that pictures compare as they are."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Linear Rec. 709 light (H, W, 3) of full-range RGB codes, or of floats in [0, 1]."""


@runtime_checkable
class DepthModel(Protocol):
    """A network with its weights and preprocessing.

    ``predict`` takes frames (T, 3, H, W) in [0, 1] sRGB whose sides are multiples of ``spec.multiple``, on
    any device, and returns (T, H, W) float32 on the model's device, in ``spec.quantity``.
    """

    spec: ModelSpec

    def predict(self, frames: Tensor) -> Tensor:
        """Predicts ``spec.quantity`` for frames (T, 3, H, W) -> (T, H, W).

        Args:
            frames: sRGB in [0, 1], on any device; sides are multiples of ``spec.multiple``.
        """


@runtime_checkable
class PreparingModel(DepthModel, Protocol):
    """A model with a resampling of its own; the others get `models.sizing.resample`."""

    def prepare(self, rgb: Tensor, size: tuple[int, int]) -> Tensor:
        """Decoded pictures (T, H, W, 3) or (T, 3, H, W) uint8 -> what `predict` takes, (T, 3, *size).

        In [0, 1] sRGB on the model's device: bytes travel there, and are scaled there.

        Args:
            rgb, size: sRGB, on any device; (height, width) of the network's input.
        """


@runtime_checkable
class CameraModel(DepthModel, Protocol):
    """A model that also sees the lens. Its spec is ``canonical``: one focal length a shot makes it metric."""

    def predict_with_fov(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (T, 3, H, W) -> canonical disparity (T, H, W) and horizontal field of view (T,), degrees.

        `predict` of such a model returns the same canonical disparity; see `DepthModel.predict`.
        """


@runtime_checkable
class SnippetModel(Protocol):
    """A latent video model that sees ``spec.window`` frames at once, in any distance from each other.

    Latents are H/8 x W/8 of pictures H x W that were padded to multiples of 8 below and to the right;
    ``noise`` also tells the dtype and the device that they are handed over in. With ``low_memory`` on, a
    batch is worked off one picture at a time.
    """

    spec: ModelSpec
    device: str
    low_memory: bool

    def encode(self, frames: Tensor) -> Tensor:
        """Pictures (T, 3, H, W) in [0, 1] -> latents (T, 4, H/8, W/8); see `DepthModel.predict`."""

    def noise(self, height: int, width: int, seed: int) -> Tensor:
        """The noise (1, 4, H/8, W/8) that all frames and snippets of a shot share.

        Args:
            height, width: Of the network's input, in pixels.
            seed: Of the job.
        """

    def predict_snippets(self, latents: Tensor, noise: Tensor, steps: int = 1) -> Tensor:
        """Latents (B, n, 4, H/8, W/8) -> raw inverse depth (B, n, H, W), one scale and shift each.

        Args:
            latents: Of B snippets of n frames.
            noise, steps: What `noise` gave; how many of denoising.
        """

    def start_refinement(self, disparity: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Disparity (T, H, W) in [-1, 1] -> noisy depth latents (T, 4, H/8, W/8).

        Args:
            disparity, noise: The merged maps; what `noise` gave.
            steps: Of refinement that are to come; they decide how much noise.
        """

    def refine_snippets(self, latents: Tensor, depth_latents: Tensor, step: int, steps: int) -> Tensor:
        """Depth latents (B, n, 4, H/8, W/8) after one step of refinement.

        Args:
            latents: Of the pictures, (B, n, 4, H/8, W/8).
            depth_latents: Before the step.
            step, steps: From 0; of refinement in all.
        """

    def decode(self, depth_latents: Tensor) -> Tensor:
        """Depth latents (T, 4, H/8, W/8) -> inverse depth (T, H, W).

        Args:
            depth_latents: After the last step.
        """


@runtime_checkable
class ClipDiffusionModel(Protocol):
    """A latent video model that denoises up to ``spec.window`` frames in a row, from frames it is done with.

    Latents are those of pictures H x W that were padded below and to the right; `latent_size` says how large
    they are. They are handed over as float32, on any device.
    """

    spec: ModelSpec
    device: str

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) of the latents of pictures.

        Args:
            height, width: Of the network's input, in pixels.
        """

    def encode(self, frames: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pictures (T, 3, H, W) in [0, 1] -> latents (T, 4, h, w).

        Args:
            frames: sRGB.
            noise: (T, 4, h, w): the encoder's answer is sampled with it; None: it is its mean.
        """

    def denoise(
        self,
        latents: Tensor,
        context: Tensor,
        noise: Tensor,
        *,
        steps: int,
        sampler: ClipSampler,
        again: Tensor | None = None,
    ) -> Tensor:
        """Depth latents (N, 4, h, w) of the last N frames of a window, of unit deviation.

        Args:
            latents: Of the window's pictures, (C + N, 4, h, w).
            context: Depth latents of its first C frames, done before, (C, 4, h, w).
            noise: (N, 4, h, w) standard normal, what the others begin as.
            steps, sampler: How many, and the formula of each.
            again: (steps, C, 4, h, w) standard normal: the context is noised with it for every step; None: it
                is seen as it is.
        """

    def decode(self, depth_latents: Tensor) -> Tensor:
        """Depth latents (T, 4, h, w) of frames in a row -> ``spec.quantity`` (T, ≥ H, ≥ W).

        Args:
            depth_latents: As `denoise` gives them.
        """


@runtime_checkable
class WindowModel(DepthModel, Protocol):
    """A network that sees the frames of a window together, ``spec.window`` of them at most, in two halves.

    The first half is frame by frame, so that what windows share is computed once. `predict` takes every
    frame as a window of its own.
    """

    def encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Frames (N, 3, H, W) as prepared -> what `decode` needs of each, (N, ...) each, where the model is.

        Args:
            frames: Of any window, or several; sides are multiples of ``spec.multiple``.
        """

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        """Features of T frames of one window in their order -> (T, H, W) float32 in ``spec.quantity``.

        Args:
            features: What `encode` gave of them, (T, ...) each; T is at most ``spec.window``.
        """


@runtime_checkable
class StreamModel(DepthModel, Protocol):
    """A network that can also take a clip's frames one by one, each with what it kept of those before."""

    def stream(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yields (1, H, W) float32 in ``spec.quantity`` for each frame, before it asks for the next.

        Args:
            frames: (1, 3, H, W) as prepared, of one clip and size.
        """


@runtime_checkable
class Method(Protocol):
    """How a model meets a shot, in phases so that the accelerator never waits for CPU work.

    `run` needs the model and leaves what it predicts in the store (``store.raw``, or files of its own in the
    store's folder); `settle` needs only the store (co-alignment, merging, filtering) and fills
    ``store.final`` while the next shot's `run` is already under way. All skip what the store says is done
    and are deterministic, so a killed job goes on to the same bytes. One that needs the model again after
    `settle` is a `RefiningMethod`.

    Attributes:
        name: What it is registered as.
        models: Registry names of the models it is for, best first; empty: those of the job's preset.
    """

    name: str
    models: tuple[str, ...]

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802  (the others have a class there)
        """What it is made of: fields with help and limits, frozen. Of the class."""

    @property
    def options(self) -> BaseModel:
        """Its own, resolved: nothing is left to a preset of its own any more."""

    def dtype(self, device: str) -> Dtype | None:
        """The precision it asks for on ``device`` where the user leaves it open; None: any.

        Args:
            device: As torch spells it.
        """

    def input_size(self, info: ClipInfo, spec: ModelSpec, size: int | None) -> tuple[int, int]:
        """(height, width) of the network's input for a clip.

        Args:
            info: The clip.
            spec: The model.
            size: Its shorter side, where the user says.
        """

    def disk_space(self, spec: ModelSpec, frames: int, height: int, width: int) -> int:
        """Bytes a shot needs on the disk, beside its store, until it is settled.

        Args:
            spec: The model.
            frames: Of the shot.
            height, width: Of the network's input.
        """

    def check(self, model: DepthModel) -> None:
        """Refuses a model it does not run, before anything is written.

        Args:
            model: Loaded.

        Raises:
            UsageError: it is one.
        """

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts every frame of the shot into ``store.raw``.

        Args:
            shot: Its frames, decoded on demand.
            model: On the accelerator, which is this shot's until it returns.
            store: Knows what is done.
            progress: Told of each frame, stage ``infer``; may raise Cancelled.

        Raises:
            WeightsError: what the model gives is no depth.
        """

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Turns the shot's raw predictions into final ones in ``store.final``; returns what it did.

        Args:
            shot: Which one.
            spec: The model it was predicted by.
            store: What was predicted, and room for the result.
            progress: Told of each frame, stage ``settle``; may raise Cancelled.
        """


@runtime_checkable
class RefiningMethod(Method, Protocol):
    """A method that may need the model again once a shot is settled, and completes ``store.final`` then."""

    refines: bool

    def refine(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Fills ``store.final``, if ``refines``, from what `settle` left in the store's folder.

        Args:
            shot: Its frames, decoded on demand.
            model: On the accelerator, as in `run`.
            store: What was settled.
            progress: May cancel.
        """


class Refiner(Protocol):
    """What improves a settled shot, in maps of a size of its own.

    Attributes:
        name: What it is registered as.
        needs_model: Whether `refine` gets the model that predicted the shot.
    """

    name: str
    needs_model: bool

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802  (the others have a class there)
        """What it is made of: fields with help and limits, frozen. Of the class."""

    def size(self, info: ClipInfo, spec: ModelSpec, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of its maps.

        Args:
            info: The clip.
            spec: The model.
            size: Of the network's input, (height, width).

        Raises:
            UsageError: it is nothing for this model, or for this clip.
        """

    def refine(
        self,
        shot: ShotFrames,
        model: DepthModel | None,
        store: DepthStore,
        out: FrameArray,
        progress: Progress,
    ) -> None:
        """Fills every missing frame of ``out``, in the terms of ``store.final``.

        Args:
            shot: Its frames, decoded on demand.
            model: The one that predicted the shot, if ``needs_model``.
            store: The settled shot.
            out: (count, h, w), of the size that `size` gave.
            progress: Told of each frame; may raise Cancelled.
        """


@runtime_checkable
class WeightedRefiner(Refiner, Protocol):
    """A refiner that may have weights of its own."""

    def weights(self) -> RefinerWeights | None:
        """What they are, found without loading them; None: it has none.

        Raises:
            WeightsError: it wants some, and they are not there.
        """


class Merge(Protocol):
    """What makes one map of two of the same view: one right in the large, one sharp.

    Attributes:
        name: What it is registered as.
    """

    name: str

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """Gives ``low`` the edges and details of ``high``.

        No map sees another of its batch.

        Args:
            low: (N, 1, H, W) float32 inverse depth: right in the large, and soft.
            high: (N, 1, H, W) float32 inverse depth: sharp, in any scale and shift.

        Returns:
            (N, 1, H, W) float32 in the terms of ``low``.
        """


class Exporter(Protocol):
    """One finished sequence to one foreign format.

    Attributes:
        name: What it is registered as.
    """

    name: str

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802  (the others have a class there)
        """What it is made of: fields with help and limits, frozen. Of the class."""

    def export(self, sequence: Any, out: Path, progress: Progress) -> list[Path]:
        """Writes a sequence and returns the files written.

        Args:
            sequence: What `read_sequence` gave.
            out: Folder to write below.
            progress: Told of each frame, stage ``export``; may cancel.

        Raises:
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """


class Objective(Protocol):
    """What a recipe minimises: a loss over samples of a clip, which it numbers as it likes.

    Attributes:
        training, validation: Numbers of the samples to learn from and of those held out.
    """

    training: Sequence[int]
    validation: Sequence[int]

    def terms(
        self, predict: Callable[[Tensor], Tensor], samples: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        """Named, weighted terms of the loss, whose sum is minimised.

        Args:
            predict: The student: frames (N, 3, H, W) in [0, 1] on its device -> disparity (N, H, W).
            samples: Numbers of those to look at.
            rng: Decides the augmentation; None: there is none.
        """


class Recipe(Protocol):
    """One way to adapt a model to a clip.

    Attributes:
        name: What it is registered as.
        taught: Whether it learns from a teacher's depth; if not, no teacher is loaded.

    It may say ``stereo``, that it learns from two eyes; ``rate`` and ``share`` of `LoopConfig`; ``knows``,
    which of ``camera``, ``camera_out``, ``fov`` and ``intrinsics`` it uses; ``needs_lens``, one of the last.
    """

    name: str
    taught: bool

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802  (the others have a class there)
        """What it is made of: fields with help and limits, frozen. Of the class."""

    def build(self, session: Any) -> Objective:
        """Prepares what it learns from, and says what is minimised.

        Modules that it needs beside the student (poses, intrinsics) it brings into the session, where they
        are trained and saved with the student.

        Args:
            session: An `adaptation.session.Session`.
        """
