"""All kinds of scenes and how often each is drawn; a layout fills a builder and places the camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import figures, furniture, nature, town
from .builder import Builder, Frame
from .indoor import close_up, corridor, room
from .outdoor import ground, landscape, park, street
from .primitives import Kind
from .scene import Light
from .views import View, indoor_light, outdoor_light

_SUBJECTS: tuple[Callable[[Builder, Frame], None], ...] = (
    figures.person, figures.person, figures.animal, furniture.chair, nature.plant, town.cart,
)  # fmt: skip


def subject(b: Builder) -> tuple[View, Light]:
    """A person, animal or thing filling the picture, in a room or town.

    Args:
        b: The scene being built.
    """
    view, light = (park if b.coin() else room)(b)
    distance = b.u(0.8, 2.6)
    to = np.array((view.target[0] - view.eye[0], view.target[2] - view.eye[2]))
    to /= np.linalg.norm(to)
    for k in range(b.pick((1, 1, 2, 3))):
        away = distance + 0.7 * k
        side = b.u(-0.5, 0.5) * (1 + k)
        f = Frame(
            view.eye[0] + to[0] * away + to[1] * side,
            0,
            view.eye[2] + to[1] * away - to[0] * side,
            b.u(-1, 1) + np.arctan2(*to) * b.coin(0.8),
        )
        b.pick(_SUBJECTS)(b, f)
    target = (view.eye[0] + to[0] * distance, b.u(0.6, 1.5), view.eye[2] + to[1] * distance)
    return View(view.eye, target, 6, (40, 75), 0.02, view.centre, view.extent, view.outdoor), light


def loose(b: Builder) -> tuple[View, Light]:
    """Solids floating anywhere before a back wall or the sky: occlusion without any prior.

    Args:
        b: The scene being built.
    """
    if b.coin(0.7):
        shell = (b.u(3, 8), b.u(2, 6), b.u(4, 10))
        b.add(Kind.SHELL, Frame(), (0, 0, shell[2] * 0.6), shell, b.paint(tile=b.u(0.5, 4)), casts=False)
        light, outdoor = indoor_light(b, shell[0], shell[1], shell[2] / 2), False
    else:
        light, outdoor = outdoor_light(b), True
        if b.coin():
            ground(b)
    for _ in range(int(b.rng.integers(6, 50))):
        z = 1.0 + 9 * b.u(0, 1) ** 1.5
        figures.abstract(b, Frame(b.u(-0.9, 0.9) * z, b.u(-0.6, 0.6) * z, z), b.u(0.1, 0.3) * z)
    return View((0, 0, 0), (0, 0, 5), 5, (40, 90), 0.05, (0, 0, 5), 6.0, outdoor), light


LAYOUTS: dict[str, tuple[Callable[[Builder], tuple[View, Light]], float]] = {
    "room": (room, 0.24), "corridor": (corridor, 0.1), "street": (street, 0.2), "park": (park, 0.16),
    "subject": (subject, 0.1), "close_up": (close_up, 0.11), "landscape": (landscape, 0.05), "loose":
    (loose, 0.04),
}  # fmt: skip
