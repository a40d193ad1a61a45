"""The panel Environment and its operators, in Blender, with the real core."""

import json
import os
import sys
import time
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def environment(blender, core_python, monkeypatch):
    """The operators' module, with nothing known yet."""
    from blender_addon.operators import environment as module
    from blender_addon.operators.environment_task import STATE
    from blender_addon.preferences import FINDER

    monkeypatch.setenv("VDEPTH_PYTHON", core_python)
    FINDER.forget()
    STATE.__init__()
    yield module
    FINDER.forget()
    STATE.__init__()


@pytest.fixture
def state(environment):
    """What the panel shows."""
    return environment.STATE


def refused(operator, **properties) -> str:
    """The sentence an operator refuses with."""
    with pytest.raises(RuntimeError) as caught:
        operator(**properties)
    return str(caught.value).strip().splitlines()[0].removeprefix("Error: ")


class Layout:
    """Stands in for a UILayout: takes the calls that one takes and keeps the texts and operators."""

    FUNCTIONS = bpy.types.UILayout.bl_rna.functions
    ICONS = frozenset(FUNCTIONS["label"].parameters["icon"].enum_items.keys())

    def __init__(self, shown=None):
        object.__setattr__(self, "shown", [] if shown is None else shown)

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, name):
        assert name in self.FUNCTIONS, name

        def call(*values, **named):
            assert set(named) <= set(self.FUNCTIONS[name].parameters.keys()), named
            assert named.get("icon", "NONE") in self.ICONS
            if name == "label":
                self.shown.append(named.get("text", ""))
            elif name == "operator":
                group, verb = values[0].split(".")
                assert hasattr(bpy.types, f"{group.upper()}_OT_{verb}"), values[0]
                self.shown.append(values[0])
                return SimpleNamespace()
            elif name == "prop":
                assert values[1] in values[0].bl_rna.properties
            return Layout(self.shown)

        return call


def drawn() -> list[str]:
    """What the panel draws now, in a sidebar so wide that no sentence is wrapped."""
    panel = SimpleNamespace(layout=Layout())
    system = SimpleNamespace(ui_scale=1.0)  # 0 in the background
    context = SimpleNamespace(
        preferences=SimpleNamespace(system=system),
        region=SimpleNamespace(width=9000),
        scene=bpy.context.scene,
    )
    bpy.types.VIEW3D_PT_vdepth_environment.draw_header_preset(panel, context)
    bpy.types.VIEW3D_PT_vdepth_environment.draw(panel, context)
    return panel.layout.shown


def test_the_panel_is_closed_under_estimate_in_both_editors(environment):
    for prefix in ("VIEW3D", "CLIP"):
        panel = getattr(bpy.types, f"{prefix}_PT_vdepth_environment")
        assert panel.bl_parent_id == f"{prefix}_PT_vdepth_estimate"
        assert panel.bl_category == "Video Depth"
        assert panel.bl_options == {"DEFAULT_CLOSED"}


def test_find_core_tells_what_there_is(environment, state, core_python):
    assert drawn() == ["Not looked for yet", "vdepth.find_core", "vdepth.install_core", "vdepth.copy_details"]
    assert bpy.ops.vdepth.find_core() == {"FINISHED"}
    weights = {entry["name"]: entry["installed"] for entry in state.weights}
    assert weights["embedded"]
    shown = drawn()
    assert shown[0] == "Core 0.1.0 (VDEPTH_PYTHON)"
    assert f"of {len(weights)} models installed" in shown[3]
    assert "vdepth.doctor" in shown


def test_a_core_that_is_not_there_is_said_in_one_sentence(environment, state, monkeypatch):
    monkeypatch.setenv("VDEPTH_PYTHON", os.path.join(os.sep, "gone", "python"))
    sentence = refused(bpy.ops.vdepth.find_core)
    assert sentence == state.error
    assert sentence.startswith("There is no Python at ")
    assert sentence.endswith("set VDEPTH_PYTHON to another one, or unset it and press Install Core.")
    assert "vdepth.install_core" in drawn()
    assert "vdepth.doctor" not in drawn()


def test_a_finding_of_the_doctor_is_no_failure(environment, state, core_python, tmp_path, monkeypatch):
    python, answer = tmp_path / "python", tmp_path / "doctor.json"
    python.write_text(
        f"""#!/bin/sh\ncase "$*" in *doctor*) cat {answer}; exit 1;; *) exec {core_python} "$@";; esac\n"""
    )
    python.chmod(0o755)
    monkeypatch.setenv("VDEPTH_PYTHON", str(python))
    checks = [
        {"name": "python", "ok": True, "found": "3.11", "fix": ""},
        {"name": "exr", "ok": False, "found": "no OpenEXR", "fix": "Reinstall it."},
    ]
    answer.write_text(json.dumps(checks, indent=1))
    assert bpy.ops.vdepth.doctor() == {"FINISHED"}
    assert state.doctor == checks
    shown = drawn()
    assert "exr: no OpenEXR" in shown
    assert "Reinstall it." in shown
    assert "Everything is in order" not in shown
    answer.write_text(json.dumps(checks[:1]))
    bpy.ops.vdepth.doctor()
    assert "Everything is in order" in drawn()


