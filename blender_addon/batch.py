# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth for many clips without a window, and scenes from it.

blender --background [FILE.blend] --python blender_addon/batch.py -- --clip A.mp4 --clip B.mp4 --out depth
    [--preset best] [--normals] [--sky] [--setup] [--compositor] [--mesh] [--render FRAMES]
    [--save SHOTS.blend]

Each clip gets a scene of its own; without --clip, the clips of FILE.blend are taken. A clip that cannot be
used is reported in one sentence and the others are done; the exit code is the first failure's: 0 done,
1 internal, 2 usage, 3 bad input, 4 weights, 5 disk or memory, 130 cancelled.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import bpy

EXIT_CODES = {
    "internal": 1, "core": 1, "usage": 2, "job_conflict": 2, "bad_input": 3, "weights": 4, "resources": 5,
    "cancelled": 130,
}  # fmt: skip
_SCENES = "(default: the scene's setting)"
_SAMPLES = 16  # enough to check a shot by


class Failure(Exception):
    """A clip that could not be done: the sentence, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def parser() -> argparse.ArgumentParser:
    """The options after ``--``."""
    core = importlib.import_module(f"{_package()}.options").OPTIONS
    words = {name: option.tooltip.replace("%", "%%") for name, option in core.items()}
    parser = argparse.ArgumentParser("blender --background [FILE.blend] --python batch.py --")
    parser.add_argument(
        "--clip", action="append", default=[], type=Path, help="movie, or one image of a sequence"
    )
    parser.add_argument(
        "--out", type=Path, help="folder; one subfolder a clip (default: the add-on's setting)"
    )
    for name, kind in (("preset", str), ("model", str), ("size", int), ("near", float), ("far", float)):
        choices = core[name].choices or None
        parser.add_argument(f"--{name}", type=kind, choices=choices, help=f"{words[name]} {_SCENES}")
    for name in ("normals", "sky", "overwrite"):
        parser.add_argument(f"--{name}", action="store_true", help=words[name])
    parser.add_argument(
        "--setup", action="store_true", help="set up the shot: camera, mesh and compositor in one go"
    )
    parser.add_argument("--floor", action="store_true", help="with --setup: find the ground, put it at Z = 0")
    parser.add_argument("--compositor", action="store_true", help="set up the compositor")
    parser.add_argument("--mesh", action="store_true", help="build the mesh")
    parser.add_argument("--render", type=Path, metavar="DIR", help="render each clip's frames into DIR/CLIP")
    sizes = "default 25; 100 with --setup or --compositor"
    parser.add_argument("--scale", type=int, help=f"render size, percent ({sizes})")
    parser.add_argument("--save", type=Path, metavar="FILE", help="save everything as a .blend")
    return parser


def run(words: list[str]) -> int:
    """Does all clips and returns the exit code."""
    try:
        options = parser().parse_args(words)
    except SystemExit as stop:  # --help or a bad option; argparse has said so
        return int(stop.code or 0)
    state = _state()
    chosen: list[Any] = [path.absolute() for path in options.clip] or list(bpy.data.movieclips)
    if not chosen:
        return _say("No clip is given: use --clip, or open a .blend that has one.", 2)
    code = 0
    base = bpy.context.scene
    for number, clip in enumerate(chosen):
        name = clip.stem if isinstance(clip, Path) else clip.name
        scene = base if number == 0 else _scene(name, base)
        view = {"scene": scene, "view_layer": scene.view_layers[0], "collection": scene.collection}
        try:
            with bpy.context.temp_override(**view):
                _do(clip, name, scene, options, state)
            print(f"{name}: done", flush=True)
        except Failure as failure:
            code = code or _say(f"{name}: {failure}", failure.code)
            if failure.code == EXIT_CODES["cancelled"]:
                break
    if options.save:
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(options.save.absolute()))
        except RuntimeError as error:
            code = code or _say(
                f"{options.save} cannot be saved ({_sentence(error)})", EXIT_CODES["resources"]
            )
    return code


def _do(clip: Any, name: str, scene: Any, options: argparse.Namespace, state: Any) -> None:
    settings = scene.vdepth
    if isinstance(clip, Path):
        settings.source, settings.filepath = "FILE", str(clip)
    else:
        settings.source, settings.clip = "CLIP", clip
    for option in ("preset", "model", "size", "near", "far"):
        if (value := getattr(options, option)) is not None:
            setattr(settings, option, value)
    if options.out:
        settings.folder = str(options.out.absolute() / "{clip}")
    settings.normals = settings.normals or options.normals
    settings.sky = settings.sky or options.sky
    settings.range = "WHOLE"
    try:
        _step(bpy.ops.vdepth.estimate, overwrite=options.overwrite)
    except Failure as failure:
        raise Failure(str(failure), EXIT_CODES.get(state.STATE.code, 1)) from None
    shown = options.compositor or options.setup
    if (options.compositor or options.mesh or options.render) and not options.setup:
        _step(bpy.ops.vdepth.match_camera)
    if options.mesh:
        _step(bpy.ops.vdepth.build_mesh)
    if options.render:  # before the compositor is set up, which asks what renders
        scene.render.engine, scene.cycles.samples = "CYCLES", _SAMPLES  # needs no graphics card
        scene.cycles.use_denoising = False
    if options.setup:
        settings.camera.floor = settings.camera.floor or options.floor
        _step(bpy.ops.vdepth.setup_shot)
    elif options.compositor:
        _step(bpy.ops.vdepth.setup_compositor)
    if options.render:
        own = Path(bpy.path.abspath(settings.clip.vdepth.folder)).name  # two clips may have one name
        scale = options.scale or (100 if shown else 25)
        _render(scene, options.render.absolute() / own, scale)


def _render(scene: Any, folder: Path, scale: int) -> None:
    """Renders the scene's frames."""
    compat = importlib.import_module(f"{_package()}.compat")
    compat.use_compositor_in_background(scene)
    scene.render.resolution_percentage = scale
    scene.render.filepath = str(folder / "frame_")
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    _step(bpy.ops.render.render, animation=True, scene=scene.name)


