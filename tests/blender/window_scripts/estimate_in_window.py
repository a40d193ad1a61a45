"""Runs inside Blender with a window: estimates the demo clip live, measures the interface, says what it saw.

Environment, beside VDEPTH_PYTHON:
    VDEPTH_WINDOW_ANSWER    JSON file to write
    VDEPTH_WINDOW_CANCEL    1 to press Esc in the middle, over the sidebar's tab; "elsewhere" beside it
    VDEPTH_WINDOW_CLIP      another clip than the demo's
    VDEPTH_WINDOW_EDITOR    CLIP_EDITOR (default) or VIEW_3D
    VDEPTH_WINDOW_SETTINGS  settings of the scene, as JSON
    VDEPTH_WINDOW_PICTURES  folder for pictures of the screen; needs ImageMagick
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import bpy

ROOT = Path(__file__).parents[3]
TICK_S = 0.02
PATIENCE_S = 100
MIDDLE = 0.3  # share of the work after which Esc is pressed
IDLE_S, REDRAW_S = 4.0, 0.3
PICTURE_S = 2.0  # a picture of the screen needs a settled window, and a moment

sys.path.insert(0, str(ROOT))
import blender_addon  # noqa: E402

answer = {"blender": bpy.app.version_string, "longest_gap": 0.0, "stages": []}
pictures = os.environ.get("VDEPTH_WINDOW_PICTURES", "")


def picture(name: str) -> None:
    """Takes a picture of the screen from outside Blender: its own are black under software rendering."""
    if pictures:
        subprocess.Popen(["import", "-window", "root", str(Path(pictures) / f"{name}.png")])


def used() -> tuple[float, float]:
    """Seconds this thread has run, and seconds it was ready to run but other processes had the processors."""
    try:
        run, queued, _ = Path("/proc/thread-self/schedstat").read_text().split()
    except OSError:  # not on Linux
        return time.thread_time(), 0.0
    return int(run) / 1e9, int(queued) / 1e9


def prepare() -> None:
    """One big area with the sidebar on our tab, and the settings."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda a: a.width * a.height)
    clip = bpy.data.movieclips.load(
        os.environ.get("VDEPTH_WINDOW_CLIP") or str(ROOT / "vdepth_core" / "demo" / "clip.mp4")
    )
    area.type = os.environ.get("VDEPTH_WINDOW_EDITOR", "CLIP_EDITOR")
    if area.type == "CLIP_EDITOR":
        area.spaces.active.clip = clip
    area.spaces.active.show_region_ui = True
    area.spaces.active.show_region_toolbar = False
    settings = bpy.context.scene.vdepth
    settings.clip = clip
    for name, value in json.loads(os.environ.get("VDEPTH_WINDOW_SETTINGS", "{}")).items():
        setattr(settings, name, value)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(tempfile.mkdtemp()) / "shot.blend"), compress=False)


def show_tab() -> None:
    """The tab can be chosen once the sidebar was drawn."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        for region in area.regions:
            if region.type == "UI" and region.width > 1 and area.type in {"CLIP_EDITOR", "VIEW_3D"}:
                region.active_panel_category = "Video Depth"
                region.tag_redraw()


def place(*, elsewhere: bool) -> tuple[int, int]:
    """A place in the sidebar that shows the tab, or in the editor beside it."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type in {"CLIP_EDITOR", "VIEW_3D"}:
            wanted = "WINDOW" if elsewhere else "UI"
            region = next(r for r in area.regions if r.type == wanted and r.width > 1)
            return region.x + (20 if elsewhere else region.width // 2), region.y + region.height // 2
    raise LookupError("no editor of ours")


def story():
    """The user's steps; yields whenever the interface may go on."""
    from blender_addon.operators.state import STATE

    yield from wait(1.0)
    show_tab()
    yield from wait(1.0)
    picture("before")
    yield from wait(PICTURE_S if pictures else 0.0)
    yield from idle()
    window = bpy.context.window_manager.windows[0]
    began = last = time.monotonic()
    spent = used()
    with bpy.context.temp_override(window=window, screen=window.screen):
        answer["invoked"] = list(bpy.ops.vdepth.estimate("INVOKE_DEFAULT"))
    pressed = None
    while STATE.running and last - began < PATIENCE_S:
        yield
        now = time.monotonic()
        before, spent = spent, used()
        if now - last > answer["longest_gap"]:
            busy, queued = (a - b for a, b in zip(spent, before, strict=True))
            answer.update(longest_gap=now - last, longest_gap_at=now - began, longest_gap_in=STATE.stage)
            answer.update(longest_gap_busy=busy, longest_gap_queued=queued)
        last = now
        if STATE.stage not in answer["stages"]:
            answer["stages"].append(STATE.stage)
        if STATE.factor > MIDDLE and pressed is None:
            pressed = now
            if os.environ.get("VDEPTH_WINDOW_CANCEL"):
                x, y = place(elsewhere=os.environ["VDEPTH_WINDOW_CANCEL"] == "elsewhere")
                window.event_simulate(type="ESC", value="PRESS", x=x, y=y)
            picture("during")
    yield  # the operator's last tick is behind us
    clip = bpy.context.scene.vdepth.clip
    answer.update(
        seconds=last - began,
        after_press=last - (pressed or last),
        code=STATE.code,
        error=STATE.error,
        factor=STATE.factor,
        warnings=STATE.warnings,
        manifest=bpy.path.abspath(clip.vdepth.manifest),
        images=len([image for image in bpy.data.images if image.source == "SEQUENCE"]),
    )
    yield from wait(1.5)
    picture("after")
    yield from wait(PICTURE_S if pictures else 0.0)


def idle():
    """Measures what the machine does to the interface: the sidebar is drawn anew, nothing else happens."""
    began = last = drawn = time.monotonic()
    answer["longest_gap_idle"] = 0.0
    while last - began < IDLE_S:
        if last - drawn > REDRAW_S:
            show_tab()
            drawn = last
        yield
        now = time.monotonic()
        answer["longest_gap_idle"] = max(answer["longest_gap_idle"], now - last)
        last = now


def wait(seconds: float):
    """Lets the interface go on for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def tick():
    """The timer."""
    try:
        next(steps)
        return TICK_S
    except StopIteration:
        pass
    except Exception:
        answer["failed"] = traceback.format_exc()
    Path(os.environ["VDEPTH_WINDOW_ANSWER"]).write_text(json.dumps(answer, indent=1))
    bpy.ops.wm.quit_blender()
    return None


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.use_preferences_save = False
blender_addon.register()
prepare()
steps = story()
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
