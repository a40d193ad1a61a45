"""What light, lens, shutter and air do to procedural pictures, and that the truth does not care."""

import numpy as np
import pytest
import torch

from vdepth_core.scenes import clip as clips
from vdepth_core.scenes import render_clip
from vdepth_core.scenes.builder import Builder, Frame
from vdepth_core.scenes.camera import Camera
from vdepth_core.scenes.optics import Effects, Lens, draw_effects, matte, misty
from vdepth_core.scenes.scene import Light
from vdepth_core.scenes.stage import Stage

K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])
STILL = Camera(K, np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3))
SUN = Light(np.array((0, 0, -1.0)), np.ones(3), np.zeros(3), np.zeros(3))  # from behind the camera


def wall(depth: float = 4.0, gloss: float = 0.0, motion: dict | None = None, light: Light = SUN) -> Stage:
    """A flat grey wall, and perhaps a moving black box before it."""
    b = Builder(np.random.default_rng(0))
    grey, black = (
        b.paint("noise", hue=np.full(3, value, np.float32), contrast=0, overlay=0, gloss=gloss)
        for value in (0.5, 0.0)
    )
    b.box(Frame(), (0, 0, depth + 1), (50, 50, 1), grey)
    if motion is not None:
        with b.moving(Frame(), velocity=motion["velocity"]):
            b.add(0, Frame(), (0, 0, 3), (0.5, 5, 1), black, casts=False)
    return Stage(b.scene(light, (0, 0, 5), 5.0), STILL, (60, 80), torch.device("cpu"))


def exposed(stage: Stage, effects: Effects = Effects()) -> np.ndarray:  # noqa: B008
    """(H, W) green light of one frame."""
    return stage.expose(stage.cast(1, picky=False), effects)[0][1].numpy()


def test_a_matte_wall_under_the_sun_is_even_and_a_glossy_one_shines_where_it_mirrors_the_sun():
    flat, shiny = exposed(wall()), exposed(wall(gloss=0.15))
    assert np.ptp(flat) < 1e-3
    row, column = np.unravel_index(shiny.argmax(), shiny.shape)
    assert (abs(row - 29.5), abs(column - 39.5)) == (0.5, 0.5)
    assert shiny.max() > 1.1 * shiny[0, 0]


def test_matte_leaves_nothing_that_depends_on_the_eye():
    stage = wall(gloss=0.9)
    assert all(m.gloss == 0 for m in matte(stage.scene).materials)
    assert matte(Stage(stage.scene, STILL, (8, 8), stage.device).scene).light.fog == 0


def test_lamps_make_highlights():
    lamp = Light(SUN.direction, np.zeros(3), np.zeros(3), np.zeros(3), ((np.array((1.0, 0, 1)), np.ones(3)),))
    matte_wall, shiny = exposed(wall(light=lamp)), exposed(wall(gloss=0.19, light=lamp))
    where = np.unravel_index((shiny - matte_wall).argmax(), shiny.shape)[1]
    assert abs(where + 0.5 - (40 + 60 * 1 / 7 * 4 / 4)) < 8  # between eye and lamp, seen from the eye
    assert (shiny >= matte_wall - 1e-6).all()


def test_fog_takes_light_with_distance_as_beer_says():
    white = np.ones(3, np.float32)
    foggy = Light(SUN.direction, SUN.sun, SUN.sky, SUN.bounce, fog=0.1, fog_colour=white)
    clear, fogged = exposed(wall()), exposed(wall(light=foggy))
    y, x = np.mgrid[:60, :80] + 0.5
    distance = 4 * np.sqrt(((x - 40) / 60) ** 2 + ((y - 30) / 60) ** 2 + 1)
    left = np.exp(-0.1 * distance)
    assert np.allclose(fogged, clear * left + 1 - left, atol=1e-5)


def test_mist_is_as_thick_as_it_says():
    depth = torch.tensor([[1.0, 5.0, 20.0, torch.inf]])
    light = misty(SUN, depth, 0.4)
    assert np.exp(-light.fog * 5) == pytest.approx(0.6)
    assert misty(SUN, depth, 0) is SUN


