from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.jobs.writer import _NORMAL_BYTES, _PIXEL_BYTES, _SKY_BYTES, room_for
from vdepth_core.output.attributes import FrameAttributes
from vdepth_core.output.finish import DepthMapping, DisparityRange
from vdepth_core.output.sky import Sky
from vdepth_core.output.writer import SequenceSettings, SequenceWriter
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
        assert frames == 1 or frames * width * height * _PIXEL_BYTES <= 1 << 30


@pytest.mark.parametrize(("normals", "sky"), [(False, False), (True, False), (False, True)])
def test_a_frame_takes_no_more_than_it_is_given_room_for(tmp_path: Path, normals: bool, sky: bool) -> None:
    """Counted where numpy and OpenCV take their arrays, on a picture as tall as 8K: normals are fitted in
    strips of a fixed height.
    """
    height, width = 4320, 128
    rng = np.random.default_rng(0)
    disparity = np.tile(np.linspace(0.1, 0.5, height // 20, dtype=np.float32)[:, None], (1, 32))
    disparity[60:150, 9:20] = 0.9  # steps, so that all of the up-sampling is at work
    disparity[:9] = np.nan
    tracemalloc.start()
    try:
        rgb = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        settings = SequenceSettings(normals=normals, sky=sky, sky_depth=sky, compression="pxr24")
        writer = SequenceWriter(tmp_path, "clip", settings)
        seen = Sky(np.ones((32, 32, 32), np.float32)) if sky else None
        writer.write(rgb, disparity, _attributes(width, height), sky=seen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    room = _PIXEL_BYTES + (_NORMAL_BYTES if normals else 0) + (_SKY_BYTES if sky else 0)
    assert 0.7 * room < peak / (width * height) <= room


def _attributes(width: int, height: int) -> FrameAttributes:
    return FrameAttributes(
        number=1001,
        rate=Fraction(24),
        pixel_aspect=Fraction(1),
        mapping=DepthMapping("affine_invariant", DisparityRange(0.1, 0.9), 1.0, 100.0),
        scale=1.0,
        shift=0.0,
        shot=0,
        method="temporal",
        model="embedded",
        weights_sha256="ab" * 32,
        license="Apache-2.0",
        source="clip.mov",
        source_pts=0,
        intrinsics=Intrinsics.default(width, height),
        job="f00d",
        timecode=None,
        since_start=0,
    )
