"""Which digits count frames, whatever else is in a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdepth_core.clip.naming import Sequence, find_sequence, is_sequence
from vdepth_core.clip.numbers import in_order, split_names
from vdepth_core.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def numbers(names: list[str]) -> list[int | None]:
    split = split_names(names)
    return [split[name].number for name in names]


@pytest.mark.parametrize(
    ("pattern", "title"),
    [
        ("shot.{:04d}.png", "shot"),
        ("shot.{:04d}.4k.png", "shot_4k"),
        ("shot.{:04d}.1920x1080.png", "shot_1920x1080"),
        ("shot.{:04d}_16bit.png", "shot_16bit"),
        ("shot.{:04d}_v003.png", "shot_v003"),
        ("shot_v003.{:04d}.png", "shot_v003"),
        ("shot.{:04d}_L2.png", "shot_L2"),
        ("shot.{:04d}_left_1080p.png", "shot_left_1080p"),
        ("sh010_cam2_{:04d}.png", "sh010_cam2"),
        ("take2_{:04d}.png", "take2"),
        ("frame{:d}.png", "frame"),
        ("a_2024.{:d}.png", "a_2024"),
        ("{:04d}_1080.png", "1080"),
        ("v.{:04d}.png", "v"),
        ("{:04d}_color.png", "color"),
        ("rgb{:05d}.png", "rgb"),
    ],
)
def test_the_frame_number_is_found_among_others(tmp_path: Path, pattern: str, title: str) -> None:
    names = [pattern.format(number) for number in range(8, 13)]
    folder = touch(tmp_path / "plates", *names)
    for source in (folder, folder / names[2]):
        found = find_sequence(source)
        assert [file.name for file in found.files] == names
        assert (found.first, found.name) == (8, title)


@pytest.mark.parametrize(
    "names",
    [
        ["matte_v001.png", "matte_v002.png"],
        ["matte_V1.png", "matte_V2.png"],
        ["matte_2k.png", "matte_4k.png"],
        ["still_1280x720.png", "still_1920x1080.png"],
    ],
)
def test_versions_and_sizes_of_a_still_are_stills(tmp_path: Path, names: list[str]) -> None:
    folder = touch(tmp_path, *names)
    found = find_sequence(folder / names[1])
    assert ([file.name for file in found.files], found.first) == ([names[1]], None)
    assert found.name == Path(names[1]).stem
    with pytest.raises(InputError, match=rf"holds 2 different images, such as {names[0]} and") as caught:
        find_sequence(folder)
    assert "--every-file" in caught.value.hint


def test_takes_of_one_frame_each_are_not_joined() -> None:
    assert numbers(["take1_0001.png", "take2_0001.png"]) == [1, 1]
    assert numbers(["shot 1.0010.png", "shot 2.0010.png"]) == [10, 10]


def test_a_second_number_that_differs_makes_other_sequences(tmp_path: Path) -> None:
    names = [f"shot.{number:04d}_L{level}.png" for level in (1, 2, 3) for number in (1001, 1002)]
    folder = touch(tmp_path, *names)
    assert [file.name for file in find_sequence(folder / names[2]).files] == names[2:4]
    with pytest.raises(InputError, match=r"3 different sequences of images, such as shot.####_L1.png and"):
        find_sequence(folder)


def test_negative_numbers_are_in_the_order_of_time(tmp_path: Path) -> None:
    names = [f"shot.{'-' if n < 0 else ''}{abs(n):04d}.png" for n in range(-3, 3)]
    folder = touch(tmp_path / "mixed", *names)
    for source in (folder, folder / names[0], folder / "shot.####.png", folder / "shot.[-3-2].png"):
        found = find_sequence(source)
        assert ([file.name for file in found.files], found.first, found.name) == (names, -3, "shot")
    assert [file.name for file in find_sequence(folder / "shot.[-2-1].png").files] == names[1:5]
    below = touch(tmp_path / "below", *names[:3])
    assert find_sequence(below / "shot.%04d.png").first == -3
    minus = touch(tmp_path / "minus", "shot-0005.png", "shot-0006.png")  # a delimiter, no sign
    assert (find_sequence(minus).first, find_sequence(minus / "shot-####.png").first) == (5, 5)


@pytest.mark.parametrize("name", ["take#2", "100%done", "a$Final", "a$F4x", "b@home", "c[1-2]", "2024-01-31"])
def test_the_last_sign_of_a_pattern_is_the_frame(tmp_path: Path, name: str) -> None:
    folder = touch(tmp_path, *(f"{name}.{number:04d}.png" for number in range(1, 5)))
    for sign in ("####", "%04d", "@@@@", "$F4", "0001-0004", "[1-4]"):
        found = find_sequence(folder / f"{name}.{sign}.png")
        assert (len(found.files), found.first, found.name) == (4, 1, name)
    assert len(find_sequence(folder / f"{name}.0002.png").files) == 4


def test_a_sign_behind_the_number_is_part_of_the_name(tmp_path: Path) -> None:
    folder = touch(tmp_path, *(f"shot.{number:04d}.a#b.png" for number in range(1, 5)))
    found = find_sequence(folder / "shot.####.a#b.png")
    assert (len(found.files), found.name) == (4, "shot_a#b")


def test_what_a_shell_did_not_expand_is_found(tmp_path: Path) -> None:
    folder = touch(tmp_path, "notes.txt", *(f"p.{n:04d}.exr" for n in (1, 2, 3)), "q.0001.exr", "q.0002.exr")
    for glob in ("p.*.exr", "p.000?.exr", "p*", "p.*"):
        assert is_sequence(folder / glob)
        assert [file.name for file in find_sequence(folder / glob).files] == [
            f"p.{n:04d}.exr" for n in (1, 2, 3)
        ]
    assert len(find_sequence(folder / "p.000[12].exr").files) == 2
    with pytest.raises(InputError, match=r"means 2 different sequences of images"):
        find_sequence(folder / "*.exr")
    with pytest.raises(InputError, match=r"No file in .* matches z\.\*\.exr") as caught:
        find_sequence(folder / "z.*.exr")
    assert "####" in caught.value.hint
    assert not is_sequence(folder / "*.mp4")


def test_one_sequence_has_one_name_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = touch(tmp_path / "numbers" / "only", *(f"{number:04d}.png" for number in (1, 2)))
    monkeypatch.chdir(folder)
    (tmp_path / "numbers" / "below").mkdir()
    spellings = (
        folder,
        Path(),
        Path("0001.png"),
        Path("####.png"),
        Path("../only"),
        Path("../below/../only"),
    )
    assert {find_sequence(path).name for path in spellings} == {"only"}
    monkeypatch.chdir(tmp_path / "numbers" / "below")
    assert find_sequence(Path("../only/*.png")).name == "only"


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (
            [f"{n:06d}.png" for n in range(0, 60, 10)],
            "Frame 1 of .*: the files run from 0 to 50, each 10 after",
        ),
        ([f"a.{n}.png" for n in (1, 2, 4)], "Frame 3 of .* is missing: .* with a gap there"),
        (["1305031102.175304.png", "1305031102.211214.png"], "Frame 175305 of"),
        (["1305031102.175304.png", "1305031103.011214.png"], "2 different images"),
        (["20240131120000.png", "20240131120005.png"], "2 different images"),
        (["a.01.png", "a.1.png"], "Frame 1 of .* is there twice"),
    ],
)
def test_gaps_strides_and_time_stamps_offer_every_file(
    tmp_path: Path, names: list[str], complaint: str
) -> None:
    folder = touch(tmp_path, *names)
    with pytest.raises(InputError, match=complaint) as caught:
        find_sequence(folder)
    assert "--every-file" in caught.value.hint
    found = find_sequence(folder, every_file=True)
    assert [file.name for file in found.files] == names
    assert found.first == 1
    assert f"{names[-1]} is frame {len(names)}" in found.notes[0]


def test_every_file_of_a_file_or_pattern(tmp_path: Path) -> None:
    folder = touch(tmp_path, *(f"a_v{n}.png" for n in (9, 10, 2)), "b.7.png")

    def order(found: Sequence) -> list[str]:
        return [file.name for file in found.files]

    versions = ["a_v2.png", "a_v9.png", "a_v10.png"]
    assert order(find_sequence(folder, every_file=True)) == [*versions, "b.7.png"]
    for source in ("a_v10.png", "a_v#.png", "a_*.png"):
        assert order(find_sequence(folder / source, every_file=True)) == versions
    lone = find_sequence(folder / "b.7.png", every_file=True)
    assert (order(lone), lone.notes) == (["b.7.png"], ())


def test_fractions_of_time_stamps_are_fractions() -> None:
    stamps = ["1305031102.25.png", "1305031102.5.png", "1305031103.125.png"]
    assert in_order(reversed(stamps)) == stamps
    assert in_order(["v1.10.png", "v1.9.png"]) == ["v1.9.png", "v1.10.png"]


def test_a_number_too_large_for_a_frame_is_refused(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.1305031102.png")
    assert find_sequence(folder).first is None
    with pytest.raises(InputError, match="would be frame 1305031102; frame numbers end at 9999999"):
        find_sequence(folder / "a.#.png")