def _step(operator: Any, **options: Any) -> None:
    """Calls an operator; what it reports as an error is the user's sentence."""
    try:
        if operator(**options) != {"FINISHED"}:
            raise Failure("Cancelled.", EXIT_CODES["cancelled"])
    except RuntimeError as error:
        raise Failure(_sentence(error)) from None


def _scene(name: str, like: Any) -> Any:
    """A new scene with another's settings for depth."""
    scene = bpy.data.scenes.new(name)
    for prop in like.vdepth.bl_rna.properties:
        if not prop.is_readonly and prop.identifier not in {"name", "clip", "image", "filepath"}:
            setattr(scene.vdepth, prop.identifier, getattr(like.vdepth, prop.identifier))
    return scene


def _drop_startup_cube() -> None:
    """Without a .blend the scene is Blender's own, whose cube nobody wants before the plate."""
    cube = bpy.data.objects.get("Cube")
    if not bpy.data.filepath and cube is not None and cube.type == "MESH" and len(cube.data.vertices) == 8:
        bpy.data.objects.remove(cube)


def _sentence(error: RuntimeError) -> str:
    return " ".join(str(error).removeprefix("Error: ").split())


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return code


def _package() -> str:
    """The add-on's package: the enabled one, or the folder this script lies in."""
    if hasattr(bpy.types.Scene, "vdepth"):
        return type(bpy.context.scene.vdepth).__module__.rpartition(".")[0]
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    importlib.import_module(here.name).register()
    return here.name


def _state() -> Any:
    return importlib.import_module(f"{_package()}.operators.state")


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    _drop_startup_cube()
    exit_code = run(words)
    sys.stdout.flush()
    sys.exit(exit_code)
