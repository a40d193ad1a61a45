"""The manifest says it all, exactly, and survives."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.output.finish import DepthMapping, DisparityRange
from vdepth_core.output.journal import Fault, FileEntry
from vdepth_core.output.manifest import (
    ClipEntry,
    ModelEntry,
    ShotEntry,
    read_manifest,
    write_manifest,
)
from vdepth_core.types import ClipInfo, ModelSpec, Shot, ShotAlignment


def test_round_trip(tmp_path, manifest):
    made = manifest(
        configuration={"size": 256, "weights": Path("x.pt")}, timings={"infer": 1.5}, warnings=["ä"]
    )
    write_manifest(made, tmp_path / "manifest.json")
    read = read_manifest(tmp_path / "manifest.json")
    assert read.model_copy(update={"configuration": {}}) == made.model_copy(update={"configuration": {}})
    assert read.configuration == {"size": 256, "weights": "x.pt"}
    assert list(read.numbers) == [1001, 1002, 1003, 1004, 1005]
    assert Fraction(read.clip.rate) == Fraction(24000, 1001)
    assert Fraction(read.clip.times[1]) == Fraction(1001, 24000)
    before = (tmp_path / "manifest.json").read_bytes()
    write_manifest(made, tmp_path / "manifest.json")
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_entries_hold_what_the_types_say():
    info = ClipInfo(
        Path("a.mov"), "movie", "a", 64, 48, Fraction(16, 11), Fraction(30000, 1001), timecode="1", codec="h"
    )
    entry = ClipEntry.of(info, "sha256:0", [0, 7], [Fraction(0), Fraction(7, 90000)])
    assert (entry.pixel_aspect, entry.rate, entry.times[1]) == ("16/11", "30000/1001", "7/90000")
    mapping = DepthMapping("affine_invariant", DisparityRange(0.1, 0.7), 1.0, 100.0)
    camera = Intrinsics(1, 2, 3, 4, "estimated")
    alignment = ShotAlignment((1.0, 1.1), (0.0, 0.1), notes=("n",))
    shot = ShotEntry.of(Shot(2, 5, 7, 0.5), alignment, mapping, camera, range(9, 12))
    assert (shot.index, shot.start, shot.stop, shot.exposure, shot.scale) == (2, 5, 7, 0.5, [1.0, 1.1])
    assert (shot.start_number, shot.count) == (9, 3)
    assert shot.mapping("affine_invariant") == mapping
    spec = ModelSpec("m", "disparity", "metric", "MIT", True, weights_sha256="ab")
    assert ModelEntry.of(spec, "MIT", True).weights_sha256 == "ab"
    assert shot.camera.intrinsics() == camera


def test_what_an_older_manifest_does_not_say_is_nothing_special(manifest):
    clip = manifest().clip
    assert (clip.rotation, clip.mirrored, clip.has_alpha, clip.interlaced) == (0, False, False, False)
    assert (clip.layer, clip.layers, clip.origin) == ("", [], (0, 0))
    assert (clip.bit_depth, clip.codec, clip.pixel_format, clip.transfer) == (8, "", "", "")
    assert manifest().shots[0].exposure == 1


def test_numbers_json_has_no_word_for_are_refused_before_anything_is_written(tmp_path, manifest):
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(manifest(timings={"x": float("nan")}), tmp_path / "manifest.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no finished depth sequence"),
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "damaged"),
        ('{"schema_version": 1}', "job"),
        ('{"schema_version": 99}', "later version"),
    ],
)
def test_unusable_manifests_are_named(tmp_path, content, words):
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_manifest(path)
    assert caught.value.hint


def test_fields_of_a_later_minor_version_are_ignored(tmp_path, manifest):
    path = tmp_path / "manifest.json"
    write_manifest(manifest(), path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"news": 1}))
    assert read_manifest(path) == manifest()


def test_complete_means_every_file(job, manifest):
    made = manifest(preview="preview.mp4")
    assert not made.complete(job)
    (job / "preview.mp4").write_bytes(b"x")
    assert made.complete(job)
    assert not manifest(job="other").complete(job)
    victim = job / "a clip_depth.1003.exr"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-5])
    assert not made.complete(job)
    victim.unlink()
    assert not made.complete(job)


@pytest.mark.parametrize("name", ["a clip_depth.1003.exr", "preview.mp4"])
def test_one_changed_byte_is_a_fault(job, manifest, name):
    (job / "preview.mp4").write_bytes(b"film")
    made = manifest(preview="preview.mp4")
    made = made.model_copy(update={"files": {file: FileEntry.of(job / file) for file in made.names}})
    assert made.complete(job)
    data = bytearray((job / name).read_bytes())
    data[-2] ^= 1
    (job / name).write_bytes(data)
    assert list(made.faults(job)) == [Fault(name, "damaged")]
    (job / name).unlink()
    assert list(made.faults(job)) == [Fault(name, "missing")]


def test_a_pattern_from_a_strange_manifest_cannot_leave_the_folder(job, manifest):
    made = manifest(sequences={"depth": "../../elsewhere/x_depth.####.exr"})
    assert made.path(job, "depth", 1001) == job / "x_depth.1001.exr"
    with pytest.raises(InputError, match="normal"):
        made.path(job, "normal", 1001)


@pytest.mark.parametrize(
    "damage",
    [
        {"clip": {"rate": "24/0"}},
        {"clip": {"rate": "0"}},
        {"clip": {"rate": "fast"}},
        {"clip": {"pixel_aspect": "-1"}},
        {"clip": {"width": 0}},
        {"clip": {"height": 10**9}},
        {"clip": {"times": ["0", "1/0"]}},
        {"clip": {"times": ["0"] * 3}},
        {"frames": {"count": 10**12}},
        {"frames": {"count": -1}},
        {"camera": {"fx": 0.0}},
        {"camera": {"fx": float("nan")}},
        {"shots": []},
        {"sequences": {}},
    ],
    ids=str,
)
def test_a_damaged_value_is_refused_on_reading(tmp_path, manifest, damage):
    values = json.loads(manifest().model_dump_json())
    for name, part in damage.items():
        if isinstance(part, dict) and part:
            values[name] |= part
        else:
            values[name] = part
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="damaged") as caught:
        read_manifest(tmp_path / "manifest.json")
    assert "\n" not in str(caught.value)
