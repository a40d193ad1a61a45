"""One job by several processes: any split, in any order, gives the bytes of one run."""

import json
import os
import shutil
import signal
import textwrap
from pathlib import Path

import pytest
from generated import RampModel, write_movie
from jobs.test_run import OPTIONS as PLAIN
from jobs.test_run import digest
from processes import start

from vdepth_core.errors import InputError, JobConflictError, UsageError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.assemble import finish
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import PartDone
from vdepth_core.jobs.folder import JobFolder
from vdepth_core.jobs.parts import Part
from vdepth_core.output.verify import verify
from vdepth_core.progress import Progress
from vdepth_core.types import Shot

OPTIONS = PLAIN | {"method": "framewise"}  # the fastest; parts of `temporal` are made where it says so


def run(clip, out, model=None, part=None, on_event=None, **options):
    shelf = ModelShelf()
    shelf.put("ramp", "cpu", "fp32", model or RampModel())
    config = EstimateConfig.parse(**{**OPTIONS, **options})
    return estimate_clips([clip], out, config, shelf=shelf, part=part, on_event=on_event)[0]


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 28, shots=4)


@pytest.fixture(scope="module")
def whole(movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert run(movie, out).error is None
    return out


@pytest.mark.parametrize(
    ("shots", "shard", "expected"),
    [
        ("0-1", None, [0, 1]),
        ("3", None, [3]),
        (None, "1/1", [0, 1, 2, 3]),
        (None, "1/3", [0, 1, 2]),
        (None, "2/3", [3]),
        (None, "3/3", []),
    ],
)
def test_a_part_is_a_run_of_shots(shots, shard, expected):
    lengths, start, made = (10, 10, 10, 90), 100, []
    for index, length in enumerate(lengths):
        made.append(Shot(index, start, start + length))
        start += length
    part = Part.parse(shots, shard)
    assert part is not None
    assert [piece.shot.index for piece in part.pieces(made)] == expected


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17])
def test_every_shot_is_in_exactly_one_share(count):
    made, start = [], 0
    for index, length in enumerate((3, 50, 1, 1, 7, 200, 4, 4)):
        made.append(Shot(index, start, start + length))
        start += length
    shares = [Part(share=(k, count)).pieces(made) for k in range(1, count + 1)]
    assert [piece.shot.index for share in shares for piece in share] == list(range(len(made)))


@pytest.mark.parametrize(
    ("shots", "shard", "message"),
    [
        ("3-1", None, "--shots 3-1"),
        ("-1", None, "--shots -1"),
        (None, "0/3", "--shard 0/3"),
        (None, "4/3", "--shard 4/3"),
        ("0", "1/2", "both"),
    ],
)
def test_what_is_no_part_is_named(shots, shard, message):
    with pytest.raises(UsageError, match=message):
        Part.parse(shots, shard)


def test_a_shot_the_clip_has_not(movie, tmp_path):
    error = run(movie, tmp_path, part=Part(numbers=(2, 6))).error
    assert isinstance(error, UsageError)
    assert "shots 0 to 3; there is no shot 5" in error.message


@pytest.mark.parametrize(
    "options", [{"method": "temporal"}, {"cfr": "10"}, {"normals": True, "layered": True}]
)
def test_shares_in_reverse_order_give_the_bytes_of_one_run(movie, tmp_path, options):
    assert run(movie, tmp_path / "whole", **options).error is None
    events = []
    for share in (3, 2, 1):
        result = run(
            movie, tmp_path / "parts", part=Part(share=(share, 3)), on_event=events.append, **options
        )
        assert result.error is None
        assert result.manifest is None
    told = [event for event in events if isinstance(event, PartDone)]
    assert sorted(shot for event in told for shot in event.shots) == [0, 1, 2, 3]
    assert {event.of for event in told} == {4}
    assert not (tmp_path / "parts" / "manifest.json").exists()
    finish(tmp_path / "parts")
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")
    assert not verify(tmp_path / "parts").faults
    assert not list((tmp_path / "parts" / ".vdepth").glob("shot_*"))


def test_a_whole_run_goes_on_from_parts(movie, whole, tmp_path):
    assert run(movie, tmp_path, part=Part(numbers=(1, 3))).error is None
    model = RampModel()
    assert run(movie, tmp_path, model).error is None
    assert model.seen == 14
    assert digest(tmp_path) == digest(whole)


def test_what_is_not_finished_is_named(movie, tmp_path):
    with pytest.raises(InputError, match="holds no job"):
        finish(tmp_path)
    assert run(movie, tmp_path, part=Part(numbers=(1, 2))).error is None
    with pytest.raises(
        InputError, match=r"3 of the 4 shots .*, counted from 0 as by --shots, are not finished: 0 2-3\."
    ):
        finish(tmp_path)
    assert run(movie, tmp_path).error is None
    before = digest(tmp_path)
    assert finish(tmp_path).count == 28
    assert digest(tmp_path) == before


