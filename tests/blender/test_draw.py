"""Drawing a panel neither looks at the disk nor goes through all objects."""

import builtins
import os
from pathlib import Path
from types import MethodType, SimpleNamespace

import pytest
from depth_job import make_job, use_job
from test_estimate import Layout as Checked

PANELS = ("ESTIMATE", "QUALITY", "OUTPUT", "COMPOSITOR", "MESH", "CAMERA", "RELIGHT", "VIEW", "ENVIRONMENT")


class Layout(Checked):
    """Takes custom properties too."""

    def __getattr__(self, name: str):
        if name == "prop":
            return lambda owner, path, **named: self.drawn.append(f"prop {path}")
        call = super().__getattr__(name)
        return call if name in {"operator", "popover"} else lambda *a, **k: (call(*a, **k), self)[1]


@pytest.fixture
def shot(blender, tmp_path):
    """A clip with depth, its mesh, its compositor and a view, among other objects."""
    import numpy as np

    depths = {1: np.full((12, 16), 3.0, np.float32)}
    depths[1][:, 8:] = 6
    clip, _ = use_job(blender, make_job(tmp_path, depths, {"fx": 20.0, "fy": 20.0, "cx": 8.0, "cy": 6.0}))
    for number in range(20):
        blender.context.scene.collection.objects.link(blender.data.objects.new(f"prop {number}", None))
    for operator in ("build_mesh", "setup_compositor", "setup_view"):
        assert getattr(blender.ops.vdepth, operator)() == {"FINISHED"}
    return clip


def draw(bpy, name: str) -> list[str]:
    """What a panel draws, with a poll of every operator on it, as Blender does."""
    panel = getattr(bpy.types, f"VIEW3D_PT_vdepth_{name.lower()}")
    context = SimpleNamespace(
        scene=bpy.context.scene, space_data=SimpleNamespace(type="VIEW_3D", clip=None), mode="OBJECT",
        region=SimpleNamespace(width=300), preferences=bpy.context.preferences, window=None,
    )  # fmt: skip
    drawn: list[str] = []

    class Drawn:
        layout = Layout(bpy, drawn)

        def __getattr__(self, name):
            return MethodType(getattr(panel, name), self)

    panel.draw(Drawn(), context)
    for row in drawn:
        if row.startswith("operator vdepth."):
            cls = getattr(bpy.types, f"VDEPTH_OT_{row.partition('.')[2]}")
            cls.poll(context) if hasattr(cls, "poll") else None
    return drawn


@pytest.mark.parametrize("name", PANELS)
def test_drawing_touches_neither_disk_nor_all_objects(blender, shot, name, monkeypatch) -> None:
    from blender_addon.result.watch import WATCH
    from blender_addon.scene import ours

    draw(blender, name)  # imports, and what is asked once
    monkeypatch.setattr(WATCH, "live", True)
    everything = SimpleNamespace(**{n: getattr(blender.data, n) for n in dir(blender.data) if n[0] != "_"})

    class Objects:
        """Gives one by its name, and says how many there are."""

        def get(self, name):
            return blender.data.objects.get(name)

        def __len__(self):
            return len(blender.data.objects)

        def __iter__(self):
            raise AssertionError("all objects were looked at")

    everything.objects = Objects()

    def touched(*_, **__):
        raise AssertionError("the disk was touched")

    fake = SimpleNamespace(data=everything)
    monkeypatch.setattr(ours, "bpy", fake)
    for owner, function in (
        *((os, n) for n in ("stat", "lstat", "scandir", "listdir", "readlink")),
        (builtins, "open"),
        *((os.path, n) for n in ("realpath", "isfile", "exists")),
    ):
        monkeypatch.setattr(owner, function, touched)
    drawn = draw(blender, name)
    monkeypatch.undo()
    assert drawn
    if name == "MESH":
        assert any("Update Mesh" in row or "build_mesh" in row for row in drawn)


def test_objects_that_come_and_go_are_noticed(blender, shot) -> None:
    from blender_addon.scene.mesh import find_mesh

    mesh = find_mesh(shot)
    assert mesh is not None
    mesh.name = "renamed"
    assert find_mesh(shot) == mesh
    blender.data.objects.remove(mesh)
    assert find_mesh(shot) is None
    blender.ops.vdepth.build_mesh()
    assert find_mesh(shot) is not None


def test_depth_is_shown_by_its_preview_where_there_is_one(blender, shot, demo_job) -> None:
    from blender_addon.operators.estimate import adopt
    from blender_addon.scene.active import result_of
    from blender_addon.scene.show import show_depth

    assert blender.ops.vdepth.show_depth() == {"FINISHED"}  # a job of the test's own, without
    found = result_of(shot)
    assert show_depth(blender.context, shot, found).source == "SEQUENCE"
    adopt(shot, demo_job / "manifest.json")
    film = show_depth(blender.context, shot, result_of(shot))
    assert (film.source, Path(film.filepath).name) == ("MOVIE", "preview.mp4")
    assert show_depth(blender.context, shot, result_of(shot)) == film  # made once
    assert tuple(film.size) == (1280, 360)  # the plate, and its depth
