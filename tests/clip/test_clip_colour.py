"""What a picture's numbers mean: transfers, primaries and named colour spaces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
from clip_media import numbered, write_movie

from vdepth_core.clip import open_clip
from vdepth_core.clip.colorspace import colorspace_named, colorspace_names
from vdepth_core.clip.colour import Declared, named_by_image, named_in, settle_colour
from vdepth_core.clip.primaries import PRIMARIES, to_rec709
from vdepth_core.clip.transfer import Curve, to_light, transfer_named
from vdepth_core.errors import UsageError

BT2020_TO_709 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


def test_pq_and_hlg_reference_levels() -> None:
    assert to_light(np.array(0.5807), "smpte2084") == pytest.approx(1, rel=2e-3)  # 203 cd/m2, BT.2408 table 1
    assert to_light(np.array(0.5081), "smpte2084") == pytest.approx(100 / 203, rel=2e-3)
    assert to_light(np.array(1.0), "smpte2084") == pytest.approx(10000 / 203, rel=1e-4)
    assert to_light(np.array(0.75), "arib-std-b67") == pytest.approx(1, rel=2e-3)
    for transfer in ("smpte2084", "arib-std-b67", "log100", "log316", "cineon"):
        assert (np.diff(to_light(np.linspace(0, 1, 500), transfer)) >= 0).all()
    with pytest.raises(KeyError):
        to_light(np.zeros(3), "bt709")


def test_cineon_white_black_and_grey() -> None:
    codes = np.array([685, 95, 445]) / 1023  # Kodak's reference white, black and 16 % grey
    assert to_light(codes, "cineon") == pytest.approx([1, 0, 0.15], abs=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("transfer", ["smpte2084", "linear", "cineon"])
def test_tables_agree_with_the_formula(dtype: type, transfer: str) -> None:
    pixels = np.linspace(0, 1, 300).reshape(10, 10, 3)
    if dtype is not np.float32:
        pixels = np.round(pixels * np.iinfo(dtype).max)
    signal = pixels if dtype is np.float32 else pixels / np.iinfo(dtype).max
    light = Curve(transfer)(pixels.astype(dtype))
    assert light.dtype == np.float32
    assert light == pytest.approx(to_light(signal, transfer), rel=1e-4, abs=1e-6)


def test_primaries_become_rec709s() -> None:
    aces = to_rec709(AP1)
    assert aces is not None
    # ACES CTL reference: AP1 to Rec.709 (D65) with Bradford adaptation.
    expected = [[1.7051, -0.6218, -0.0833], [-0.1303, 1.1408, -0.0105], [-0.0240, -0.1290, 1.1530]]
    assert aces == pytest.approx(np.array(expected), abs=2e-3)
    assert to_rec709(PRIMARIES[9][1]) == pytest.approx(np.array(BT2020_TO_709), abs=2e-4)  # BT.2087, table 4
    assert to_rec709(PRIMARIES[1][1]) is None
    assert to_rec709(None) is None
    assert to_rec709((0.0,) * 8) is None
    white = Curve("smpte2084", to_rec709(PRIMARIES[12][1]))(np.full((2, 2, 3), 40000, np.uint16))
    assert np.ptp(white) < 1e-3


@pytest.mark.parametrize(
    ("word", "transfer"),
    [("pq", "smpte2084"), ("HLG", "arib-std-b67"), ("sRGB", "iec61966-2-1"), ("Rec. 709", "bt709"),
     ("SMPTE2084", "smpte2084"), ("linear", "linear"), ("log", "log100"), ("bt2020-10", "bt2020-10")],
)  # fmt: skip
def test_transfers_have_friendly_names(word: str, transfer: str) -> None:
    assert transfer_named(word) == transfer


def test_unknown_transfer_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match="no transfer called 'hlgg'") as caught:
        transfer_named("hlgg")
    assert "Did you mean hlg?" in caught.value.hint
    assert "smpte2084" in caught.value.hint
    assert "--colorspace" in caught.value.hint


# Middle grey as the makers publish it.
GREY = [
    ("logc3", 400 / 1023), ("LogC4", 0.2784), ("S-Log3", 420 / 1023), ("v-log", 433 / 1023),
    ("Log3G10", 1 / 3), ("acescg", 0.18), ("ACES2065-1", 0.18), ("slog3_sgamut3", 420 / 1023),
    ("ARRI LogC3 (EI800)", 400 / 1023), ("linear srgb", 0.18), ("davinci", 0.3360),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float16])
@pytest.mark.parametrize(("name", "code"), GREY)
def test_middle_grey_of_each_camera_is_18_percent(name: str, code: float, dtype: type) -> None:
    pixels = np.full((2, 3, 3), code)
    pixels = np.round(pixels * 65535) if dtype is np.uint16 else pixels
    light = colorspace_named(name)(pixels.astype(dtype))
    assert light.dtype == np.float32
    assert light == pytest.approx(0.18, rel=0.01)


def test_wide_colours_lie_outside_rec709() -> None:
    red = colorspace_named("acescg")(np.array([[[1, 0, 0]]], np.float32))[0, 0]
    assert red == pytest.approx([1.7051, -0.1303, -0.0240], abs=1e-3)
    matrix = to_rec709(AP1)
    assert matrix is not None
    assert red == pytest.approx(matrix[:, 0], abs=1e-3)


def test_unknown_and_data_spaces_are_refused_with_near_names() -> None:
    with pytest.raises(UsageError, match="no colour space called 'sony slog'") as caught:
        colorspace_named("sony slog")
    assert "S-Log3" in caught.value.hint
    assert "--colorspaces" in caught.value.hint
    with pytest.raises(UsageError, match="is for data"):
        colorspace_named("Raw")
    assert "Raw" not in colorspace_names()
    assert "ACEScg" in colorspace_names()
    with pytest.raises(UsageError, match="both say"):
        settle_colour(Declared(), "pq", "logc3")


CONFIGURATION = """ocio_profile_version: 2
roles: {scene_linear: show, aces_interchange: aces, default: show}
displays: {d: [!<View> {name: v, colorspace: show}]}
colorspaces:
  - !<ColorSpace> {name: aces, encoding: scene-linear}
  - !<ColorSpace> {name: show, encoding: scene-linear, to_scene_reference: !<MatrixTransform> {matrix: [%s]}}
