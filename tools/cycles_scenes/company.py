# SPDX-License-Identifier: GPL-3.0-or-later
"""People as they are filmed: one to six of them near the camera, in a room, a street or a park."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import bpy
from catalogue import Catalogue, pick  # type: ignore[import-not-found]
from indoor import View, room  # type: ignore[import-not-found]
from outdoor import park, street  # type: ignore[import-not-found]
from solids import Triple  # type: ignore[import-not-found]

STANDING = "male|female|girl|boy|holding"
SITTING = "sitting"
PETS = "dog|cat|bulldog|siamese|horse"


def company(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A scene with people before the camera, from a face to whole figures."""
    stage: Any = rng.choice((room, street, park))
    view = stage(rng, things, photos)
    bpy.context.view_layer.update()
    ground = _ground(view)
    middle = [(a + b) / 2 for a, b in zip(view.low, view.high, strict=True)]
    heading = rng.uniform(-0.4, 0.4) + (0 if stage is not room else rng.choice((0, math.pi)))
    targets: list[Triple] = []
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        away, aside = rng.uniform(1.0, 3.5), rng.gauss(0, 0.6)
        x = middle[0] + away * math.sin(heading) + aside * math.cos(heading)
        y = middle[1] + away * math.cos(heading) - aside * math.sin(heading)
        if stage is room and not (view.low[0] < x < view.high[0] and view.low[1] < y < view.high[1]):
            continue
        entry = pick(rng, things.find(PETS if rng.random() < 0.15 else STANDING, 0.25, 2.2))
        low = entry.size[2] < 0.6 or "lying" in entry.name.lower()
        things.place(entry, (x, y, ground(x, y)), rng.uniform(0, 6.28), rng.uniform(0.92, 1.08))
        targets.append((x, y, ground(x, y) + entry.size[2] * (0.5 if low else rng.uniform(0.6, 0.95))))
    spread = (0.8, 0.8) if stage is room else (1.5, 1.5)
    low_z = ground(middle[0], middle[1]) + 0.9
    low = tuple(max(a, m - s) for a, m, s in zip(view.low, middle, spread, strict=False))
    high = tuple(min(b, m + s) for b, m, s in zip(view.high, middle, spread, strict=False))
    return View((*low, low_z), (*high, low_z + 0.9), targets or view.targets, (30, 75), 0.35)  # type: ignore[arg-type]


def _ground(view: View) -> Any:
    """Height of what is beneath a point, from just under the camera's lowest place."""
    scene, graph = bpy.context.scene, bpy.context.evaluated_depsgraph_get()

    def height(x: float, y: float) -> float:
        hit, where, *_ = scene.ray_cast(graph, (x, y, view.low[2]), (0, 0, -1))
        return float(where.z) if hit else 0.0

    return height
