from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clip_media import number_of, numbered, write_movie

from vdepth_core.clip import ClipScan, open_clip
from vdepth_core.clip.cuts import MOMENT
from vdepth_core.errors import Cancelled, UsageError
from vdepth_core.progress import Progress
from vdepth_core.types import Shot


class Listener(Progress):
    """Counts what a scan says."""

    def __init__(self) -> None:
        super().__init__()
        self.done, self.total, self.warnings = 0, None, []

    def stage(self, name: str, total: int | None) -> None:
        assert name == "scan"
        self.total = total

    def advance(self, name: str, done: int = 1) -> None:
        self.done += done

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def scene(seed: int, count: int, speed: float = 1.0) -> list[np.ndarray]:
    return [numbered(0, seed, shift=speed * k) for k in range(count)]


@pytest.fixture(scope="module")
def three_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "cuts.mp4"
    return write_movie(path, [*scene(1, 20), *scene(2, 15), *scene(3, 25)])


def test_hard_cuts_are_found_and_shots_come_early(three_shots: Path) -> None:
    clip, progress = open_clip(three_shots), Listener()
    scan = clip.scan(progress=progress)
    assert next(scan) == Shot(0, 0, 20)
    assert progress.done <= 20 + 25 * MOMENT + 2  # the first shot is handed on while the scan goes on
    assert clip.facts is None
    assert list(scan) == [Shot(1, 20, 35), Shot(2, 35, 60)]
    assert clip.facts is not None
    assert clip.facts.shots == (Shot(0, 0, 20), Shot(1, 20, 35), Shot(2, 35, 60))
    assert (progress.done, progress.total, progress.warnings) == (60, 60, [])


@pytest.mark.parametrize(("start", "stop"), [(0, None), (5, 30), (20, 21), (34, 60)])
def test_shots_cover_the_range_exactly(three_shots: Path, start: int, stop: int | None) -> None:
    clip = open_clip(three_shots)
    shots = list(clip.scan(start=start, stop=stop))
    assert (shots[0].start, shots[-1].stop) == (start, stop or 60)
    assert [shot.stop for shot in shots[:-1]] == [shot.start for shot in shots[1:]]
    assert [shot.index for shot in shots] == list(range(len(shots)))
    assert all(shot.exposure == 1 for shot in shots)
    assert clip.facts is not None
    assert clip.facts.frames == len(clip.facts.times) == len(clip.facts.pts) == (stop or 60)


def test_one_shot_when_switched_off(three_shots: Path) -> None:
    assert list(open_clip(three_shots).scan(shots=False)) == [Shot(0, 0, 60)]


def test_range_beyond_the_end(three_shots: Path) -> None:
    clip, progress = open_clip(three_shots), Listener()
    assert list(clip.scan(start=50, stop=80, shots=False, progress=progress)) == [Shot(0, 50, 60)]
    assert "asks for 30 frames" in progress.warnings[0]
    with pytest.raises(UsageError, match="starts at 60"):
        list(clip.scan(start=60))


def test_scan_can_be_cancelled(three_shots: Path) -> None:
    progress = Listener()
    progress.cancel()
    with pytest.raises(Cancelled):
        list(open_clip(three_shots).scan(progress=progress))


def test_facts_survive_json_exactly(three_shots: Path) -> None:
    clip = open_clip(three_shots)
    list(clip.scan())
    facts = clip.facts
    assert facts is not None
    assert ClipScan.from_json(facts.to_json()) == facts
    strange = ClipScan(
        2, (Fraction(0), Fraction(1001, 30000)), (5, 9), (Shot(0, 0, 2, 0.123456),), ("A sentence.",)
    )
    assert ClipScan.from_json(strange.to_json()) == strange
    assert json.loads(strange.to_json())["ticks"] == [0, 1001]


def test_reading_uses_what_a_running_scan_knows(three_shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(three_shots)
    scan = clip.scan()
    next(scan), next(scan)
    whole = [frame.rgb for frame in clip.read(0, 35)]
    monkeypatch.setattr("vdepth_core.clip.decode._threaded", None)
    part = list(clip.read(25, 35))
    assert [frame.time for frame in part] == [Fraction(k, 25) for k in range(25, 35)]
    assert all(np.array_equal(frame.rgb, whole[frame.index]) for frame in part)
    assert len(list(scan)) == 1


def test_scan_does_not_change_what_is_read(movie: Path) -> None:
    clip = open_clip(movie)
    before = [number_of(frame.rgb) for frame in clip.read()]
    list(clip.scan())
    assert [number_of(frame.rgb) for frame in clip.read()] == before == list(range(60))


SAVED = ClipScan(
    4,
    tuple(Fraction(k, 24) for k in range(4)),
    tuple(range(4)),
    (Shot(0, 1, 3), Shot(1, 3, 4, 2.5)),
    ("It is damaged.",),
)


def test_a_scan_survives_its_file() -> None:
    assert ClipScan.from_json(SAVED.to_json()) == SAVED


@pytest.mark.parametrize(
    "change",
    [
        {"ticks": [0, 1]},
        {"ticks": [3, 2, 1, 0]},
        {"ticks": None},
        {"ticks_per_second": 0},
        {"frames": -1},
        {"frames": 5},
        {"pts": ["a"] * 4},
        {"shots": []},
        {"shots": [[0, 0, 99, 1.0]]},
        {"shots": [[0, 3, 2, 1.0]]},
        {"shots": [[0, 0, 2, 1.0], [1, 3, 4, 1.0]]},
        {"shots": [[0, 0, 4, float("nan")]]},
        {"shots": [[3, 0, 4, 1.0]]},
    ],
    ids=str,
)
def test_a_scan_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ClipScan.from_json(json.dumps({**json.loads(SAVED.to_json()), **change}))