"""


def test_own_configuration_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for gain in (2, 4):
        path = tmp_path / f"{gain}.ocio"
        diagonal = [gain if index in {0, 5, 10} else int(index == 15) for index in range(16)]
        path.write_text(CONFIGURATION % ", ".join(map(str, diagonal)))
        monkeypatch.setenv("OCIO", str(path))
        found.append(colorspace_named("show"))
        assert found[-1](np.full((1, 1, 3), 0.1, np.float32)) == pytest.approx(0.1 * gain, rel=1e-4)
    assert found[0].identity != found[1].identity
    with pytest.raises(UsageError, match="no colour space called 'logc3'"):
        colorspace_named("logc3")
    monkeypatch.setenv("OCIO", str(tmp_path / "gone.ocio"))
    with pytest.raises(UsageError, match=r"gone\.ocio cannot be used"):
        colorspace_named("show")


def test_tags_that_name_a_camera_log_are_followed() -> None:
    assert named_in([{"title": "log book", "com.arri.camera.ColorGamma": "LOG-C"}]) == "ARRI LogC3 (EI800)"
    assert named_in([{}, {"CaptureGammaEquation": "s-log3-cine"}]) == "S-Log3 S-Gamut3.Cine"
    assert named_in([{"color": "red", "encoder": "logc", "comment": "V-Log", "log": "ACES"}]) == ""
    colour = settle_colour(Declared(colorspace="V-Log V-Gamut"))
    assert colour.colorspace == "V-Log V-Gamut"
    assert "as its metadata say" in colour.notes[0]


@pytest.mark.parametrize(
    ("attributes", "space"),
    [
        ({"colorInteropID": "lin_ap1_scene"}, "ACEScg"),
        ({"oiio:ColorSpace": "ACES2065-1"}, "ACES2065-1"),
        ({"oiio:ColorSpace": "ARRI LogC4"}, "ARRI LogC4"),
        ({"colorInteropID": "pq_rec2020_display"}, "Rec.2100-PQ - Display"),
        ({"dpx:Transfer": "Printing density"}, "Cineon"),
        ({"dpx:Transfer": "Logarithmic", "oiio:ColorSpace": "KodakLog"}, ""),
        ({"colorInteropID": "lin_rec709_scene", "oiio:ColorSpace": "lin_rec709_scene"}, ""),
        ({"oiio:ColorSpace": "srgb_rec709_scene"}, ""),
        ({"oiio:ColorSpace": "scene_linear"}, ""),
        ({"oiio:ColorSpace": "somebody's own"}, ""),
        ({}, ""),
    ],
)
def test_images_that_name_their_space_are_followed(attributes: dict[str, str], space: str) -> None:
    assert named_by_image(attributes) == space


def test_log_that_nobody_identifies_is_used_as_it_is() -> None:
    colour = settle_colour(Declared("log100"))
    assert colour.light is None
    assert "log-encoded" in colour.notes[0]
    assert "--colorspace" in colour.notes[0]
    assert settle_colour(Declared("log100"), transfer="log").light is not None
    assert "the file says bt709" in settle_colour(Declared("bt709"), transfer="pq").notes[0]


def logc3(linear: np.ndarray) -> np.ndarray:
    """ARRI LogC3 at EI 800 (ARRI, "ALEXA LogC Curve", 2017) of linear light."""
    cut, a, b, c, d, e, f = 0.010591, 5.555556, 0.052272, 0.247190, 0.385537, 5.367655, 0.092809
    return np.where(linear > cut, c * np.log10(a * np.maximum(linear, cut) + b) + d, e * linear + f)


def photograph(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey display picture and the light it shows."""
    picture = np.repeat(numbered(index, shift=index).mean(2, keepdims=True).round(), 3, 2).astype(np.uint8)
    encoded = picture / 255
    return picture, np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("kind", ["movie", "png", "exr", "acescg"])
