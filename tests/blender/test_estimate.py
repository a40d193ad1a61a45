"""The operator and the panel of an estimate: sources, errors, the whole job, clear."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "vdepth_core" / "demo" / "clip.mp4"
CONTROLS_AT_MOST = 12


def refusal(operator, **properties) -> str:
    """The sentence an operator reports instead of doing its work."""
    with pytest.raises(RuntimeError) as caught:
        operator(**properties)
    return str(caught.value).removeprefix("Error: ").strip()


def test_whole_story(blender, settings, tmp_path) -> None:
    from blender_addon.operators.state import STATE
    from blender_addon.scene.active import number_offset, result_of

    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    settings.normals = True
    clip = settings.clip
    assert blender.ops.vdepth.estimate() == {"FINISHED"}
    result = result_of(clip)
    assert clip.vdepth.manifest == "//out/clip/manifest.json"
    assert (result.first, result.first_number, result.count) == (5, 6, 3)  # scene frame 6 is index 5, file 6
    assert number_offset(clip, result) == 0
    images = {image.name: image for image in blender.data.images}
    assert set(images) == {"clip_depth", "clip_disparity", "clip_normal"}
    assert images["clip_depth"].filepath == "//out/clip/clip_depth.0006.exr"
    assert (STATE.factor, STATE.error, STATE.running) == (1.0, "", False)
    assert str(DEMO) in STATE.command
    assert Path(STATE.log).is_file()

    again = result.path("depth", 6).read_bytes()
    assert blender.ops.vdepth.estimate() == {"FINISHED"}  # a finished job stays as it is
    assert result.path("depth", 6).read_bytes() == again
    assert len(blender.data.images) == 3

    settings.near = 2.0
    assert refusal(blender.ops.vdepth.estimate).startswith("The folder holds depth made with other settings")
    assert STATE.code == "job_conflict"
    assert blender.ops.vdepth.estimate(overwrite=True) == {"FINISHED"}
    assert result_of(clip).shots[0].near == 2.0

    mine = tmp_path / "out" / "clip" / "notes.txt"
    mine.write_text("keep me")
    assert blender.ops.vdepth.clear_result() == {"FINISHED"}
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    assert clip.vdepth.manifest == ""


def test_deleting_names_what_shows_nothing_without_the_files(blender, settings) -> None:
    from blender_addon.operators.result import VDEPTH_OT_delete_files

    assert blender.ops.vdepth.estimate() == {"FINISHED"}
    assert blender.ops.vdepth.setup_compositor() == {"FINISHED"}
    said = []
    owned = SimpleNamespace(changed=[], files=["a", "b"])
    operator = SimpleNamespace(
        _run=SimpleNamespace(value=owned, clip=settings.clip.name),
        report=lambda kind, text: said.append(text),
    )
    assert VDEPTH_OT_delete_files._end(operator, blender.context) == {"FINISHED"}
    (sentence,) = said
    assert "its nodes in the compositor show nothing" in sentence
    assert "mesh" not in sentence


def test_every_source_becomes_a_clip(blender, settings, tmp_path) -> None:
    from blender_addon.scene.source import current_clip, resolve_clip

    context, clip = blender.context, settings.clip
    assert resolve_clip(context) == current_clip(context) == clip
    settings.source, settings.filepath = "FILE", str(DEMO)
    assert resolve_clip(context) == clip  # the same file is not loaded twice
    settings.source, settings.image = "IMAGE", blender.data.images.load(str(DEMO))
    assert resolve_clip(context) == clip
    camera = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
    context.scene.camera, settings.source = camera, "CAMERA"
    background = camera.data.background_images.new()
    background.source, background.clip = "MOVIE_CLIP", clip
    assert resolve_clip(context) == current_clip(context) == clip
    assert len(blender.data.movieclips) == 1


def test_what_cannot_be_estimated_is_one_sentence(blender, settings, tmp_path) -> None:
    settings.source, settings.image = "IMAGE", blender.data.images.new("painted", 4, 4)
    assert "painted is not a file" in refusal(blender.ops.vdepth.estimate)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no movie at all" * 100)
    settings.source, settings.filepath = "FILE", str(broken)
    assert "broken.mp4 holds no pictures" in refusal(blender.ops.vdepth.estimate)
    settings.filepath = str(tmp_path / "gone.mp4")
    assert "gone.mp4 does not exist" in refusal(blender.ops.vdepth.estimate)
    settings.source = "CAMERA"
    assert "no background clip" in refusal(blender.ops.vdepth.estimate)
    settings.source, settings.frame_start, settings.frame_end = "CLIP", 100, 120
    assert "No frame of clip.mp4 lies between 100 and 120" in refusal(blender.ops.vdepth.estimate)
    settings.frame_start, settings.near = 1, 500.0
    assert "Near (500) must be less than Far (100)" in refusal(blender.ops.vdepth.estimate)


def test_what_the_core_refuses_is_said_in_its_words(blender, settings) -> None:
    from blender_addon.operators.state import STATE

    settings.model = "no-such-model"
    sentence = refusal(blender.ops.vdepth.estimate)
    assert "no-such-model" in sentence
    assert "Traceback" not in sentence
    assert (STATE.running, STATE.code) == (False, "usage")


def test_lens_is_read_from_the_clip_only_when_told(blender, settings) -> None:
    from blender_addon.scene.source import field_of_view

    settings.clip.tracking.camera.sensor_width = 36.0
    settings.clip.tracking.camera.focal_length = 18.0
    assert field_of_view(settings.clip, settings) is None  # automatic: not solved, so these may be defaults
    settings.lens = "CLIP"
    assert field_of_view(settings.clip, settings) == pytest.approx(90.0)
    settings.lens, settings.fov = "FOV", 1.0
    assert field_of_view(settings.clip, settings) == pytest.approx(57.2958, abs=1e-4)
    settings.lens = "MODEL"
    assert field_of_view(settings.clip, settings) is None


def test_range_follows_the_clips_place_in_the_scene(blender, settings) -> None:
    from blender_addon.scene.source import make_request

    clip, scene = settings.clip, blender.context.scene
    clip.frame_start, clip.frame_offset = 101, 4
    settings.frame_start, settings.frame_end = 103, 110
    request = make_request(blender.context, clip)
    assert (request.first, request.last) == (6, 13)
    settings.range, scene.frame_start, scene.frame_end = "SCENE", 1, 105
    request = make_request(blender.context, clip)
    assert (request.first, request.last) == (0, 8)


def test_unsaved_file_puts_depth_into_a_folder_that_outlives_the_session(blender, settings) -> None:
    from blender_addon.scene.source import make_request

    settings.folder = ""
    folder = make_request(blender.context, settings.clip).folder
    assert folder.parts[-3:] == ("vdepth", "depth", "clip")
    assert Path(blender.app.tempdir) not in folder.parents


def test_settings_and_model_survive_a_round_trip(blender, settings, tmp_path) -> None:
    settings.model, settings.clip.vdepth.folder = "elsewhere", "//depth"
    settings.clip.use_fake_user = True
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    again = blender.context.scene.vdepth
    assert (again.model, again.model_choice, again.preset) == ("elsewhere", "elsewhere", "draft")
    assert again.clip.vdepth.folder == "//depth"
    again.model_choice = "PRESET"
    assert again.model == ""


def test_presets_are_blenders_own_and_apply(blender, settings) -> None:
    import bpy

    if not hasattr(bpy.utils, "register_preset_path"):
        pytest.skip("the first 4.2 knows no presets of extensions")

    found = {
        path.stem for folder in bpy.utils.preset_paths("vdepth") for path in Path(folder).glob("[!_]*.py")
    }
    assert {"First_Look", "Compositing", "Mesh_and_Relight"} <= found
    folder = next(f for f in bpy.utils.preset_paths("vdepth") if Path(f, "First_Look.py").is_file())
    bpy.ops.script.execute_preset(
        filepath=str(Path(folder, "Mesh_and_Relight.py")), menu_idname="VDEPTH_PT_presets"
    )
    assert (settings.preset, settings.size, settings.normals) == ("best", 0, True)


def test_boost_reaches_the_core(blender, settings) -> None:
    from blender_addon.operators.state import STATE
    from blender_addon.scene.active import result_of

    settings.frame_end = settings.frame_start
    settings.boost = True
    assert blender.ops.vdepth.estimate() == {"FINISHED"}
    assert "--boost" in STATE.command
    folder = result_of(settings.clip).path("depth", 6).parent
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["configuration"]["boost"] == "shot"


class Layout:
    """Draws nothing, and refuses what Blender's own layout would: unknown calls, operators, properties."""

    def __init__(self, bpy, drawn: list[str]) -> None:
        super().__setattr__("bpy", bpy)
        super().__setattr__("drawn", drawn)

    def __setattr__(self, name: str, value: object) -> None:
        assert name in self.bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, name: str):
        parameters = self.bpy.types.UILayout.bl_rna.functions[name].parameters.keys()

        def call(*values, **named):
            assert set(named) <= set(parameters), (name, named)
            self.drawn.append(f"{name} {values[1] if len(values) > 1 else named.get('text', '')}".strip())
            if name == "prop":
                assert values[1] in values[0].bl_rna.properties, values
            elif name == "operator":
                return self._operator(values[0])
            elif name == "popover":
                assert hasattr(self.bpy.types, named["panel"])
            return Layout(self.bpy, self.drawn)

        return call

    def _operator(self, identifier: str):
        category, name = identifier.split(".")
        rna = getattr(getattr(self.bpy.ops, category), name).get_rna_type()
        self.drawn[-1] = f"operator {identifier}"

        class Properties:
            def __setattr__(self, name: str, value: object) -> None:
                assert name in rna.properties, name

        return Properties()


