"""Each half of a stereo clip is a clip, however both lie in it."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.clip.halves import split_eyes
from vdepth_core.errors import InputError


def written(folder, width=64, height=48):
    folder.mkdir()
    pictures = np.random.default_rng(0).integers(0, 255, (3, height, width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture[..., ::-1])
    return open_clip(folder, rate=Fraction(24)), pictures


@pytest.mark.parametrize(
    ("layout", "size", "aspect", "cut"),
    [
        ("side-by-side", (32, 48), 1, (slice(None), slice(32))),
        ("half-side-by-side", (32, 48), 2, (slice(None), slice(32))),
        ("top-bottom", (64, 24), 1, (slice(24), slice(None))),
        ("half-top-bottom", (64, 24), Fraction(1, 2), (slice(24), slice(None))),
    ],
)
def test_halves(layout, size, aspect, cut, tmp_path):
    clip, pictures = written(tmp_path / "clip")
    left, right = split_eyes(clip, layout)
    for half in (left, right):
        assert (half.info.width, half.info.height) == size
        assert half.info.pixel_aspect == aspect
    shots = list(left.scan())
    assert [len(shot) for shot in shots] == [3]
    assert right.facts is left.facts is not None
    for index, frame in enumerate(ShotView(left, shots[0]).frames()):
        assert np.array_equal(frame.rgb, pictures[index][cut])
    mirrored = pictures[:, ::-1, ::-1]  # the right half is the left half from the other end
    for frame in right.read(1, 2):
        assert frame.index == 1
        assert np.array_equal(frame.rgb[::-1, ::-1], mirrored[1][cut])


def test_what_has_no_halves(tmp_path):
    odd, _ = written(tmp_path / "odd", width=49)
    with pytest.raises(InputError, match="width of 49"):
        split_eyes(odd, "side-by-side")
    split_eyes(odd, "top-bottom")
    small, _ = written(tmp_path / "small", width=24)
    with pytest.raises(InputError, match="width of 24"):
        split_eyes(small, "half-side-by-side")