def test_network_sees_log_and_aces_footage_as_the_display_picture(tmp_path: Path, kind: str) -> None:
    shown = [photograph(index) for index in range(6)]
    codes = [np.round(logc3(light * 0.3) * 65535).astype(np.uint16) for _, light in shown]
    space = "logc3"
    if kind == "movie":
        path = write_movie(tmp_path / "log.mkv", codes, codec="ffv1", pix_fmt="gbrp16le")
    elif kind == "png":
        for index, picture in enumerate(codes):
            assert cv2.imwrite(str(tmp_path / f"log.{index:04d}.png"), picture)
        path = tmp_path / "log.####.png"
    else:
        space = "logc3" if kind == "exr" else "acescg"
        for index, (_, light) in enumerate(shown):
            pixels = (logc3(light * 0.3) if kind == "exr" else light * 0.3).astype(np.float32)
            OpenEXR.File(
                {"compression": OpenEXR.ZIP_COMPRESSION}, {"RGB": np.ascontiguousarray(pixels)}
            ).write(str(tmp_path / f"log.{index:04d}.exr"))
        path = tmp_path / "log.####.exr"
    clip = open_clip(path, colorspace=space)
    (shot,) = clip.scan()
    assert clip.info.colorspace == {"logc3": "ARRI LogC3 (EI800)", "acescg": "ACEScg"}[space]
    assert "one exposure a shot" in " ".join(clip.info.notes)
    # exposure puts the log average at its key whatever the camera's gain; below the shoulder nothing changes
    gain = shot.exposure * 0.3
    for frame, (_, light) in zip(clip.read(exposure=shot.exposure), shown, strict=True):
        exposed = light * gain
        wanted = np.where(exposed <= 0.0031308, 12.92 * exposed, 1.055 * exposed ** (1 / 2.4) - 0.055) * 255
        plain = exposed < 0.5
        assert plain.mean() > 0.5
        assert np.abs(frame.rgb.astype(float) - wanted)[plain].max() < 2.5


@pytest.mark.parametrize("transfer", ["pq", "hlg", "linear"])
def test_image_files_take_a_stated_transfer(tmp_path: Path, transfer: str) -> None:
    codes = np.repeat(np.linspace(0.2, 0.75, 160)[None, :, None].repeat(96, 0), 3, 2)
    assert cv2.imwrite(str(tmp_path / "grade.0001.png"), np.round(codes * 65535).astype(np.uint16))
    clip = open_clip(tmp_path / "grade.####.png", transfer=transfer)
    assert clip.info.transfer == transfer_named(transfer)
    (shot,) = clip.scan()
    assert shot.exposure != 1
    assert 60 < np.median(next(iter(clip.read(exposure=shot.exposure))).rgb) < 160
    plain = open_clip(tmp_path / "grade.####.png")
    assert next(iter(plain.read())).rgb[0, 0, 0] == round(0.2 * 255)


def test_display_picture_in_floats_is_used_as_stated(tmp_path: Path) -> None:
    pixels = np.linspace(0, 1, 96 * 160 * 3).reshape(96, 160, 3).astype(np.float32)
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, {"RGB": pixels}).write(
        str(tmp_path / "a.0001.exr")
    )
    clip = open_clip(tmp_path / "a.####.exr", transfer="srgb")
    (shot,) = clip.scan()
    assert shot.exposure == 1
    assert np.abs(next(iter(clip.read())).rgb.astype(float) - 255 * pixels).max() <= 0.51


def write_named(path: Path, kind: str, **attributes: str) -> None:
    """A grey ramp through OpenImageIO, with text attributes (two underscores are a colon)."""
    pixels = np.repeat(np.linspace(0.2, 0.7, 160, dtype=np.float32)[None, :, None].repeat(96, 0), 3, 2)
    spec = oiio.ImageSpec(160, 96, 3, kind)
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    assert output.write_image(pixels)
    output.close()


@pytest.mark.parametrize(
    ("name", "kind", "attributes", "space", "note"),
    [
        ("a.0001.exr", "half", {"colorInteropID": "lin_ap1_scene"}, "ACEScg", "taken as ACEScg, as its"),
        ("a.0001.dpx", "uint16", {"dpx__Transfer": "Printing density"}, "Cineon", "Cineon film log"),
        ("a.0001.dpx", "uint16", {"dpx__Transfer": "Logarithmic"}, "", "(log100) and is used as it is"),
        ("a.0001.exr", "half", {}, "", "scene-linear"),
    ],
)  # fmt: skip
def test_headers_of_images_are_read_for_their_space(
    tmp_path: Path, name: str, kind: str, attributes: dict[str, str], space: str, note: str
) -> None:
    write_named(tmp_path / name, kind, **attributes)
    clip = open_clip(tmp_path / name)
    assert clip.info.colorspace == space
    assert note in " ".join(clip.info.notes)
    (shot,) = clip.scan()
    assert (shot.exposure == 1) is ("used as it is" in note)
    stated = open_clip(tmp_path / name, colorspace="logc4")
    assert stated.info.colorspace == "ARRI LogC4"
