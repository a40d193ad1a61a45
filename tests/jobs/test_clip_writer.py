from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vdepth_core.jobs.writer import room_for
from vdepth_core.types import ClipInfo


@pytest.mark.parametrize("normals", [False, True])
def test_large_frames_are_written_one_at_a_time(normals: bool) -> None:
    def room(width: int, height: int) -> tuple[int, int]:
        info = ClipInfo(Path("clip.mov"), "movie", "clip", width, height, Fraction(1), Fraction(24))
        return room_for(info, normals)

    assert room(7680, 4320) == (1, 1)
    threads, frames = room(1280, 720)
    assert threads >= 2
    assert frames == threads + 2
    for width, height in ((1920, 1080), (3840, 2160), (6144, 3160)):
        _, frames = room(width, height)
        assert frames == 1 or frames * width * height * 24 <= 1 << 30