def draw(bpy, panel: str, editor: str = "VIEW_3D") -> list[str]:
    """What a panel of the tab draws."""
    context = SimpleNamespace(
        scene=bpy.context.scene,
        space_data=SimpleNamespace(type=editor, clip=None),
        region=SimpleNamespace(width=300),
        preferences=bpy.context.preferences,
    )
    drawn: list[str] = []
    from blender_addon.panels import estimate

    getattr(estimate, panel).draw(SimpleNamespace(layout=Layout(bpy, drawn)), context)
    return drawn


def test_panel_before_during_and_after(blender, settings, demo_job) -> None:
    from blender_addon.operators.estimate import adopt
    from blender_addon.operators.state import STATE

    for source in ("CAMERA", "IMAGE", "FILE", "CLIP"):
        settings.source = source
        drawn = draw(blender, "Estimate")
        assert "operator vdepth.estimate" in drawn
        controls = [row for row in drawn if row.split()[0] in {"prop", "operator", "template_ID"}]
        assert len(controls) < CONTROLS_AT_MOST
    draw(blender, "Estimate", "CLIP_EDITOR")
    for panel in ("Quality", "Output"):
        draw(blender, panel)
    assert not any("Boost takes" in row for row in draw(blender, "Quality"))
    settings.boost = True
    assert any("Boost takes about" in row for row in draw(blender, "Quality"))
    settings.boost = False

    STATE.start("clip.mp4")
    STATE.take({"event": "started", "model": "embedded", "method": "temporal", "resumed": True})
    STATE.take({"event": "warning", "message": "It is dark."})
    STATE.take({"event": "stage", "name": "infer", "total": 48})
    STATE.take({"event": "progress", "stage": "infer", "done": 12, "total": 48, "fps": 3.0, "eta": 12.0})
    drawn = draw(blender, "Estimate")
    assert "operator vdepth.cancel" in drawn
    assert {"label Frame 12 / 48", "label embedded, temporal. Resumed."} <= set(drawn)
    assert "progress 9 %" in drawn  # a quarter of what costs about 1 of 2.8
    assert "operator vdepth.estimate" not in drawn
    STATE.running = False

    STATE.fail("Out of memory.", "Use a smaller --size, or close other programs.", "resources")
    drawn = draw(blender, "Estimate")
    assert "Out of memory. Use a smaller Size," in " ".join(drawn)  # not the command line's --size
    assert "operator vdepth.copy_details" in drawn
    STATE.start("")
    STATE.running = False

    adopt(settings.clip, demo_job / "manifest.json")
    drawn = draw(blender, "Estimate")
    assert "label 12 frames, files 1 to 12" in drawn
    assert "label Depth 1 to 8, relative" in drawn
    licence = json.loads((demo_job / "manifest.json").read_text())["model"]["license"]
    assert f"label Licence {licence}" in drawn
    assert "operator vdepth.clear_result" in drawn
    settings.clip.vdepth.manifest = str(demo_job / "elsewhere.json")
    assert "operator vdepth.relink" in draw(blender, "Estimate")


