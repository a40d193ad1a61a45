"""`windowed`: a network that sees 32 frames at once, over shots of any length (Video Depth Anything, 2025).

`run` predicts window after window into files; `settle` aligns all windows of the shot and fades each into the
next. Frames that windows share go through the network's first half once, and what that says of them is kept
only while a window wants it. So memory does not depend on the shot's length, and a killed job goes on at the
window it was at. Windows never cross a cut: every shot begins anew.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from ...models.sizing import network_size
from ...protocols import ClipDiffusionModel, SnippetModel, WindowModel
from ...store import DepthStore, FrameArray
from ...types import ShotAlignment
from ..batching import Batcher, Load, on_cuda
from ..depth_check import DepthCheck
from ..frames import STAGE, to_disparity
from ..framewise import SETTLE
from ..kinds import check_kind
from ..share import Share
from ..spill import SpillFolder, sample_grid
from ..temporal.method import Temporal
from ..temporal.options import TemporalOptions
from .align import Alignment, chain, joint
from .features import Features
from .options import WindowedOptions
from .plan import WINDOW, WindowPlan, plan_windows
from .stream import check_stream, stream_shot

if TYPE_CHECKING:
    from ...choices import Dtype
    from ...progress import Progress
    from ...protocols import DepthModel, ShotFrames
    from ...types import ClipInfo, ModelSpec, Shot

_BATCH, _CUDA_BATCH = 2, 8  # frames an encoder pass
_FOLDER, _FACTS, _RESULT = "windows", "facts.json", "windowed"
_ROOM = 1.02  # checksums and file system
_WORK_SHARE = 8  # temporal attention works in this part of the free memory of an accelerator


def sees_windows(model: object) -> bool:
    """Whether a model is one that `windowed` runs, and no other kind that sees several frames.

    Args:
        model: Any.
    """
    return isinstance(model, WindowModel) and not isinstance(model, SnippetModel | ClipDiffusionModel)


class Windowed:
    """Windows, their alignment, and fading."""

    name = "windowed"
    Options = WindowedOptions
    models = tuple(f"video-depth-anything-{size}" for size in ("small", "base", "large"))

    def __init__(self, options: WindowedOptions | None = None) -> None:
        given = options or WindowedOptions()
        self.options = given.model_copy(update={"stabilize": given.stabilize or "off"})

    @property
    def published(self) -> bool:
        """Whether the published plan and alignment are wanted."""
        return self.options.preset == "published"

    def dtype(self, device: str) -> Dtype | None:
        """Leaves the precision to the device; see `Method.dtype`."""

    def input_size(self, info: ClipInfo, spec: ModelSpec, size: int | None) -> tuple[int, int]:
        """The model's own size; see `Method.input_size`."""
        return network_size(info.width, info.height, info.pixel_aspect, spec, size)

    def disk_space(self, spec: ModelSpec, frames: int, height: int, width: int) -> int:
        """What the maps of all windows take; see `Method.disk_space`."""
        if self.options.stream:
            return 0
        return int(_ROOM * 4 * height * width * WINDOW * len(self._plan(frames))) if frames else 0

    def check(self, model: DepthModel) -> None:
        """Refuses a model that does not see windows of 32 frames; see `Method.check`.

        Raises:
            UsageError: it is one.
        """
        words = f"does not see {WINDOW} frames at once, as --method windowed does"
        check_kind(sees_windows(model) and model.spec.window == WINDOW, model, words, self.models[0])
        if self.options.stream:
            check_stream(model)

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts the shot's windows; see `Method.run`.

        Raises:
            UsageError: see `check`.
            InputError: the clip gave fewer frames than the shot has.
            ResourceError: the disk is too small, or a window does not fit the device's memory.
            WeightsError: the model gives no depth.
            Cancelled: the user asked to stop.
        """
        self.check(model)
        if self.options.stream:
            stream_shot(shot, check_stream(model), store, progress)
            return
        assert isinstance(model, WindowModel)
        if self._complete(store):
            progress.skip(STAGE, store.count)
            return
        plan, spill = self._plan(store.count), SpillFolder(store.folder / _FOLDER)
        need = self.disk_space(model.spec, store.count, store.height, store.width)
        spill.need(need, "until they are aligned, the windows of this shot need")
        if spill.load(_FACTS) is None:  # kept, so that a resumed job computes the same bits
            batch = self.options.batch or (_CUDA_BATCH if on_cuda(model) else _BATCH)
            picture = (shot.info.height, shot.info.width)
            spill.save(_FACTS, {"batch": batch, "picture": picture, "work_bytes": _work_bytes(model)})
        facts = spill.load(_FACTS)
        if facts["work_bytes"] and hasattr(model, "work_bytes"):
            model.work_bytes = facts["work_bytes"]
        share = Share(progress, store.count, store.count + sum(map(len, plan.frames)), STAGE)
        features = Features(shot, model, store, Batcher(model, Load(facts["batch"])), share)
        whole = Batcher(model, Load(WINDOW), whole=True, least=f"with a window of {WINDOW} frames")
        check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
        with _open(spill, plan, store) as maps:
            try:
                for window, frames in enumerate(plan.frames):
                    progress.check()
                    if _predicted(window, frames, maps, store):
                        share.advance(plan.new(window) + len(frames))
                        continue
                    later = plan.frames[window + 1] if window + 1 < len(plan) else ()
                    said = whole(lambda *parts: model.decode(parts), *features.of(frames, later)).numpy()
                    maps.write(window * WINDOW, check.repaired(said, frames))
                    share.advance(len(frames))
            finally:
                features.close()
            if model.spec.space != "metric":
                seen = [plan.parts(frame)[0][:2] for frame in range(plan.count)]
                slots = [window * WINDOW + position for window, position in seen]
                check.varied(_Chosen(maps, slots), range(plan.count))  # type: ignore[arg-type]
        share.finish()

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Aligns the windows and fades them into each other, into ``store.final``; see `Method.settle`.

        With ``stabilize``, into ``store.raw``, which `temporal` goes on from. So it does from a stream, whose
        frames are aligned with nothing.

        Raises:
            Cancelled: the user asked to stop.
        """
        after = Temporal(TemporalOptions(stabilize=self.options.stabilize))
        if self.options.stream:
            return after.settle(shot, spec, store, progress)
        spill, target, raw = SpillFolder(store.folder / _FOLDER), self._target(store), self._steady
        if self._complete(store):
            progress.skip(SETTLE, 0 if raw else store.count)
        else:
            plan = self._plan(store.count)
            with _open(spill, plan, store) as maps:
                found = self._align(plan, spec, spill, maps)
                parts = [plan.parts(frame) for frame in range(plan.count)]
                for frame in range(plan.count):
                    if target.done(frame):
                        progress.skip(SETTLE, 0 if raw else 1)
                        continue
                    progress.check()
                    blended = _blend(parts[frame], found, maps)
                    target.write(frame, (blended if raw else to_disparity(blended, spec))[None])
                    progress.advance(SETTLE, 0 if raw else 1)
            store.save(_RESULT, asdict(_result(parts, found)))
        spill.drop()
        result = ShotAlignment.of(store.load(_RESULT))
        return _then(result, after.settle(shot, spec, store, progress)) if raw else result

    @property
    def _steady(self) -> bool:
        return self.options.stabilize != "off"

    def _target(self, store: DepthStore) -> FrameArray:
        """Where aligned windows go: what `temporal` is to go on from is in ``raw``."""
        return store.raw if self._steady else store.final

    def _complete(self, store: DepthStore) -> bool:
        return store.load(_RESULT) is not None and not self._target(store).missing()

    def _plan(self, count: int) -> WindowPlan:
        return plan_windows(count, published=self.published)

    def _align(self, plan: WindowPlan, spec: ModelSpec, spill: SpillFolder, maps: FrameArray) -> Alignment:
        if spec.space == "metric":
            return Alignment.none(len(plan))

        def said(window: int, position: int) -> np.ndarray:
            return np.asarray(maps.read(window * WINDOW + position)[0])

        if self.published:
            height, width = spill.load(_FACTS)["picture"]
            return chain(len(plan), lambda window, position: _resized(said(window, position), height, width))
        grid = sample_grid(*maps.shape)
        scale_only = spec.space == "scale_invariant"
        return joint(plan, lambda window, position: said(window, position)[grid], scale_only=scale_only)


