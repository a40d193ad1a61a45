"""Float plates with pixels that are no numbers: used, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_media import write_image

from vdepth_core.clip import open_clip


def plates(folder: Path, broken: dict[int, slice], value: float) -> Path:
    for number in range(1001, 1009):
        pixels = np.full((48, 64, 3), 0.2, np.float32)
        if number in broken:
            pixels[broken[number]] = value
        write_image(folder / f"cg.{number}.exr", pixels)
    return folder


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_frames_are_named_together(tmp_path: Path, value: float) -> None:
    everything = slice(None)
    clip = open_clip(plates(tmp_path, {1003: slice(0, 12), 1004: everything, 1007: everything}, value))
    assert len(list(clip.scan())) == 1
    assert clip.facts is not None
    (said,) = clip.facts.warnings
    assert said.startswith("Frames 1003-1004, 1007: up to 100% of the pixels are NaN or infinite")
    assert all(np.isfinite(frame.rgb).all() for frame in clip.read())


def test_fireflies_are_not_worth_a_word(tmp_path: Path) -> None:
    clip = open_clip(plates(tmp_path, {}, 0))
    pixels = np.full((48, 64, 3), 0.2, np.float32)
    pixels[::20, ::20] = np.inf
    write_image(tmp_path / "cg.1003.exr", pixels)
    list(clip.scan())
    assert clip.facts is not None
    assert clip.facts.warnings == ()
