"""Copy Details: all that helps, no secrets."""

from pathlib import Path

import pytest

from blender_addon.core_process.details import TAIL, log_tail, redact, report


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hunter2@mirror.studio/simple", "https://***@mirror.studio/simple"),
        ("HF_TOKEN=hf_abcdefghijklmnop", "HF_TOKEN=***"),
        ("using hf_abcdefghijklmnop now", "using *** now"),
        ("password: swordfish", "password: ***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("https://x.y/f?token=abc123&size=3", "https://x.y/f?token=***&size=3"),
        ("frames 1-48 of shot.mov, 0.316", "frames 1-48 of shot.mov, 0.316"),
    ],
)
def test_secrets_are_taken_out(text, shown):
    assert redact(text) == shown


def test_the_home_folder_names_nobody():
    assert redact(f"{Path.home()}/plates/shot.mov") == "~/plates/shot.mov"


def test_only_what_says_something_is_shown(tmp_path):
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    sections = [("Nothing", ["", " "]), ("Its log", log_tail(log)), ("Gone", log_tail(tmp_path / "gone"))]
    lines = report({"Blender": "5.0.1", "Core": ""}, sections).splitlines()
    assert lines[0] == "Blender: 5.0.1"
    assert lines[1].startswith("System: ")
    assert lines[2:5] == ["", "--- Its log", f"line {100 - TAIL}"]
    assert lines[-1] == "line 99"
