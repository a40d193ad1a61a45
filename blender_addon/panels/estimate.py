# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Estimate Video Depth: what to estimate, how far it is, what came of it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from .. import presets
from ..operators.environment_task import STATE as TASK
from ..operators.preview import CODE as PREVIEWED
from ..operators.state import STATE, duration_text
from ..options import OPTIONS
from ..preferences import preferences
from ..result.watch import Seen
from ..scene import source
from .base import in_both_editors
from .task import draw_task

_POINTS_A_CHARACTER = 7.0  # of the interface font, at a scale of 1


class Estimate:
    """Source, range, preset and the button; while it runs, progress; afterwards, the result."""

    name = "ESTIMATE"
    bl_label = "Estimate Video Depth"
    bl_order = 0
    layout: Any

    def draw_header_preset(self, context: Any) -> None:
        """The presets' button in the header."""
        presets.VDEPTH_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        settings = context.scene.vdepth
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        column = self.layout.column()
        column.enabled = not STATE.running
        _draw_source(column, context, settings)
        column.prop(settings, "range")
        if settings.range == "CUSTOM":
            pair = column.column(align=True)
            pair.prop(settings, "frame_start")
            pair.prop(settings, "frame_end")
        row = column.row()
        row.use_property_split = False
        row.prop(settings, "preset", expand=True)
        if STATE.running:
            _draw_progress(self.layout)
            return
        clip = source.current_clip(context)
        known = source.seen(clip) if clip is not None else None
        _draw_start(self.layout, settings, known is not None and known.unfinished)
        _draw_failure(self.layout, context)
        if known is not None and (known.summary or known.error):
            _draw_result(self.layout, context, known)


class Quality:
    """Which model, and how it is run."""

    name = "QUALITY"
    parent = "ESTIMATE"
    bl_label = "Quality"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    layout: Any

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        settings = context.scene.vdepth
        column = _settings_column(self.layout)
        column.prop(settings, "model_choice")
        column.prop(settings, "method")
        column.prop(settings, "size")
        column.prop(settings, "boost")
        if settings.boost:
            draw_text(self.layout, context, f"Boost takes {OPTIONS['boost'].cost}.", "TIME")
        column.prop(settings, "non_commercial")


class Output:
    """Where the files go, and what their numbers mean."""

    name = "OUTPUT"
    parent = "ESTIMATE"
    bl_label = "Output"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    layout: Any

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        settings = context.scene.vdepth
        column = _settings_column(self.layout)
        column.prop(settings, "folder", placeholder=preferences(context).output)
        if source.is_unsaved(source.template(settings)):
            note = f"The .blend is not saved: files go to {source.unsaved_folder()}."
            draw_text(self.layout, context, note, "INFO")
        column = _settings_column(self.layout)
        pair = column.column(align=True)
        pair.prop(settings, "near")
        pair.prop(settings, "far")
        column.prop(settings, "lens")
        if settings.lens == "FOV":
            column.prop(settings, "fov")
        column.prop(settings, "normals")
        column.prop(settings, "sky")
        column.prop(settings, "follow_time")


