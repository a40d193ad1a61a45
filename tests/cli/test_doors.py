"""The doors of the command: help, options anywhere, what was meant, closed outputs, progress in logs."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, vdepth
from generated import write_movie
from processes import VDEPTH, run
from rich.console import Console

from vdepth_core.cli.display import ConsoleDisplay, EventLines
from vdepth_core.cli.log_lines import NAMED, LogLines, PlainLines
from vdepth_core.errors import ResourceError
from vdepth_core.jobs.events import Error, PartDone, ProgressEvent, Warning_, parse_event

FAST = ("--model", "embedded", "--device", "cpu", "--size", "64")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("doors") / "shot.mp4", 3)


def test_every_verbs_help_has_examples_choices_and_exit_codes() -> None:
    for verb in ("estimate", "demo", "inspect", "export", "evaluate", "adapt", "models", "doctor"):
        text = vdepth(verb, "-h", check=0).stdout
        assert f"vdepth {verb}" in text.partition("Examples:")[2]
        assert "130 cancelled" in text
    text = vdepth("estimate", "--help", check=0).stdout
    for menu in ("[draft|balanced|best]", "[auto|cuda|mps|cpu]", "[off|align|filter]", "[zip|zips|pxr24]"):
        assert menu in text


def test_debug_may_stand_anywhere(tmp_path: Path) -> None:
    for arguments in (["--debug", "inspect", "gone.mov"], ["inspect", "gone.mov", "--debug"]):
        done = run(VDEPTH, *arguments)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
    named = tmp_path / "--debug"  # behind --, it is a name
    done = vdepth("inspect", "--", named.name)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("estimat {clip} -o {out}", "estimate"),
        ("estimate {clip} -o {out} --model embeded", "embedded"),
        ("estimate {clip} -o {out} --preset bset", "best"),
        ("estimate {clip} -o {out} --method temproal", "temporal"),
        ("estimate {clip} --ouput {out}", "--out"),
        ("weights install tcmonodepth-smal", "tcmonodepth-small"),
        ("export {out} --to png", "png16"),
        ("make-tiny marigld {out}", "marigold"),
    ],
)
def test_what_was_meant_is_named(clip: Path, tmp_path: Path, command: str, meant: str) -> None:
    done = vdepth(*(word.format(clip=clip, out=tmp_path / "out") for word in command.split()))
    assert done.returncode == 2, done.stderr
    assert meant in done.stderr.partition("id you mean")[2] + done.stderr.partition("ossible options")[2]


@pytest.mark.skipif(os.name == "nt", reason="pipes close differently on Windows")
def test_a_reader_that_has_enough_is_no_error(clip: Path) -> None:
    command = [*COMMAND, "inspect", str(clip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("events", [["--events"], []])
def test_a_full_output_is_said_with_the_code_of_resources(
    clip: Path, tmp_path: Path, events: list[str]
) -> None:
    verb = ["estimate", str(clip), "-o", str(tmp_path / "out"), *FAST, *events]
    command = [*COMMAND, *(verb if events else ["inspect", str(clip)])]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "Internal" not in done.stderr
    if events:  # what was done is not lost
        assert vdepth(*verb[:-1], check=0)


@pytest.mark.skipif(os.name == "nt", reason="pipes close differently on Windows")
def test_a_program_that_goes_away_stops_its_job(clip: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "estimate", str(clip), "-o", str(tmp_path / "out"), *FAST, "--events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert process.wait() == 5
    assert not list((tmp_path / "out").glob("*.tmp"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are UTF-8 there")
def test_a_name_that_is_no_utf8_is_one_sentence(clip: Path, tmp_path: Path) -> None:
    named = os.fsencode(tmp_path) + b"/plat\xe9.mp4"
    with open(named, "wb") as file:
        file.write(clip.read_bytes())
    command = [*map(os.fsencode, [*COMMAND, "inspect"]), named]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 3, done.stderr
    assert b"not UTF-8" in done.stderr
    options = ["-o", tmp_path / "out", *FAST, "--events"]
    assert "not UTF-8" in vdepth("estimate", *options, os.fsdecode(named), check=3).stderr
    assert not (tmp_path / "out").exists()


def test_events_never_hold_lone_surrogates(capsys: pytest.CaptureFixture[str]) -> None:
    lines = EventLines()
    lines.on_event(Warning_(clip="plat\udce9.mp4", message="plat\udce9.mp4 is odd"))
    event = parse_event(capsys.readouterr().out)
    assert isinstance(event, Warning_)
    assert event.message == "plat� is odd".replace("plat�", "plat�.mp4")


def test_what_libraries_print_is_no_event(capsys: pytest.CaptureFixture[str]) -> None:
    with EventLines() as lines:
        print("a library's word")
        lines.on_event(Warning_(message="told"))
    print("afterwards")
    said = capsys.readouterr()
    event, after = said.out.splitlines()
    assert parse_event(event) == Warning_(message="told")
    assert after == "afterwards"
    assert said.err == "a library's word\n"


def test_events_nobody_can_read_are_an_error_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    lines = EventLines()
    with pytest.raises(ResourceError, match="standard output"):
        lines.on_event(Warning_(message="first"))
    lines.on_event(Error(code="resources", message="second"))  # the job can end in peace


def test_a_log_gets_a_line_every_few_per_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("vdepth_core.cli.log_lines.time.monotonic", lambda: clock[0])
    said: list[str] = []
    lines = LogLines(said.append)
    for done in range(1, 2001):
        clock[0] += 0.1
        lines.progress("write", "Writing shot", done, 2000)
    assert 15 <= len(said) <= 20
    assert said[0].startswith("Writing shot: 5 %")
    said.clear()
    for done in range(1, 1001):
        clock[0] += 0.1
        lines.progress("scan", "Reading shot", done, None)
    assert 8 <= len(said) <= 10


def test_without_a_terminal_progress_is_printed_and_names_are_not_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("vdepth_core.cli.log_lines.time.monotonic", lambda: clock[0])
    text = io.StringIO()
    with ConsoleDisplay(Console(file=text, force_terminal=False, width=200)) as show:
        for done in (1, 50, 100):
            show.on_event(ProgressEvent(clip="a/shot.mov", stage="infer", done=done, total=200, fps=2, eta=9))
            clock[0] += 5
        show.on_event(Warning_(clip="a/shot.mov", message="a/shot.mov is damaged."))
        show.on_event(Warning_(clip="a/shot.mov", message="The lens is assumed."))
    lines = text.getvalue().splitlines()
    assert lines[:2] == [
        "Estimating shot.mov: 25 %, 50 of 200, 2.0 frames/s, 9 s left",
        "Estimating shot.mov: 50 %, 100 of 200, 2.0 frames/s, 9 s left",
    ]
    assert lines[2:] == ["Warning: a/shot.mov is damaged.", "Warning: shot.mov: The lens is assumed."]


@pytest.mark.parametrize(
    ("shots", "of", "words"),
    [([0], 1, "shot 0 (counted from 0, as by --shots; 1 in all)"), ([0, 2], 4, "shots 0, 2 (")],
)
def test_the_shots_of_a_share_are_not_read_as_how_many(shots: list[int], of: int, words: str) -> None:
    text = io.StringIO()
    with ConsoleDisplay(Console(file=text, force_terminal=False, width=200)) as show:
        show.on_event(PartDone(clip="a/shot.mov", out="out", shots=shots, of=of))
    assert f"Done: shot.mov: {words}" in text.getvalue()


def test_the_script_without_the_package_says_what_to_install(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "install_weights.py"
    copy = tmp_path / script.name
    copy.write_text(script.read_text())
    command = [sys.executable, "-S", "-I", str(copy), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 4
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_news_of_a_training_does_not_say_which_module_it_is_from():
    def said(name, level):
        return PlainLines(NAMED).format(logging.LogRecord(name, level, "", 0, "step %d, 9 s", (6,), None))

    assert said("vdepth_core.learning.loop", logging.INFO) == "step 6, 9 s"
    assert said("diffusers.utils", logging.WARNING) == "diffusers.utils: step 6, 9 s"
