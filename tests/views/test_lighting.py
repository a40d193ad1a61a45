"""Light on planes and spheres is what mathematics says, shadows fall where they must, files are checked."""

import json

import numpy as np
import pytest
import torch

from vdepth_core.errors import InputError, UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.views.lighting.lights import Lamp, Lights, Material, parse_lights, read_lights
from vdepth_core.views.lighting.passes import lighting_pass, surfaces_of
from vdepth_core.views.lighting.shading import shaded
from vdepth_core.views.lighting.shadows import openness

HEIGHT, WIDTH = 72, 96
LENS = Intrinsics(100.0, 100.0, WIDTH / 2, HEIGHT / 2)
MIDDLE = 4.0
RAYS = LENS.rays(WIDTH, HEIGHT).astype(np.float64)


def plane(normal, distance=MIDDLE):
    """Depth of the plane n·P = -distance·|n_z|, n in the axes of normals (x right, y up, z to the camera)."""
    x, y, z = np.array(normal, float) / np.linalg.norm(normal)
    along = RAYS @ (x, -y, -z)
    return (-distance * z / along).astype(np.float32)


def sphere(radius=1.0, distance=MIDDLE):
    """Depth of a ball before the camera with a wall behind it, its normals, and where it is."""
    centre = np.array((0, 0, distance))
    a, b, c = (RAYS**2).sum(2), RAYS @ centre, centre @ centre - radius**2
    under = b * b - a * c
    hit = under > 0
    t = (b - np.sqrt(np.maximum(under, 0))) / a
    normals = (RAYS * t[..., None] - centre) / radius * (1, -1, -1)
    return np.where(hit, t, distance + 2).astype(np.float32), normals, hit


def lit(z, lights, number=1, sky=None):
    return lighting_pass(surfaces_of(z, LENS, MIDDLE), lights, number, sky)


def sun(direction, **more):
    return Lights(plate=0.0, lights=(Lamp(type="sun", direction=direction, **more),))


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.4, 0.2, 1), (-0.3, 0.9, 1)])
@pytest.mark.parametrize("direction", [(0, 0, 1), (-1, 1, 1), (0.3, 0.8, 0.2), (0, 0, -1)])
def test_a_plane_shows_the_cosine_and_never_shadows_itself(normal, direction):
    wanted = max(np.dot(normal, direction) / np.linalg.norm(normal) / np.linalg.norm(direction), 0)
    found = lit(plane(normal), sun(direction, intensity=0.7, color=(1, 0.5, 0.25)))
    np.testing.assert_allclose(
        found, np.broadcast_to(0.7 * wanted * np.array((1, 0.5, 0.25)), found.shape), atol=2e-5
    )


def test_a_sphere_shows_the_cosine():
    z, normals, hit = sphere()
    for direction in ((0, 0, 1), (-1, 1, 1.5)):
        found = lit(z, sun(direction, shadow=0))[..., 0]
        off = np.abs(found - np.maximum(normals @ direction / np.linalg.norm(direction), 0))
        assert off[hit & (normals[..., 2] > 0.7)].mean() < 0.005
        assert off[hit & (normals[..., 2] > 0.9)].max() < 0.005