def test_nothing_is_fetched_while_the_user_is_offline(environment):
    assert not bpy.app.online_access
    assert refused(bpy.ops.vdepth.install_core) == (
        "Online access is off: allow it in Preferences > System > Network, "
        "or choose a folder of wheels in the add-on's preferences."
    )
    assert refused(bpy.ops.vdepth.install_weights, name="depth-pro").endswith(
        "or choose a folder with the published files."
    )


def test_weights_that_may_not_be_sold_want_a_tick(environment, state, tmp_path):
    bpy.ops.vdepth.find_core()
    sentence = refused(bpy.ops.vdepth.choose_weights, choice="depth-pro", source=str(tmp_path))
    assert sentence == "Depth Pro is not installed: its licence apple-amlr must be accepted, so tick the box."
    sentence = refused(bpy.ops.vdepth.choose_weights, choice="depth-pro", source=str(tmp_path), agreed=True)
    assert str(tmp_path) in sentence
    assert "licence" not in sentence
    assert "--accept-license depth-pro" in state.command


def test_a_dialog_shows_size_and_licence(environment, state):
    from blender_addon.operators.weights import VDEPTH_OT_choose_weights as Choose

    bpy.ops.vdepth.find_core()
    for choice, tick in (("depth-pro", True), ("midas-v21", False)):
        entry = next(entry for entry in state.weights if entry["name"] == choice)
        dialog = SimpleNamespace(
            layout=Layout(), choice=choice, agreed=False, source="", _entry=lambda entry=entry: entry,
            bl_rna=SimpleNamespace(properties={"choice", "agreed", "source"}),
        )  # fmt: skip
        Choose.draw(dialog, bpy.context)
        shown = dialog.layout.shown
        assert entry["license"] in shown[0]
        assert ("Not for commercial use" in shown) == tick


def test_a_task_never_waits_and_can_be_cancelled(environment, state, tmp_path):
    from blender_addon.core_process.process import Process
    from blender_addon.operators.environment_task import Task

    class Slow(Process):
        title = "Installing torch"
        error = None

    def steps(task):
        code = "import time; print('Downloading torch (200 MB)', flush=True); time.sleep(60)"
        yield from task.run(Slow([sys.executable, "-c", code], tmp_path / "log"))

    task = Task("Installing the core", steps)
    longest, end = 0.0, time.monotonic() + 20
    while not state.lines and time.monotonic() < end:
        began = time.monotonic()
        assert not task.advance()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    assert longest < 0.25
    shown = drawn()
    assert shown[:3] == ["Installing torch", "Downloading torch (200 MB)", "vdepth.cancel_task"]
    assert not bpy.ops.vdepth.find_core.poll()
    bpy.ops.vdepth.cancel_task()
    while not task.advance() and time.monotonic() < end:
        time.sleep(0.02)
    assert (state.title, state.cancelled) == ("", True)
    assert bpy.ops.vdepth.find_core.poll()


def test_a_live_operator_goes_on_with_every_tick(environment, state):
    from blender_addon.operators.environment import VDEPTH_OT_find_core as Find

    reports = []
    operator = SimpleNamespace(
        title=Find.title, report=lambda kind, text: reports.append(text),
        steps=lambda c: environment.task.look, start=lambda c: Find.start(operator, c),
        _begin=lambda c: Find._begin(operator, c), _end=lambda c: Find._end(operator, c),
        _show=lambda c: Find._show(operator, c), _leave=lambda c: Find._leave(operator, c), _timer=None,
        _escaped=lambda c, event: False,
    )  # fmt: skip
    manager = SimpleNamespace(event_timer_add=lambda *a, **k: "timer", modal_handler_add=lambda o: None)
    manager.event_timer_remove = reports.append
    context = SimpleNamespace(window_manager=manager, window=None)
    assert Find.invoke(operator, context, None) == {"RUNNING_MODAL"}
    assert Find.modal(operator, context, SimpleNamespace(type="MOUSEMOVE")) == {"PASS_THROUGH"}
    result, end = {"PASS_THROUGH"}, time.monotonic() + 30
    while result == {"PASS_THROUGH"} and time.monotonic() < end:
        result = Find.modal(operator, context, SimpleNamespace(type="TIMER"))
        time.sleep(0.02)
    assert result == {"FINISHED"}
    assert reports == ["timer"]
    assert state.weights


def test_details_name_versions_and_no_secrets(environment, state, tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("fetching https://me:hunter2@mirror/simple\n")
    bpy.ops.vdepth.find_core()
    state.log, state.error = str(log), "The disk is full."
    text = environment.details()
    assert text.startswith("Video Depth: 0.1.0 as blender_addon\n")
    assert f"Blender: {bpy.app.version_string}" in text
    assert "Core: 0.1.0 (VDEPTH_PYTHON), " in text
    assert "The disk is full." in text
    assert "hunter2" not in text
    assert bpy.ops.vdepth.copy_details() == {"FINISHED"}


def test_without_an_enabled_add_on_the_preferences_are_the_defaults(environment):
    from blender_addon.preferences import Defaults, finder_arguments, preferences

    assert preferences() == Defaults()
    assert preferences().output == "//depth/{clip}/"
    assert finder_arguments() == ("", None)
