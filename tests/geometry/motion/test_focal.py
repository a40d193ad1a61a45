"""The focal length is found from motion where the truth is known, and refused where nothing tells it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from layered import K, camera, pictures, travelling

from vdepth_core.clip import open_clip
from vdepth_core.errors import InputError
from vdepth_core.flow.tracks import Tracks
from vdepth_core.geometry.motion import focal
from vdepth_core.geometry.motion.focal import Stretch, lens_from_motion, look_at, together
from vdepth_core.geometry.motion.two_views import inverse_depths
from vdepth_core.progress import Progress


def lumas(frames: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)) for rgb in frames]


def sequence(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    for number, rgb in enumerate(frames):
        cv2.imwrite(str(folder / f"shot.{number:04d}.png"), rgb[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def travels() -> np.ndarray:
    return pictures(travelling(14))[0]


def test_focal_length_and_how_sure_it_is(travels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(focal, "STARTS", (0.96,))  # three take three times as long
    found = look_at(lumas(travels), Progress())
    assert found.motion == "travels"
    true = K[0, 0] / travels.shape[2]
    assert found.focal == pytest.approx(true, rel=0.1)
    assert abs(np.log(found.focal / true)) < 2 * found.error


@pytest.mark.parametrize(
    ("poses", "said"),
    [
        ([camera()] * 10, "The camera stands still in shot.0000.png"),
        (
            [camera((0.002 * t, 0.012 * t, 0.001 * t)) for t in range(10)],
            "The camera only turns, or sees .* flat, in",
        ),
    ],
)
def test_tripods_and_turns_are_refused(tmp_path: Path, poses: list[np.ndarray], said: str) -> None:
    clip = open_clip(sequence(tmp_path / "clip", pictures(np.stack(poses))[0]))
    with pytest.raises(InputError, match=said) as caught:
        lens_from_motion(clip, 0, None, Progress())
    assert "--fov" in caught.value.hint


def test_a_clip_of_few_frames_is_refused(tmp_path: Path, travels: np.ndarray) -> None:
    clip = open_clip(sequence(tmp_path / "clip", travels[:4]))
    with pytest.raises(InputError, match="is seen too briefly"):
        lens_from_motion(clip, 0, None, Progress())


def test_the_lens_of_a_clip_says_where_it_is_from(
    tmp_path: Path, travels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focal, "look_at", lambda *_: Stretch("travels", np.float64(0.5), 0.05))
    lens = lens_from_motion(open_clip(sequence(tmp_path / "clip", travels)), 0, None, Progress())
    assert (lens.source, lens.detail, lens.error) == ("motion", "1 stretch of the clip", 0.05)
    assert lens.fx == pytest.approx(0.5 * travels.shape[2])
    monkeypatch.setattr(focal, "look_at", lambda *_: Stretch("travels", 0.5, 0.4))
    with pytest.raises(InputError, match="tells its focal length to ± 40% only"):
        lens_from_motion(open_clip(tmp_path / "clip"), 0, None, Progress())


def test_stretches_that_contradict_each_other_make_it_unsure() -> None:
    agree = [Stretch("travels", 1.0, 0.02), Stretch("travels", 1.01, 0.02), Stretch("turns")]
    middle, error = together(agree)
    assert middle == pytest.approx(1.005, abs=1e-3)
    assert error == pytest.approx(0.02 / 2**0.5)
    _, error = together([Stretch("travels", 1.0, 0.02), Stretch("travels", 2.0, 0.02)])
    assert error > 0.3
    assert together([Stretch("turns")])[1] == np.inf


def test_two_views_know_what_is_near_and_not_its_mirror_image() -> None:
    rng = np.random.default_rng(2)
    points = np.column_stack((rng.uniform(-2, 2, (200, 2)), rng.uniform(3, 9, 200)))
    moved = points @ cv2.Rodrigues(np.array((0.01, 0.05, 0)))[0].T + (-0.4, 0.05, 0.1)
    here, there = (p[:, :2] / p[:, 2:] * K[0, 0] + K[:2, 2] for p in (points, moved))
    there[:20] += rng.uniform(-20, 20, (20, 2))
    tracks = Tracks(0, here, (1,), there[:, None], np.ones((200, 1), bool))
    inverse = inverse_depths(tracks, K)
    true = np.median(points[20:, 2]) / points[20:, 2]
    assert np.median(np.abs(inverse[20:] / true - 1)) < 0.02
    nothing = Tracks(0, here, (1,), there[:, None], np.zeros((200, 1), bool))
    assert (inverse_depths(nothing, K) == 1).all()