def test_a_sphere_throws_its_shadow_on_the_wall_on_the_far_side_only():
    z, _, hit = sphere()
    found = lit(z, sun((-1, 0, 1.2), softness=1.0))[..., 0]
    free = np.dot((0, 0, 1), (-1, 0, 1.2)) / np.hypot(1, 1.2)
    right, left = found[HEIGHT // 2, WIDTH - 16], found[HEIGHT // 2, 10]
    assert right < 0.1 * free
    assert left == pytest.approx(free, rel=1e-3)
    half = lit(z, sun((-1, 0, 1.2), softness=1.0, shadow=0.5))[..., 0]
    assert half[HEIGHT // 2, WIDTH - 16] == pytest.approx((free + right) / 2, rel=1e-3)
    hard = lit(z, sun((-1, 0, 1.2), softness=0.2))[..., 0]
    soft = lit(z, sun((-1, 0, 1.2), softness=12.0))[..., 0]
    between = [((image[~hit] > 0.05 * free) & (image[~hit] < 0.95 * free)).mean() for image in (hard, soft)]
    assert between[1] > 2 * between[0]


def test_edges_of_a_shadow_are_as_smooth_as_what_throws_it():
    height, width = 180, 240
    lens = Intrinsics(250.0, 250.0, width / 2, height / 2)
    rows, columns = np.mgrid[:height, :width] + 0.5
    z = np.where(columns < 60 + 0.3 * rows, 3.0, 5.0).astype(np.float32)  # a card before a wall
    light = lighting_pass(surfaces_of(z, lens, MIDDLE), sun((-0.9, 0.2, 1.0), softness=0.5), 1)[..., 0]
    lit_at = light > light[90, -1] / 2
    inner = np.arange(30, 150)
    edge = np.array([width - np.argmin(lit_at[row, ::-1]) for row in inner])  # where it ends, from the right
    assert (edge - 60 - 0.3 * inner).min() > 30  # beside the card
    assert np.abs(np.diff(edge, 2)).max() <= 3  # it was 6


def test_a_point_lamp_fades_with_the_square_of_the_distance():
    z = plane((0, 0, 1))
    for depth, strength in ((0.5, 0.25), (0.75, 1.0)):  # of the middle distance before the camera
        lamp = Lamp(type="point", position=(0, 0, -depth), reach=0.25, shadow=0)
        found = lit(z, Lights(plate=0, lights=(lamp,)))[HEIGHT // 2, WIDTH // 2, 0]
        assert found == pytest.approx(strength, rel=2e-3)


def test_no_light_is_exactly_one_and_sky_stays():
    z, _, _ = sphere()
    assert (lit(z, Lights()) == 1).all()
    assert (lit(z, Lights(lights=(Lamp(type="sun", direction=(0, 0, 1), intensity=0),))) == 1).all()
    z[:10] = 1e10
    mask = np.zeros(z.shape, np.float32)
    mask[:20] = 1
    found = lit(z, sun((0, 0, 1)))
    assert (found[:10] == 1).all()
    assert np.isfinite(found).all()
    assert (lit(z, sun((0, 0, 1)), sky=mask)[:20] == 1).all()


def test_corners_are_darker_and_planes_are_open():
    assert float(openness(surfaces_of(plane((0.3, 0.5, 1)), LENS, MIDDLE)).min()) == 1.0
    floor, wall = plane((0, 1, 0.4)), plane((0, 0, 1))
    corner = np.minimum(np.where(floor > 0, floor, 1e9), wall)
    found = openness(surfaces_of(corner, LENS, MIDDLE)).numpy()
    meets = int(np.argmax(np.abs(np.diff(np.diff(corner[:, WIDTH // 2])))) + 1)
    assert found[meets - 2 : meets + 3, WIDTH // 2].min() < 0.9
    assert found[4, WIDTH // 2] == pytest.approx(1, abs=0.02)


def test_gloss_is_brightest_where_a_mirror_would_show_the_lamp_and_keeps_energy():
    z = plane((0, 0, 1))
    surfaces = surfaces_of(z, LENS, MIDDLE)
    way = torch.tensor((0.0, 0.0, -1.0))[:, None, None]
    bare = shaded(surfaces, way, Material())
    rough, smooth = (shaded(surfaces, way, Material(roughness=r, specular=1.0)) - bare for r in (0.8, 0.2))
    top = np.unravel_index(int(smooth.argmax()), z.shape)
    assert abs(top[0] - HEIGHT / 2) <= 1
    assert abs(top[1] - WIDTH / 2) <= 1
    assert float(smooth.max()) > 4 * float(rough.max())
    assert float(smooth[0, 0]) < 0.05 * float(smooth.max())
    # Head on, D is 1 / (pi alpha^2), F is .04 and G is 1: pi D F / 4.
    middle = float(rough[HEIGHT // 2, WIDTH // 2])
    assert middle == pytest.approx(0.04 / (4 * 0.8**4), rel=0.02)


def test_keys_run_straight_between_their_frames():
    lamp = Lamp.model_validate(
        {"type": "point", "position": [0, 0, -1], "color": [1, 1, 0],
         "keys": [{"frame": 10, "intensity": 0}, {"frame": 20, "intensity": 2, "position": [1, 0, -1]}]}
    )  # fmt: skip
    assert [lamp.at(frame).intensity for frame in (1, 10, 15, 20, 99)] == [0, 0, 1, 2, 2]
    assert lamp.at(15).position == (1, 0, -1)  # one key alone holds
    assert lamp.at(15).color == (1, 1, 0)
    assert Lamp(type="ambient").at(3).intensity == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"lights": [{"type": "lamp"}]}, r"lights 1, type: input should be 'sun'"),
        ({"lights": [{"type": "sun"}]}, "needs a direction"),
        (
            {"lights": [{"type": "ambient"}, {"type": "sun", "direction": [0, 0, 0]}]},
            "lights 2: a direction of 0",
        ),
        ({"lights": [{"type": "ambient", "position": [0, 0, 1]}]}, "has no position"),
        ({"lights": [{"type": "ambient", "intensity": -1}]}, "lights 1, intensity"),
        ({"lights": [{"type": "ambient", "keys": [{"frame": 2}, {"frame": 2}]}]}, "order of their frames"),
        ({"lights": [{"type": "ambient", "brightness": 1}]}, "brightness"),
        ({"version": 2}, "version"),
        ([], "valid dictionary"),
    ],
)
def test_a_wrong_file_of_lights_is_one_sentence_with_the_place(tmp_path, said, words):
    file = tmp_path / "lights.json"
    file.write_text(json.dumps(said))
    with pytest.raises(InputError, match=words) as error:
        read_lights(file)
    assert "\n" not in str(error.value)


def test_words_of_the_command_line(tmp_path):
    lights = parse_lights(["sun:-1,1,1:0.5", "point:0,0,-1", "ambient:0.2", "ambient"]).lights
    assert [lamp.type for lamp in lights] == ["sun", "point", "ambient", "ambient"]
    assert [lamp.at(1).intensity for lamp in lights] == [0.5, 1, 0.2, 1]
    for word in ("sun", "moon:1,2,3", "sun:1,2", "point:a,b,c", "ambient:1:2", "sun:0,0,0"):
        with pytest.raises(UsageError, match="is no lamp"):
            parse_lights([word])
    for word, what in (
        ("sun:0,0,0", "is no lamp: a direction of 0, 0, 0 is none"),
        ("ambient:-1", "is no lamp: its intensity: input should be greater than or equal to 0"),
        ("ambient:nan", "is no lamp: its intensity: input should be a finite number"),
    ):
        with pytest.raises(UsageError, match=f"--light {word} {what}. Write sun:X,Y,Z"):
            parse_lights([word])
    with pytest.raises(UsageError, match=r"There is no lamp\. Write sun"):
        parse_lights([])
    (tmp_path / "a.json").write_text('{"lights": []}')
    with pytest.raises(InputError, match=r"has no lamp\. Write one or more"):
        parse_lights([str(tmp_path / "a.json")])
    (tmp_path / "a.json").write_text('{"lights": [{"type": "ambient"}]}')
    assert len(parse_lights([str(tmp_path / "a.json")]).lights) == 1
    with pytest.raises(UsageError, match="beside other lights"):
        parse_lights([str(tmp_path / "a.json"), "ambient"])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        parse_lights([str(tmp_path / "a.json")])
