"""What the add-on says of the core's options is the core's own, and what it asks for exists there."""

from fractions import Fraction
from pathlib import Path

import pytest
from scripts import script

from blender_addon.core_process.request import Request
from blender_addon.options import OPTIONS, Option


@pytest.fixture(scope="module")
def tool():
    return script("tools/addon_options.py")


def test_the_file_is_up_to_date(tool):
    assert tool.FILE.read_text(encoding="utf-8") == tool.text(), "run: python tools/addon_options.py"


def test_limits_defaults_and_choices_are_the_cores(tool):
    from vdepth_core.jobs.config import EstimateConfig

    assert (OPTIONS["size"].least, OPTIONS["size"].most) == (32, 4096)
    assert (OPTIONS["near"].default, OPTIONS["far"].default) == (1.0, 100.0)
    assert OPTIONS["preset"].choices == ("draft", "balanced", "best")
    ends = [(name, end) for name in ("size", "fov") for end in (OPTIONS[name].least, OPTIONS[name].most)]
    for name, end in (*ends, ("near", OPTIONS["near"].least), ("far", OPTIONS["far"].most)):
        EstimateConfig.parse(**{name: end})


def test_a_tooltip_has_neither_stop_nor_default():
    option = Option("Shorter side, pixels (default: preset's).")
    assert option.tooltip == "Shorter side, pixels"
    for name, option in OPTIONS.items():
        assert option.tooltip, name
        assert not option.tooltip.endswith("."), name


def test_what_boost_costs_is_the_cores_word(tool):
    from vdepth_core.jobs.config import EstimateConfig

    assert "times as long" in OPTIONS["boost"].cost
    assert EstimateConfig.model_fields["boost"].json_schema_extra["cost"] == OPTIONS["boost"].cost
    assert OPTIONS["boost"].tooltip.endswith(f"takes {OPTIONS['boost'].cost}")
    assert "alone" not in OPTIONS["boost"].tooltip
    assert OPTIONS["near"].cost == ""


def test_a_choice_that_nobody_described_is_shown_by_its_name():
    option = Option("", choices=("draft", "huge"))
    assert option.items({"draft": ("Draft", "Quick")}) == (("draft", "Draft", "Quick"), ("huge", "Huge", ""))


def test_all_that_is_asked_for_is_an_option_of_the_command():
    import typer

    from vdepth_core.cli.main import app

    everything = {
        "preset": "best", "method": "rolling", "model": "x", "size": 256, "near": 0.5, "far": 20.0,
        "fov": 60.0, "normals": True, "sky": True, "boost": True, "non_commercial": True, "overwrite": True,
    }  # fmt: skip
    shot = {"clip": "a", "folder": Path("b"), "duration": 9, "first": 1, "last": 2, "number": 1}
    asked = set()
    for movie, variable in ((True, True), (True, False), (False, False)):
        request = Request(**shot, movie=movie, rate=Fraction(25), **everything)
        asked |= {word for word in request.arguments(variable=variable) if word.startswith("--")}
    command = typer.main.get_command(app).commands["estimate"]
    known = {option for param in command.get_params(typer.Context(command)) for option in param.opts}
    assert asked <= known
    assert len(asked) == 16
