"""Boosting picture by picture, as published: for stills, and for comparison. Over a shot it flickers."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...align.scale_shift import fit_scale_shift
from ...runs import runs
from .composite import resized
from .estimates import estimates_of, training_size

if TYPE_CHECKING:
    from ...progress import Progress
    from ...protocols import DepthModel, Merge, ShotFrames
    from ...store import DepthStore, FrameArray

VIEWS = "patches"
"""The stage that counts looks at a picture; how many there will be is known picture by picture."""


def boost_pictures(
    shot: ShotFrames,
    model: DepthModel,
    merge: Merge,
    store: DepthStore,
    out: FrameArray,
    progress: Progress,
    *,
    max_size: int,
    stage: str,
) -> None:
    """Fills every missing frame of ``out`` by the published algorithm; a line fits each to the estimate.

    Args:
        shot: Its frames.
        model: Sees one frame at a time.
        merge: Puts detail into a map.
        store: The settled shot.
        out: (count, H, W).
        progress: Told of each frame, and of each look at it as the stage `VIEWS`; may cancel.
        max_size: Longest side of the working picture, pixels.
        stage: Of ``progress``.

    Raises:
        InputError: the clip cannot be read.
        Cancelled: the user asked to stop.
    """
    from .image_plan import plan_image
    from .published import boost_planned, looks

    estimate, base = estimates_of(model), training_size(model.spec)
    todo = out.missing()
    progress.skip(stage, out.count - len(todo))
    size, views = (out.shape[0], out.shape[1]), 0
    for start, stop in runs(todo):
        with closing(shot.frames(start, stop)) as frames:
            for t, frame in enumerate(frames, start):
                with progress.step(stage):
                    plan = plan_image(frame.rgb, base, max_size)
                    views += looks(plan)
                    progress.stage(VIEWS, views)  # a picture may take minutes
                    each = partial(progress.step, VIEWS)
                    found = boost_planned(frame.rgb, plan, estimate, merge, view=each)
                    sharp, low = resized(found, size), resized(store.final.read(t)[0], size)
                    scale, shift = fit_scale_shift(sharp, low)
                    out.write(t, (sharp * np.float32(scale) + np.float32(shift))[None])
