"""`rolling`: snippets of near and far frames, co-aligned into one clip (RollingDepth, Ke et al., 2024).

A latent video model predicts every snippet in a chart of its own; the co-alignment finds one scale and shift
a snippet, and a frame becomes the mean of all its predictions. The presets `full` and `paper` then refine
the merged depth by a few more steps of diffusion.

Per-frame models are refused: their snippets would say of a frame what the frame alone says. (Tried: other
dilations seeing their frames mirrored or larger. At two to four times the cost it is calmer than `framewise`,
but not more accurate everywhere; `temporal` is there for that.)

Everything large is on the disk, so memory does not depend on the shot's length, and a killed job goes on at
the snippet it was at.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from ...models.sizing import network_size
from ...protocols import SnippetModel
from ...store import DepthStore, FrameArray
from ...types import ShotAlignment
from ..batching import Batcher, Load, choose_load
from ..depth_check import DepthCheck
from ..frames import STAGE, to_disparity
from ..framewise import SETTLE
from ..kinds import check_kind
from ..latents import encode_shot
from ..share import Share
from ..spill import Grid, SpillFolder, sample_grid
from .merge import Solution, SpilledRows, merge_shot, range_of, solve, spread_of_frames
from .options import RollingOptions
from .plan import SnippetPlan, longest_dilation, plan_snippets
from .predict import predict_snippets
from .presets import PRESETS, REFINE_DILATION
from .refine import Refinement
from .result import load_result, save_result
from .spill import FOLDER, NEEDS, SnippetFiles, open_snippets, spilled_bytes

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ...choices import Dtype
    from ...progress import Progress
    from ...protocols import DepthModel, ShotFrames
    from ...types import ClipInfo, ModelSpec, Shot

REFINE = "refine"  # the stage
_SOLUTION, _FACTS = "solution.json", "facts.json"


class Rolling:
    """Snippets, co-alignment, merge, refinement.

    `run` spills the snippets, `settle` aligns and merges them into ``store.final``, while the next shot is
    predicted. With refinement, which needs the model again, `settle` keeps the merged maps among the spilled
    files, and `refine` makes ``store.raw`` and ``store.final`` of them.
    """

    name = "rolling"
    Options = RollingOptions
    models = ("rollingdepth-v1",)

    def __init__(self, options: RollingOptions | None = None) -> None:
        given = options or RollingOptions()
        preset, steps = PRESETS[given.preset], given.refine_steps
        steps = preset.refine_steps if steps is None else steps
        self.options = given.model_copy(update={"refine_steps": steps})
        self.preset = replace(preset, refine_steps=steps)
        self._loads: dict[tuple[int, int], Load] = {}

    def dtype(self, device: str) -> Dtype | None:
        """The preset's, where that is faster; see `Method.dtype`."""
        return self.preset.dtype if device == "cuda" else None

    def input_size(self, info: ClipInfo, spec: ModelSpec, size: int | None) -> tuple[int, int]:
        """The preset names the longer side itself; see `Method.input_size`."""
        spec = replace(spec, native_size=self.preset.longest_edge, native_side="longer")
        return network_size(info.width, info.height, info.pixel_aspect, spec, size)

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts the shot's snippets; see `Method.run`.

        Raises:
            UsageError: see `check`.
            InputError: the clip gave fewer frames than the shot has.
            ResourceError: the disk is too small, or a snippet does not fit the device's memory.
            WeightsError: the model gives no depth.
            Cancelled: the user asked to stop.
        """
        self.check(model)
        assert isinstance(model, SnippetModel)
        if _complete(store.raw if self.refines else store.final, store):
            progress.skip(STAGE, store.count)
        else:
            self._run_snippets(shot, model, store, progress)

    def step(self, spec: ModelSpec, device: str) -> int:
        """A range of frames stands for as large a share of the snippets; see `RangedMethod.step`."""
        return 1

    def run_range(
        self, shot: ShotFrames, model: DepthModel, store: DepthStore, frames: range, progress: Progress
    ) -> None:
        """Predicts the range's share of the snippets; see `RangedMethod.run_range`, and `run` for errors."""
        assert isinstance(model, SnippetModel)
        self._run_snippets(shot, model, store, progress, frames)

    def gather(self, spec: ModelSpec, store: DepthStore, part: DepthStore) -> None:
        """Takes latents, snippets and luma; see `RangedMethod.gather`.

        Raises:
            ResourceError: the disk is too small.
        """
        spill, other = SpillFolder(store.folder / FOLDER), SpillFolder(part.folder / FOLDER)
        facts = other.load(_FACTS)
        if facts is None or _complete(store.raw if self.refines else store.final, store):
            return
        spill.need(self.disk_space(spec, store.count, store.height, store.width), NEEDS)
        if spill.load(_FACTS) is None:
            spill.save(_FACTS, facts)
        store.luma.take(part.luma)
        plan = self._plan(store.count, spec.window)
        with self._open(spill, plan, store) as files, self._open(other, plan, store) as found:
            files.latents.take(found.latents)
            files.maps.take(found.maps)
            files.samples.take(found.samples)
            files.lows.take(found.lows)

    def check(self, model: DepthModel) -> None:
        """Refuses a model that does not predict snippets; see `Method.check`.

        Raises:
            UsageError: it is one.
        """
        window = model.spec.window
        sees = "every frame by itself" if window == 1 else f"{window} neighbouring frames at once"
        words = (
            f"looks at {sees}; the method rolling aligns what RollingDepth says of near and far frames "
            "together, and would have nothing to align"
        )
        check_kind(isinstance(model, SnippetModel), model, words, self.models[0])

    @property
    def refines(self) -> bool:
        """Whether a settled shot needs the model again, for `refine`."""
        return self.preset.refine_steps > 0

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Aligns and merges the snippets: into ``store.final``, or for `refine`; see `Method.settle`.

        Scale and shift of a frame are the means over the snippets that cover it. The curves are ``coverage``,
        how many those are, and ``spread``, how far their aligned values lie from their mean, relative to the
        frame's range.

        Raises:
            Cancelled: the user asked to stop.
        """
        spill = SpillFolder(store.folder / FOLDER)
        if _complete(store.raw if self.refines else store.final, store):
            progress.skip(SETTLE, store.count)
        else:
            plan = self._plan(store.count, spec.window)
            with self._open(spill, plan, store) as files:
                solution = self._solve(spill, plan, files, store, progress)
                if self.refines:
                    with self._merged(spill, files, store) as merged:
                        merge_shot(files.maps, plan, solution, merged, lambda: progress.step(SETTLE))
                else:
                    merge_shot(files.maps, plan, solution, store.final, lambda: progress.step(SETTLE))
        if not self.refines:
            spill.drop()
        result = load_result(store)
        assert result is not None
        return result

    def refine(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Puts a settled shot through the diffusion once more; fills ``store.raw`` and ``store.final``.

        See `RefiningMethod.refine`.

        Raises:
            ResourceError: not even one snippet fits the device's memory.
            WeightsError: what the model gives is no depth.
            Cancelled: the user asked to stop.
        """
        assert isinstance(model, SnippetModel)
        spill = SpillFolder(store.folder / FOLDER)
        if not store.raw.missing():
            progress.skip(REFINE, store.count)
        else:
            plan, size = self._plan(store.count, model.spec.window), (store.height, store.width)
            batcher = Batcher(model, Load(**spill.load(_FACTS)["load"]))
            check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
            first = REFINE_DILATION
            if self.preset.cap:
                first = min(first, longest_dilation(store.count, self.options.refine_length))
            with self._open(spill, plan, store) as files, self._merged(spill, files, store) as merged:
                refinement = Refinement(
                    model,
                    spill.path,
                    files.latents,
                    model.noise(*size, self.options.seed),
                    self.preset.refine_steps,
                    batcher,
                    first,
                    self.options.refine_length,
                    check,
                )
                share = Share(progress, store.count, refinement.work(), REFINE)
                ends = range_of(merged, self._grid(store), strict=self.options.strict)
                refinement.run(merged, *ends, store.raw, share)
                share.finish()
        for index in range(store.count):
            if not store.final.done(index):
                store.final.write(index, to_disparity(store.raw.read(index), model.spec))
        spill.drop()

    def disk_space(self, spec: ModelSpec, frames: int, height: int, width: int) -> int:
        """What the snippets' files take; see `Method.disk_space`."""
        if not frames:
            return 0
        grid = sample_grid(height, width, strict=self.options.strict)
        plan = self._plan(frames, spec.window)
        return spilled_bytes(plan, height, width, grid, refine=bool(self.preset.refine_steps))

    def _plan(self, count: int, length: int) -> SnippetPlan:
        preset, strict = self.preset, self.options.strict
        return plan_snippets(count, preset.dilations, length=length, cap=preset.cap, strict=strict)

    def _grid(self, store: DepthStore) -> Grid:
        return sample_grid(store.height, store.width, strict=self.options.strict)

    def _open(
        self, spill: SpillFolder, plan: SnippetPlan, store: DepthStore
    ) -> AbstractContextManager[SnippetFiles]:
        dtype = spill.load(_FACTS)["dtype"]
        return open_snippets(spill.path, plan, store.height, store.width, self._grid(store), dtype)

    def _run_snippets(
        self,
        shot: ShotFrames,
        model: SnippetModel,
        store: DepthStore,
        progress: Progress,
        frames: range | None = None,
    ) -> None:
        """Spills all snippets, or the share of them that ``frames`` are of the shot."""
        plan, size = self._plan(store.count, model.spec.window), (store.height, store.width)
        spill = SpillFolder(store.folder / FOLDER)
        count = store.count if frames is None else len(frames)
        spill.need(self.disk_space(model.spec, store.count, *size) * count // store.count, NEEDS)
        noise = model.noise(*size, self.options.seed)
        if spill.load(_FACTS) is None:  # kept, so that a resumed job runs the same batches
            if size not in self._loads:
                batch = self.options.batch
                self._loads[size] = Load(batch) if batch else choose_load(model, *size, plan.length)
            dtype = "<f8" if noise.element_size() == 8 else "<f4"
            spill.save(_FACTS, {"dtype": dtype, "load": asdict(self._loads[size])})
        batcher = Batcher(model, Load(**spill.load(_FACTS)["load"]))
        with self._open(spill, plan, store) as files:
            check = DepthCheck(model.spec.name, store.luma, shot.shot.start, progress)
            part = None if frames is None else plan.share_of(frames, batcher.size)
            seen = range(store.count) if part is None else plan.seen_by(part)
            snippets = len(plan) if part is None else len(part)
            share = Share(progress, count, len(seen) + snippets * plan.length, STAGE)
            encode_shot(shot, model, store, files.latents, batcher, share, wanted=seen)
            predict_snippets(
                model, plan, files, self._grid(store), noise, batcher, share, self.options.steps, check, part
            )
            share.finish()

    def _merged(self, spill: SpillFolder, files: SnippetFiles, store: DepthStore) -> FrameArray:
        shape = (store.height, store.width)
        return FrameArray(spill.path / "merged", store.count, shape, files.maps.dtype.str)

    def _solve(
        self,
        spill: SpillFolder,
        plan: SnippetPlan,
        files: SnippetFiles,
        store: DepthStore,
        progress: Progress,
    ) -> Solution:
        """Scale and shift of every map; what the report wants to know is kept beside the store."""
        rows = SpilledRows(files)
        if spill.load(_SOLUTION) is None:
            spill.save(_SOLUTION, solve(plan, rows, progress, strict=self.options.strict).to_json())
        found = Solution.from_json(spill.load(_SOLUTION))
        solution = found.on_maps(rows)
        if load_result(store) is None:
            scale, shift = solution.of_frames(plan)
            save_result(store, plan, scale, shift, spread_of_frames(plan, rows, found), found.notes)
        return solution


def _complete(array: FrameArray, store: DepthStore) -> bool:
    return not array.missing() and load_result(store) is not None
