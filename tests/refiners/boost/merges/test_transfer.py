"""Detail transfer: edges come from the sharp map, everything else from the soft one."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from vdepth_core.errors import UsageError
from vdepth_core.refiners.boost.merges.registry import MERGES, load_merge
from vdepth_core.refiners.boost.merges.transfer import Transfer

HEIGHT, WIDTH, EDGE = 256, 384, 192


def soften(maps, sigma):
    """Gaussian blur, the border repeated."""
    reach = int(4 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    for turned in (kernel, kernel.mT):
        pad = [turned.shape[-1] // 2] * 2 + [turned.shape[-2] // 2] * 2
        maps = functional.conv2d(functional.pad(maps, pad, mode="replicate"), turned)
    return maps


def box(maps, size=32):
    return functional.avg_pool2d(maps, size, 1)


@pytest.fixture(scope="module")
def step():
    """A near thing right of a column, on a floor that comes nearer towards the bottom."""
    floor = torch.linspace(0, 0.3, HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    return (floor + (torch.arange(WIDTH) >= EDGE))[None, None].contiguous()


@pytest.fixture(scope="module")
def rough():
    """Something with structure of every size."""
    rng = np.random.default_rng(5)
    maps = torch.zeros(2, 1, 120, 170)
    for size in (3, 9, 30):
        noise = torch.from_numpy(rng.standard_normal((2, 1, size, size + 2)).astype(np.float32))
        maps += functional.interpolate(noise, size=(120, 170), mode="bilinear")
    return maps


def test_a_sharp_edge_replaces_the_soft_one_where_it_is(step):
    low = soften(step, 2)
    merged = Transfer()(low, 5 * step - 3)
    assert (merged - step).abs().mean() < 0.15 * (low - step).abs().mean()
    rise = (merged[..., EDGE] - merged[..., EDGE - 1]).squeeze()
    assert rise.min() > 0.9
    others = (merged[..., 1:] - merged[..., :-1]).abs().squeeze()
    others[:, EDGE - 1] = 0
    assert others.max() < 0.05


@pytest.mark.parametrize("shift", [-2, 2])
def test_a_displaced_edge_moves_to_where_the_sharp_map_has_it(step, shift):
    low = soften(step.roll(shift, -1), 2)
    low[..., :8], low[..., -8:] = step[..., :8], step[..., -8:]
    merged = Transfer()(low, step)
    assert (merged[..., EDGE] - merged[..., EDGE - 1]).min() > 0.75
    assert (merged - step).abs().mean() < 0.5 * (low - step).abs().mean()


def test_nothing_overshoots(step):
    low = soften(step, 2)
    wave = torch.sin(torch.arange(WIDTH) / 25)
    merged = Transfer()(low, step + 0.3 * wave)
    assert (merged - step)[..., EDGE:].max() < 0.04
    assert (step - merged)[..., :EDGE].max() < 0.04
    far = (torch.arange(WIDTH) - EDGE).abs() > 60
    assert (merged - low)[..., far].abs().max() < 0.01


def test_equal_maps_stay_as_they_are(rough):
    torch.testing.assert_close(Transfer()(rough, rough), rough, rtol=0, atol=2e-3)


@pytest.mark.parametrize(("scale", "shift"), [(7.0, -3.0), (0.01, 100.0)])
def test_scale_and_shift_of_the_sharp_map_do_not_matter(step, scale, shift):
    low = soften(step, 2)
    torch.testing.assert_close(
        Transfer()(low, scale * step + shift), Transfer()(low, step), rtol=0, atol=2e-3
    )


def test_scale_and_shift_may_differ_from_place_to_place(step):
    low = soften(step, 2)
    gain = torch.linspace(0.7, 1.4, HEIGHT)[:, None]
    merged = Transfer()(low, gain * step + torch.linspace(1, 0, HEIGHT)[:, None])
    assert (merged[..., EDGE] - merged[..., EDGE - 1]).min() > 0.8


def test_answers_are_in_the_terms_of_the_soft_map(step):
    low = soften(step, 2)
    torch.testing.assert_close(
        Transfer()(20 * low + 4, step), 20 * Transfer()(low, step) + 4, rtol=1e-3, atol=1e-2
    )


def test_an_edge_the_other_way_round_is_not_taken(step):
    low = soften(step, 2)
    merged = Transfer()(low, -step)
    across = (merged[..., 1:] - merged[..., :-1])[..., EDGE - 12 : EDGE + 12]
    assert across.min() > -0.02
    assert (merged - low).abs().max() < 0.05


def test_the_large_is_kept(step, rough):
    low = soften(rough, 4)
    wrong = rough + torch.linspace(0, 5, 170)  # a slope over the whole picture that low does not have
    for soft, sharp in ((low, wrong), (soften(step, 2), step)):
        change = box(Transfer()(soft, sharp)) - box(soft)
        assert change.abs().mean() < 0.02 * soft.std()


def test_an_edge_that_is_sharp_already_is_not_made_soft(step):
    merged = Transfer()(step, soften(step, 3))
    assert (merged[..., EDGE] - merged[..., EDGE - 1]).min() > 0.85


def test_noise_on_a_flat_wall_stays_out(step):
    noise = torch.randn(step.shape, generator=torch.Generator().manual_seed(3))
    wall = step - step[..., :1]
    low = soften(wall, 2)
    merged = Transfer()(low, wall + 0.02 * noise)
    far = (torch.arange(WIDTH) - EDGE).abs() > 60
    assert (merged - low)[..., far].std() < 0.002


def test_tiles_of_a_rising_floor_stay_out(step):
    floor = step[..., :1].repeat(1, 1, 1, WIDTH)
    tiles = 0.03 * torch.sign(torch.sin(torch.arange(WIDTH) / 9))
    merged = Transfer()(floor, 2 * (floor + tiles))
    assert (merged - floor).std() < 0.05 * tiles.std()


@pytest.mark.parametrize("maps", [torch.zeros(1, 1, 40, 60), torch.full((1, 1, 40, 60), 7.0)])
def test_flat_maps_change_nothing(maps):
    other = torch.rand(1, 1, 40, 60, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(Transfer()(maps, other), maps)
    torch.testing.assert_close(Transfer()(other, maps), other)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (5, 3), (33, 257), (300, 41)])
def test_any_size_will_do(size):
    low = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))
    merged = Transfer()(low, low * 2)
    assert merged.shape == low.shape
    assert torch.isfinite(merged).all()


def test_maps_of_a_batch_do_not_see_each_other(rough):
    low, transfer = soften(rough, 3), Transfer()
    together = transfer(low, rough)
    for index in range(2):
        alone = transfer(low[index : index + 1], rough[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-6)


def test_inputs_are_left_alone(rough):
    low, high = soften(rough, 3), rough.clone()
    before = low.clone()
    Transfer()(low, high)
    assert torch.equal(low, before)
    assert torch.equal(high, rough)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_says_the_same(rough):
    low = soften(rough, 3)
    there = Transfer()(low.cuda(), rough.cuda()).cpu()
    torch.testing.assert_close(there, Transfer()(low, rough), rtol=0, atol=1e-4)


def test_merges_are_found_by_name():
    assert next(iter(MERGES)) == "transfer"
    assert load_merge("transfer").name == "transfer"
    with pytest.raises(UsageError, match="no merge transfr"):
        load_merge("transfr")
