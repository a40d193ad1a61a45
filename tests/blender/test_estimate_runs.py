"""An estimate while it runs: cancel, undo, another file, a start that fails, a verb of one's own."""

import time
from pathlib import Path
from types import SimpleNamespace

DEMO = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"


def test_cancel_stops_at_once_and_the_same_job_goes_on(blender, settings) -> None:
    from blender_addon.operators import running
    from blender_addon.operators.estimate import VDEPTH_OT_estimate
    from blender_addon.operators.running import Job
    from blender_addon.operators.state import STATE
    from blender_addon.scene.source import make_request, output_folder, seen, stored

    settings.range = "WHOLE"
    clip, context = settings.clip, blender.context
    job = running.begin(Job(clip.name, make_request(context, clip), follow_time=True))
    clip.vdepth.folder = stored(output_folder(clip, settings.folder))
    said = []
    operator = SimpleNamespace(
        _run=job,
        _timer=None,
        _escaped=lambda context, event: event.type == "ESC",
        _show=lambda context: None,
        _leave=lambda context: None,
        _end=lambda context: VDEPTH_OT_estimate._end(operator, context),
        report=lambda kind, text: said.append(text),
    )
    tick, escape = (
        SimpleNamespace(type="TIMER", value="NOTHING"),
        SimpleNamespace(type="ESC", value="PRESS"),
    )
    while not STATE.forecast.stages.get("infer", (0, 0))[0]:
        assert VDEPTH_OT_estimate.modal(operator, context, tick) == {"PASS_THROUGH"}
        assert VDEPTH_OT_estimate.modal(operator, context, SimpleNamespace(type="MOUSEMOVE", value="")) == {
            "PASS_THROUGH"
        }
        time.sleep(0.02)
    assert not blender.ops.vdepth.estimate.poll()
    began = time.monotonic()
    VDEPTH_OT_estimate.modal(operator, context, escape)
    while VDEPTH_OT_estimate.modal(operator, context, tick) == {"PASS_THROUGH"}:
        time.sleep(0.02)
    assert time.monotonic() - began < 1.0
    assert said == ["Cancelled: press Resume to go on where it stopped."]
    assert STATE.error == ""
    assert blender.ops.vdepth.estimate.poll()
    assert seen(clip).unfinished
    assert output_folder(clip, settings.folder) == Path(clip.vdepth.folder)  # the same one again


def test_an_undo_in_between_does_not_lose_the_result(blender, settings) -> None:
    """It takes along a clip that was loaded for the estimate."""
    from blender_addon.operators import running
    from blender_addon.operators.estimate import VDEPTH_OT_estimate
    from blender_addon.operators.running import Job
    from blender_addon.scene.active import result_of
    from blender_addon.scene.source import make_request

    clip = settings.clip
    job = running.begin(Job(clip.name, make_request(blender.context, clip), follow_time=True))
    job.advance()
    blender.data.movieclips.remove(clip)
    said = []
    operator = SimpleNamespace(_run=job, report=lambda kind, text: said.append(text))
    while not job.advance():
        time.sleep(0.02)
    assert VDEPTH_OT_estimate._end(operator, blender.context) == {"FINISHED"}
    assert settings.clip.name == "clip.mp4"
    assert result_of(settings.clip).count == 3
    assert said[-1] == "3 frames of depth for clip.mp4."


def test_another_file_ends_the_core(blender, settings) -> None:
    from blender_addon.core_process import process
    from blender_addon.operators import running
    from blender_addon.operators.running import Job
    from blender_addon.operators.state import STATE
    from blender_addon.scene.source import make_request

    job = running.begin(
        Job("clip.mp4", make_request(blender.context, settings.clip), follow_time=True),
    )
    while not process._live:
        job.advance()
    (child,) = process._live
    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert child.returncode is not None
    assert not STATE.running
    assert blender.ops.vdepth.estimate.poll()


def test_a_start_that_fails_gives_the_button_back(blender, settings, monkeypatch) -> None:
    from blender_addon.operators import running
    from blender_addon.operators.running import Job
    from blender_addon.operators.state import STATE
    from blender_addon.scene.source import make_request

    settings.range = "WHOLE"
    clip = settings.clip
    for error in (OSError(2, "No such file or directory", "python"), ValueError("no JSON"), KeyError("x")):
        job = running.begin(Job(clip.name, make_request(blender.context, clip), follow_time=False))

        def broken(*_: object, error: Exception = error) -> object:
            raise error

        monkeypatch.setattr(running, "Worker", broken)
        for _ in range(2000):
            if job.advance():
                break
            time.sleep(0.01)
        assert not STATE.running
        assert STATE.error


def test_another_verb_on_a_clip_is_a_run_and_an_operator_of_a_few_lines(blender, settings) -> None:
    import bpy

    from blender_addon.operators import running
    from blender_addon.operators.clip_operator import ClipOperator
    from blender_addon.operators.state import STATE

    seen = []

    class Look(running.ClipRun):
        noun = "look"

        def work(self, python):
            self.facts = yield from self.inspect(python, str(DEMO))

    class VDEPTH_OT_test_look(ClipOperator, bpy.types.Operator):
        bl_idname = "vdepth.test_look"
        bl_label = "Look"

        def start(self, context):
            return running.begin(Look(context.scene.vdepth.clip.name))

        def _end(self, context):
            seen.append((self._run.facts["frames"], STATE.running))
            return {"FINISHED"}

    bpy.utils.register_class(VDEPTH_OT_test_look)
    try:
        assert bpy.ops.vdepth.test_look() == {"FINISHED"}
    finally:
        bpy.utils.unregister_class(VDEPTH_OT_test_look)
    assert seen == [(48, False)]
    assert STATE.clip == settings.clip.name


def test_escape_counts_over_our_tab_only() -> None:
    from blender_addon.operators.redraw import is_over_panels

    def region(kind: str, x: int, tab: str = "Video Depth") -> SimpleNamespace:
        return SimpleNamespace(type=kind, x=x, y=50, width=100, height=400, active_panel_category=tab)

    areas = [
        SimpleNamespace(type="VIEW_3D", regions=[region("WINDOW", 0), region("UI", 100)]),
        SimpleNamespace(type="CLIP_EDITOR", regions=[region("UI", 200, "Track")]),
        SimpleNamespace(type="IMAGE_EDITOR", regions=[region("UI", 300)]),
    ]
    window = SimpleNamespace(screen=SimpleNamespace(areas=areas))
    places = {x: is_over_panels(window, x, 60) for x in (50, 150, 250, 350)}
    assert places == {50: False, 150: True, 250: False, 350: False}
    assert not is_over_panels(window, 150, 20)
