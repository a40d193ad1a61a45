"""``vdepth adapt`` passes its options on, writes weights that estimate takes, and says what was gained."""

import subprocess
import sys

import pytest
import typer
from generated import write_movie
from typer.testing import CliRunner

from vdepth_core.adaptation.recipes import RECIPES
from vdepth_core.cli.adapt import AdaptCommand, adapt
from vdepth_core.clip.options import ClipOptions
from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.options import user_names

app = typer.Typer(rich_markup_mode=None)
app.command(cls=AdaptCommand)(adapt)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "clip.mp4", 6)


def test_two_steps(clip, tmp_path):
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
        (["--seed", "-1"], UsageError, "seed -1"),
        (["--seed", str(2**32)], UsageError, "seed 4294967296"),
        (["--model", "tcmonodepth-large"], WeightsError, "tcmonodepth-large"),
        (["--resume"], WeightsError, "resume"),
    ],
)
def test_failures(clip, tmp_path, options, error, word):
    arguments = [str(clip), "-o", str(tmp_path / "w.safetensors"), "--device", "cpu", *options]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, error)
    assert word in str(result.exception)


def test_a_clip_is_read_as_it_is_said_to_be(tmp_path, monkeypatch):
    asked = {}

    class Seen(Exception):
        pass

    def look(path, **options):
        asked.update(options)
        raise Seen

    monkeypatch.setattr("vdepth_core.adaptation.adapt.open_clip", look)
    options = ["--layer", "beauty", "--transfer", "linear", "--rate", "12", "--every-file"]
    arguments = ["shot.exr", "-o", str(tmp_path / "w.safetensors"), "--device", "cpu", *options]
    assert isinstance(CliRunner().invoke(app, arguments).exception, Seen)
    assert asked["rate"] == 12
    assert (asked["layer"], asked["transfer"], asked["every_file"]) == ("beauty", "linear", True)


def test_help_has_every_recipes_options_and_loads_no_torch():
    code = (
        "import sys\nfrom vdepth_core.cli.main import app\nsys.argv = ['vdepth', 'adapt', '--help']\n"
        "try:\n    app()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'cv2', 'av'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    every = RECIPES.all_options()
    for name, options in every.items():
        for option, field in user_names(name, options).items():
            known = options.model_fields[field]
            switched_off = known.default is True
            flag = f"--{'no-' * switched_off}{option.replace('_', '-')} "
            owners = [own for own, other in every.items() if option in user_names(own, other)]
            heading = f"Recipe{'s' * (len(owners) > 1)} {', '.join(owners)}"
            assert flag in text.partition(heading)[2]
            assert (known.json_schema_extra["off"] if switched_off else known.description) in text
    for heading, options in (
        ("Training:", "--minutes --steps --size --seed --device --resume"),
        ("Stereo clips:", "--right --stereo"),
        ("Camera:", "--camera --camera-out --fov --intrinsics"),
    ):
        under = text.partition(heading)[2].partition("Reading the clip:")[0]
        assert all(f"{option} " in under for option in options.split())
    assert text.index("--recipe") < text.index("Training:") < text.index("Reading the clip:")
    for option in ClipOptions.model_fields:
        assert f"--{option.replace('_', '-')}" in text.partition("Reading the clip")[2]
