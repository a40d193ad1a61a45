"""The published loop against a restatement of its formula on the dense array, loops and all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from snippet_sets import Case, case_of, frames_of, merged_error, truth_of

from vdepth_core.align.joint import coalign
from vdepth_core.align.published import Published
from vdepth_core.align.snippets import Snippets


@pytest.fixture(scope="module")
def case() -> Case:
    case = case_of(truth_of(15, 40), *frames_of(15, (1, 4)), noise=0.02, outliers=0.05)
    values = np.asarray(case.snippets.values[:])
    return Case(
        type(case.snippets)(15, case.snippets.frames, values - values.min(), case.snippets.group),
        case.truth,
        case.scale,
        case.shift,
    )


def dense_objective(case: Case, scale: np.ndarray, shift: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The published objective and its derivatives, term by term over (slots, frames, pixels)."""
    snippets = case.snippets
    values, groups = np.asarray(snippets.values[:]), 2
    slots = groups * snippets.frames.shape[1]
    cells: list[list[list[tuple[int, np.ndarray]]]] = [
        [[] for _ in range(snippets.count)] for _ in range(slots)
    ]
    for k, frames in enumerate(snippets.frames):
        for slot, frame in enumerate(frames):
            cells[snippets.group[k] * frames.size + slot][frame].append((k, values[k, slot]))
    size = slots * snippets.count * values.shape[2]
    total, by_scale, by_shift = 0.0, np.zeros(len(scale)), np.zeros(len(scale))
    for inverse in (False, True):
        for frame in range(snippets.count):
            rows = [row for slot in cells for row in slot[frame]]
            ys = [scale[k] * x + shift[k] for k, x in rows]
            shown = [1 / np.maximum(y, 1e-3) if inverse else y for y in ys]
            mean = sum(shown) / len(shown)
            mu = np.abs(mean).mean()
            for (k, x), y, v in zip(rows, ys, shown, strict=True):
                total += np.abs(v - mean).sum() / mu / size
                slope = np.sign(v - mean) / mu / size
                if inverse:
                    slope = slope * np.where(y >= 1e-3, -1 / np.maximum(y, 1e-3) ** 2, 0)
                by_scale[k] += (slope * x).sum()
                by_shift[k] += slope.sum()
    for group in range(groups):
        members = np.flatnonzero(snippets.group == group)
        low = np.maximum(0, 1 - scale[members])
        total += 0.1 * np.mean(low**2) + 10 * np.mean(shift[members] ** 2)
        by_scale[members] -= 0.2 * low / len(members)
        by_shift[members] += 20 * shift[members] / len(members)
    return total, by_scale, by_shift


@pytest.mark.parametrize("start", ["at one and zero", "anywhere"])
def test_objective_and_gradient(case: Case, start: str) -> None:
    rng, count = np.random.default_rng(1), len(case.snippets)
    scale, shift = np.ones(count), np.zeros(count)
    if start == "anywhere":
        scale, shift = rng.uniform(0.5, 1.5, count), rng.uniform(-0.3, 0.3, count)
    loss, by_scale, by_shift = dense_objective(case, scale, shift)
    published = Published(case.snippets, np.ones(count), "cpu", "fp64")
    s, t = torch.tensor(scale, requires_grad=True), torch.tensor(shift, requires_grad=True)
    found = published.objective(s, t)
    found.backward()
    assert s.grad is not None
    assert t.grad is not None
    assert found.item() == pytest.approx(loss, abs=1e-10)
    np.testing.assert_allclose(s.grad.numpy(), by_scale, atol=1e-10)
    np.testing.assert_allclose(t.grad.numpy(), by_shift, atol=1e-10)


def test_steps_are_those_of_adam(case: Case) -> None:
    found = coalign(case.snippets, solver="adam", steps=25)
    value = np.stack([np.ones(len(case.snippets)), np.zeros(len(case.snippets))])
    first, second = np.zeros_like(value), np.zeros_like(value)
    history = []
    for step in range(1, 26):
        loss, *gradient = dense_objective(case, *value)
        history.append(loss)
        slope = np.stack(gradient)
        first, second = 0.5 * first + 0.5 * slope, 0.9 * second + 0.1 * slope**2
        value -= 1e-3 * (first / (1 - 0.5**step)) / (np.sqrt(second / (1 - 0.9**step)) + 1e-8)
    np.testing.assert_allclose(found.objective, history, atol=1e-9)
    np.testing.assert_allclose(found.scale, value[0], atol=1e-9)
    np.testing.assert_allclose(found.shift, value[1], atol=1e-9)
    assert found.iterations == 25


def test_the_published_number_of_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def descend(self: Published, steps: int, check: object) -> None:
        raise Asked(steps)

    monkeypatch.setattr(Published, "descend", descend)
    with pytest.raises(Asked, match=r"^2000$"):
        coalign(case.snippets, solver="adam")


def test_our_solver_is_no_worse(case: Case) -> None:
    ours, theirs = coalign(case.snippets), coalign(case.snippets, solver="adam", dtype="fp32")
    assert theirs.objective[-1] < 0.8 * theirs.objective[0]
    assert merged_error(case, ours) <= merged_error(case, theirs)


def test_a_slot_that_no_snippet_fills_is_no_cell() -> None:
    values = np.random.default_rng(2).uniform(1, 2, (1, 3, 20))
    objectives = []
    for length, frames in ((2, [[0, 1]]), (3, [[0, 1, -1]])):
        part = Snippets(2, np.array(frames), values[:, :length], np.zeros(1, np.int64))
        published = Published(part, np.ones(1), "cpu", "fp64")
        objectives.append(published.objective(torch.full((1,), 0.7).double(), torch.zeros(1).double()).item())
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-12)
    two = Snippets(2, np.array([[0, 1, -1], [0, 1, -1]]), np.repeat(values, 2, 0), np.zeros(2, np.int64))
    spread = torch.tensor([0.9, 1.1], dtype=torch.float64)
    y = spread[:, None, None].numpy() * values[:, :2]
    inverse = 1 / y
    wanted = sum(
        (np.abs(v - v.mean(0)) / np.abs(v.mean(0)).mean(-1)[None, :, None]).sum() for v in (y, inverse)
    ) / (2 * 2 * 20) + 0.1 * np.mean([0.1**2, 0])
    found = Published(two, np.ones(2), "cpu", "fp64").objective(spread, torch.zeros(2).double())
    assert found.item() == pytest.approx(wanted, rel=1e-9)


def test_invalid_pixels_count_as_empty_cells(case: Case) -> None:
    count = len(case.snippets)
    values = np.asarray(case.snippets.values[:]).copy()
    kept = case.snippets.group == 0
    values[~kept] = np.nan
    part = type(case.snippets)(15, case.snippets.frames, values, case.snippets.group)
    alone = type(case.snippets)(15, case.snippets.frames[kept], values[kept], case.snippets.group[kept])
    objectives = []
    for snippets in (part, alone):
        published = Published(snippets, np.ones(len(snippets)), "cpu", "fp64")
        one, zero = torch.ones(len(snippets)).double(), torch.zeros(len(snippets)).double()
        objectives.append(published.objective(one, zero).item())
    assert objectives[0] == pytest.approx(objectives[1] / 2)  # the mean runs over twice as many slots
    assert np.isfinite(coalign(part, solver="adam", steps=5).scale).all()
    assert coalign(part, solver="adam", steps=5).flat.sum() == count - kept.sum()
