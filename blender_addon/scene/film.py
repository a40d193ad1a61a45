# SPDX-License-Identifier: GPL-3.0-or-later
"""The transparent film: several of our set-ups need it, and the last one to go gives back what was there."""

from __future__ import annotations

from typing import Any

KEY = "vdepth_film"
"""Custom property of the scene: what the film was, and who needs it transparent."""


def need(scene: Any, owner: str) -> None:
    """Makes the scene's film transparent for one of our set-ups, named by ``owner``."""
    if KEY not in scene:
        scene[KEY] = {"before": scene.render.film_transparent}
    scene[KEY][owner] = True
    scene.render.film_transparent = True


def release(scene: Any, owner: str) -> None:
    """Takes a need back; after the last one the film is what it was."""
    if KEY not in scene or owner not in scene[KEY]:
        return
    del scene[KEY][owner]
    if list(scene[KEY].keys()) == ["before"]:
        scene.render.film_transparent = bool(scene[KEY]["before"])
        del scene[KEY]
