"""Clean plates of a scene whose background is known: a textured wall behind a card, the camera moving by."""

import numpy as np

from vdepth_core.plates.background import View, carried, colours, deepest, sure

HEIGHT, WIDTH, WALL, CARD = 96, 128, 8.0, 3.0
K = np.array(((100.0, 0, 63.5), (0, 100.0, 47.5), (0, 0, 1)))
PLACES = np.arange(9) - 4
MARGIN = (12, 8)


def texture(x, y, seed):
    waves = (np.sin(3 * x + seed) + np.sin(4 * y - seed) + np.sin(2 * (x + y))) / 6 + 0.5
    return np.stack([255 * waves, 200 * (1 - waves), 120 + 100 * np.sin(x) * np.cos(y)], -1)


def seen_from(place, card=True, margin=(0, 0)):
    """Plate, inverse depth, and where the card is, of the camera at x = place / 4."""
    rows, columns = np.mgrid[-margin[1] : HEIGHT + margin[1], -margin[0] : WIDTH + margin[0]]
    across, down = (columns - K[0, 2]) / K[0, 0], (rows - K[1, 2]) / K[1, 1]
    at = place / 4
    hit = (abs(across * CARD + at) < 0.45) & (abs(down * CARD) < 0.6) & card
    far, near = texture(across * WALL + at, down * WALL, 0), texture(9 * across, 9 * down, 2)
    rgb = np.clip(np.where(hit[..., None], near, far), 0, 255).astype(np.uint8)
    return rgb, np.where(hit, 1 / CARD, 1 / WALL).astype(np.float32), hit


def motion(a, b):
    """Carries points of the camera at place a into that at place b."""
    relative = np.eye(4)
    relative[0, 3] = (a - b) / 4
    return relative


def fused(moving=False):
    """Of the middle camera: colours and depth of all that lies behind or beside, and where."""
    views, layers = [], []
    for place in PLACES[PLACES != 0]:
        rgb, q, hit = seen_from(place)
        still = ~hit if moving else np.ones_like(hit)
        layers.append(carried(q, sure(q) & still, K, motion(place, 0), MARGIN))
        views.append(View(rgb, q, still, motion(0, place)))
    deep = deepest(layers)
    rows, columns = np.nonzero(np.isfinite(deep))
    places = np.stack((columns - MARGIN[0], rows - MARGIN[1]), 1).astype(float)
    found, known = colours(places, deep[rows, columns], views, K)
    picture, there = np.zeros((*deep.shape, 3), np.uint8), np.zeros(deep.shape, bool)
    picture[rows, columns], there[rows, columns] = found, known
    return picture, deep, there


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b.astype(float)).mean())


def test_the_wall_behind_the_card_is_what_a_camera_without_the_card_sees():
    picture, deep, there = fused()
    truth, q, _ = seen_from(0, card=False, margin=MARGIN)
    hole = seen_from(0, margin=MARGIN)[2]
    assert there[hole].mean() > 0.97  # share of the holes that are filled
    np.testing.assert_allclose(deep[hole & there], q[hole & there], rtol=1e-4)
    assert psnr(picture[hole & there], truth[hole & there]) > 33
    beside = np.ones_like(hole)
    beside[MARGIN[1] : -MARGIN[1], MARGIN[0] : -MARGIN[0]] = False
    assert (
        there[beside & (np.indices(hole.shape)[0] > 8) & (np.indices(hole.shape)[0] < 100)].mean() > 0.8
    )  # two frames must agree


def test_what_moves_by_itself_leaves_no_ghost():
    picture, _, there = fused(moving=True)
    truth = seen_from(0, card=False, margin=MARGIN)[0]
    assert psnr(picture[there], truth[there]) > 33


def test_one_frames_mistake_is_not_believed():
    right = np.full((4, 4), 0.2, np.float32)
    wrong = np.full((4, 4), 0.01, np.float32)
    np.testing.assert_allclose(deepest([right, right, wrong, right]), 0.2, rtol=1e-6)
    assert np.isinf(deepest([right, wrong])).all()
    nothing = np.full((4, 4), np.inf, np.float32)
    assert np.isinf(deepest([nothing, right])).all()
    assert np.isinf(deepest([nothing, nothing])).all()


def test_places_that_no_frame_shows_have_no_colour():
    rgb, q, _ = seen_from(0)
    view = View(rgb, q, np.ones(q.shape, bool), np.eye(4))
    found, known = colours(np.array(((500.0, 20.0), (5.0, 20.0))), np.array((1 / WALL, 1 / CARD)), [view], K)
    assert not known.any()  # outside; and nearer than what is seen there
    assert not found.any()
