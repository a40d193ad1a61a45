"""What the core is asked for and where its files go; none of it needs Blender."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from blender_addon.core_process.models import read_models
from blender_addon.core_process.request import Request, exact_rate, is_variable
from blender_addon.result.manifest import ResultError
from blender_addon.result.paths import (
    choose_folder,
    clip_stem,
    file_number,
    is_unfinished,
    manifest_owner,
    sequence_stem,
)

MOVIE = Request(
    clip="/clips/a.mp4", folder=Path("/out/a"), movie=True, duration=48, first=0, last=47, number=0,
    rate=Fraction(24),
)  # fmt: skip
PLATES = Request(
    clip="/clips/b.0010.exr", folder=Path("/out/b"), movie=False, duration=20, first=0, last=19, number=10,
    rate=Fraction(25),
)  # fmt: skip


def options(words: list[str]) -> dict[str, str]:
    return {a: b for a, b in pairwise(words) if a.startswith("-")}


def test_movie_starts_at_frame_1_and_gives_no_range_when_whole() -> None:
    words = MOVIE.arguments()
    assert words[:4] == ["estimate", "/clips/a.mp4", "-o", "/out/a"]
    assert options(words)["--start-frame"] == "1"
    assert not {"--frames", "--cfr", "--fov", "--model", "--overwrite"} & set(words)


def test_the_picture_is_asked_for_as_blender_shows_it() -> None:
    assert options(replace(PLATES, orientation="stored").arguments())["--orientation"] == "stored"
    assert "--orientation" not in PLATES.arguments()


def test_range_counts_as_the_core_does() -> None:
    assert options(replace(MOVIE, first=5, last=11).arguments())["--frames"] == "5-11"
    assert options(replace(PLATES, first=2, last=4).arguments())["--frames"] == "12-14"


def test_sequence_keeps_its_numbers_and_takes_the_scenes_rate() -> None:
    words = options(PLATES.arguments())
    assert "--start-frame" not in words
    assert (words["--rate"], words["--frames"]) == ("25", "10-29")


def test_variable_rate_asks_for_blenders_frames_and_no_range() -> None:
    words = replace(MOVIE, rate=Fraction(30000, 1001), first=5, last=11).arguments(variable=True)
    assert options(words)["--cfr"] == "30000/1001"
    assert "--frames" not in words


def test_every_setting_reaches_the_command_line() -> None:
    request = replace(
        MOVIE, preset="best", method="rolling", model="x", size=256, near=0.5, far=20.0, fov=63.6549,
        normals=True, sky=True, boost=True, non_commercial=True, overwrite=True,
    )  # fmt: skip
    words = request.arguments()
    wanted = {
        "--preset": "best", "--method": "rolling", "--model": "x", "--size": "256", "--near": "0.5",
        "--far": "20", "--fov": "63.6549",
    }  # fmt: skip
    assert wanted.items() <= options(words).items()
    assert {"--normals", "--sky", "--boost", "--non-commercial", "--overwrite"} <= set(words)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24.0, Fraction(24)),
        (23.976022720336914, Fraction(24000, 1001)),
        (29.970029830932617, Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
    ],
)
def test_rate_is_exact_again(fps, rate) -> None:
    assert exact_rate(fps) == rate


def inspected(frames: int, rate: str, shortest: float, longest: float) -> dict[str, object]:
    gaps = {"shortest_gap": shortest, "longest_gap": longest}
    return {"constant_rate": False, "frames": frames, "rate": rate, **gaps}


@pytest.mark.parametrize(
    ("facts", "duration", "variable"),
    [
        ({"constant_rate": True}, 72, False),
        (inspected(23, "12", 0.08, 0.09), 23, False),  # a GIF's clock ticks in hundredths of a second
        (inspected(24, "30", 1 / 30, 0.134), 35, True),  # a phone's slow motion
        (inspected(24, "30", 1 / 30, 0.04), 25, True),  # Blender shows one more
    ],
)
def test_only_truly_variable_clips_are_resampled(facts, duration, variable) -> None:
    assert is_variable(facts, duration) is variable


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/a/shot.mov", "shot"),
        ("C:\\clips\\shot 1.mp4", "shot 1"),
        ("/a/..mp4", "clip"),
        ('/a/b<c>:"d|e?.mp4', "b_c___d_e_"),
        ("/a/{clip}.mp4", "_clip_"),
        ("/a/con.mp4", "_con"),
        ("/a/shot.####.exr", "shot"),
        ("/a/" + "é" * 200 + ".mp4", "é" * 40),
    ],
)
def test_clip_name_is_one_safe_part_of_a_path(path, stem) -> None:
    assert clip_stem(path) == stem


def test_sequence_name_has_no_number() -> None:
    assert sequence_stem("/a/shot.0010.exr") == "shot"
    assert sequence_stem("/a/0010.png") == "0010"
    assert file_number("/a/sh010_v2.0123.exr") == 123


def test_two_clips_of_one_name_get_two_folders(tmp_path) -> None:
    def manifest(folder: Path, clip: str) -> None:
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps({"clip": {"path": clip}}))

    def folder_of(clip: str) -> Path:
        return choose_folder(f"{tmp_path}/{{clip}}/", "shot", lambda folder: manifest_owner(folder, clip))

    manifest(tmp_path / "shot", "/a/shot.mov")
    assert folder_of("/a/shot.mov") == tmp_path / "shot"
    assert folder_of("/b/shot.mov") == tmp_path / "shot_2"
    manifest(tmp_path / "shot_2", "/b/shot.mov")
    assert folder_of("/b/shot.mov") == tmp_path / "shot_2"
    assert folder_of("/c/shot.mov") == tmp_path / "shot_3"


@pytest.mark.parametrize("template", ["", "  ", "depth/{clip}"])
def test_useless_folder_is_refused_in_one_sentence(template) -> None:
    with pytest.raises(ResultError, match=r"^[^\n]+\.$"):
        choose_folder(template, "shot", lambda folder: None)


def test_unfinished_folder_is_one_with_another_job_than_its_manifest_s(tmp_path) -> None:
    assert not is_unfinished(tmp_path)
    (tmp_path / ".vdepth").mkdir()
    record = tmp_path / ".vdepth" / "job.json"
    record.write_text('{"job": "a"}')
    assert is_unfinished(tmp_path)
    (tmp_path / "manifest.json").write_text('{"job": "a"}')
    assert not is_unfinished(tmp_path)
    record.write_text('{"job": "b"}')  # one that will replace it
    assert is_unfinished(tmp_path)
    record.write_text("cut off")
    assert is_unfinished(tmp_path)


def test_menu_lists_installed_models_only() -> None:
    spec = {"space": "metric", "license": "MIT", "commercial": False}
    entries = [
        {"name": "a", "installed": True, "spec": spec},
        {"name": "b", "installed": False, "spec": spec},
        {"name": "broken plug-in", "installed": True, "spec": None},
    ]
    models = read_models(json.dumps(entries))
    assert [model.name for model in models] == ["a"]
    assert models[0].description == "Depth metric; licence MIT, not for commercial use"
    with pytest.raises(ValueError, match="models"):
        read_models("[1]")
