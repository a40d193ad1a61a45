"""Tripods and turns are refused in a sentence, who travels is not; the gap is as far as points should go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from layered import WIDTH, camera, footage_of, pictures, travelling

from vdepth_core.adaptation.gaps import choose_gaps
from vdepth_core.adaptation.parallax import check_parallax, refuse_still
from vdepth_core.clip import open_clip
from vdepth_core.errors import InputError
from vdepth_core.geometry.motion.gaps import WANTED
from vdepth_core.geometry.motion.parallax import motion_of
from vdepth_core.progress import Progress

CLIPS = Path(__file__).parents[3] / "shared" / "clips"


def turning(count: int) -> np.ndarray:
    return np.stack([camera((0.002 * t, 0.012 * t, 0.001 * t)) for t in range(count)])


def noisy(frames: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).astype(np.uint8)


def walked(frames: np.ndarray) -> np.ndarray:
    """Something crosses the picture."""
    rng = np.random.default_rng(3)
    thing = np.repeat(cv2.resize(rng.integers(0, 255, (12, 6), np.uint8), (20, 50))[..., None], 3, -1)
    frames = frames.copy()
    for t, frame in enumerate(frames):
        frame[60:110, 20 + 6 * t : 40 + 6 * t] = thing
    return frames


def test_who_travels(tmp_path: Path) -> None:
    frames = noisy(pictures(travelling(14))[0])
    with footage_of(tmp_path, frames) as footage:
        assert check_parallax(footage, Progress()) == [True]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: walked(pictures(np.tile(camera(), (14, 1, 1)))[0]), "stands still"),
        (lambda: pictures(turning(14))[0], "only turns"),
        (lambda: walked(pictures(turning(14))[0]), "only turns"),
    ],
)
def test_who_does_not(make: Callable[[], np.ndarray], sentence: str, tmp_path: Path) -> None:
    with footage_of(tmp_path, noisy(make())) as footage:
        with pytest.raises(InputError, match=f"camera {sentence}.* in shot.mov") as refused:
            check_parallax(footage, Progress(), "shot.mov")
        assert "--frames" in refused.value.hint
        assert refused.value.exit_code == 3


def sequence(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:03d}.png"), frame)
    return folder


def test_a_sequence_of_a_tripod_is_refused_after_six_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = pictures(np.tile(camera(), (14, 1, 1)))[0]
    clip = open_clip(sequence(tmp_path / "still", noisy(walked(still))))
    read, seen = clip.read, []
    monkeypatch.setattr(clip, "read", lambda *a, **k: seen.append(a) or read(*a, **k))
    with pytest.raises(InputError, match="camera stands still in still"):
        refuse_still(clip, 0, None)
    assert len(seen) == 6
    refuse_still(clip, 0, 5)  # of so few all are read
    for name, frames in (("turns", pictures(turning(14))[0]), ("travels", pictures(travelling(14))[0])):
        refuse_still(open_clip(sequence(tmp_path / name, noisy(frames))), 0, None)
    cut = np.concatenate((still[:7], pictures(np.tile(camera((0, 0.4, 0)), (7, 1, 1)))[0]))
    refuse_still(open_clip(sequence(tmp_path / "cut", cut)), 0, None)  # two tripods are for the scan to tell


def movie(path: Path, frames: np.ndarray, gop: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.gop_size = gop
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("short", [300, 10])
def test_a_movie_of_a_tripod_is_refused_before_it_is_read(
    short: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short one is looked through once, of a long one some key frames are."""
    monkeypatch.setattr("vdepth_core.clip.movie._SHORT", short)
    still = pictures(np.tile(camera(), (14, 1, 1)))[0]
    clip = open_clip(movie(tmp_path / "still.mov", noisy(walked(still)), 2))
    if short < 14:
        monkeypatch.setattr(clip, "read", None)
    assert len(list(clip.glances(6, 0, None, WIDTH))) == 6
    half = list(clip.glances(6, 7, 13, WIDTH))  # key frames lie at 8, 10 and 12
    assert len(half) == (6 if short > 14 else 3)
    with pytest.raises(InputError, match=r"camera stands still in still\.mov"):
        refuse_still(clip, 0, None)
    for name, frames in (("turns", pictures(turning(14))[0]), ("travels", pictures(travelling(14))[0])):
        refuse_still(open_clip(movie(tmp_path / f"{name}.mp4", noisy(frames), 2)), 0, None)
    one = open_clip(movie(tmp_path / "one.mp4", noisy(walked(still)), 100))  # a single key frame says nothing
    if short < 14:
        refuse_still(one, 0, None)
    else:
        with pytest.raises(InputError, match="stands still"):
            refuse_still(one, 0, None)


def test_one_shot_of_several_is_enough(tmp_path: Path) -> None:
    warnings: list[str] = []

    class Listening(Progress):
        def warn(self, message: str) -> None:
            warnings.append(message)

    parts = pictures(turning(10))[0], pictures(travelling(10))[0]
    with footage_of(tmp_path, *parts) as footage:
        assert check_parallax(footage, Listening()) == [False, True]
    assert warnings == ["Shot 1 is left out: its camera only turns."]


def test_gap(tmp_path: Path) -> None:
    """Half as fast, twice as far; never more than the shot allows."""
    slow = np.stack([camera(place=(0.012 * t, 0, 0)) for t in range(40)])
    fast = np.stack([camera(place=(0.024 * t, 0, 0)) for t in range(40)])
    with footage_of(tmp_path, pictures(slow)[0], pictures(fast)[0], pictures(slow)[0][:5]) as footage:
        gaps = choose_gaps(footage, Progress())
    assert gaps[0] == pytest.approx(2 * gaps[1], abs=2)
    assert gaps[2] == 2
    motion = 0.024 * gaps[1] * 190 / 6 / WIDTH  # of the wall, which is most of the picture
    assert WANTED / 2 < motion < 2 * WANTED


@pytest.mark.parametrize(
    ("name", "motion"),
    [
        ("vid_static_juggle", "stands"),
        ("vid_pan_kingscross", "turns"),
        ("vid_drive_highway", "travels"),
        ("vid_phone_alley", "travels"),
        ("vid_puppy_handheld", "travels"),
    ],
)
def test_real_clips(name: str, motion: str) -> None:
    folder = CLIPS / name
    if not folder.exists():
        pytest.skip("the real clips are not here")
    clip = open_clip(next(path for path in folder.iterdir() if path.suffix in (".mp4", ".mov")))
    scale = 448 / clip.info.width
    size = 448, round(clip.info.height * scale)
    frames = []
    for frame in clip.read():
        frames.append(
            cv2.resize(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        )
        if len(frames) == 72:
            break
    assert motion_of(frames.__getitem__, range(len(frames)), size[0]) == motion
