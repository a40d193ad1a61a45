"""The sky's mask: right on rendered truth, all zero in a room, the same whatever frame is asked first."""

import cv2
import numpy as np
import pytest

from vdepth_core.output.exr import read_exr
from vdepth_core.output.finish import FAR_AWAY
from vdepth_core.output.preview import colour_map
from vdepth_core.output.sky import Sky, SkySearch
from vdepth_core.output.writer import SequenceSettings, SequenceWriter
from vdepth_core.scenes.clip import render_clip


def world(height=144, width=256, sky=(140, 180, 215), ground=(90, 80, 60), tree=(40, 60, 30)):
    """A plate with sky, ground and a tree, its disparity at half the size, and the truth."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    truth = rows < 0.5 * height + 6 * np.sin(columns / 20)
    trunk = (abs(columns - 100) < 8) & (rows > 20)
    rgb = np.where(truth[..., None], sky, ground) + rng.normal(0, 2, (height, width, 3))
    rgb[~truth] += rng.normal(0, 25, (height, width, 1))[~truth]
    rgb[trunk] = tree
    d = np.where(truth, 0.02, np.clip(rows / height - 0.4, 0.1, 1))
    d[trunk] = 0.6
    small = cv2.resize(d.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.clip(rgb, 0, 255).astype(np.uint8), small, truth & ~trunk


def searched(*frames):
    search = SkySearch()
    for rgb, d in frames:
        search.add(rgb, d)
    return search.found()


def agreement(mask, truth):
    seen = mask > 0.5
    return (seen & truth).sum() / (seen | truth).sum()


def test_the_mask_follows_the_plate_where_the_map_is_coarse():
    rgb, d, truth = world()
    mask = searched((rgb, d)).mask(rgb, d)
    assert mask.dtype == np.float32
    assert (mask.min(), mask.max()) == (0, 1)
    assert agreement(mask, truth) > 0.97
    assert ((mask > 0) & (mask < 1)).any()  # soft at edges


@pytest.mark.parametrize(
    "colour",
    [(110, 100, 85), (60, 60, 62), (90, 170, 90), (150, 80, 160)],
    ids=["a warm wall", "a dark one", "leaves", "paint"],
)
def test_a_far_end_of_another_colour_is_no_sky(colour):
    rgb, d, _ = world(sky=colour)
    sky = searched((rgb, d))
    assert sky.colours is None
    assert not sky.mask(rgb, d).any()


def test_what_has_the_skys_colours_but_is_near_or_below_is_none():
    rgb, d, truth = world()
    rgb[120:140, 150:220] = (140, 180, 215)  # a puddle
    rgb[10:40, 180:230], d[5:20, 90:115] = (140, 180, 215), 0.6  # a window
    near = np.zeros_like(truth)
    near[16:34, 188:222] = True
    mask = searched((rgb, d)).mask(rgb, d)
    assert not mask[100:].any()
    assert mask[near].mean() < 0.02


def test_frames_share_their_colours_and_the_order_does_not_matter():
    day, later = world(), world(sky=(190, 205, 215))
    one, other = searched(day[:2], later[:2]), searched(later[:2], day[:2])
    np.testing.assert_array_equal(one.colours, other.colours)
    for rgb, d, truth in (day, later):
        assert agreement(one.mask(rgb, d), truth) > 0.97


def test_a_park_by_exact_depth_and_a_room():
    for seed, layout, least in ((970000003, "park", 0.95), (970000000, "room", None)):
        clip = render_clip(seed, 1, 144, 256, layout=layout)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        d = (1 / clip.depth[0]).astype(np.float32)
        d = cv2.resize(d / np.quantile(d, 0.999), (192, 96), interpolation=cv2.INTER_AREA)
        mask = searched((rgb, d)).mask(rgb, d)
        assert agreement(mask, clip.sky[0]) > least if least else not mask.any()


def test_the_writer_writes_it_as_a_sequence_and_a_channel(tmp_path, attributes, frame):
    rgb, disparity = frame(0)
    sky = Sky(np.ones((32, 32, 32), np.float32))
    plain = SequenceWriter(tmp_path / "a", "c", SequenceSettings(sky=True)).write(
        rgb, disparity, attributes(), sky=sky
    )
    depth, _, mask = (read_exr(path)[0] for path in plain.paths)
    assert plain.paths[-1].name == "c_sky.1001.exr"
    assert mask["Y"].dtype == np.float16
    assert (depth["Z"] < FAR_AWAY / 2).all()
    assert ((plain.d < 0) == (mask["Y"] > 0.5)).all()
    assert not colour_map(plain.d)[plain.d < 0].any()
    settings = SequenceSettings(sky=True, sky_depth=True, layered=True)
    layered = SequenceWriter(tmp_path / "b", "c", settings).write(rgb, disparity, attributes(), sky=sky)
    channels = read_exr(layered.paths[0])[0]
    np.testing.assert_array_equal(channels["sky.Y"], mask["Y"])
    far = mask["Y"] > 0.5
    assert far.any()
    assert (channels["depth.Z"][far] >= 0.99 * FAR_AWAY).all()
    assert not channels["disparity.Y"][far].any()
    np.testing.assert_array_equal(channels["depth.Z"][~far], depth["Z"][~far])


@pytest.mark.parametrize(("colour", "there"), [((70, 120, 200), True), ((158, 150, 171), False)])
def test_a_deep_blue_sky_is_one_and_a_wall_that_lamps_make_purple_is_none(colour, there):
    rgb, d, _ = world(sky=colour)
    assert (searched((rgb, d)).colours is not None) == there
