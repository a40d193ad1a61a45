"""The picture among an EXR's layers: the beauty by the hosts' names, never data, and it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_media import HEIGHT, WIDTH, number_of, numbered
from image_media import layer, write_channels, write_parts

from vdepth_core.clip import open_clip
from vdepth_core.clip.layers import NoPicture, Part, choose_layer, layer_named, list_layers
from vdepth_core.errors import InputError, UsageError

BEAUTY, OTHER = numbered(9), numbered(300)


def rgb(*prefixes: str, names: str = "RGB") -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for prefix in prefixes for name in names)


def chosen(*parts: Part) -> str:
    return choose_layer(list_layers(parts)).layer.name


@pytest.mark.parametrize(
    ("channels", "name"),
    [
        (rgb("ViewLayer.AO.", "ViewLayer.Combined."), "ViewLayer.Combined"),
        (rgb("ViewLayer.CryptoObject00.", "ViewLayer.Combined.", names="RGBA"), "ViewLayer.Combined"),
        (rgb("Bg.Combined.", "Composite.Combined."), "Composite.Combined"),
        (rgb("A.Combined.", "Z.Image.", "Z.Noisy Image."), "A.Combined"),
        (rgb("Main.DiffCol.", "Main.beauty."), "Main.beauty"),
        (rgb("albedo.", "rgba."), "rgba"),
        (rgb("albedo.", "", "specular_direct."), "rgba"),
        (("diffuse.red", "diffuse.green", "diffuse.blue", "rgba.red", "rgba.green", "rgba.blue"), "rgba"),
        (rgb("RGB_color.", "GI.", "rawLight."), "RGB_color"),
        (rgb("Ci.", "albedo.", "Nn."), "Ci"),
        (rgb("c.", "n.", "p.", names="rgb"), "c"),
        (rgb("GlobalIllumination.", "Beauty.", "ObjectID."), "Beauty"),
        (rgb("normals.", "beauty_denoised.", "sss."), "beauty_denoised"),
        (rgb("depth.", "plate."), "plate"),
        (rgb("", "right."), "rgba"),
        (rgb("ViewLayer.Combined.right.", "ViewLayer.Combined.left."), "ViewLayer.Combined.left"),
        (("Y", "A"), "Y"),
        (("beauty.Y", "depth.Z"), "beauty"),
    ],
)
def test_beauty_is_chosen_by_the_hosts_names(channels: tuple[str, ...], name: str) -> None:
    assert chosen(Part("", channels)) == name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([("albedo", "RGB"), ("rgba", "RGBA"), ("depth", "Z")], "rgba"),
        ([("RGBA", "RGBA"), ("N", "XYZ"), ("diffuse", "RGB")], "RGBA"),
        ([("normal", "RGB"), ("fg", "RGB"), ("bg", "RGB")], "fg"),
        ([("shot010", "RGBA"), ("bg", "RGB")], "shot010"),
        ([("cryptomatte", "RGBA"), ("C", "RGB"), ("beauty_diffuse", "RGB")], "C"),
        ([("rgba.right", "RGB"), ("rgba.left", "RGB"), ("depth.left", "Z")], "rgba.left"),
    ],
)
def test_parts_are_layers_too(parts: list[tuple[str, str]], name: str) -> None:
    assert chosen(*(Part(part, tuple(channels)) for part, channels in parts)) == name


def test_the_left_eye_comes_first_and_it_is_said() -> None:
    parts = [Part("main_r", rgb(""), view="right"), Part("main_l", rgb(""), view="left")]
    choice = choose_layer(list_layers(parts))
    assert choice.layer.name == "main_l"
    assert "the left view" in choice.note
    assert "main_r" in choice.note
    hero = Part("", rgb("", "left."), views=("right", "left"))
    assert choose_layer(list_layers([hero])).layer.channels == rgb("left.")


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (("X", "Y", "Z"), "holds no picture, only XYZ"),
        (("Y", "Z"), "holds no picture, only YZ"),
        (("Z",), "holds no picture, only Z"),
        (("disparity.Y", "confidence.Y"), "only disparity, confidence"),
        (
            rgb("normal.", "albedo.", "specularDirect.", "crypto_object00."),
            "only normal, albedo, specularDirect",
        ),
        (rgb("worldPosition.", "Pref.", "motionvector.", "uv."), "holds no picture"),
        (rgb("sunny.", "rainy."), "2 layers that may be the picture: sunny, rainy"),
    ],
)
def test_data_is_never_the_picture(channels: tuple[str, ...], words: str) -> None:
    with pytest.raises(NoPicture, match=words):
        chosen(Part("", channels))


def test_deep_samples_are_no_picture() -> None:
    parts = [Part("deep", rgb(""), deep=True)]
    with pytest.raises(NoPicture, match="deep samples only"):
        choose_layer(list_layers(parts), deep=True)


def test_a_layer_is_found_by_what_people_call_it() -> None:
    layers = list_layers([Part("", rgb("ViewLayer.Combined.", "ViewLayer.AO.", "Bg.AO.", "rgba."))])
    assert layer_named(layers, "viewlayer.combined", "a.exr").name == "ViewLayer.Combined"
    assert layer_named(layers, "Combined", "a.exr").name == "ViewLayer.Combined"
    with pytest.raises(UsageError, match=r"Several layers of a.exr are called AO: ViewLayer.AO, Bg.AO"):
        layer_named(layers, "AO", "a.exr")
    with pytest.raises(UsageError, match=r"a.exr has no layer called 'combind'") as caught:
        layer_named(layers, "combind", "a.exr")
    assert "ViewLayer.AO, Bg.AO" in caught.value.hint


def blender(folder: Path, numbers: range = range(1, 4)) -> Path:
    folder.mkdir()
    for number in numbers:
        white = np.full_like(BEAUTY, 255)
        channels = layer(white, "ViewLayer.AO.") | layer(BEAUTY, "ViewLayer.Combined.")
        depth = {"ViewLayer.Depth.Z": np.ones((HEIGHT, WIDTH), np.float32)}
        write_channels(folder / f"render.{number:04d}.exr", channels | depth)
    return folder


def test_a_multi_layer_render_is_read_and_what_was_taken_is_said(tmp_path: Path) -> None:
    clip = open_clip(blender(tmp_path / "render"))
    assert [number_of(frame.rgb) for frame in clip.read()] == [9, 9, 9]
    assert clip.info.layer == "ViewLayer.Combined"
    assert set(clip.info.layers) == {"ViewLayer.AO", "ViewLayer.Combined", "ViewLayer.Depth"}
    (note,) = (note for note in clip.info.notes if "layer" in note)
    assert "ViewLayer.Combined is taken" in note
    assert "ViewLayer.AO" in note
    plain = open_clip(write_channels(tmp_path / "plain.exr", layer(BEAUTY)))
    assert not any("layer" in note for note in plain.info.notes)
    assert np.array_equal(next(plain.read()).rgb, next(clip.read()).rgb)


def test_a_layer_can_be_chosen_and_must_be_in_every_frame(tmp_path: Path) -> None:
    folder = blender(tmp_path / "render")
    stated = open_clip(folder, layer="ao")
    assert stated.info.layer == "ViewLayer.AO"
    assert all(frame.rgb.min() > 200 for frame in stated.read())
    depth = next(open_clip(folder, layer="Depth").read()).rgb
    assert np.ptp(depth) == 0
    with pytest.raises(UsageError, match=r"no layer called 'beauty'") as caught:
        open_clip(folder, layer="beauty")
    assert "ViewLayer.AO, ViewLayer.Combined" in caught.value.hint
    write_channels(folder / "render.0002.exr", layer(BEAUTY))
    with pytest.raises(InputError, match=r"render.0002.exr has no layer ViewLayer.Combined, with which"):
        list(open_clip(folder).read())


def test_parts_are_read_where_they_lie(tmp_path: Path) -> None:
    parts = [("normal", layer(OTHER)), ("depth", {"Z": np.ones((HEIGHT, WIDTH), np.float32)})]
    write_parts(tmp_path / "parts.exr", [*parts, ("beauty", layer(BEAUTY))], framesPerSecond=(25, 1))
    clip = open_clip(tmp_path / "parts.exr")
    assert (clip.info.layer, clip.info.rate) == ("beauty", 25)
    assert number_of(next(clip.read()).rgb) == 9
    assert number_of(next(open_clip(tmp_path / "parts.exr", layer="normal").read()).rgb) == 300


def test_data_only_is_refused_with_the_layers_and_the_way_out(tmp_path: Path) -> None:
    path = write_channels(tmp_path / "passes.exr", layer(OTHER, "normal.") | layer(OTHER, "albedo."))
    with pytest.raises(InputError, match=r"passes.exr holds no picture, only albedo, normal") as caught:
        open_clip(path)
    assert "--layer" in caught.value.hint
    ours = {"X": np.ones((HEIGHT, WIDTH), np.float32)}
    write_channels(tmp_path / "ours.exr", layer(BEAUTY) | ours, **{"vdepth/quantity": "depth"})
    with pytest.raises(InputError, match="was written by vdepth and holds depth"):
        open_clip(tmp_path / "ours.exr")


def test_a_layer_of_a_png_or_a_movie_is_refused(tmp_path: Path, movie: Path) -> None:
    from image_media import write_image

    with pytest.raises(UsageError, match="has no layers"):
        open_clip(write_image(tmp_path / "a.png", BEAUTY), layer="rgba")
    for options in ({"layer": "rgba"}, {"every_file": True}):
        with pytest.raises(UsageError, match="is a movie"):
            open_clip(movie, **options)
