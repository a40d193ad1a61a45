"""`boost`: sharp depth at the plate's size that holds still over a shot.

After Miangoleh et al., "Boosting Monocular Depth Estimation Models to High-Resolution via Content-Adaptive
Multi-Resolution Merging" (CVPR 2021): the model sees the whole picture as large as its content allows, and
patches of it larger still; what is finer there goes into the estimate. Here all of it is planned once a shot
(`shot_plan`), the coarse part is the settled estimate, which is steady already, and the detail is steadied
(`fits`, `steady`).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...budget import give_back
from ...models.sizing import network_size
from ...runs import runs
from .composite import Canvas, box_in, crop, resized
from .estimates import input_size, training_size
from .fits import fitted, measure, steadied
from .options import BoostOptions
from .patches import Views, check_boosts
from .pictures import boost_pictures
from .shot_plan import ShotPlan, key_frames, plan_shot
from .steady import Steady

if TYPE_CHECKING:
    from torch import Tensor

    from ...progress import Progress
    from ...protocols import DepthModel, Merge, ShotFrames
    from ...store import DepthStore, FrameArray
    from ...types import ClipInfo, ModelSpec, RefinerWeights

STAGE = "refine"
_PLAN = "refined.plan"
_WORTH = 1.1  # times the estimate's size: a whole picture seen less large adds nothing
_COARSER = 3  # pixels of what is looked at to one of the result
_LEAST = 0.2  # of the estimate: no detail takes a thing whose distance is measured farther than five times


class Boost:
    """Looks at a settled shot again, larger, and adds what is finer there."""

    name = "boost"
    needs_model = True
    Options = BoostOptions

    def __init__(self, options: BoostOptions | None = None) -> None:
        self.options = options or BoostOptions()

    def size(self, info: ClipInfo, spec: ModelSpec, size: tuple[int, int]) -> tuple[int, int]:
        """A third of the size that pictures are looked at in, and no less than the estimate's own.

        What patches see is some pixels soft at their own size, so nothing is lost; and finishing, which moves
        edges to those of the picture and steepens them, reaches four or five pixels of a *map*: it must span
        what is soft. Measured, boundaries come out better than at half of the size, and at a quarter small
        things begin to suffer.

        Args:
            info: The clip.
            spec: The model.
            size: Of the network's input, (height, width).

        Raises:
            UsageError: the model cannot look at parts of a picture.
        """
        check_boosts(spec)
        longest = max(info.width, info.height)
        part = min(self.options.max_size, longest) / (_COARSER * longest)
        scale = min(1.0, max(part, max(size) / longest))
        return max(1, round(info.height * scale)), max(1, round(info.width * scale))

    def weights(self) -> RefinerWeights | None:
        """The merge's; see `WeightedRefiner.weights`."""
        from .merges.weights import merge_weights

        return merge_weights(self.options.merge)

    def refine(
        self,
        shot: ShotFrames,
        model: DepthModel | None,
        store: DepthStore,
        out: FrameArray,
        progress: Progress,
    ) -> None:
        """Fills every missing frame of ``out``.

        Args:
            shot: Its frames, decoded on demand.
            model: The one that predicted the shot.
            store: The settled shot.
            out: (count, h, w), of the size that `size` gave.
            progress: Told of each frame.

        Raises:
            WeightsError: the merge lacks its weights.
            ResourceError: not even one patch fits the device's memory.
            InputError: the clip cannot be read.
            Cancelled: the user asked to stop.
        """
        from .merges.registry import load_merge

        assert model is not None
        merge = load_merge(self.options.merge, str(getattr(model, "device", "cpu")))
        if self.options.plan == "published":
            boost_pictures(
                shot, model, merge, store, out, progress, max_size=self.options.max_size, stage=STAGE
            )
            return
        saved = store.load(_PLAN)
        if saved is None:
            plan = plan_shot(shot, training_size(model.spec), self.options.max_size, progress)
            store.save(_PLAN, plan.to_json())
        else:
            plan = ShotPlan.of_json(saved)
        boosting = _Boosting(plan, shot, model, merge, store, out)
        todo = boosting.missing()
        progress.skip(STAGE, out.count - len(todo))
        for start, stop in runs(todo):
            boosting.fill(start, stop, progress)
        give_back()  # finishing needs the room for full-size frames


