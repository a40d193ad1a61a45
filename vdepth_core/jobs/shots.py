"""The stages of one shot: predict, settle, refine, finish.

Each goes on from what the store holds, so that it can run in this process or another one, now or later, and
gives the same bytes. `finish` is in `writer`, which writes a shot's files.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ..clip import ShotView
from ..methods.ranges import RangedMethod
from ..plugins import answering
from ..progress import Progress
from ..protocols import RefiningMethod
from ..store import DepthStore, FrameArray
from ..types import Shot, ShotAlignment
from .folder import JobFolder
from .plan import Plan

_ALIGNMENT, _WARNINGS, _SECONDS, _GATHERED = "alignment", "warnings", "seconds", "gathered"
_NUMBER = re.compile(r"\d+")


def open_store(plan: Plan, folder: JobFolder, shot: Shot) -> DepthStore:
    """The store of a shot; what it holds of other predictions, or of another refiner, is dropped.

    Args:
        plan: The job.
        folder: Of the job.
        shot: Which one.

    Raises:
        ResourceError: the folder cannot be written.
    """
    store = DepthStore(folder.store(shot.index), len(shot), *plan.size, **plan.record.made_of(shot))
    if plan.refiner is not None:
        made_by = json.dumps(plan.record.identity["refiner"], sort_keys=True)
        store.open_refined(made_by, *plan.refined_size)
    return store


def is_settled(store: DepthStore) -> bool:
    """Whether the method is through with a shot.

    Args:
        store: Of the shot.
    """
    return store.load(_ALIGNMENT) is not None and not store.final.missing()


def is_refined(store: DepthStore) -> bool:
    """Whether nothing but `finish` is left to do, which needs no model.

    Args:
        store: Of the shot.
    """
    return is_settled(store) and not store.result.missing()


def refines(plan: Plan) -> int:
    """How often a settled shot of this job is worked on again: by its method, and by a refiner.

    Args:
        plan: The job.
    """
    return int(_method_refines(plan)) + int(plan.refiner is not None)


def needs_model(plan: Plan, store: DepthStore) -> bool:
    """Whether `refine` does.

    Args:
        plan: The job.
        store: Of the shot.
    """
    return not is_settled(store) or (plan.refiner is not None and plan.refiner.needs_model)


def _method_refines(plan: Plan) -> bool:
    return isinstance(plan.method, RefiningMethod) and plan.method.refines


def predict(plan: Plan, view: ShotView, store: DepthStore, progress: Progress) -> None:
    """Needs the model: predicts what the store lacks; see `Method.run` for what it raises.

    Args:
        plan: The job.
        view: The shot's frames.
        store: Of the shot.
        progress: Told of each frame, stage ``infer``; may cancel.
    """
    with _noted(store, progress, "infer") as noting, answering(*plan.plugins("model", "method")):
        plan.method.run(view, plan.load(), store, noting)


def predict_range(plan: Plan, view: ShotView, store: DepthStore, frames: range, progress: Progress) -> None:
    """Needs the model, and a `RangedMethod`: what of `predict` is a range's.

    Args:
        plan: The job.
        view: The shot's frames.
        store: Of the range.
        frames: Of the shot, from 0.
        progress: Told of each frame, stage ``infer``; may cancel.
    """
    assert isinstance(plan.method, RangedMethod)
    with _noted(store, progress, "infer") as noting, answering(*plan.plugins("model", "method")):
        plan.method.run_range(view, plan.load(), store, frames, noting)


def gather(plan: Plan, store: DepthStore, part: DepthStore) -> None:
    """Takes what was predicted of a range, said of it, and how long it took.

    Args:
        plan: The job, of a `RangedMethod`.
        store: Of the shot.
        part: Of the range; of several the one that begins first comes first.
    """
    assert isinstance(plan.method, RangedMethod)
    with answering(*plan.plugins("method")):
        plan.method.gather(plan.spec, store, part)
    gathered = store.load(_GATHERED) or []
    if part.folder.name in gathered:
        return
    said = warnings_of(store)
    # A run over the whole shot says a thing once, of the first frame it is true of.
    known = {_NUMBER.sub("", line) for line in said}
    said += [line for line in warnings_of(part) if _NUMBER.sub("", line) not in known]
    store.save(_WARNINGS, said)
    seconds = seconds_of(store)
    for stage, value in seconds_of(part).items():
        seconds[stage] = seconds.get(stage, 0.0) + value
    store.save(_SECONDS, seconds)
    store.save(_GATHERED, [*gathered, part.folder.name])


def settle(plan: Plan, shot: Shot, store: DepthStore, progress: Progress) -> None:
    """Aligns and filters a predicted shot; see `Method.settle` for what it raises.

    Args:
        plan: The job.
        shot: Which one.
        store: Of the shot.
        progress: Told of each frame, stage ``settle``; may cancel.
    """
    with _noted(store, progress, "settle") as noting, answering(*plan.plugins("method")):
        alignment = plan.method.settle(shot, plan.spec, store, noting)
        _check_alignment(alignment, len(shot))
        if not _method_refines(plan):
            _check_whole("settle", store.final)
    store.save(_ALIGNMENT, asdict(alignment))


def refine(plan: Plan, view: ShotView, store: DepthStore, progress: Progress) -> None:
    """Needs the model as `needs_model` says: what is left of the method after `settle`, then the refiner.

    See `RefiningMethod.refine` and `Refiner.refine` for what it raises.

    Args:
        plan: The job.
        view: The shot's frames.
        store: Of the shot.
        progress: Told of each frame, stage ``refine``; may cancel.
    """
    with _noted(store, progress, "refine") as noting:
        if not is_settled(store):
            assert isinstance(plan.method, RefiningMethod)
            with answering(*plan.plugins("model", "method")):
                plan.method.refine(view, plan.load(), store, noting)
                _check_whole("refine", store.final)
        if plan.refiner is not None:
            assert store.refined is not None
            model = plan.load() if plan.refiner.needs_model else None
            with answering(*plan.plugins("model", "refiner")):
                plan.refiner.refine(view, model, store, store.refined, noting)
                _check_whole("refine", store.refined)


def alignment_of(store: DepthStore) -> ShotAlignment:
    """What `settle` did to the shot.

    Args:
        store: Of the shot.

    Raises:
        KeyError: it is not settled.
    """
    saved = store.load(_ALIGNMENT)
    if saved is None:
        raise KeyError(f"{store.folder.name} is not settled")
    return ShotAlignment.of(saved)


def warnings_of(store: DepthStore) -> list[str]:
    """What was said to the user about the shot, whichever process said it.

    Args:
        store: Of the shot.
    """
    return list(store.load(_WARNINGS) or [])


def seconds_of(store: DepthStore) -> dict[str, float]:
    """Stage -> how long it took, over all runs.

    Args:
        store: Of the shot.
    """
    return dict(store.load(_SECONDS) or {})


def _check_alignment(alignment: object, count: int) -> None:
    if not isinstance(alignment, ShotAlignment):
        raise TypeError(f"settle gave {type(alignment).__name__}, which is no ShotAlignment")
    for values in (alignment.scale, alignment.shift, *alignment.curves.values()):
        if len(values) != count:
            raise ValueError(f"settle gave an alignment of length {len(values)} for a shot of {count}")


def _check_whole(function: str, maps: FrameArray) -> None:
    missing = maps.missing()
    if missing:
        raise ValueError(
            f"{function} left {len(missing)} of {maps.count} maps out, the first is {missing[0]}"
        )


class _Noting(Progress):
    """Passes everything on, and keeps warnings with the shot."""

    def __init__(self, store: DepthStore, progress: Progress) -> None:
        super().__init__()
        self._store, self._progress = store, progress
        self.cancel = progress.cancel  # type: ignore[method-assign]
        self.check = progress.check  # type: ignore[method-assign]
        self.stage = progress.stage  # type: ignore[method-assign]
        self.advance = progress.advance  # type: ignore[method-assign]
        self.skip = progress.skip  # type: ignore[method-assign]

    @property
    def cancelled(self) -> bool:
        return self._progress.cancelled

    def warn(self, message: str) -> None:
        known = warnings_of(self._store)
        if message not in known:
            self._store.save(_WARNINGS, [*known, message])
        self._progress.warn(message)


@contextmanager
def _noted(store: DepthStore, progress: Progress, stage: str) -> Iterator[Progress]:
    """Keeps what is said, and how long the stage took, with the shot."""
    began = time.monotonic()
    yield _Noting(store, progress)
    seconds = seconds_of(store)
    seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - began
    store.save(_SECONDS, seconds)
