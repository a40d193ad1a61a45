"""The stages of one shot: predict, settle, refine, finish.

Each goes on from what the store holds, so that it can run in this process or another one, now or later, and
gives the same bytes. `finish` is in `writer`, which writes a shot's files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ..clip import ShotView
from ..progress import Progress
from ..store import DepthStore
from ..types import RefiningMethod, Shot, ShotAlignment
from .folder import JobFolder
from .plan import Plan

_ALIGNMENT, _WARNINGS, _SECONDS = "alignment", "warnings", "seconds"


def open_store(plan: Plan, folder: JobFolder, shot: Shot) -> DepthStore:
    """The store of a shot; what it holds of other predictions is dropped.

    Raises:
        ResourceError: the folder cannot be written.
    """
    return DepthStore(folder.store(shot.index), len(shot), *plan.size, **plan.record.made_of(shot))


def is_settled(plan: Plan, store: DepthStore) -> bool:
    """Whether nothing but `finish` is left to do, which needs no model."""
    return store.load(_ALIGNMENT) is not None and not store.final.missing()


def refines(plan: Plan) -> bool:
    """Whether a settled shot of this job needs the model again."""
    return isinstance(plan.method, RefiningMethod) and plan.method.refines


def predict(plan: Plan, view: ShotView, store: DepthStore, progress: Progress) -> None:
    """Needs the model: predicts what the store lacks; see `Method.run` for what it raises."""
    with _noted(store, progress, "infer") as noting:
        plan.method.run(view, plan.load(), store, noting)


def settle(plan: Plan, shot: Shot, store: DepthStore, progress: Progress) -> None:
    """Aligns and filters a predicted shot; see `Method.settle` for what it raises."""
    with _noted(store, progress, "settle") as noting:
        alignment = plan.method.settle(shot, plan.spec, store, noting)
    store.save(_ALIGNMENT, asdict(alignment))


def refine(plan: Plan, view: ShotView, store: DepthStore, progress: Progress) -> None:
    """Needs the model: what is left of the method after `settle`; see `RefiningMethod.refine`."""
    assert isinstance(plan.method, RefiningMethod)
    with _noted(store, progress, "refine") as noting:
        plan.method.refine(view, plan.load(), store, noting)


def alignment_of(store: DepthStore) -> ShotAlignment:
    """What `settle` did to the shot.

    Raises:
        KeyError: it is not settled.
    """
    saved = store.load(_ALIGNMENT)
    if saved is None:
        raise KeyError(f"{store.folder.name} is not settled")
    curves = {name: tuple(values) for name, values in saved["curves"].items()}
    return ShotAlignment(tuple(saved["scale"]), tuple(saved["shift"]), curves, tuple(saved["notes"]))


def warnings_of(store: DepthStore) -> list[str]:
    """What was said to the user about the shot, whichever process said it."""
    return list(store.load(_WARNINGS) or [])


def seconds_of(store: DepthStore) -> dict[str, float]:
    """Stage -> how long it took, over all runs."""
    return dict(store.load(_SECONDS) or {})


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
