"""Pairs stay within shots, held-out ones share no frame with the others, and flow finds a known motion."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.adaptation.footage import Footage, find_motion, read_frames, split_pairs
from vdepth_core.clip import open_clip
from vdepth_core.errors import Cancelled
from vdepth_core.progress import Progress
from vdepth_core.types import Shot


@pytest.mark.parametrize("lengths", [(2,), (3,), (9,), (25,), (200,), (30, 2, 60), (5, 5, 5), (12, 40)])
def test_split(lengths: tuple[int, ...]) -> None:
    ends = [0, *np.cumsum(lengths).tolist()]
    shots = [range(a, b) for a, b in pairwise(ends)]
    split = split_pairs(shots)
    allowed = {pair for shot in shots for pair in shot[:-1]}
    assert split.training
    assert split.validation
    assert allowed.issuperset(split.training)
    assert allowed.issuperset(split.validation)
    if sum(lengths) > 3:
        learnt = {frame for pair in split.training for frame in (pair, pair + 1)}
        held = {frame for pair in split.validation for frame in (pair, pair + 1)}
        assert not learnt & held
    if sum(lengths) > 50:
        assert len(split.training) > 0.6 * len(allowed)
        assert len(split.validation) > 0.05 * len(allowed)


@pytest.fixture
def panned(tmp_path: Path) -> Path:
    """Seven pictures that move three pixels to the left each."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 255, (64, 128, 3), np.uint8), (0, 0), 1.5)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    folder = tmp_path / "clip"
    folder.mkdir()
    for t in range(7):
        cv2.imwrite(str(folder / f"{t:03d}.png"), wide[:, 3 * t : 3 * t + 96])
    return folder


def test_frames_and_motion(panned: Path, tmp_path: Path) -> None:
    shots = [Shot(0, 0, 3), Shot(1, 3, 7)]
    clip = open_clip(panned, rate=Fraction(24))
    with Footage(tmp_path / "f", shots, 64, 96) as footage:
        read_frames(clip, footage, shots, Progress())
        find_motion(footage, Progress())
        assert footage.shots == [range(3), range(3, 7)]
        for t, frame in enumerate(clip.read()):
            assert np.array_equal(footage.frames.read(t)[0], frame.rgb)
        flow, seen = footage.motion([0, 4])
        inner = flow[:, 8:-8, 16:-8]
        assert abs(float(inner[..., 0].median()) + 3) < 0.2
        assert abs(float(inner[..., 1].median())) < 0.2
        assert float(seen[:, 8:-8, 16:-8].mean()) > 0.8
        with pytest.raises(KeyError):
            footage.motion([2])  # a cut lies between 2 and 3


def test_stopped_preparation_goes_on(panned: Path, tmp_path: Path) -> None:
    shots = [Shot(0, 0, 7)]

    class StopAfter(Progress):
        left = 3

        def advance(self, name: str, done: int = 1) -> None:
            self.left -= done
            if not self.left:
                self.cancel()

    clip = open_clip(panned, rate=Fraction(24))
    with Footage(tmp_path / "f", shots, 64, 96) as footage:
        read_frames(clip, footage, shots, Progress())
        with pytest.raises(Cancelled):
            find_motion(footage, StopAfter())
    with Footage(tmp_path / "f", shots, 64, 96) as again, Footage(tmp_path / "g", shots, 64, 96) as fresh:
        assert again.flow.missing() == [3, 4, 5, 6]
        for footage in (again, fresh):
            read_frames(clip, footage, shots, Progress())
            find_motion(footage, Progress())
        assert again.flow.missing() == [6]
        assert np.array_equal(again.flow.read(0, 6), fresh.flow.read(0, 6))
        assert np.array_equal(again.frames.read(0, 7), fresh.frames.read(0, 7))
