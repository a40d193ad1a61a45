"""The command's contract: help, version handshake, one-sentence errors and exit codes."""

import json
import os
import subprocess
import sys

import pytest
from commands import COMMAND, vdepth
from generated import write_movie

import vdepth_core
from vdepth_core.cli.inspect import _range
from vdepth_core.errors import as_vdepth_error
from vdepth_core.jobs.events import Done, Started, parse_event


def in_its_own_process(*arguments):
    """What the command prints where nothing else is loaded; it succeeds."""
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_version_handshake_is_json():
    facts = json.loads(in_its_own_process("--json", "--version").stdout)
    assert facts["vdepth"] == vdepth_core.__version__
    assert facts["events"] == 1


def test_help_names_every_verb():
    text = vdepth("--help", check=0).stdout
    for verb in (
        *("estimate", "demo", "inspect", "export", "evaluate", "models", "weights", "adapt", "doctor"),
        *("train-embedded", "train-merge", "train-selfsup", "train-diffusion", "make-tiny"),
        *("compare", "ground", "fuse"),
        "novel-view",
        "relight",
        "metric",
    ):
        assert verb in text


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("estimate", 2, "Missing"),
        ("estimate {clip} -o {out} --near 0", 2, "--near"),
        ("estimate {clip} -o {out} --method magic", 2, "magic"),
        ("estimate {clip} -o {out} --frames 90-99", 2, "ends at frame 2"),
        ("estimate {clip} -o {out} --model no-such-model", 2, "no-such-model"),
        ("estimate missing.mp4 -o {out}", 3, "missing.mp4"),
        ("estimate {text} -o {out}", 3, "text.mp4"),
        ("estimate {clip} -o {out} --model midas-v21", 4, "midas-v21"),
        ("estimate {clip} -o {clip}/below", 5, "below"),
        ("inspect {text}", 3, "text.mp4"),
        ("export {out} --to npz", 3, "manifest"),
        ("estimate {clip} --out=", 2, "--out has no value"),
        ("--json", 2, "--json goes behind a verb"),
        ("inspect {clip} --orientation sideways", 2, "no orientation sideways. Choose one of upright"),
        ("--json inspect {clip}", 2, "--json goes behind a verb"),
    ],
)
def test_failures_are_one_sentence_with_the_documented_code(tmp_path, command, code, words, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path / "weights"))
    clip, text = write_movie(tmp_path / "clip.mp4", 3), tmp_path / "text.mp4"
    text.write_text("no movie")
    done = vdepth(*(part.format(clip=clip, text=text, out=tmp_path / "out") for part in command.split()))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_events_are_one_json_object_a_line(tmp_path):
    clip = write_movie(tmp_path / "clip.mp4", 3)
    options = ["--model", "embedded", "--device", "cpu", "--size", 64, "--events"]
    done = in_its_own_process("estimate", clip, "-o", tmp_path / "out", *options)
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert done.stderr == ""


def test_an_argument_of_nothing_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = vdepth("estimate", write_movie(tmp_path / "clip.mp4", 1), "-o", "", check=2)
    assert "One of the arguments is empty" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell's way to close a stream")
def test_a_closed_stdout_is_no_failure(tmp_path):
    clip = write_movie(tmp_path / "clip.mp4", 1)
    command = f"'{sys.executable}' -m vdepth_core inspect '{clip}' >&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_current_folder_that_is_gone_is_said_so():
    error = as_vdepth_error(FileNotFoundError(2, "No such file or directory"))
    assert error.exit_code == 3
    assert "The folder that this runs in does not exist any more." in error.message


def test_a_single_frame_and_negative_numbers_are_told_as_people_write_them():
    assert [_range(0, 1), _range(0, 9), _range(-5, 0)] == ["0", "0-8", "-5 to -1"]
