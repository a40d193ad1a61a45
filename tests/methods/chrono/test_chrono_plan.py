"""The windows of `chrono`, its chunks and its random numbers, against the description's own words."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from vdepth_core.methods.chrono.method import Chrono
from vdepth_core.methods.chrono.noise import PictureNoise, window_noises
from vdepth_core.methods.chrono.options import ChronoOptions
from vdepth_core.methods.chrono.plan import plan_chunks, plan_windows
from vdepth_core.types import ClipInfo, ModelSpec

SPEC = ModelSpec("c", "depth", "affine_invariant", "-", False, 10, multiple=8, native_size=1024)


def described(count: int) -> list[tuple[int, int, int]]:
    """(first of the context, first new, end) of every window, in the words of the description."""
    found, cur = [], 0
    while cur < count:
        new = min(count, 10) if cur == 0 else min(count - cur, 5)
        found.append((max(0, cur + new - 10), cur, cur + new))
        cur += new
    return found


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 13, 15, 18, 31, 65])
def test_windows_are_the_described_ones(count: int) -> None:
    windows = plan_windows(count)
    assert [(w.first, w.start, w.stop) for w in windows] == described(count)
    assert [frame for w in windows for frame in range(w.start, w.stop)] == list(range(count))
    assert all(w.context + w.new == 10 for w in windows[1:])


def test_eighteen_frames_are_ten_five_and_three_and_eleven_end_with_one() -> None:
    assert [(w.context, w.new) for w in plan_windows(18)] == [(0, 10), (5, 5), (7, 3)]
    assert [(w.context, w.new) for w in plan_windows(11)] == [(0, 10), (9, 1)]


@pytest.mark.parametrize("wrong", [(0, 10, 5), (5, 4, 5), (5, 5, 0)])
def test_windows_that_cannot_be(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no windows"):
        plan_windows(*wrong)


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 12, 13, 31])
def test_chunks_share_frames_and_reach_the_end(count: int) -> None:
    assert plan_chunks(count, 0) == tuple((s, min(s + 8, count)) for s in range(0, count, 8))
    chunks = plan_chunks(count)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == count
    for before, after in pairwise(chunks):
        assert before[1] - after[0] == 4
        assert after[1] > before[1]
    with pytest.raises(ValueError, match="share"):
        plan_chunks(count, 5)


@pytest.mark.parametrize("mode", ["ours", "replacement", "naive"])
def test_random_numbers_come_in_the_published_order(mode: str) -> None:
    options = ChronoOptions.model_validate({"mode": mode, "numerics": "strict", "seed": 7, "steps": 2})
    windows, shape = plan_windows(18), (4, 8, 16)
    found = list(window_noises(windows, shape, options, (64, 128)))
    own = torch.Generator().manual_seed(7)
    torch.randn((1, 18, 3, 64, 128), generator=own)
    for noise, (first, start, stop) in zip(found, described(18), strict=True):
        fresh = stop - first if mode == "naive" else stop - start
        assert torch.equal(noise.begin, torch.randn((1, fresh, *shape), generator=own)[0])
        if mode == "replacement" and start > first:
            for step in range(2):
                assert torch.equal(
                    noise.again[step], torch.randn((1, start - first, *shape), generator=own)[0]
                )
        else:
            assert noise.again is None


def test_steady_numbers_do_not_draw_what_nothing_reads() -> None:
    options = ChronoOptions(seed=3)
    first = next(window_noises(plan_windows(2), (4, 8, 8), options, (64, 64)))
    own = torch.Generator().manual_seed(3)
    assert torch.equal(first.begin, torch.randn((2, 4, 8, 8), generator=own))


def test_noise_of_the_pictures_is_the_global_one_wherever_a_job_goes_on() -> None:
    torch.manual_seed(5)
    whole = torch.cat([torch.randn(5, 4, 8, 8), torch.randn(3, 4, 8, 8)])
    noise = PictureNoise(5, (4, 8, 8))
    assert torch.equal(noise(0, 5), whole[:5])
    assert torch.equal(noise(7, 8), whole[7:])
    assert torch.equal(PictureNoise(5, (4, 8, 8))(6, 8), whole[6:])
    with pytest.raises(ValueError, match="before"):
        noise(0, 5)


@pytest.mark.parametrize(
    ("clip", "steady", "strict"),
    [
        ((1920, 1080), (576, 1024), (576, 1024)),
        ((1280, 534), (424, 1024), (448, 1024)),
        ((640, 480), (480, 640), (512, 640)),
        ((720, 1280), (1024, 576), (1024, 576)),
        ((97, 61), (64, 96), (64, 128)),
    ],
)
def test_sizes(clip: tuple[int, int], steady: tuple[int, int], strict: tuple[int, int]) -> None:
    info = ClipInfo(Path("a.mp4"), "movie", "a", *clip, Fraction(1), Fraction(24))
    assert Chrono().input_size(info, SPEC, None) == steady
    method = Chrono(ChronoOptions(numerics="strict"))
    assert method.input_size(info, SPEC, None) == strict
    assert all(side % 64 == 0 for side in method.input_size(info, SPEC, 100))
    assert min(Chrono().input_size(info, SPEC, 72)) == 72