def test_options_have_the_cores_words_and_limits(blender) -> None:
    from blender_addon.options import OPTIONS

    properties = blender.context.scene.vdepth.bl_rna.properties
    for name in (
        "preset",
        "model",
        "size",
        "near",
        "far",
        "fov",
        "normals",
        "sky",
        "boost",
        "non_commercial",
    ):
        assert properties[name].description.startswith(OPTIONS[name].tooltip), name
    for name in ("preset", "near", "far"):
        assert properties[name].default == OPTIONS[name].default
    assert properties["size"].hard_max == OPTIONS["size"].most
    assert tuple(properties["preset"].enum_items.keys()) == OPTIONS["preset"].choices
    assert set(properties["method"].enum_items.keys()) == {"PRESET", *OPTIONS["method"].choices}


def test_an_unsaved_file_never_writes_where_others_do(blender, settings) -> None:
    import tempfile

    from blender_addon.scene.source import is_unsaved, unsaved_folder

    assert is_unsaved("//depth/{clip}/")
    assert unsaved_folder().is_relative_to(blender.utils.user_resource("DATAFILES"))
    assert unsaved_folder() != Path(tempfile.gettempdir()) / "vdepth"
    settings.folder = "//depth"
    assert blender.ops.vdepth.ask_where() == {"FINISHED"}  # in the background nobody is asked
    assert Path(settings.clip.vdepth.manifest).is_relative_to(unsaved_folder())
