"""Sequences as images: the file Blender shows at a frame, one datablock each, files that are not well."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "vdepth_core" / "demo" / "clip.mp4"
FIRST, COUNT = 5, 7  # frames 5-11 of the clip, in files 6 to 12


@pytest.fixture
def tiny_job(blender, tmp_path) -> Path:
    """A manifest over 8x4 EXRs in which every pixel is its file's number."""
    folder = tmp_path / "job"
    folder.mkdir()
    image = blender.data.images.new("pixels", 8, 4, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    for number in range(FIRST + 1, FIRST + 1 + COUNT):
        image.pixels.foreach_set([number, number, number, 1.0] * 32)
        image.filepath_raw = str(folder / f"clip_depth.{number:04d}.exr")
        image.file_format = "OPEN_EXR"
        image.save()
    blender.data.images.remove(image)
    camera = {"fx": 4.0, "fy": 4.0, "cx": 2.0, "cy": 1.0, "source": "given"}
    manifest = {
        "clip": {"path": str(DEMO), "width": 8, "height": 4, "rate": "24/1"},
        "frames": {"first": FIRST, "stop": FIRST + COUNT, "start_number": FIRST + 1, "count": COUNT},
        "shots": [{"start_number": FIRST + 1, "count": COUNT, "near": 1.0, "far": 8.0, "camera": camera}],
        "model": {
            "name": "embedded",
            "space": "affine_invariant",
            "license": "Apache-2.0",
            "commercial": True,
        },
        "method": "framewise",
        "camera": camera,
        "sequences": {"depth": "clip_depth.####.exr"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def read(folder):
    from blender_addon.result.manifest import read_result

    return read_result(folder / "manifest.json")


def shown_at(bpy, frame: int, tmp_path: Path) -> tuple[float, ...]:
    """The first channel of what a renderer sees at a scene frame."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.render.filepath = str(tmp_path / f"render_{frame}.exr")
    bpy.ops.render.render(write_still=True)
    return pixels(bpy, Path(scene.render.filepath))


def pixels(bpy, file: Path) -> tuple[float, ...]:
    """The first channel of one file."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    values = image.pixels[:][::4]
    bpy.data.images.remove(image)
    return values


def emitting_plane(bpy, width: int, height: int):
    """A plane that fills the camera and shows an image node's raw values; returns the node."""
    from blender_addon.compat import shader_tree

    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=1)
    bpy.context.object.scale.y = height / width
    material = bpy.data.materials.new("shown")
    tree = shader_tree(material)
    tree.nodes.clear()
    image, light, output = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Emission", "OutputMaterial")
    )
    image.interpolation = "Closest"
    tree.links.new(image.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs[0], output.inputs["Surface"])
    bpy.context.object.data.materials.append(material)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.location.z = "ORTHO", 5.0
    camera.data.ortho_scale = 1.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = width, height
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    return image


@pytest.mark.parametrize(("frame_start", "frame_offset"), [(1, 0), (10, 3)])
def test_each_scene_frame_shows_its_file(blender, tiny_job, tmp_path, frame_start, frame_offset) -> None:
    from blender_addon.scene.image import load_sequence, set_image_user

    clip = blender.data.movieclips.load(str(DEMO))
    clip.frame_start, clip.frame_offset = frame_start, frame_offset
    result = read(tiny_job)
    node = emitting_plane(blender, 8, 4)
    node.image = load_sequence(result, "depth")
    set_image_user(node.image_user, clip, result)
    at_index_0 = frame_start - frame_offset
    for index in (5, 6, 11):  # a movie's file number is its index plus one
        assert shown_at(blender, at_index_0 + index, tmp_path) == (index + 1,) * 32
    assert shown_at(blender, at_index_0 + 30, tmp_path) == (FIRST + COUNT,) * 32  # the last is held


def test_sequence_is_one_datablock_without_colour_management(blender, tiny_job) -> None:
    from blender_addon.scene.image import load_sequence

    first = load_sequence(read(tiny_job), "depth")
    first.colorspace_settings.name = "sRGB"
    again = load_sequence(read(tiny_job), "depth")
    assert again == first
    assert len(blender.data.images) == 1
    assert (first.source, first.colorspace_settings.name) == ("SEQUENCE", "Non-Color")


def test_blender_shows_the_values_of_real_depth(blender, demo_job, tmp_path) -> None:
    from blender_addon.scene.image import load_sequence, set_image_user

    clip = blender.data.movieclips.load(str(DEMO))
    clip.frame_start = 100
    result = read(demo_job)
    node = emitting_plane(blender, result.width, result.height)
    node.image = load_sequence(result, "depth")
    set_image_user(node.image_user, clip, result)
    shown = shown_at(blender, 104, tmp_path)  # the clip's fifth frame
    wanted = pixels(blender, result.path("depth", 5))
    assert len(shown) == 640 * 360
    assert max(abs(a - b) for a, b in zip(shown, wanted, strict=True)) < 1e-5
    assert 0.999 <= min(wanted) < max(wanted) <= 8.001  # near and far of the job


def test_missing_and_damaged_files_are_named(blender, tiny_job) -> None:
    from blender_addon.result.problems import check, problems

    result = read(tiny_job)
    assert check(result) == []
    (tiny_job / "clip_depth.0007.exr").unlink()
    cut = tiny_job / "clip_depth.0009.exr"
    cut.write_bytes(cut.read_bytes()[:-20])
    assert problems(result) == ["1 of 7 depth files are missing, first clip_depth.0007.exr."]
    assert check(result)[1] == "1 of 7 depth files are damaged, first clip_depth.0009.exr."
    assert len(problems(result)) == 2
    shutil.rmtree(tiny_job)
    assert problems(result) == [f"{tiny_job} is gone."]


def test_unknown_sequence_and_empty_folder_are_one_sentence(blender, tiny_job) -> None:
    from blender_addon.result.manifest import ResultError
    from blender_addon.scene.image import load_sequence

    with pytest.raises(ResultError, match="holds no normal"):
        load_sequence(read(tiny_job), "normal")
    for path in tiny_job.glob("*.exr"):
        path.unlink()
    with pytest.raises(ResultError, match="relink"):
        load_sequence(read(tiny_job), "depth")


def test_relink_follows_a_moved_folder(blender, tiny_job, tmp_path) -> None:
    from blender_addon.operators.estimate import adopt

    clip = blender.data.movieclips.load(str(DEMO))
    blender.context.scene.vdepth.clip = clip
    manifest = json.loads((tiny_job / "manifest.json").read_text())
    manifest["clip"].update(width=640, height=360)
    (tiny_job / "manifest.json").write_text(json.dumps(manifest))
    adopt(clip, tiny_job / "manifest.json")
    image = blender.data.images["clip_depth"]
    moved = tmp_path / "moved"
    tiny_job.rename(moved)
    assert blender.ops.vdepth.relink(filepath=str(moved)) == {"FINISHED"}
    assert Path(image.filepath).parent == moved
    assert Path(clip.vdepth.manifest) == moved / "manifest.json"
    assert len(blender.data.images) == 1


def test_a_sequence_opened_in_its_middle_keeps_its_numbers(blender, tiny_job) -> None:
    """Blender counts from the file it was given; the core, from the first on disk."""
    from blender_addon.scene.active import number_offset

    plates = tiny_job.parent / "plates"
    plates.mkdir()
    image = blender.data.images.new("plate", 8, 4)
    image.file_format = "PNG"
    for number in range(1, 13):
        image.filepath_raw = str(plates / f"p.{number:04d}.png")
        image.save()
    clip = blender.data.movieclips.load(str(plates / "p.0004.png"))
    assert clip.source == "SEQUENCE"
    clip.frame_start = 101
    assert 101 + number_offset(clip, read(tiny_job)) == 4
