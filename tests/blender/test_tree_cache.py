"""The mesh's tree is built once a Blender, and appended from then on."""

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def place(addon, tmp_path, monkeypatch):
    """The only file that is kept, or None, in a folder of the user's data of its own."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="": str(tmp_path / path))
    return lambda: next(tmp_path.rglob("*.blend"), None)


@pytest.fixture
def built(monkeypatch):
    """How many times a small tree was built for `kept_tree`, and the tree it gives."""
    from blender_addon.nodes.tree_cache import kept_tree

    count = []

    def build():
        count.append(1)
        tree = bpy.data.node_groups.new("Small", "GeometryNodeTree")
        tree["made"] = 3
        tree.interface.new_socket("Depth", in_out="INPUT", socket_type="NodeSocketFloat").default_value = 2.5
        tree.nodes.new("ShaderNodeMath").operation = "MODULO"
        return tree

    return count, lambda: kept_tree("Small", build)


def test_another_file_gets_the_same_tree_without_building(place, built):
    count, tree = built
    tree()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    again = tree()
    assert len(count) == 1
    assert (again.name, again["made"], again.library) == ("Small", 3, None)
    assert [node.operation for node in again.nodes] == ["MODULO"]
    assert again.interface.items_tree["Depth"].default_value == 2.5
    assert not bpy.data.libraries


def test_a_damaged_file_is_made_anew(place, built):
    count, tree = built
    tree()
    place().write_bytes(b"no blend")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert tree()["made"] == 3
    assert len(count) == 2
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert tree()["made"] == 3
    assert len(count) == 2


def test_where_nothing_can_be_kept_it_is_built(place, built, tmp_path):
    count, tree = built
    (tmp_path / "vdepth").write_text("a file where the folder would be")
    assert tree()["made"] == 3
    assert place() is None
    assert len(count) == 1
