"""Saving a .blend elsewhere: the clip's depth is found from the new place without Relink."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "vdepth_core" / "demo" / "clip.mp4"


@pytest.fixture
def clip(blender, tmp_path):
    """A clip with depth beside a .blend that was saved."""
    (tmp_path / "shots" / "out").mkdir(parents=True)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "a.blend"))
    clip = blender.data.movieclips.load(str(DEMO))
    clip.use_fake_user = True
    clip.vdepth.manifest, clip.vdepth.folder = "//out/manifest.json", "//out"
    blender.context.scene.vdepth.filepath = "//clip.mp4"
    return clip


def kept(bpy) -> tuple[str, str, str]:
    """What the .blend says now."""
    clip = bpy.data.movieclips[0]
    return clip.vdepth.manifest, clip.vdepth.folder, bpy.context.scene.vdepth.filepath


def test_links_lead_to_the_same_files_from_another_folder(blender, clip, tmp_path):
    away = tmp_path / "deep" / "er"
    away.mkdir(parents=True)
    blender.ops.wm.save_as_mainfile(filepath=str(away / "b.blend"))
    expected = ("//../../shots/out/manifest.json", "//../../shots/out", "//../../shots/clip.mp4")
    assert kept(blender) == expected
    blender.ops.wm.open_mainfile(filepath=str(away / "b.blend"))
    assert kept(blender) == expected
    path = Path(blender.path.abspath(blender.data.movieclips[0].vdepth.manifest)).resolve()
    assert path == tmp_path / "shots" / "out" / "manifest.json"


def test_saving_in_the_same_folder_changes_nothing(blender, clip, tmp_path):
    before = kept(blender)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "b.blend"))
    assert kept(blender) == before


def test_a_copy_has_its_own_links_and_this_file_keeps_its_own(blender, clip, tmp_path):
    before = kept(blender)
    (tmp_path / "away").mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "away" / "copy.blend"), copy=True)
    assert kept(blender) == before
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "away" / "copy.blend"))
    assert kept(blender)[0] == "//../shots/out/manifest.json"


def test_a_failed_save_leaves_the_links(blender, clip, tmp_path):
    before = kept(blender)
    with pytest.raises(RuntimeError):
        blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "nowhere" / "b.blend"))
    assert kept(blender) == before


def test_the_first_save_leaves_absolute_paths(blender, tmp_path):
    clip = blender.data.movieclips.load(str(DEMO))
    clip.vdepth.manifest = "/elsewhere/manifest.json"
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert clip.vdepth.manifest == "/elsewhere/manifest.json"
