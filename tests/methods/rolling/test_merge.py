"""The parts of `rolling` by hand: samples, disk, ranges, the merged mean, spreads, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from vdepth_core.methods.rolling import merge
from vdepth_core.methods.rolling.merge import Solution, SpilledRows, merge_shot, range_of, spread_of_frames
from vdepth_core.methods.rolling.plan import SnippetPlan, plan_snippets
from vdepth_core.methods.rolling.predict import gather
from vdepth_core.methods.rolling.result import load_result, save_result
from vdepth_core.methods.rolling.spill import SnippetFiles, open_snippets, spilled_bytes
from vdepth_core.methods.share import Share
from vdepth_core.methods.spill import load_json, sample_grid, save_json
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore, FrameArray

SHAPE = (12, 20)


@pytest.fixture
def plan() -> SnippetPlan:
    return plan_snippets(6, (1, 2), cap=False)  # 0 1 2 … 3 4 5, then 0 2 4 and 1 3 5


@contextmanager
def spilled(folder: Path, plan: SnippetPlan) -> Iterator[tuple[SnippetFiles, np.ndarray]]:
    grid = sample_grid(*SHAPE)
    maps = np.random.default_rng(1).normal(3, 1, (len(plan), plan.length, *SHAPE)).astype(np.float32)
    with open_snippets(folder, plan, *SHAPE, grid, "<f4") as files:
        files.maps.write(0, maps.reshape(-1, *SHAPE))
        files.samples.write(0, maps[:, :, grid[0], grid[1]].reshape(len(plan), plan.length, -1))
        files.lows.write(0, maps.reshape(len(plan), -1).min(axis=1))
        yield files, maps


def test_samples_are_less_the_smallest_value_and_solutions_go_back_to_the_maps(
    tmp_path: Path, plan: SnippetPlan
) -> None:
    with spilled(tmp_path, plan) as (files, maps):
        rows, grid = SpilledRows(files), sample_grid(*SHAPE)
        assert rows.low == maps.min()
        assert rows.shape == (6, 3, len(range(*grid[0].indices(12))) * len(range(*grid[1].indices(20))))
        wanted = (maps[:, :, grid[0], grid[1]] - maps.min()).reshape(rows.shape)
        np.testing.assert_array_equal(rows[:], wanted)
        np.testing.assert_array_equal(rows[1:5:2], wanted[1:5:2])
        found = Solution(np.linspace(1, 2, 6), np.linspace(0, 1, 6), ("a note",))
        on_maps = found.on_maps(rows)
        np.testing.assert_allclose(
            on_maps.scale[2] * maps[2] + on_maps.shift[2],
            found.scale[2] * (maps[2] - maps.min()) + found.shift[2],
        )
        back = Solution.from_json(found.to_json())
        assert (back.scale.tolist(), back.shift.tolist(), back.notes) == (
            found.scale.tolist(),
            found.shift.tolist(),
            found.notes,
        )
        # frame 3 is covered by snippets 1, 2, 3 of dilation 1 and by the second of dilation 2
        scale, shift = found.of_frames(plan)
        assert scale[3] == pytest.approx(found.scale[[1, 2, 3, 5]].mean())
        assert shift[3] == pytest.approx(found.shift[[1, 2, 3, 5]].mean())


def test_frames_are_means_and_spreads_relative_to_their_range(tmp_path: Path, plan: SnippetPlan) -> None:
    found = Solution(np.linspace(1, 2, 6), np.linspace(0, 1, 6), ())
    with spilled(tmp_path, plan) as (files, maps), FrameArray(tmp_path / "out", 6, SHAPE, "<f4") as out:
        out.write(1, np.zeros((1, *SHAPE)))  # was merged before
        merge_shot(files.maps, plan, found, out, nullcontext)
        rows = SpilledRows(files)
        spread = spread_of_frames(plan, rows, found)
        samples = rows[:]
        for frame in range(6):
            places = np.argwhere(plan.frames == frame)
            wanted = np.mean([found.scale[k] * maps[k, at] + found.shift[k] for k, at in places], axis=0)
            np.testing.assert_allclose(out.read(frame)[0], 0 * wanted if frame == 1 else wanted, rtol=1e-5)
            y = np.stack([found.scale[k] * samples[k, at] + found.shift[k] for k, at in places])
            middle = y.mean(axis=0)
            size = np.subtract(*np.quantile(middle, (0.95, 0.05)))
            assert spread[frame] == pytest.approx(np.abs(y - middle).mean() / size)


def test_the_range_is_robust_or_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(4, 60, 60)).astype(np.float32)
    grid = (slice(0, 60, 2), slice(0, 60, 3))
    with FrameArray(tmp_path / "m", 4, (60, 60), "<f4") as merged:
        merged.write(0, values)
        assert range_of(merged, grid, strict=True) == (values.min(), values.max())
        seen = values[:, ::2, ::3].reshape(4, -1)
        assert range_of(merged, grid, strict=False) == pytest.approx(tuple(np.quantile(seen, (0.001, 0.999))))
        monkeypatch.setattr(merge, "_MOST_VALUES", 4 * 200)
        thinned = np.quantile(seen[:, ::3], (0.001, 0.999))  # 600 a frame are too many
        assert range_of(merged, grid, strict=False) == pytest.approx(tuple(thinned))
        merged.write(0, np.full((4, 60, 60), 5.0))
        assert range_of(merged, grid, strict=True) == pytest.approx((5, 5 + 5e-6), abs=1e-9)
        merged.write(0, np.full((4, 60, 60), 0.25))
        assert range_of(merged, grid, strict=False) == pytest.approx((0.25, 0.25 + 1e-6), abs=1e-9)


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [(8, 8, (0, 8, 1), (0, 8, 1)), (9, 300, (2, 7, 1), (2, 298, 1)), (68, 68, (2, 66, 2), (2, 66, 2)),
     (99, 100, (2, 97, 2), (2, 98, 2)), (100, 100, (2, 98, 3), (2, 98, 3)),
     (324, 800, (2, 322, 10), (2, 798, 10)), (2000, 3000, (2, 1998, 10), (2, 2998, 10))],
)  # fmt: skip
def test_samples_lie_ten_apart_and_denser_in_small_maps(
    height: int, width: int, rows: tuple[int, int, int], columns: tuple[int, int, int]
) -> None:
    assert sample_grid(height, width) == (slice(*rows), slice(*columns))
    strict = (slice(2, height - 2, 10), slice(2, width - 2, 10))
    assert sample_grid(height, width, strict=True) == strict


def test_disk_needed_is_what_the_files_take(plan: SnippetPlan) -> None:
    grid = sample_grid(33, 50)
    samples = len(range(2, 31)) * len(range(2, 48))
    slots, latents = 18, 4 * 5 * 7 * 6
    plain = 4 * (33 * 50 * slots + latents + slots * samples)
    assert spilled_bytes(plan, 33, 50, grid, refine=False) == int(1.02 * plain)
    refined = plain + 4 * (33 * 50 * 6 + 2 * latents)
    assert spilled_bytes(plan, 33, 50, grid, refine=True) == int(1.02 * refined)


class Count(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def advance(self, name: str, done: int = 1) -> None:
        assert name == "infer"
        self.told.append(done)


def test_a_share_tells_frames_in_proportion_and_never_too_many() -> None:
    progress = Count()
    share = Share(progress, 10, 25)
    for work in (1, 2, 2, 5, 10):  # 1, 3, 5, 10 and 20 of 25
        share.advance(work)
    assert progress.told == [1, 1, 2, 4]
    with share.step():
        pass
    share.advance(99)
    share.finish()
    assert sum(progress.told) == 10
    share = Share(progress, 4, 4)
    share.finish()
    assert sum(progress.told) == 14


def test_snippets_gather_each_latent_once(tmp_path: Path) -> None:
    values = np.arange(5.0).reshape(5, 1, 1, 1) * np.ones((1, 4, 2, 3))
    with FrameArray(tmp_path / "l", 5, (4, 2, 3), "<f4") as latents:
        latents.write(0, values)
        found = gather(latents, np.array([[0, 2, 4], [2, 4, 1]]))
    assert found.shape == (2, 3, 4, 2, 3)
    assert found[..., 0, 0, 0].tolist() == [[0, 2, 4], [2, 4, 1]]


def test_results_come_back_bit_for_bit_or_not_at_all(tmp_path: Path, plan: SnippetPlan) -> None:
    path = tmp_path / "a.json"
    save_json(path, {"x": [0.1, 1e-300], "y": "ä"})
    assert load_json(path) == {"x": [0.1, 1e-300], "y": "ä"}
    path.write_text(path.read_text().replace("0.1", "0.2"))
    assert load_json(path) is None
    assert load_json(tmp_path / "none.json") is None
    with DepthStore(tmp_path / "s", 6, 2, 2) as store:
        assert load_result(store) is None
        saved = save_result(store, plan, np.arange(6.0), np.ones(6), np.zeros(6), ("said",))
        assert saved == load_result(store)
    assert saved.curves["coverage"] == (2, 3, 4, 4, 3, 2)
    assert saved.notes == ("said",)
