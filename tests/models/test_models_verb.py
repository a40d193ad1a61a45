"""``vdepth models`` tells what there is."""

import json

from typer.testing import CliRunner

from vdepth_core.cli.main import app


def run(*arguments, env=None):
    result = CliRunner().invoke(app, list(arguments), env=env)
    assert result.exit_code == 0, result.output
    return result.output


def test_json(tmp_path):
    entries = json.loads(run("models", "--json", env={"VDEPTH_WEIGHTS": str(tmp_path)}))
    found = {entry["name"]: entry for entry in entries}
    assert entries[0]["name"] == "embedded"
    assert found["embedded"]["installed"]
    assert found["embedded"]["spec"]["license"] == "Apache-2.0 AND MIT"
    assert not found["midas-v21"]["installed"]
    assert found["midas-v21"]["spec"]["parameters"] == 105_362_945
    assert "vdepth weights install midas-v21" in found["midas-v21"]["hint"]


def test_table(tmp_path):
    text = run("models", env={"VDEPTH_WEIGHTS": str(tmp_path), "COLUMNS": "80"})
    for word in (
        "embedded",
        "tcmonodepth-small",
        "affine disparity",
        "MIT",
        "Apache-2.0",
        "yes",
        "no",
    ):
        assert word in text
    assert "vdepth weights install" in text
