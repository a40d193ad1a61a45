"""Clips get their folders before the first begins: one each, whatever disk, spelling and order."""

import itertools
import os
import unicodedata

import pytest

from vdepth_core.jobs.gathering import gather
from vdepth_core.output.naming import folded


def touch(folder, *names):
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        paths.append(path)
    return paths


def folders(paths, out):
    return {str(clip.path): clip.folder.name for clip in gather(paths, out)}


CROWDS = [
    ("a.mp4", "d1/a.mp4", "b.mp4", "a_2.mp4"),
    ("a.mp4", "d1/a.mp4", "a_d1.mp4", "a_mp4.mp4"),
    ("a.mp4", "a.mov", "d1/a.mp4"),
    ("x/b_c/a.mp4", "y/c/a_b.mp4", "a.mp4", "a_b.mp4"),
    ("d/e/a.mp4", "f/e/a.mp4", "g/d/e/a.mp4"),
    (f"{'long' * 40}/{'clip' * 40}.mp4", f"{'long' * 40}/x/{'clip' * 40}.mp4"),
]


@pytest.mark.parametrize("names", CROWDS)
def test_folders_are_different_and_the_same_in_any_order(tmp_path, names):
    paths = touch(tmp_path / "in", *names)
    expected = folders(paths, tmp_path / "out")
    assert len({folded(name) for name in expected.values()}) == len(paths)
    assert all(len(os.fsencode(name)) <= 255 for name in expected.values())
    for order in itertools.islice(itertools.permutations(paths), 24):
        assert folders(order, tmp_path / "out") == expected


def test_a_clip_alone_of_its_name_keeps_it(tmp_path):
    paths = touch(tmp_path / "in", *CROWDS[1])
    names = folders(paths, tmp_path)
    assert names[str(paths[2])] == "a_d1"
    assert names[str(paths[3])] == "a_mp4"
    assert names[str(paths[0])] != "a"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Clip", "clip"), ("Straße", "STRASSE"), ("é", unicodedata.normalize("NFD", "É")), ("a:b", "a*b")],
)
def test_names_a_disk_may_confuse_get_different_folders(tmp_path, one, other):
    paths = touch(tmp_path / "in", f"1/{one}.mp4", f"2/{other}.mp4")
    assert len({folded(name) for name in folders(paths, tmp_path).values()}) == 2


def test_names_of_one_clip_are_one_clip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (movie,) = touch(tmp_path, "a.mp4")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    frames = touch(tmp_path / "seq", *(f"p.{number:04d}.png" for number in range(1, 8)))
    given = [movie.relative_to(tmp_path), movie, tmp_path / "link.mp4", *frames, tmp_path / "seq/p.####.png"]
    clips = gather([*given, tmp_path / "seq"], tmp_path / "out")
    assert [clip.folder.name for clip in clips] == ["a", "p"]
    assert [len(clip.names) for clip in clips] == [3, 9]
    (clip,) = gather(frames, tmp_path / "out")
    assert clip.folder == tmp_path / "out"


def test_a_part_of_a_sequence_is_another_clip(tmp_path):
    touch(tmp_path, *(f"p.{number:04d}.png" for number in range(1, 8)))
    clips = gather([tmp_path / "p.0001-0003.png", tmp_path / "p.0002.png"], tmp_path / "out")
    assert len({clip.folder for clip in clips}) == 2


def test_frames_of_a_long_sequence_are_found_once(tmp_path, monkeypatch):
    from vdepth_core.jobs import gathering

    frames = touch(tmp_path, *(f"p.{number:04d}.png" for number in range(50)))
    calls, real = [], gathering.find_sequence
    monkeypatch.setattr(
        gathering, "find_sequence", lambda path, *how: (calls.append(path), real(path, *how))[1]
    )
    assert len(gather(frames, tmp_path / "out")) == 1
    assert len(calls) == 1


def test_what_cannot_be_opened_keeps_a_folder_of_its_own(tmp_path):
    (movie,) = touch(tmp_path, "a.mp4")
    names = folders([movie, tmp_path / "gone.####.exr", tmp_path / "a"], tmp_path)
    assert set(names.values()) >= {"gone"}
    assert len(set(names.values())) == 3
