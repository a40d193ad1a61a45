"""A job finds its clip again: from another folder, moved together with it, or where the user says."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from generated import RampModel, write_movie

from vdepth_core.cli import main as cli
from vdepth_core.errors import InputError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.output.plate import pictures
from vdepth_core.output.sequence import read_sequence


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip and its job, which was told of the clip by a relative path."""
    project = tmp_path / "project"
    (project / "plates").mkdir(parents=True)
    write_movie(project / "plates" / "shot.mp4", 2)
    shelf = ModelShelf()
    shelf.put("ramp", "cpu", "fp32", RampModel())
    config = EstimateConfig.parse(model="ramp", device="cpu", dtype="fp32", size=64, method="framewise")
    monkeypatch.chdir(project)
    result = estimate_clips([Path("plates/shot.mp4")], Path("depth"), config, shelf=shelf)[0]
    assert result.error is None
    monkeypatch.chdir(tmp_path)
    return project


def seen(job: Path, clip: Path | None = None) -> int:
    sequence = read_sequence(job, clip)
    return len(list(pictures(sequence.manifest, sequence.numbers)))


def test_a_relative_name_holds_from_any_folder(project: Path) -> None:
    assert read_sequence(project / "depth").manifest.clip.path == str(project / "plates" / "shot.mp4")
    assert seen(project / "depth") == 2


def test_a_job_that_moved_with_its_clip_finds_it(project: Path, tmp_path: Path) -> None:
    moved = project.rename(tmp_path / "elsewhere")
    assert seen(moved / "depth") == 2
    assert seen(Path("elsewhere") / "depth") == 2


def test_a_clip_that_is_gone_is_asked_for_and_taken_from_where_it_is(project: Path, tmp_path: Path) -> None:
    moved = shutil.move(project / "plates" / "shot.mp4", tmp_path / "shot.mp4")
    with pytest.raises(InputError, match=r"shot.mp4 does not exist. Say where the job's clip is with --clip"):
        seen(project / "depth")
    assert seen(project / "depth", moved) == 2
    os.remove(project / "depth" / ".vdepth" / "job.json")
    with pytest.raises(InputError, match="--clip"):
        seen(project / "depth")


@pytest.mark.parametrize(
    "verb", [["novel-view", "--path", "dolly"], ["fuse"], ["relight", "--light", "ambient"]]
)
def test_each_verb_names_the_option_and_has_it(
    project: Path, verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(project / "plates", project / "older")
    name, *more = verb
    for clip in ([], ["--clip", str(project / "older" / "shot.mp4")]):
        words = ["vdepth", name, str(project / "depth"), *more, *clip, "--events"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit):
            cli.main()
        assert ("--clip" in capsys.readouterr().out) == (not clip)


def test_a_margin_that_is_no_number_is_usage(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vdepth", "fuse", str(project / "depth"), "--margin", "nan"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "--margin nan is no share of the plate's sides. Give 0 to 100, percent." in capsys.readouterr().err