def test_motion_blur_is_the_mean_over_the_exposure_and_depth_stays_that_of_its_middle():
    stage = wall(motion={"velocity": (0.4, 0, 0)})  # the front at 2 m: 12 px a frame
    surfaces = stage.cast(1, picky=False)
    sharp = stage.expose(surfaces, Effects())[0][1, 30].numpy()
    blurred = stage.expose(surfaces, Effects(shutter=1.0))[0][1, 30].numpy()
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.01)
    share = (blurred - sharp.min()) / np.ptp(sharp)
    assert (share[31:49] < 1e-3).all()  # behind the box all the time
    assert (np.diff(share[48:62]) >= -1e-6).all()
    assert 0.3 < share[54] < 0.7  # half of it
    depth = surfaces[0].depth[30].numpy()
    assert set(np.flatnonzero(depth < 3)) == set(range(25, 55))


def test_a_lens_blurs_what_is_out_of_focus_by_its_disparity():
    depth = torch.full((1, 40, 60), 2.0)[0]
    depth[:, 30:] = 6.0
    picture = torch.zeros(3, 40, 60)
    picture[:, 20, 10] = picture[:, 20, 45] = 1
    lens = Lens(focus=1 / 2, aperture=9.0, largest=4.0)  # the far side: 9 * (1/2 − 1/6) = 3 px
    blurred = lens.blur(picture, depth)[0]
    assert blurred[20, 10] == 1
    assert (blurred[:, 5:16] > 0).sum() == 1
    spot = blurred[:, 35:56]
    assert spot.sum() == pytest.approx(1, rel=1e-4)
    reach = (spot > 1e-4).any(0).nonzero()
    assert 6 <= int(reach[-1] - reach[0]) <= 8
    even = lens.blur(torch.ones(3, 40, 60), depth)
    assert torch.allclose(even, torch.ones_like(even))


def test_a_lens_aims_at_a_share_of_the_picture():
    depth = torch.tensor([[1.0, 2.0, 4.0, 8.0, torch.inf]])
    assert Lens.aimed(depth, Effects()) is None
    assert Lens.aimed(depth, Effects(defocus=2, focus=0.25)).focus == pytest.approx(0.5)


def test_effects_spoil_their_share_of_clips_and_never_the_truth(monkeypatch):
    drawn = [draw_effects(np.random.default_rng(k), 320, outdoor=True) for k in range(300)]
    for name, low, high in (("shutter", 0.08, 0.25), ("defocus", 0.12, 0.3), ("mist", 0.05, 0.17)):
        assert low < np.mean([getattr(effects, name) > 0 for effects in drawn]) < high
    clean = render_clip(9, 2, 48, 64, "subject", moving=True, clean=True)
    everything = Effects(shutter=0.8, defocus=1.0, mist=0.5)
    monkeypatch.setattr(clips, "draw_effects", lambda *_: everything)
    spoilt = render_clip(9, 2, 48, 64, "subject", moving=True)
    for name in ("depth", "flow", "visible", "body", "poses", "K"):
        assert np.array_equal(getattr(clean, name), getattr(spoilt, name)), name
    assert np.abs(clean.rgb - spoilt.rgb).mean() > 0.02
    assert spoilt.rgb.tobytes() == render_clip(9, 2, 48, 64, "subject", moving=True).rgb.tobytes()
    assert clean.rgb.tobytes() == render_clip(9, 2, 48, 64, "subject", moving=True, clean=True).rgb.tobytes()


def test_a_clean_still_clip_looks_the_same_along_the_flow():
    """Colour of a matte, evenly lit surface goes with its point."""
    clip = render_clip(12, 2, 96, 128, "corridor", noise=False, moving=False, clean=True)
    y, x = np.mgrid[:96, :128]
    column, row = np.round(clip.flow[0] + np.stack((x, y), -1)).astype(int).transpose(2, 0, 1)
    seen = clip.visible[0] & (column >= 0) & (column < 128) & (row >= 0) & (row < 96)
    warped = clip.rgb[1][:, row[seen], column[seen]]
    error = np.median(np.abs(warped - clip.rgb[0][:, seen]))
    assert error < 0.02
    assert error < 0.7 * np.median(np.abs(clip.rgb[1][:, seen] - clip.rgb[0][:, seen]))