def draw_text(layout: Any, context: Any, text: str, icon: str = "NONE") -> None:
    """A sentence, wrapped to the width of the sidebar."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = context.region.width if context.region else 300
    characters = max(20, int(width / scale / _POINTS_A_CHARACTER) - 6)
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, characters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def _settings_column(layout: Any) -> Any:
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column()
    column.enabled = not STATE.running
    return column


def _draw_source(column: Any, context: Any, settings: Any) -> None:
    column.prop(settings, "source")
    if settings.source == "IMAGE":
        column.template_ID(settings, "image", open="image.open")
    elif settings.source == "FILE":
        column.prop(settings, "filepath")
    elif settings.source == "CAMERA" or context.space_data.type == "CLIP_EDITOR":
        clip = source.current_clip(context)
        row = column.split(factor=0.4)
        row.label(text="")
        row.label(text=clip.name if clip else "No clip", icon="TRACKER")
    else:
        column.template_ID(settings, "clip", open="clip.open")


def _draw_start(layout: Any, settings: Any, unfinished: bool) -> None:
    if source.is_unsaved(source.template(settings)):
        layout.label(text="Unsaved: you are asked where to", icon="INFO")
    row = layout.row()
    row.scale_y = 1.6
    text = "Resume Estimate" if unfinished else "Estimate Video Depth"
    row.operator("vdepth.estimate", text=text, icon="PLAY")
    row = layout.row(align=True)
    row.operator("vdepth.preview_frame", icon="HIDE_OFF")
    row.operator("vdepth.compare_presets", icon="SPLIT_VERTICAL")
    if STATE.code == "job_conflict":
        again = layout.operator("vdepth.estimate", text="Replace Earlier Depth", icon="FILE_REFRESH")
        again.overwrite = True


def _draw_progress(layout: Any) -> None:
    box = layout.box().column()
    box.label(text=f"{STATE.clip}: {'Cancelling' if STATE.cancelling else STATE.stage}", icon="TIME")
    count = f"{STATE.done} / {STATE.total}" if STATE.total else ""
    box.progress(factor=STATE.factor, text=f"{round(100 * STATE.factor)} %")
    row = box.row()
    row.label(text=f"Frame {count}" if count else " ")
    row.label(text="" if STATE.eta is None else f"{duration_text(STATE.eta)} left")
    if STATE.model:
        box.label(text=f"{STATE.model}. {STATE.message}".removesuffix(". "))
    _draw_warnings(box, STATE.warnings)
    layout.operator("vdepth.cancel", icon="X")


def _draw_failure(layout: Any, context: Any) -> None:
    if STATE.error:
        box = layout.box()
        draw_text(box, context, f"{STATE.error} {STATE.hint}".strip(), "ERROR")
        box.operator("vdepth.copy_details", icon="COPYDOWN")
    elif STATE.code == "cancelled":
        draw_text(layout, context, STATE.message, "INFO")
    elif STATE.code == PREVIEWED:
        for line in STATE.message.split("; "):
            draw_text(layout, context, line, "TIME")


def _draw_result(layout: Any, context: Any, known: Seen) -> None:
    box = layout.box()
    if known.summary is None:
        draw_text(box, context, known.error, "ERROR")
        box.operator("vdepth.relink", icon="FILE_FOLDER")
        return
    column = box.column(align=True)
    for number, line in enumerate(known.summary.lines):
        column.label(text=line, icon="BLANK1" if number else "CHECKMARK")
    _draw_warnings(box, known.summary.warnings)
    damage = known.damage
    for sentence in damage:
        draw_text(box, context, sentence, "ERROR")
    box.operator("vdepth.show_depth", icon="IMAGE_DATA")
    row = box.row(align=True)
    for text, path in (("Preview", known.preview), ("Report", known.report)):
        if path:
            row.operator("vdepth.open_file", text=f"Open {text}").filepath = path
    if TASK.title:
        draw_task(layout.box().column())
    elif not damage:
        row = layout.split(factor=0.7, align=True)
        row.use_property_split = False
        row.scale_y = 1.3
        row.operator("vdepth.setup_shot", icon="SCENE_DATA")
        row.prop(context.scene.vdepth.camera, "floor", toggle=True)
    row = box.row(align=True)
    if damage:
        row.operator("vdepth.relink", text="Relink", icon="FILE_FOLDER")
    row.operator("vdepth.check_files", text="Check", icon="VIEWZOOM")
    row.operator("vdepth.clear_result", text="Delete", icon="TRASH")


def _draw_warnings(layout: Any, warnings: Sequence[str]) -> None:
    """The first one; the tooltip of the button has them all."""
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        button = layout.operator("vdepth.show_notes", text=f"{warnings[0]}{more}", icon="INFO", emboss=False)
        button.notes = "\n".join(warnings)


CLASSES: tuple[type, ...] = (
    *presets.CLASSES,
    *in_both_editors(Estimate),
    *in_both_editors(Quality),
    *in_both_editors(Output),
)


def register() -> None:
    """Adds our presets to Blender's."""
    presets.register()


def unregister() -> None:
    """Takes them away."""
    presets.unregister()