def test_parts_are_locked_shot_by_shot(movie, tmp_path):
    assert run(movie, tmp_path, part=Part(numbers=(0, 1))).error is None
    names, sources = _names(tmp_path), ()
    with JobFolder(tmp_path, names, sources, shots=range(1, 2)):
        assert isinstance(run(movie, tmp_path, part=Part(numbers=(1, 3))).error, JobConflictError)
        assert isinstance(run(movie, tmp_path).error, JobConflictError)
        with pytest.raises(JobConflictError, match="on shot 1"):
            finish(tmp_path)
        assert run(movie, tmp_path, part=Part(numbers=(2, 4))).error is None
    assert run(movie, tmp_path, part=Part(numbers=(1, 2))).error is None
    assert finish(tmp_path).count == 28


def _names(out):
    from vdepth_core.output.naming import JobNames

    return JobNames("shot", ("depth", "disparity"))


PROCESS = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from generated import RampModel
    from jobs.test_parts import run
    from vdepth_core.jobs.parts import Part

    movie, out, share, until = sys.argv[1:]

    class Stopping(RampModel):
        def predict(self, frames):
            if self.seen >= int(until):
                print("at work", flush=True)
                time.sleep(60)
            return super().predict(frames)

    result = run(Path(movie), Path(out), Stopping(), Part(share=(int(share), 3)))
    sys.exit(1 if result.error else 0)
    """
)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_two_processes_one_killed_and_its_share_repeated(movie, whole, tmp_path):
    out = tmp_path / "out"
    with start(PROCESS, movie, out, 3, 1000) as last, start(PROCESS, movie, out, 2, 9) as middle:
        assert middle.stdout.readline() == "at work\n"
        assert last.wait(60) == 0
        middle.send_signal(signal.SIGKILL)
        assert middle.wait(60) == -signal.SIGKILL
    assert list(out.glob(".vdepth/shot_*/raw.f32"))
    for share in (2, 1):
        assert run(movie, out, part=Part(share=(share, 3))).error is None
    finish(out)
    assert digest(out) == digest(whole)


def test_a_job_of_parts_is_plain_json(movie, tmp_path):
    assert run(movie, tmp_path, part=Part(numbers=(0, 1))).error is None
    plan = json.loads((tmp_path / ".vdepth" / "job.json").read_text())
    assert plan["size"] == [64, 96]
    assert plan["threads"] >= 1
    assert plan["spec"]["name"] == "ramp"
    assert len(json.loads((tmp_path / ".vdepth" / "scan.json").read_text())["scan"]["shots"]) == 4


def test_a_share_with_other_options_hears_which_and_both_ways_out(movie, tmp_path):
    assert run(movie, tmp_path, part=Part(share=(1, 2)), far=50.0).error is None
    error = run(movie, tmp_path, part=Part(share=(2, 2)), far=80.0, normals=True).error
    assert isinstance(error, JobConflictError)
    assert "(far differs: 50 there, 80 here; normals differs: off there, on here)" in error.message
    assert error.hint.startswith("Give the options that the other shots were begun with, or use --overwrite")
    assert run(movie, tmp_path, part=Part(share=(2, 2)), far=50.0).error is None


class Heard(Progress):
    def __init__(self):
        super().__init__()
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def test_finishing_says_that_the_clip_changed_and_does_without_it(movie, whole, tmp_path):
    clip, out = Path(shutil.copy(movie, tmp_path / "shot.mp4")), tmp_path / "out"
    for share in (1, 2):
        assert run(clip, out, part=Part(share=(share, 2))).error is None
    gone = shutil.copytree(out, tmp_path / "gone")
    data = bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    heard = Heard()
    finish(out, heard)
    assert len(heard.warnings) == 1
    assert "The clip changed since its depth was predicted (shot.mp4)" in heard.warnings[0]
    clip.unlink()
    heard = Heard()
    finish(gone, heard)
    assert heard.warnings == []
    whole = digest(whole)
    for done in (out, gone):
        assert {name for name in digest(done) if digest(done)[name] != whole[name]} <= {"manifest.json"}


def test_whoever_plans_leaves_what_others_have_half_made(movie, whole, tmp_path):
    assert run(movie, tmp_path, part=Part(numbers=(0, 1))).error is None
    at_work = JobFolder(tmp_path, _names(tmp_path), (), shots=range(1, 2))
    with at_work as folder, folder.own(tmp_path / ".vdepth" / "mine") as half:
        assert run(movie, tmp_path, part=Part(numbers=(2, 4))).error is None
        assert half.exists()
    assert run(movie, tmp_path, part=Part(numbers=(1, 2))).error is None
    finish(tmp_path)
    assert digest(tmp_path) == digest(whole)
    assert not list((tmp_path / ".vdepth").glob("tmp*/*"))


def test_the_folder_of_several_jobs_is_finished_job_by_job(movie, whole, tmp_path, capsys):
    import typer

    from vdepth_core.cli.finish import finish as verb

    for name in ("a", "b"):
        for share in (1, 2) if name == "a" else (1,):
            assert run(movie, tmp_path / name, part=Part(share=(share, 2))).error is None
    with pytest.raises(typer.Exit) as stop:
        verb(tmp_path)
    assert stop.value.exit_code == 3
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "a" / "manifest.json")]
    assert "2 of the 4 shots" in said.err
    assert digest(tmp_path / "a") == digest(whole)
