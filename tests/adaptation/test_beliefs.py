"""What is believed of cameras: exact at the start, moved by what is learnt, and which frames see which."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vdepth_core.adaptation.cameras import STEP, Lens, Path, Reading
from vdepth_core.adaptation.targets import (
    drawn_gap,
    gaps_around,
    sources_of,
    split_targets,
    trusted_spans,
)

K = np.array(((400.0, 0, 223.5), (0, 410, 127.5), (0, 0, 1)))


def poses(count: int) -> np.ndarray:
    made = np.tile(np.eye(4), (count, 1, 1))
    made[:, 0, 3] = np.arange(count)
    return made


def test_a_path_starts_where_it_was_solved_and_can_be_corrected() -> None:
    path = Path(poses(4), learnt=True)
    relative = path.relative([1, 2], [0, 3])
    np.testing.assert_allclose(relative[:, 0, 3].detach(), (1, -1))
    relative[:, :3].square().sum().backward()
    assert path.move.grad is not None
    assert float(path.move.grad[:, 0].abs().min()) > 0
    with torch.no_grad():
        path.move[1, 0] = 50.0
        path.turn[1, 1] = 10.0
    moved = path.poses([1])[0].detach().numpy()
    np.testing.assert_allclose(moved[:3, 3], (1.5, 0, 0), atol=1e-7)
    np.testing.assert_allclose(moved[0, 2], np.sin(10 * STEP), atol=1e-6)
    assert not any(p.requires_grad for p in Path(poses(2), learnt=False).parameters())


def test_a_learnt_lens_keeps_its_centre() -> None:
    lens = Lens(K, learnt=True)
    np.testing.assert_allclose(lens.matrix().detach(), K, rtol=1e-6)
    with torch.no_grad():
        lens.focal += 10
    longer = lens.matrix().detach().numpy()
    np.testing.assert_allclose(longer[[0, 1], [0, 1]], K[[0, 1], [0, 1]] * np.exp(0.1), rtol=1e-6)
    np.testing.assert_allclose(longer[:2, 2], K[:2, 2], rtol=1e-6)


def test_a_reading_starts_where_it_was_solved() -> None:
    reading = Reading(2.0, 0.3, shifted=True)
    disparity = torch.tensor((0.0, 1.0))
    np.testing.assert_allclose(reading(disparity).detach(), (0.3, 2.3), rtol=1e-6)
    assert not Reading(2.0, 0.0, shifted=False).shift.requires_grad


@pytest.mark.parametrize("length", [2, 3, 5, 40])
def test_sources_lie_in_the_shot_and_are_others(length: int) -> None:
    shot = range(100, 100 + length)
    for gap in (1, 4, 30):
        for target in shot:
            for source in sources_of(target, shot, gap):
                assert source in shot
                assert source != target
    assert all(1 <= gap <= max(1, length // 2) for gap in gaps_around(4, length))


def test_held_out_frames_are_never_targets_in_training() -> None:
    split = split_targets([range(30), range(30, 36)])
    assert not set(split.training) & set(split.validation)
    assert set(split.training) | set(split.validation) == set(range(36))
    assert len(split.validation) == 5
    assert split_targets([range(3)]).validation == (1,)
    assert split_targets([range(2)]).training == (0, 1)
    assert drawn_gap(3, None) == 3
    assert {drawn_gap(3, np.random.default_rng(k)) for k in range(20)} == {3, 6}


def test_frames_whose_camera_is_unknown_part_a_shot() -> None:
    trusted = [True, True, False, True, True, True, True, False, True, False]
    spans, gaps = trusted_spans([range(5), range(5, 10)], [2, 3], trusted)
    assert spans == [range(2), range(3, 5), range(5, 7)]
    assert gaps == [2, 2, 3]
