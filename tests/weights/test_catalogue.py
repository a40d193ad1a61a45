"""The catalogue is strict, complete, and the one place that says what a model may be used for."""

import ast
import string
from pathlib import Path

import pydantic
import pytest
from weights.small_catalogue import FREE, write

import vdepth_core
from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.models.registry import list_models
from vdepth_core.weights.catalogue import (
    CatalogueEntry,
    catalogue,
    find_entry,
    is_inside,
    published_models,
    read_catalogue,
)

ONE = {"path": "w.pt", "url": "https://example.org/w.pt"}


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.name)
def test_every_entry_is_whole(entry):
    assert entry.bundled or entry.files
    assert all(file.stored_as.endswith((".safetensors", ".json", ".txt")) for file in entry.files)
    assert entry.license_url.startswith("https://")
    assert all(file.url is None or file.url.startswith("https://") for file in entry.files)
    if entry.revision is not None:
        is_commit = len(entry.revision) == 40 and set(entry.revision) <= set(string.hexdigits)
        assert is_commit or entry.revision == "main"
    if entry.repo is None and not entry.bundled and entry.obtain is None:
        assert all(file.sha256 or file.md5 for file in entry.files), "a plain address must say what it holds"


def test_non_commercial_licences_are_marked_so():
    for entry in catalogue().values():
        forbidding = ("CC-BY-NC", "apple-amlr", "academic", "Niantic-NC", "Stable Video", "unknown")
        assert entry.commercial == (not entry.license.startswith(forbidding)), entry.name
        taught = entry.name.startswith("zipdepth")  # by a model that is not commercial
        assert bool(entry.notice) == (entry.license.startswith("OpenRAIL") or taught), entry.name


def test_registered_models_of_ours_and_the_catalogue_agree():
    """A model may run another's weights; no weights are without a model, but those of merges."""
    models = {name for name, entry in catalogue().items() if entry.kind == "model"}
    assert {entry.name for entry in published_models().values()} == models
    assert {entry.kind for entry in catalogue().values()} == {"model", "merge"}
    assert {entry.name for entry in list_models() if entry.size} == published_models().keys()


def test_no_code_of_the_weights_room_names_a_model():
    """Adding a model must not mean editing code here."""
    names = set(catalogue())
    for path in (Path(vdepth_core.__file__).parent / "weights").glob("*.py"):
        words = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        assert not names & {word for word in words if isinstance(word, str)}, path.name


def test_entries_are_frozen_and_read_once():
    assert catalogue() is catalogue()
    with pytest.raises(pydantic.ValidationError):
        find_entry("embedded").license = "none"
    with pytest.raises(TypeError):
        catalogue()["other"] = find_entry("embedded")


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(UsageError) as error:
        find_entry("no-such-model")
    assert all(name in str(error.value) for name in catalogue())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"licence": "MIT"}, "licence"),
        ({"license": None}, "license"),
        ({"quantity": "distance"}, "quantity"),
        ({"quantity": None}, "quantity and space"),
        ({"kind": "merge"}, "quantity and space"),
        ({"kind": "tool"}, "kind"),
        ({"commercial": "perhaps"}, "commercial"),
        ({"files": []}, "exactly one"),
        ({"files": [ONE], "bundled": True}, "exactly one"),
        ({"files": [ONE], "repo": "a/b", "revision": "main"}, "exactly one"),
        ({"files": [{"path": "w.pt"}], "repo": "a/b"}, "go together"),
        ({"files": [{**ONE, "path": "../w.pt"}]}, "relative"),
        ({"files": [{**ONE, "aliases": ["/w.pt"]}]}, "relative"),
        ({"files": [{**ONE, "becomes": "w.pt"}]}, "becomes"),
        ({"files": [{**ONE, "path": "w.json", "becomes": "w.safetensors"}]}, "no checkpoint"),
        ({"files": [{**ONE, "sha256": "abc"}]}, "sha256"),
        ({"files": [{**ONE, "url": "file:///etc/passwd"}]}, "url"),
        ({"files": [ONE, {**ONE, "path": "w.pth"}]}, "once"),
        ({"files": [{**ONE, "size": 1}]}, "sum"),
    ],
)
def test_wrong_entries_are_refused_by_name(tmp_path, fields, words):
    path = write(tmp_path / "c.toml", {"odd-one": fields})
    with pytest.raises(WeightsError, match=words):
        read_catalogue(path)


def test_a_broken_or_missing_catalogue_is_an_error(tmp_path):
    (tmp_path / "c.toml").write_text("[a\nb")
    for path in (tmp_path / "c.toml", tmp_path / "none.toml"):
        with pytest.raises(WeightsError, match="catalogue"):
            read_catalogue(path)


@pytest.mark.parametrize(
    ("path", "becomes", "stored"),
    [
        ("w.pt.tar", None, "w.safetensors"),
        ("sub/w.v1.pth", None, "sub/w.v1.safetensors"),
        ("pytorch_model.bin", "model.safetensors", "model.safetensors"),
        ("config.json", None, "config.json"),
        ("model.safetensors", None, "model.safetensors"),
    ],
)
def test_names_in_store(path, becomes, stored):
    file = {"path": path} | ({"becomes": becomes} if becomes else {})
    entry = CatalogueEntry(name="x", **{**FREE, "files": [file], "repo": "a/b", "revision": "main"})
    assert entry.files[0].stored_as == stored


@pytest.mark.parametrize("path", ["a", "a/b.json", "a b", ".hidden", "a..b", "ä"])
def test_paths_inside(path):
    assert is_inside(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/../b", "..", ".", "./a", "a//b", "a/", "C:a", "C:/a", "a\\b", "\\\\host\\a", "a\0b", "a:b"],
)
def test_paths_outside(path):
    assert not is_inside(path)


def test_the_hint_is_a_command():
    assert find_entry("midas-v21").how_to_install == "Run: vdepth weights install midas-v21"
    assert find_entry("depth-pro").how_to_install.endswith("install depth-pro --accept-license depth-pro")
    assert find_entry("tcmonodepth-large").how_to_install.endswith("--from FOLDER")
