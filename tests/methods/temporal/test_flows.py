"""Flow that both passes of `temporal` need is computed once, and is the flow DIS gives."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.flow.dis import DisFlow, reduce, working_size
from vdepth_core.methods.temporal.flows import LONGEST, Flows
from vdepth_core.store import DepthStore


def pan(store: DepthStore) -> None:
    noise = np.random.default_rng(0).random((store.height + 20, store.width + 20)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    picture = np.clip((smooth - smooth.mean()) * 600 + 128, 0, 255).astype(np.uint8)
    for t in range(store.count):
        store.luma.write(t, picture[None, t : t + store.height, 2 * t : 2 * t + store.width])


@pytest.mark.parametrize(
    "size", [(256, 448), (448, 256), (251, 333), (96, 161), (95, 160), (30, 256), (20, 64)]
)
def test_it_is_what_dis_finds_at_the_working_size(tmp_path: Path, size: tuple[int, int]) -> None:
    with DepthStore(tmp_path, 2, *size) as store:
        pan(store)
        flows = Flows(store)
        small = working_size(*size, LONGEST)
        lumas = [reduce(store.luma.read(t)[0], small) for t in range(2)]
        np.testing.assert_array_equal(flows.flow(0, 1), DisFlow().flow(*lumas))
        np.testing.assert_array_equal(flows.luma(1), lumas[1])


def test_what_is_kept_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DepthStore(tmp_path, 4, 120, 160) as store:
        pan(store)
        flows = Flows(store)
        names = set(tmp_path.iterdir())
        first = {(a, b): flows.flow(a, b, keep=True) for a in range(4) for b in range(4) if a != b}
        assert set(tmp_path.iterdir()) == names  # a killed process leaves nothing behind
        flows.forget(4)
        calls = []
        monkeypatch.setattr(flows._estimator, "flow", lambda a, b: calls.append(1) or np.zeros((30, 40, 2)))
        for pair, flow in first.items():
            np.testing.assert_array_equal(flows.flow(*pair), flow)
        assert not calls


def test_a_full_disk_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    with DepthStore(tmp_path, 2, 120, 160) as store:
        pan(store)
        flows = Flows(store)
        monkeypatch.setattr("tempfile.TemporaryFile", full)
        np.testing.assert_array_equal(flows.flow(0, 1, keep=True), flows.flow(0, 1))
