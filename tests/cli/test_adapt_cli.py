"""``vdepth adapt`` passes its options on, writes weights that estimate takes, and says what was gained."""

import pytest
import typer
from generated import write_movie
from typer.testing import CliRunner

from vdepth_core.cli.adapt import adapt
from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.models.registry import load_model

app = typer.Typer(rich_markup_mode=None)
app.command()(adapt)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "clip.mp4", 6)


def test_two_steps(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("vdepth_core.adaptation.adapt.probe_threads", lambda model, size: 1)
    out = tmp_path / "w.safetensors"
    options = ["--steps", "2", "--size", "64", "--frames", "0-4", "--form", "plain", "--device", "cpu"]
    result = CliRunner().invoke(app, [str(clip), "-o", str(out), *options])
    assert result.exit_code == 0, result.output
    assert "Held-out temporal loss" in result.output
    assert f"--model {out}" in result.output
    assert load_model(out).spec.license == "Apache-2.0 AND MIT (the file's own claim)"


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        (["--recipe", "magic"], UsageError, "magic"),
        (["--minutes", "-1"], UsageError, "positive"),
        (["--model", "tcmonodepth-large"], WeightsError, "tcmonodepth-large"),
        (["--resume"], WeightsError, "resume"),
    ],
)
def test_failures(clip, tmp_path, options, error, word):
    arguments = [str(clip), "-o", str(tmp_path / "w.safetensors"), "--device", "cpu", *options]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, error)
    assert word in str(result.exception)