class _Boosting:
    """One shot at work; what a frame becomes depends on the plan, its picture, and the frame before it."""

    def __init__(
        self,
        plan: ShotPlan,
        shot: ShotFrames,
        model: DepthModel,
        merge: Merge,
        store: DepthStore,
        out: FrameArray,
    ) -> None:
        self._plan, self._shot, self._merge, self._store, self._out = plan, shot, merge, store, out
        self._views, self._steady = Views(model), Steady(self._size)
        self._fits = store.open_beside("fits", (1 + len(plan.patches),))
        self._extent = _extent(store)
        self._multiple = model.spec.multiple
        self._measured = model.spec.space != "affine_invariant"
        info = shot.info
        shorter = round(plan.whole * min(plan.size) / max(plan.size))
        whole = network_size(info.width, info.height, info.pixel_aspect, model.spec, max(1, shorter))
        self._whole = whole if max(whole) > _WORTH * max(store.height, store.width) else None

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self._out.shape
        return height, width

    def missing(self) -> list[int]:
        """Frames to do: those without a map, and those whose fits are lost."""
        return [t for t in range(self._out.count) if not (self._out.done(t) and self._fits.done(t))]

    def fill(self, start: int, stop: int, progress: Progress) -> None:
        """Does frames [start, stop); the one before is done.

        Args:
            start, stop: 0-based within the shot.
            progress: Told of each frame; may cancel.
        """
        first = max(0, start - 1)
        before: _Last | None = None
        with closing(self._shot.frames(first, stop)) as frames:
            for t, frame in enumerate(frames, first):
                seen = self._steady.see(frame.rgb)
                if t < start:
                    before = _Last(self._out.read(t)[0], self._fits.read(t)[0], seen)
                    continue
                with progress.step(STAGE):
                    before = self._frame(t, frame.rgb, seen, before)

    def _frame(self, t: int, rgb: np.ndarray, seen: np.ndarray, before: _Last | None) -> _Last:
        """Does frame t; ``before`` is used up."""
        fits = np.full(1 + len(self._plan.patches), np.nan, np.float32) if before is None else before.fits
        result = self._boosted(t, rgb, fits)
        if before is not None and self._extent > 0:
            plain = self._plain(t)
            result -= plain
            before.result -= self._plain(t - 1)
            self._steady(result, before.result, seen, before.seen, self._extent)
            result += plain
        if self._measured:
            np.maximum(result, np.float32(_LEAST) * self._plain(t), out=result)
        self._fits.write(t, fits[None])
        self._out.write(t, result[None])
        return _Last(result, fits, seen)

    def _boosted(self, t: int, rgb: np.ndarray, fits: np.ndarray) -> np.ndarray:
        """Frame t by itself, (H, W) float32; ``fits`` go a step."""
        low = self._store.final.read(t)[0]
        base = low
        if self._whole is not None:
            height, width = rgb.shape[:2]
            high = self._views(rgb, [(0, 0, width, height)], self._whole)
            base = self._merged(resized(low, self._whole)[None], high, fits, [0])[0]
        canvas = Canvas(self._size)
        plan = self._plan
        weights = plan.weights_at(t)
        shown = np.flatnonzero(weights > 0)
        side = input_size((1, 1), 2 * plan.base, self._multiple)
        for start in range(0, len(shown), self._views.batch):
            which = shown[start : start + self._views.batch]
            patches = [plan.patches[index] for index in which]
            high = self._views(rgb, [box_in(patch, plan.size, rgb.shape[:2]) for patch in patches], side)
            lows = np.stack([crop(base, patch, plan.size, side) for patch in patches])
            differences = self._merged(lows, high, fits, 1 + which) - lows
            for index, difference in zip(which, differences, strict=True):
                box = box_in(plan.patches[index], plan.size, self._size)
                canvas.add(box, difference, float(weights[index]))
        return canvas.onto(base)

    def _merged(
        self, low: np.ndarray, high: Tensor, fits: np.ndarray, which: np.ndarray | list[int]
    ) -> np.ndarray:
        """Estimates (N, h, w) with the detail of predictions (N, 1, h, w)."""
        import torch

        soft = torch.from_numpy(low)[:, None]
        moments = measure(soft, high)
        fits[which] = steadied(moments.correlation, fits[which])
        sharp = self._merge(soft, fitted(high, moments, fits[which]))
        return np.asarray(sharp[:, 0].cpu().numpy())

    def _plain(self, t: int) -> np.ndarray:
        return resized(self._store.final.read(t)[0], self._size)


@dataclass
class _Last:
    """The frame before: its map, its fits, and its picture as flow is found in it."""

    result: np.ndarray
    fits: np.ndarray
    seen: np.ndarray


def _extent(store: DepthStore) -> float:
    """Range of the shot's estimates, without their extremes."""
    ends = [np.quantile(store.final.read(t)[0][::3, ::3], (0.05, 0.95)) for t in key_frames(store.count)]
    return float(max(high for _, high in ends) - min(low for low, _ in ends))
