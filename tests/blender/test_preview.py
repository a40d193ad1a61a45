"""One frame before a long job: with the settings, and with every preset side by side."""

from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"


@pytest.fixture
def settings(blender, core_python):
    """The demo clip at its 6th frame, small."""
    settings = blender.context.scene.vdepth
    settings.clip = blender.data.movieclips.load(str(DEMO))
    settings.preset, settings.size = "draft", 64
    blender.context.scene.frame_set(6)
    return settings


def test_a_frame_is_shown_and_the_clip_stays_as_it_is(blender, settings) -> None:
    from blender_addon.operators.state import STATE

    assert blender.ops.vdepth.preview_frame() == {"FINISHED"}
    assert "--frames 5-5" in STATE.command or "compare" in STATE.command
    image = blender.data.images["Video Depth Preview"]
    assert tuple(image.size) == (1280, 390)  # plate and depth, each with its label
    assert STATE.message.startswith("draft: framewise, embedded, 64, ")
    assert STATE.message.endswith(" s a frame")
    assert (settings.clip.vdepth.manifest, settings.clip.vdepth.folder, STATE.factor) == ("", "", 0.5)
    assert blender.ops.vdepth.preview_frame() == {"FINISHED"}  # again, over the first
    assert len(blender.data.images) == 1
    assert image.packed_file.size > 10_000  # its file goes with the session
    assert image.filepath.endswith("preview.png")


def test_presets_are_shown_side_by_side_with_their_times(blender, settings, monkeypatch) -> None:
    from blender_addon.operators import preview
    from blender_addon.operators.state import STATE

    plain = preview.replace
    monkeypatch.setattr(
        preview, "replace", lambda r, **k: plain(r, **(k | ({"size": 64} if "size" in k else {})))
    )
    assert blender.ops.vdepth.compare_presets() == {"FINISHED"}
    labels = STATE.message.split("; ")
    assert [label.partition(":")[0] for label in labels] == ["draft", "balanced", "best"]
    assert tuple(blender.data.images["Video Depth Preview"].size) == (1280, 780)


def test_a_frame_without_the_clip_is_refused(blender, settings) -> None:
    blender.context.scene.frame_set(400)
    with pytest.raises(RuntimeError, match="is not shown at frame 400"):
        blender.ops.vdepth.preview_frame()
