"""One long shot in ranges, by several processes: any order, any kill, the bytes of one run."""

import shutil
from pathlib import Path

import pytest
from generated import RampModel, write_movie
from jobs.test_parts import run
from jobs.test_run import digest
from rolling_fakes import FakeSnippets

from vdepth_core.errors import InputError, JobConflictError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.assemble import finish
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import PartDone
from vdepth_core.jobs.folder import JobFolder
from vdepth_core.jobs.parts import Part
from vdepth_core.methods.ranges import RangedMethod
from vdepth_core.methods.registry import METHODS
from vdepth_core.output.naming import JobNames
from vdepth_core.types import Shot

TEMPORAL = {"method": "temporal"}  # its second pass looks across the ranges' ends; others are framewise


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    """A clip of one shot."""
    return write_movie(tmp_path_factory.mktemp("clip") / "take.mp4", 24)


@pytest.fixture(scope="module")
def whole(take, tmp_path_factory):
    """What one run makes of it."""
    out = tmp_path_factory.mktemp("whole")
    assert run(take, out, **TEMPORAL).error is None
    return out


@pytest.mark.parametrize(("lengths", "step"), [((100,), 1), ((100,), 8), ((9, 120, 9, 30), 8), ((40, 40), 0)])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_ranges_and_shots_make_the_clip_and_begin_at_a_batch(lengths, step, count):
    made, start = [], 17
    for index, length in enumerate(lengths):
        made.append(Shot(index, start, start + length))
        start += length
    pieces = [piece for k in range(1, count + 1) for piece in Part(share=(k, count)).pieces(made, step)]
    frames = [piece.shot.start + frame for piece in pieces for frame in range(piece.start, piece.stop)]
    assert frames == list(range(17, start))
    assert all(piece.start % step == 0 and len(piece.shot) >= 8 for piece in pieces if not piece.whole)
    assert all(piece.whole for piece in pieces) == (
        step == 0 or count == 1 or (count == 2 and len(made) == 4)
    )


@pytest.mark.parametrize(
    ("order", "options"),
    [((3, 1, 2), TEMPORAL), ((2, 3, 1), {"batch": 4, "cfr": "10", "normals": True})],
)
def test_ranges_of_one_shot_in_any_order_give_the_bytes_of_one_run(take, tmp_path, order, options):
    assert run(take, tmp_path / "whole", **options).error is None
    seen, events = [], []
    for share in order:
        model = RampModel()
        part = Part(share=(share, 3))
        assert run(take, tmp_path / "parts", model, part, events.append, **options).error is None
        seen.append(model.seen)
    assert sum(seen) == 24
    assert max(seen) < 12
    told = [event for event in events if isinstance(event, PartDone)]
    assert [event.shots for event in told] == [[], [], [0]]
    finish(tmp_path / "parts")
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")
    assert not list((tmp_path / "parts" / ".vdepth").glob("shot_*"))


def test_a_window_chain_is_never_cut():
    ranged = {
        name
        for name in ("framewise", "temporal", "rolling", "windowed", "chrono")
        if isinstance(METHODS.create(name, {}), RangedMethod)
    }
    assert ranged == {"framewise", "temporal", "rolling"}


@pytest.mark.parametrize("options", [{}, {"rolling_preset": "full", "batch": 4}])
def test_snippets_of_one_shot_spread_and_align_in_one_place(take, tmp_path, options):
    def spread(out, part=None):
        model, shelf = FakeSnippets(0.2), ModelShelf()
        shelf.put("snippets", "cpu", "fp32", model)
        facts = {"model": "snippets", "method": "rolling", "device": "cpu", "dtype": "fp32", "size": 64}
        config = EstimateConfig.parse(**facts, **options)
        assert estimate_clips([take], out, config, shelf=shelf, part=part)[0].error is None
        return sum(model.batches)

    snippets = spread(tmp_path / "whole")
    seen = [spread(tmp_path / "parts", Part(share=(share, 3))) for share in (2, 3, 1)]
    assert sum(seen) <= snippets  # the first run may measure threads with some more
    assert max(seen) <= sum(seen) / 3 + 4
    finish(tmp_path / "parts")
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")


def test_a_killed_range_is_done_again_from_where_it_stopped(take, whole, tmp_path):
    class Dies(RampModel):
        def predict(self, frames):
            if self.seen == 5:
                raise KeyboardInterrupt
            return super().predict(frames)

    out = tmp_path / "out"
    for share in (1, 3):
        assert run(take, out, part=Part(share=(share, 3)), **TEMPORAL).error is None
    assert run(take, out, Dies(), Part(share=(2, 3)), **TEMPORAL).error is not None
    with pytest.raises(InputError, match=r"1 of the 1 shot in .* is not finished: 0"):
        finish(out)
    model = RampModel()
    assert run(take, out, model, Part(share=(2, 3)), **TEMPORAL).error is None
    assert model.seen < 8 - 3
    again = RampModel()
    assert run(take, out, again, Part(share=(1, 3)), **TEMPORAL).error is None  # a farm runs a chunk twice
    assert again.seen == 0
    finish(out)
    assert digest(out) == digest(whole)


def test_who_dies_after_the_last_range_is_followed_by_any_share(take, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run(take, out, part=Part(share=(1, 2)), **TEMPORAL).error is None
    with monkeypatch.context() as patch:
        patch.setattr("vdepth_core.jobs.run.ShotWriter.finish", lambda *_: 1 / 0)
        assert run(take, out, part=Part(share=(2, 2)), **TEMPORAL).error is not None
    model = RampModel()
    assert run(take, out, model, Part(share=(1, 2)), **TEMPORAL).error is None
    assert model.seen == 0
    finish(out)
    assert digest(out) == digest(whole)


def test_ranges_are_locked_each_and_against_their_shot(take, tmp_path):
    assert run(take, tmp_path, part=Part(share=(1, 2))).error is None
    with JobFolder(tmp_path, JobNames("take", ("depth", "disparity")), (), shots=range(1)):
        error = run(take, tmp_path, part=Part(share=(2, 2))).error
        assert isinstance(error, JobConflictError)
        assert "on shot 0" in error.message
    assert run(take, tmp_path, part=Part(numbers=(0, 1))).error is None  # takes the range, does the rest
    assert finish(tmp_path).count == 24


def test_ranges_of_a_clip_that_changed_count_for_nothing(take, tmp_path):
    clip, out = Path(shutil.copy(take, tmp_path / "take.mp4")), tmp_path / "out"
    assert run(clip, out, part=Part(share=(1, 2))).error is None
    data = bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    for share in (2, 1):
        model = RampModel()
        assert run(clip, out, model, Part(share=(share, 2))).error is None
        assert model.seen == 12
    assert run(clip, tmp_path / "whole").error is None
    finish(out)
    assert digest(out) == digest(tmp_path / "whole")


def test_what_a_run_says_once_ranges_say_once(take, tmp_path):
    class Holes(RampModel):
        def predict(self, frames):
            said = super().predict(frames)
            said[:, :2, :2] = float("nan")
            return said

    assert run(take, tmp_path / "whole", Holes()).error is None
    for share in (2, 1):
        assert run(take, tmp_path / "out", Holes(), Part(share=(share, 2))).error is None
    assert len(finish(tmp_path / "out").warnings) == 1
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
