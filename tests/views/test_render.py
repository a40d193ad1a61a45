"""A frame from another camera: exact where it can be, better than a plain warp, holes filled from behind."""

import cv2
import numpy as np
import pytest
import torch

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.views.fill import fill
from vdepth_core.views.matte import split
from vdepth_core.views.render import Clean, Source, View, render
from vdepth_core.views.splat import carried, splat

HEIGHT, WIDTH, WALL, CARD = 96, 128, 8.0, 3.0
LENS = Intrinsics(100.0, 100.0, WIDTH / 2, HEIGHT / 2)
SPAN = 1 / CARD - 1 / WALL


def picture(x, y, seed):
    waves = (np.sin(3 * x + seed) + np.sin(4 * y - seed) + np.sin(2 * (x + y))) / 6 + 0.5
    return np.stack([waves, 0.8 * (1 - waves), 0.5 + 0.4 * np.sin(x) * np.cos(y)], -1)


def seen_from(at, card=True, margin=(0, 0)):
    """Plate and depth of a wall behind a card, edges anti-aliased, from the camera at x = at."""
    grow = 4
    rows, columns = np.mgrid[
        -margin[1] * grow : (HEIGHT + margin[1]) * grow, -margin[0] * grow : (WIDTH + margin[0]) * grow
    ]
    across = ((columns + 0.5) / grow - LENS.cx) / LENS.fx
    down = ((rows + 0.5) / grow - LENS.cy) / LENS.fy
    hit = (abs(across * CARD + at) < 0.45) & (abs(down * CARD) < 0.6) & card
    far, near = picture(across * WALL + at, down * WALL, 0), picture(across * CARD + at, down * CARD, 2)
    rgb = np.where(hit[..., None], near * (1, 0.2, 0.2), far * (0.3, 0.8, 1))
    size = (rgb.shape[1] // grow, rgb.shape[0] // grow)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    z = np.where(cv2.resize(hit.astype(np.float64), size, interpolation=cv2.INTER_AREA) > 0.5, CARD, WALL)
    return np.rint(small * 255).astype(np.uint8), z.astype(np.float32)


def moved(x, z=0.0):
    motion = np.eye(4)
    motion[0, 3], motion[2, 3] = -x, -z
    return motion


def psnr(a, b):
    return 10 * np.log10(1 / np.square(a - b).mean())


def plain(rgb, z, at):
    """Every pixel to the nearest place, the nearest wins; holes stay black."""
    out = np.zeros(rgb.shape)
    x = np.rint(np.arange(WIDTH) - LENS.fx * at / z).astype(int)
    y = np.repeat(np.arange(HEIGHT)[:, None], WIDTH, 1)
    inside = (x >= 0) & (x < WIDTH)
    order = np.argsort(-z[inside], kind="stable")
    out[y[inside][order], x[inside][order]] = rgb[inside][order] / 255
    return out


def test_seen_from_its_own_camera_the_plate_is_what_it_was():
    rgb, z = seen_from(0)
    found = render(Source(rgb, z, LENS, SPAN), View(np.eye(4), LENS, z.shape))
    assert np.abs(found.rgb - rgb / 255).max() < 2 / 255
    np.testing.assert_allclose(found.z, z, rtol=1e-4)
    assert found.holes == 0


def test_a_clean_plate_that_knows_nothing_changes_nothing():
    rgb, z = seen_from(0)
    nothing = Clean(np.zeros_like(rgb), np.full_like(z, 1e10), (0, 0))
    frame, view = Source(rgb, z, LENS, SPAN), View(moved(0.3), LENS, z.shape)
    without, beside = render(frame, view), render(frame, view, nothing)
    assert beside.found == 0 < beside.holes
    np.testing.assert_array_equal(beside.rgb, without.rgb)


def test_a_plane_moves_by_whole_pixels_exactly():
    rgb, _ = seen_from(0, card=False)
    z = np.full((HEIGHT, WIDTH), WALL, np.float32)
    found = render(Source(rgb, z, LENS, SPAN), View(moved(5 * WALL / LENS.fx), LENS, z.shape))
    np.testing.assert_allclose(found.rgb[:, : WIDTH - 5], rgb[:, 5:] / 255, atol=2e-4)
    nearer = render(Source(rgb, z, LENS, SPAN), View(moved(0, 2.0), LENS, z.shape))
    np.testing.assert_allclose(nearer.z, WALL - 2, rtol=1e-5)


@pytest.mark.parametrize("at", [0.3, -0.45])
def test_a_new_view_is_nearer_to_the_truth_than_a_plain_warp_and_nearest_with_a_clean_plate(at):
    rgb, z = seen_from(0)
    truth = seen_from(at)[0] / 255
    source, view = Source(rgb, z, LENS, SPAN), View(moved(at), LENS, z.shape)
    behind, deep = seen_from(0, card=False, margin=(24, 8))
    alone, helped = render(source, view), render(source, view, Clean(behind, deep, (24, 8)))
    assert psnr(alone.rgb, truth) > psnr(plain(rgb, z, at), truth) + 3
    assert psnr(helped.rgb, truth) > psnr(alone.rgb, truth) + 3
    assert psnr(helped.rgb, truth) > 33
    assert helped.found > 0.95 * helped.holes > 0


def test_what_is_beside_a_second_eye_never_moves_up_or_down():
    torch.manual_seed(0)
    q = torch.rand(HEIGHT, WIDTH) + 0.1
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    place = torch.stack((columns.ravel(), rows.ravel()), 1).float()
    K = torch.tensor(((90.0, 0, 63.2), (0, 90.0, 47.1), (0, 0, 1)), dtype=torch.float64)
    landed = splat(carried(place, q.ravel(), K, K, torch.from_numpy(moved(0.1)), 1e-10), (HEIGHT, WIDTH))
    there = landed.cover > 0.25
    assert torch.equal(landed.place[..., 1][there].round(), rows[there].float())
    torch.testing.assert_close(landed.place[..., 1][there], rows[there].float(), rtol=0, atol=2e-3)


def test_the_nearer_of_two_hides_the_other():
    place = torch.tensor(((3.0, 2.0), (9.0, 9.0)))
    K = torch.eye(3, dtype=torch.float64)
    points = carried(place, torch.tensor((1.0, 0.5)), K, K, torch.eye(4, dtype=torch.float64), 1e-10)
    both = type(points)(points.place, torch.tensor(((3.0, 2.0), (3.0, 2.0))), points.q)
    landed = splat(both, (4, 6))
    assert landed.place[2, 3].tolist() == pytest.approx([3.0, 2.0])
    assert landed.q[2, 3] == pytest.approx(1.0)
    assert landed.cover.sum() == pytest.approx(1.0, abs=1e-4)


def test_a_silhouette_is_taken_apart_into_its_two_colours():
    red, blue = torch.tensor((0.9, 0.1, 0.1)), torch.tensor((0.1, 0.2, 0.9))
    share = torch.zeros(16, 24)
    share[:, :10], share[:, 10] = 1, 0.4
    rgb = red[:, None, None] * share + blue[:, None, None] * (1 - share)
    q = torch.where(share > 0.5, 0.5, 0.1)
    layers = split(rgb, q, 0.4)
    assert layers.front[3, 8, 10] == pytest.approx(0.4, abs=0.02)
    torch.testing.assert_close(layers.behind[:, 8, 10], blue, atol=0.02, rtol=0)
    torch.testing.assert_close(layers.behind[:, 8, 9], blue, atol=0.02, rtol=0)
    again = layers.front[:3] + (1 - layers.front[3]) * layers.behind
    torch.testing.assert_close(again, rgb, atol=0.01, rtol=0)


def test_a_hole_beside_something_near_continues_what_is_behind():
    rgb = torch.zeros(3, 32, 48)
    q = torch.full((32, 48), 0.1)
    rgb[2] = 0.8
    rgb[:, :, :16], q[:, :16] = torch.tensor((0.9, 0.0, 0.0))[:, None, None], 0.5
    known = torch.ones(32, 48, dtype=torch.bool)
    known[:, 16:26] = False
    spoiled = torch.where(known, rgb, 0.0)
    full, deep = fill(spoiled, torch.where(known, q, 0.0), known)
    assert torch.equal(full[:, known], rgb[:, known])
    assert float(full[2, :, 16:26].min()) > 0.75
    assert float(full[0, :, 16:26].max()) < 0.05
    assert float(deep[:, 16:26].max()) < 0.13


def test_sky_stays_where_it_is_when_the_camera_moves():
    rgb, z = seen_from(0)
    z[:20] = 1e10
    found = render(Source(rgb, z, LENS, SPAN), View(moved(0.5), LENS, z.shape))
    assert (found.z[:18] > 5e9).all()
    np.testing.assert_allclose(found.rgb[:17, 4:-4], rgb[:17, 4:-4] / 255, atol=0.01)
