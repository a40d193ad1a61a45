"""Which core is used, and which is refused."""

import json
import sys
from pathlib import Path

import pytest

from blender_addon.core_process import environment
from blender_addon.core_process.environment import (
    Core,
    CoreError,
    Finder,
    addon_version,
    find_core,
    interpreter,
)


@pytest.fixture(autouse=True)
def _nothing_else_is_found(monkeypatch):
    monkeypatch.delenv("VDEPTH_PYTHON", raising=False)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)


def answer(python: Path, **facts: object) -> None:
    """What the fake core says it is."""
    python.with_name("version.json").write_text(json.dumps(facts))


def test_the_preference_comes_first_then_the_variable_then_the_managed(fake_python, monkeypatch):
    folder = fake_python.parents[1]
    monkeypatch.setenv("VDEPTH_PYTHON", str(fake_python))
    assert find_core(str(fake_python), folder) == Core(fake_python, "0.1.7", 1, "preferences")
    assert find_core("", folder) == Core(fake_python, "0.1.7", 1, "VDEPTH_PYTHON")
    monkeypatch.delenv("VDEPTH_PYTHON")
    assert find_core(" ", folder) == Core(fake_python, "0.1.7", 1, "managed")


def test_what_was_named_is_never_passed_over(fake_python, tmp_path):
    gone = tmp_path / "gone" / "python"
    with pytest.raises(CoreError, match=f"There is no Python at {gone}"):
        find_core(str(gone), fake_python.parents[1])


def test_this_python_counts_when_the_core_is_importable(monkeypatch):
    monkeypatch.undo()
    monkeypatch.delenv("VDEPTH_PYTHON", raising=False)
    core = find_core()
    assert (core.path, core.version, core.source) == (Path(sys.executable), addon_version(), "this Python")


def test_nothing_anywhere_says_what_to_do():
    sentence = r"^The vdepth core is not installed: press Install Core under Environment .* preferences\.$"
    with pytest.raises(CoreError, match=sentence):
        find_core()


def test_kind_to_what_a_user_may_name(fake_python, tmp_path):
    script = fake_python.with_name("vdepth")
    script.write_text("#!/nowhere/python\n")
    link = tmp_path / "vdepth"
    link.symlink_to(script)
    far = tmp_path / "far" / "vdepth"
    far.parent.mkdir()
    far.write_text(f"#!{fake_python}\nimport sys\n")
    for given in (fake_python, fake_python.parents[1], script, link, far, f'"{fake_python}" '):
        assert interpreter(str(given)) == fake_python


def test_a_linked_interpreter_stays_the_link(fake_python, tmp_path):
    link = tmp_path / "python3"
    link.symlink_to(fake_python)
    assert interpreter(str(link)) == link


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"vdepth": "0.2.0", "events": 1}, "is version 0.2.0, this add-on is version 0.1.0"),
        ({"vdepth": "1.1.0", "events": 1}, "is version 1.1.0, this add-on is version 0.1.0"),
        ({"vdepth": "0.1.0", "events": 2}, "speaks event protocol 2, this add-on 1"),
        ({"version": "0.1.0"}, "does not start"),
    ],
)
def test_another_version_is_refused(fake_python, facts, sentence):
    answer(fake_python, **facts)
    with pytest.raises(CoreError, match=sentence):
        find_core(str(fake_python))


def test_a_python_without_the_core_is_named(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named vdepth_core' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(CoreError, match=f"^{python} has no vdepth core: name another one"):
        find_core(str(python))


def test_what_cannot_be_started_is_named(tmp_path):
    text = tmp_path / "python"
    text.write_text("hello")
    with pytest.raises(CoreError, match="cannot be started"):
        find_core(str(text))


def test_the_finder_asks_once_and_again_when_the_question_changes(fake_python, monkeypatch):
    finder = Finder()
    assert finder.find(str(fake_python), None).version == "0.1.7"
    answer(fake_python, vdepth="0.1.8", events=1)
    assert finder.find(str(fake_python), None).version == "0.1.7"
    assert finder.find("", fake_python.parents[1]).version == "0.1.8"
    with pytest.raises(CoreError, match="not installed"):
        finder.find("", None)
    assert finder.core is None


def test_the_finder_looks_in_the_background(fake_python):
    finder = Finder()
    finder.start(str(fake_python), None)
    finder._thread.join(20)
    assert (finder.looking, finder.error, finder.core.version) == (False, "", "0.1.7")
    finder.start("/nowhere/python", None)
    finder._thread.join(20)
    assert finder.core is None
    assert finder.error.startswith("There is no Python at /nowhere/python")
