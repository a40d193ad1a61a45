from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import typer
from clip_media import numbered, write_movie
from typer.testing import CliRunner

from vdepth_core.cli.inspect import InspectCommand, inspect

app = typer.Typer()
app.command(cls=InspectCommand)(inspect)


def test_json_has_the_facts(movie: Path) -> None:
    result = CliRunner().invoke(app, [str(movie), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["frames"], found["rate"], found["constant_rate"]) == (60, "25", True)
    assert (found["width"], found["height"], found["bit_depth"]) == (160, 96, 8)
    assert found["seconds"] == 2.4
    assert found["problems"] == []
    assert found["shots"][0]["start"] == 0
    assert found["shots"][-1]["stop"] == 60


def test_text_names_shots_and_problems(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "whole.mkv", [numbered(k, k // 10) for k in range(40)], options={"bf": "0"})
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 8 // 10])
    result = CliRunner().invoke(app, [str(cut)])
    assert result.exit_code == 0, result.output
    assert "160 x 96 pixels" in result.output
    assert ": 0-9, 10-19" in result.output
    assert "Note" in result.output
    result = CliRunner().invoke(app, [str(cut), "--no-shots"])
    assert "1: 0-" in result.output


def test_inspecting_does_not_load_torch(movie: Path) -> None:
    code = (
        "import sys, typer; import vdepth_core.cli.inspect as cli;"
        "assert not {'av', 'cv2', 'numpy', 'torch'} & set(sys.modules), 'heavy import';"
        "app = typer.Typer(); app.command(cls=cli.InspectCommand)(cli.inspect);"
        f"app([{str(movie)!r}, '--json'], standalone_mode=False);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
