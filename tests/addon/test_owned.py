"""Delete takes what the core wrote and nobody changed; the rest is the user's."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from blender_addon.operators.state import State
from blender_addon.result.manifest import ResultError
from blender_addon.result.owned import delete, owned_files

EXR = "c_depth.0006.exr"


def facts(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A finished job with its journal, beside files of the user."""
    folder = tmp_path / "depth"
    (folder / ".vdepth").mkdir(parents=True)
    for name in (EXR, "c_depth.0007.exr", "preview.mp4"):
        (folder / name).write_text(f"content of {name}")
    for name in ("notes.txt", "c_depth.0008.exr", "report.html"):
        (folder / name).write_text("mine")
    files = {name: facts(folder / name) for name in (EXR, "c_depth.0007.exr", "preview.mp4")}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    lines = [{"vdepth": "journal", "format": 1}, {"job": "a"}]
    lines += [{"name": name, **entry} for name, entry in files.items()]
    lines.append({"name": "manifest.json", **facts(folder / "manifest.json")})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / ".vdepth" / "journal.jsonl").write_text(text + '{"name": "torn')
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_only_what_was_written_is_deleted(job: Path) -> None:
    owned = owned_files(job / "manifest.json")
    assert owned.files[-1].name == "manifest.json"  # the last, so that a failure can be tried again
    assert owned.changed == []
    delete(owned, job)
    assert names(job) == ["c_depth.0008.exr", "notes.txt", "report.html"]


def test_the_journal_is_read_once(job: Path, monkeypatch) -> None:
    opened = []
    original = Path.open

    def counted(path: Path, *options, **named):
        opened.append(path.name)
        return original(path, *options, **named)

    monkeypatch.setattr(Path, "open", counted)
    assert len(owned_files(job / "manifest.json").files) == 4
    assert opened.count("journal.jsonl") == 1


def test_what_was_changed_since_stays_and_is_named(job: Path) -> None:
    (job / EXR).write_text("retouched by hand")
    owned = owned_files(job / "manifest.json")
    assert [path.name for path in owned.changed] == [EXR]
    delete(owned, job)
    assert (job / EXR).read_text() == "retouched by hand"
    assert (job / ".vdepth" / "journal.jsonl").is_file()


def test_a_name_that_leads_elsewhere_is_never_taken(job: Path) -> None:
    other = job.parent / "other.exr"
    other.write_text("somebody's")
    manifest = json.loads((job / "manifest.json").read_text())
    for name in ("../other.exr", str(other), "notes.txt", "..", "c_depth.0008.exr/../../other.exr"):
        manifest["files"][name] = facts(other if "other" in name else job / "notes.txt")
    (job / "manifest.json").write_text(json.dumps(manifest))
    delete(owned_files(job / "manifest.json"), job)
    assert other.read_text() == "somebody's"
    assert (job / "notes.txt").is_file()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_are_not_followed(job: Path) -> None:
    outside = job.parent / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep")
    (job / EXR).unlink()
    (job / EXR).symlink_to(outside / "keep.txt")
    (job / ".vdepth" / "shot_0000").symlink_to(outside)
    delete(owned_files(job / "manifest.json"), job)
    assert (outside / "keep.txt").read_text() == "keep"
    assert (job / EXR).is_symlink()

    work = job.parent / "work"
    (job / ".vdepth").rename(work)
    (job / ".vdepth").symlink_to(work)
    (job / "manifest.json").write_text(json.dumps({"files": {"report.html": facts(job / "report.html")}}))
    delete(owned_files(job / "manifest.json"), job)
    assert (work / "journal.jsonl").is_file()


def test_a_manifest_that_notes_nothing_deletes_nothing(job: Path) -> None:
    for text in ("{}", "[]", '{"files": {"a_depth.1.exr": {"size": 1}}}', '{"files": []}', "no json"):
        (job / "manifest.json").write_text(text)
        with pytest.raises(ResultError, match="by hand"):
            owned_files(job / "manifest.json")


def test_what_the_core_set_aside_stays(job: Path) -> None:
    (job / ".vdepth" / "damaged").mkdir()
    (job / ".vdepth" / "damaged" / "old").write_text("perhaps the user's")
    delete(owned_files(job / "manifest.json"), job)
    assert (job / ".vdepth" / "damaged" / "old").is_file()


def test_replace_is_offered_only_where_it_helps() -> None:
    state = State()
    said = "/d holds a job with another configuration (near differs: 1 there, 2 here)."
    state.fail(said, "Use --overwrite to replace it, or another folder with -o.", "job_conflict")
    assert state.error == "The folder holds depth made with other settings (near differs: 1 there, 2 here)."
    said = "/d was finished with another state of the clip: a.mov changed since."
    state.fail(said, "Use --overwrite to predict it again.", "job_conflict")
    assert state.error.endswith("a.mov changed since.")
    assert (state.code, state.hint) == (
        "job_conflict",
        "Press Replace Earlier Depth, or choose another folder in Output.",
    )
    state.fail("/d holds the clip itself (a.mov).", "Choose another folder with -o.", "job_conflict")
    assert state.code == "folder"
    assert "holds the clip itself" in state.error
    assert "-o" not in state.hint
