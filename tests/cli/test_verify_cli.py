"""``vdepth verify`` names each damaged or missing file and exits with 3; with 0 when all is well."""

import json
import shutil
import sys

import pytest
from generated import write_movie

from vdepth_core import checksums
from vdepth_core.checksums import sha256_of
from vdepth_core.cli import main as cli
from vdepth_core.jobs.batch import estimate
from vdepth_core.output.journal import Journal

OPTIONS = {"preset": "draft", "size": 64, "device": "cpu", "method": "framewise"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    out = folder / "out"
    estimate(write_movie(folder / "shot.mp4", 3), out, OPTIONS)
    return out


@pytest.fixture
def out(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


def verify(monkeypatch, capsys, out, *more):
    monkeypatch.setattr(sys, "argv", ["vdepth", "verify", str(out), *more])
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_all_is_well(out, monkeypatch, capsys):
    code, printed, said = verify(monkeypatch, capsys, out)
    assert (code, printed) == (0, "")
    assert "9 files" in said
    code, printed, _ = verify(monkeypatch, capsys, out, "--json")
    found = json.loads(printed)
    assert (code, found["finished"], found["files"], found["faults"]) == (0, True, 9, [])


def test_what_cannot_be_read_is_not_called_damaged(out, monkeypatch, capsys):
    known = checksums.Checksums.of

    def of(self, path, **options):
        if path.name == "shot_depth.1002.exr":
            raise PermissionError(13, "Permission denied", str(path))
        return known(self, path, **options)

    monkeypatch.setattr(checksums.Checksums, "of", of)
    code, printed, said = verify(monkeypatch, capsys, out)
    assert code == 3
    assert printed.strip() == f"unreadable: {out / 'shot_depth.1002.exr'}"
    assert "1 cannot be read. Check permissions" in said


@pytest.mark.parametrize("name", ["shot_depth.1002.exr", "preview.mp4", "report.html", "manifest.json"])
@pytest.mark.parametrize("kind", ["damaged", "missing"])
def test_each_damaged_or_missing_file_is_named(out, monkeypatch, capsys, name, kind):
    if kind == "missing":
        (out / name).unlink()
    else:
        flip(out / name, -20)
    code, printed, said = verify(monkeypatch, capsys, out)
    assert code == 3
    assert printed == f"{kind}: {out / name}\n"
    assert "Of the 9 files" in said
    assert "again" in said  # for what was damaged
    assert "changed away first" in said  # for what the user edited, which that run would refuse to replace
    code, printed, _ = verify(monkeypatch, capsys, out, "--json")
    assert (code, json.loads(printed)["faults"]) == (3, [{"name": name, "kind": kind}])


def test_nothing_remembered_is_believed(out, monkeypatch, capsys):
    """Damage on the disk leaves no trace in the file system's own records."""
    spoiled = out / "shot_depth.1002.exr"
    whole = sha256_of(spoiled)
    flip(spoiled, -20)
    (out / ".vdepth" / "seen.json").write_text(json.dumps({checksums._key(spoiled.stat()): whole}))
    assert verify(monkeypatch, capsys, out)[0] == 3


def test_results_copied_without_their_journal(out, monkeypatch, capsys):
    shutil.rmtree(out / ".vdepth")
    assert verify(monkeypatch, capsys, out)[0] == 0
    flip(out / "shot_disparity.1001.exr", -1)
    code, printed, _ = verify(monkeypatch, capsys, out)
    assert (code, printed) == (3, f"damaged: {out / 'shot_disparity.1001.exr'}\n")


def unfinished(out):
    """As after a kill, with a file that was noted and had not got its name yet."""
    (out / "manifest.json").unlink()
    (out / ".vdepth" / "manifest.json").unlink()
    lines = (out / ".vdepth" / "journal.jsonl").read_text().splitlines(True)
    (out / ".vdepth" / "journal.jsonl").write_text("".join(x for x in lines if "manifest" not in x))
    (out / "shot_depth.1003.exr").rename(out / ".vdepth" / "tmp" / "0123456789abcdef.tmp")


def test_an_unfinished_job_is_checked_against_its_journal(out, monkeypatch, capsys):
    unfinished(out)
    code, printed, said = verify(monkeypatch, capsys, out)
    assert (code, printed) == (0, "")
    assert "7 files" in said
    assert "not finished" in said
    flip(out / "shot_depth.1002.exr", -20)
    (out / "shot_depth.1001.exr").unlink()
    code, printed, _ = verify(monkeypatch, capsys, out)
    assert code == 3
    assert printed.splitlines() == [
        f"missing: {out / 'shot_depth.1001.exr'}",
        f"damaged: {out / 'shot_depth.1002.exr'}",
    ]


def test_files_a_former_job_left_are_not_asked_for(out, monkeypatch, capsys):
    unfinished(out)
    journal = Journal(out)
    journal.open()
    journal.begin("another job")
    journal.close()
    (out / "shot_depth.1002.exr").unlink()
    code, _, said = verify(monkeypatch, capsys, out)
    assert code == 0
    assert "0 files" in said


@pytest.mark.parametrize("content", [None, "{"])
def test_no_job_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, content):
    if content:
        (tmp_path / "manifest.json").write_text(content)
    code, _, said = verify(monkeypatch, capsys, tmp_path)
    assert code == 3
    assert said.startswith("vdepth: ")
    assert "manifest.json" in said