class _Chosen:
    """Some frames of an array, as `DepthCheck.varied` reads them."""

    def __init__(self, maps: FrameArray, slots: list[int]) -> None:
        self._maps, self._slots = maps, slots

    def read(self, index: int) -> np.ndarray:
        return self._maps.read(self._slots[index])


def _open(spill: SpillFolder, plan: WindowPlan, store: DepthStore) -> FrameArray:
    return FrameArray(spill.path / "maps", len(plan) * WINDOW, (store.height, store.width), "<f4")


def _predicted(window: int, frames: tuple[int, ...], maps: FrameArray, store: DepthStore) -> bool:
    slots = range(window * WINDOW, window * WINDOW + len(frames))
    return all(map(maps.done, slots)) and all(map(store.luma.done, frames))


def _blend(parts: list[tuple[int, int, float]], found: Alignment, maps: FrameArray) -> np.ndarray:
    """A frame (h, w) of its windows; what the first window says stays as it is."""
    blended = np.zeros(maps.shape, np.float32)
    for window, position, weight in parts:
        said = maps.read(window * WINDOW + position)[0]
        if window:
            scale, shift = np.float32(found.scale[window]), np.float32(found.shift[window])
            said = np.maximum(scale * said + shift, 0)
        blended += np.float32(weight) * said
    return blended


def _then(first: ShotAlignment, second: ShotAlignment) -> ShotAlignment:
    """Both, one after the other."""
    scale = tuple(a * b for a, b in zip(first.scale, second.scale, strict=True))
    shift = tuple(a * b + c for a, b, c in zip(first.shift, second.scale, second.shift, strict=True))
    return ShotAlignment(scale, shift, second.curves, (*first.notes, *second.notes))


def _resized(said: np.ndarray, height: int, width: int) -> np.ndarray:
    import torch
    from torch.nn.functional import interpolate

    maps = torch.from_numpy(said)[None, None]
    large = interpolate(maps, size=(height, width), mode="bilinear", align_corners=True)
    return np.asarray(large[0, 0].numpy())


def _result(parts: list[list[tuple[int, int, float]]], found: Alignment) -> ShotAlignment:
    def mean(values: np.ndarray) -> tuple[float, ...]:
        return tuple(float(sum(weight * values[window] for window, _, weight in frame)) for frame in parts)

    alone, notes = int(found.alone.sum()), tuple[str, ...]()
    if alone:
        windows, their = ("1 window", "its") if alone == 1 else (f"{alone} windows", "their")
        notes = (f"{windows} could not be matched to any other; {their} scale was interpolated.",)
    return ShotAlignment(mean(found.scale), mean(found.shift), {}, notes)


def _work_bytes(model: WindowModel) -> int | None:
    """For temporal attention, on a CUDA device: a part of what is free there; else the model's own."""
    if not on_cuda(model):
        return None
    import torch

    return torch.cuda.mem_get_info(torch.device(model.device))[0] // _WORK_SHARE  # type: ignore[attr-defined]
