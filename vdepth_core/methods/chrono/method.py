"""`chrono`: ChronoDepth's windows, each of new frames after frames that are done (Shao et al., CVPR 2025).

Three passes over a shot, each from file to file: pictures to latents, latents to depth latents window by
window, depth latents to maps. So memory does not depend on the shot's length, and a killed job goes on at the
window it was at. Windows never cross a cut: every shot begins anew.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from ...models.sizing import network_size
from ...protocols import ClipDiffusionModel
from ...store import DepthStore, FrameArray
from ...types import ShotAlignment
from ..batching import Batcher, Load
from ..depth_check import DepthCheck
from ..frames import STAGE
from ..framewise import settle_as_it_is
from ..kinds import check_kind
from ..latents import encode_shot
from ..share import Share
from ..spill import SpillFolder
from .decode import decode_shot
from .noise import PictureNoise, window_noises
from .options import ChronoOptions
from .plan import CHUNK, NEW, OVERLAP, WINDOW, Window, plan_windows

if TYPE_CHECKING:
    from ...choices import Dtype
    from ...progress import Progress
    from ...protocols import DepthModel, ShotFrames
    from ...types import ClipInfo, ModelSpec, Shot

_LONGEST = 1024  # pixels of the longer side; published, and enough for most
_STEP = 64  # pixels: what either side is a multiple of, as published
_CHANNELS = 4  # of a latent
_FOLDER = "windows"  # below the store's
_ROOM = 1.02  # checksums and file system
_UNITS = 8  # what denoising a frame is worth in the progress, in encoded or decoded frames


class Chrono:
    """Encodes, denoises window by window, decodes."""

    name = "chrono"
    Options = ChronoOptions
    models = ("chronodepth-v1",)

    def __init__(self, options: ChronoOptions | None = None) -> None:
        self.options = options or ChronoOptions()

    @property
    def strict(self) -> bool:
        """Whether the published numbers are wanted."""
        return self.options.numerics == "strict"

    def dtype(self, device: str) -> Dtype | None:
        """As published; see `Method.dtype`."""
        return "fp16" if device == "cuda" else None

    def input_size(self, info: ClipInfo, spec: ModelSpec, size: int | None) -> tuple[int, int]:
        """At most 1024 pixels a side, and no more than the clip has; see `Method.input_size`.

        Strict, both sides become multiples of 64, so the picture is stretched. Else it keeps its aspect, and
        the model pads it.
        """
        width, height = info.width, info.height
        if self.strict and size is None:
            scale = min(1.0, _LONGEST / max(width, height))
            rows, columns = (max(1, round(side * scale / _STEP)) * _STEP for side in (height, width))
            return rows, columns
        if self.strict:
            return network_size(width, height, info.pixel_aspect, replace(spec, multiple=_STEP), size)
        longer = max(round(width * info.pixel_aspect), height)
        spec = replace(spec, native_size=min(_LONGEST, longer), native_side="longer")
        return network_size(width, height, info.pixel_aspect, spec, size)

    def disk_space(self, spec: ModelSpec, frames: int, height: int, width: int) -> int:
        """What latents of pictures and depth take; see `Method.disk_space`."""
        latent = -(-height // _STEP) * -(-width // _STEP) * (_STEP // 8) ** 2 * _CHANNELS
        return int(_ROOM * frames * 2 * 4 * latent)

    def check(self, model: DepthModel) -> None:
        """Refuses a model that does not denoise a clip; see `Method.check`.

        Raises:
            UsageError: it is one.
        """
        words = "does not denoise frames after frames that are done, as the method chrono has it"
        check_kind(isinstance(model, ClipDiffusionModel), model, words, self.models[0])

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts every frame into ``store.raw``; see `Method.run`.

        Raises:
            UsageError: see `check`.
            InputError: the clip gave fewer frames than the shot has.
            ResourceError: the disk is too small, or a window does not fit the device's memory.
            WeightsError: the model gives no depth.
            Cancelled: the user asked to stop.
        """
        self.check(model)
        assert isinstance(model, ClipDiffusionModel)
        if not store.raw.missing() and not store.luma.missing():
            progress.skip(STAGE, store.count)
            return
        spill = SpillFolder(store.folder / _FOLDER)
        need = self.disk_space(model.spec, store.count, store.height, store.width)
        spill.need(need, "until it is predicted, the latents of this shot need")
        shape = (_CHANNELS, *model.latent_size(store.height, store.width))
        share = Share(progress, store.count, store.count * (2 + _UNITS), STAGE)
        whole = Batcher(model, Load(max(WINDOW, CHUNK)), whole=True, least=f"with windows of {WINDOW} frames")
        with ExitStack() as stack:
            latents, depth = (
                stack.enter_context(FrameArray(spill.path / name, store.count, shape, "<f4"))
                for name in ("latents", "depth")
            )
            sampled = PictureNoise(self.options.seed, shape) if self.strict else None
            encode_shot(shot, model, store, latents, Batcher(model, Load(NEW)), share, sampled)
            self._denoise(model, latents, depth, (store.height, store.width), whole, share)
            check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
            decode_shot(model, depth, store, whole, share, check, 0 if self.strict else OVERLAP)
        share.finish()

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Writes every prediction as it is to ``store.final``; see `Method.settle` and `settle_as_it_is`."""
        SpillFolder(store.folder / _FOLDER).drop()
        return settle_as_it_is(spec, store, progress)

    def _denoise(
        self,
        model: ClipDiffusionModel,
        latents: FrameArray,
        depth: FrameArray,
        size: tuple[int, int],
        batcher: Batcher,
        share: Share,
    ) -> None:
        """Fills the depth latents (N, 4, h, w), window by window."""
        import torch

        windows = plan_windows(latents.count)
        shape = (_CHANNELS, latents.shape[1], latents.shape[2])
        for window, noise in zip(windows, window_noises(windows, shape, self.options, size), strict=True):
            share.progress.check()
            if not all(map(depth.done, range(window.start, window.stop))):
                pictures = torch.from_numpy(latents.read(window.first, window.stop))
                context = torch.from_numpy(depth.read(*self._context(window)))
                found = batcher(
                    lambda begin, pictures=pictures, context=context, again=noise.again: model.denoise(
                        pictures,
                        context,
                        begin,
                        steps=self.options.steps,
                        sampler=self.options.sampler,
                        again=again,
                    ),
                    noise.begin,
                )
                depth.write(window.start, found[-window.new :].float().numpy())
            share.advance(window.new * _UNITS)

    def _context(self, window: Window) -> tuple[int, int]:
        """The frames that `window` is told of as done: none where every window stands alone."""
        return (window.start if self.options.mode == "naive" else window.first), window.start
