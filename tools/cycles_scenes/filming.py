# SPDX-License-Identifier: GPL-3.0-or-later
"""How people hold a camera: at which height, through which lens, and at what."""

from __future__ import annotations

import random

from indoor import View  # type: ignore[import-not-found]

WAYS = (("handheld", 0.5), ("low", 0.12), ("wide", 0.12), ("long", 0.14), ("high", 0.12))


def filmed(rng: random.Random, view: View, outside: bool) -> View:
    """A view as somebody would film it: mostly as it is; else from low or high, wide or from afar.

    Args:
        rng: Where chance comes from.
        view: What a scene offers.
        outside: Whether the camera may rise above heads.
    """
    way = rng.choices([name for name, _ in WAYS], [share for _, share in WAYS])[0]
    low, high, lens = list(view.low), list(view.high), view.lens
    if way == "low":
        rise = high[2] - low[2]
        low[2], high[2] = low[2] - min(0.4, 0.5 * low[2]), low[2] + 0.2 * rise
    elif way == "wide":  # action cameras
        lens = (90, 118)
    elif way == "long":
        lens = (18, 38)
    elif way == "high" and outside:  # a balcony, a drone
        low[2], high[2] = high[2] + 2, high[2] + rng.choice((4, 10, 25))
    return View(tuple(low), tuple(high), view.targets, lens, view.nearest)  # type: ignore[arg-type]
