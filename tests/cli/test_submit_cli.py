"""``vdepth submit``: the options given come back as they are typed; ``--ray`` and its neighbours."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from vdepth_core.cli.estimate import EstimateCommand
from vdepth_core.cli.main import app
from vdepth_core.cli.submit import option_words
from vdepth_core.errors import UsageError

OPTIONS = [
    "--near",
    "0.5",
    "--no-sharpen",
    "--boost",
    "--normals",
    "--frames",
    "0-9",
    "--intrinsics",
    "lens 1.json",
]


def call(*words: object) -> None:
    app([str(word) for word in words], prog_name="vdepth", standalone_mode=False)


def test_options_come_back_as_words_of_the_same_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    call("submit", "make", "my film.mov", "-o", "depth", "--shares", 2, "--into", "job", *OPTIONS)
    said = capsys.readouterr()
    assert said.out.splitlines() == ["job/commands.txt", "job/finish.txt", "job/Makefile"]
    assert "2 chunks. To send: make -C job" in said.err
    words = shlex.split((tmp_path / "job" / "commands.txt").read_text().splitlines()[0])
    assert words == [
        "vdepth", "estimate", f"{tmp_path}/my film.mov", "-o", f"{tmp_path}/depth", "--boost", "shot",
        "--frames", "0-9", "--near", "0.5", "--intrinsics", f"{tmp_path}/lens 1.json", "--normals",
        "--no-sharpen", "--shard", "1/2",
    ]  # fmt: skip


def test_a_value_that_looks_like_an_option_is_joined_to_its_own() -> None:
    fields = list(EstimateCommand("estimate").fields())
    assert option_words(fields, {"model": "-x", "seed": 3}) == ["--model=-x", "--seed", "3"]


def test_an_option_that_is_wrong_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Near"):
        call(
            "submit",
            "slurm",
            "a.mov",
            "-o",
            tmp_path,
            "--into",
            tmp_path / "job",
            "--near",
            "9",
            "--far",
            "3",
        )
    assert not (tmp_path / "job").exists()


def test_devices_to_share_out_are_not_a_farms(tmp_path: Path) -> None:
    into = tmp_path / "job"
    with pytest.raises(UsageError, match="cuda:0,cuda:1 cannot be shared out"):
        call("submit", "make", "a.mov", "-o", tmp_path, "--into", into, "--device", "cuda:0,cuda:1")
    assert not into.exists()


@pytest.mark.parametrize(("device", "fits"), [("cuda:1", False), ("cuda:0", True), ("cuda", True)])
def test_the_second_gpu_of_a_machine_is_no_tasks(tmp_path: Path, device: str, fits: bool) -> None:
    words = ("submit", "slurm", "a.mov", "-o", tmp_path, "--into", tmp_path / "job", "--device", device)
    if fits:
        call(*words)
        assert "#SBATCH --gpus=1" in (tmp_path / "job" / "estimate_1.sbatch").read_text()
    else:
        with pytest.raises(UsageError, match="gets one GPU, which is cuda:0 there, so it has no cuda:1"):
            call(*words)
        assert not (tmp_path / "job").exists()


def test_the_template_is_json_with_the_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(
        "submit",
        "openjd",
        "a.mov",
        "b.mov",
        "-o",
        tmp_path,
        "--into",
        tmp_path / "job",
        "--program",
        "/opt/vdepth",
    )
    template = json.loads((tmp_path / "job" / "template.json").read_text())
    (step,) = template["steps"]
    assert step["script"]["actions"]["onRun"]["command"] == "/opt/vdepth"
    assert len(step["parameterSpace"]["taskParameterDefinitions"][0]["range"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ray-workers", "2"], "are for a cluster"),
        (["--ray", "auto", "--shard", "1/2"], "share a clip's shots out"),
        (["--device", "cpu,cpu", "--shots", "0-1"], "share a clip's shots out"),
        (["--device", "cpu,cuda:77"], "not available"),
        (["--ray", "--device", "cpu,cpu"], "gives devices out itself"),
        (["--ray", "ray://head:10001"], "not through Ray's client"),
    ],
)
def test_what_a_fleet_cannot_is_said(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call("estimate", "a.mov", "-o", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_ray_alone_takes_no_clip_for_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str]] = []
    monkeypatch.setattr(
        "vdepth_core.cli.fields.FieldsCommand.parse_args", lambda _, __, args: found.append(args)
    )
    command = EstimateCommand("estimate")
    for words in (["--ray", "a.mov"], ["--ray", "head:6379", "a.mov"], ["a.mov", "--ray"], ["--", "--ray"]):
        command.parse_args(None, words)
    assert found == [
        ["--ray", "local", "a.mov"], ["--ray", "head:6379", "a.mov"], ["a.mov", "--ray", "local"],
        ["--", "--ray"],
    ]  # fmt: skip
