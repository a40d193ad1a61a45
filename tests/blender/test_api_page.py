"""The page on Python in Blender: its blocks run as they stand, in order."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "blender_api.md"


def test_the_blocks_of_the_page_run(blender, core_python, tmp_path, monkeypatch, capsys) -> None:
    shutil.copy(ROOT / "vdepth_core" / "demo" / "clip.mp4", tmp_path / "shot.mp4")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"block {number + 1} of {PAGE.name}", "exec"), names)
    assert (tmp_path / "out.png").stat().st_size > 1000
    assert not list((tmp_path / "depth").rglob("*.exr"))
    assert "Near (500) must be less than Far" in capsys.readouterr().err


def test_every_operator_on_the_page_exists(blender) -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("## Operators") : text.index("## Without")]
    named = set(re.findall(r"`(\w+)\(", table))
    assert named >= {"estimate", "setup_shot", "bake_range", "clear_result"}
    missing = [name for name in named if not hasattr(blender.types, f"VDEPTH_OT_{name}")]
    assert not missing
