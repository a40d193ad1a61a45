"""The loop repeats, resumes, keeps what is best where that matters, and survives a loss that is no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.learning.checkpoint import Counters, Standing, is_checkpoint, read_counters
from vdepth_core.learning.config import Cosine, LoopConfig
from vdepth_core.learning.loop import Lesson, learn, parameter_groups
from vdepth_core.learning.state import read_facts, read_tensors
from vdepth_core.progress import Progress
from vdepth_core.weights.saving import save_tensors

CONFIG = LoopConfig(steps=6, rate=0.1, validate_every=2, patience=3)


class Line(Lesson):
    """A straight line through noisy points."""

    stage = "line"

    def __init__(self, network: nn.Module) -> None:
        self.network, self.saves = network, 0
        self.spoil: Callable[[int], bool] = lambda step: False

    def terms(self, step: int) -> dict[str, Tensor]:
        x = torch.rand(8, 1, generator=torch.Generator().manual_seed(step))
        loss = (self.network(x) - 2 * x).square().mean()
        return {"near": loss * (torch.nan if self.spoil(step) else 1), "small": loss.new_tensor(0.5)}

    def validate(self, standing: Standing) -> dict[str, float]:
        x = torch.linspace(0, 1, 5)[:, None]
        with standing.averaged(), torch.no_grad():
            return {"near": float((self.network(x) - 2 * x).square().mean())}

    def saved(self, standing: Standing) -> None:
        self.saves += 1


class StopAfter(Progress):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def advance(self, name: str, done: int = 1) -> None:
        self.left -= 1
        if not self.left:
            self.cancel()


def begin() -> tuple[Line, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Linear(1, 1)
    return Line(network), torch.optim.Adam(parameter_groups(network.parameters(), 0.1, 0.0))


def run(
    path: Path, config: LoopConfig = CONFIG, progress: Progress | None = None, resume: bool = False,
    spoil: Callable[[int], bool] = lambda step: False,
) -> Standing:  # fmt: skip
    lesson, optimiser = begin()
    lesson.spoil = spoil
    if resume:
        standing = Standing.restored(path, lesson.network, optimiser, read_counters(path, "one"))
    else:
        standing = Standing.fresh(lesson.network, optimiser, Counters("one"))
    learn(lesson, standing, config, path, progress or Progress())
    assert lesson.saves
    return standing


@pytest.mark.parametrize("part", ["tensors", "counters"])
def test_bytes_that_changed_on_the_disk_are_noticed(tmp_path: Path, part: str) -> None:
    path = tmp_path / "checkpoint"
    run(path)
    content = bytearray(path.read_bytes())
    place = len(content) - 6 if part == "tensors" else content.index(b"step") + 8
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged: its content is not what was written") as caught:
        run(path, resume=True)
    assert caught.value.hint == "Delete it and start without --resume."


def test_a_checkpoint_of_a_former_version_has_no_checksum(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    run(path)
    tensors, facts = read_tensors(path), read_facts(path)
    del facts["sha256"]
    save_file(tensors, path, facts)
    assert run(path, resume=True).counters.step == CONFIG.steps
    del facts["counters"]
    save_file(tensors, path, facts)
    with pytest.raises(WeightsError, match="its header is damaged"):
        run(path, resume=True)


def test_a_stopped_run_ends_like_a_straight_one(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight")
    with pytest.raises(Cancelled):
        run(tmp_path / "stopped", progress=StopAfter(3))
    resumed = run(tmp_path / "stopped", resume=True)
    for part in ("average", "kept"):
        found, wanted = getattr(resumed, part), getattr(straight, part)
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert resumed.counters.losses == straight.counters.losses
    assert len(straight.counters.losses) == 6
    assert resumed.counters.history == straight.counters.history
    assert [step for step, _ in straight.counters.history] == [0, 2, 4, 6]


def test_a_run_stopped_at_a_step_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight")
    halted = run(tmp_path / "halted", replace(CONFIG, stop_at=3))
    assert halted.counters.step == 3
    again = run(tmp_path / "halted", replace(CONFIG, stop_at=2), resume=True)
    assert again.counters.step == 3  # it is past that
    resumed = run(tmp_path / "halted", resume=True)
    assert resumed.counters.losses == straight.counters.losses
    assert resumed.counters.history == straight.counters.history
    for name, value in straight.average.items():
        assert torch.equal(resumed.average[name], value)


def test_without_patience_validations_are_only_noted(tmp_path: Path) -> None:
    lesson, _ = begin()
    untouched = lesson.network.state_dict()
    standing = run(tmp_path / "s", LoopConfig(steps=5, rate=0.1, validate_every=2, patience=None))
    assert [step for step, _ in standing.counters.history] == [2, 4, 5]
    assert all(torch.equal(standing.kept[key], untouched[key]) for key in untouched)
    assert not torch.equal(standing.average["weight"], untouched["weight"])


def test_it_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    standing = run(
        tmp_path / "s", LoopConfig(steps=50, validate_every=1, patience=3), spoil=lambda step: True
    )
    assert (standing.counters.step, standing.counters.since) == (3, 3)


def test_a_loss_that_is_no_number_is_no_step(tmp_path: Path) -> None:
    standing = run(tmp_path / "s", spoil=lambda step: step == 3)
    assert all(bool(value.isfinite().all()) for value in standing.average.values())
    assert standing.counters.step == 6


def test_by_the_clock_progress_is_in_seconds(tmp_path: Path) -> None:
    totals: list[int | None] = []

    class Watch(Progress):
        def stage(self, name: str, total: int | None) -> None:
            totals.append(total)

    standing = run(tmp_path / "s", LoopConfig(minutes=0.05 / 60, validate_every=10**6), Watch())
    assert totals == [1]
    assert standing.counters.elapsed >= 0.05


def test_the_schedule_warms_up_holds_and_falls() -> None:
    held = Cosine(warm_up=4, held=0.5)
    assert [held(0, step) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1, 1]
    assert held(0.5, 9) == 1
    assert held(0.75, 9) == pytest.approx(0.505)
    assert held(1, 9) == held(2, 9) == pytest.approx(0.01)
    assert Cosine(warm_up=4)(0.5, 9) == pytest.approx(0.505)


@pytest.mark.parametrize("former", ["vdepth-adaptation-1", "vdepth-training-3"])
def test_former_checkpoints_are_known_and_refused_in_one_sentence(former: str, tmp_path: Path) -> None:
    path = tmp_path / "w.adapting"
    save_file({"network.a": torch.zeros(1)}, path, {"format": former, "counters": "{}"})
    assert is_checkpoint(path)
    with pytest.raises(WeightsError) as error:
        read_counters(path, "one")
    expected = "w.adapting is of a former version of vdepth, which cannot be resumed any more."
    assert error.value.message == expected


def test_what_belongs_to_another_run_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "s")
    with pytest.raises(UsageError, match="other options"):
        read_counters(tmp_path / "s", "two")
    network = nn.Linear(1, 2)
    with pytest.raises(WeightsError, match="other networks"):
        Standing.restored(tmp_path / "s", network, torch.optim.Adam(network.parameters()), Counters("one"))
    (tmp_path / "s").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="nothing to resume from"):
        read_counters(tmp_path / "s", "one")


def test_arrays_make_the_file_that_tensors_make(tmp_path: Path) -> None:
    tensors = {
        "b": torch.rand(3, 2),
        "a": torch.rand(4).half(),
        "step": torch.tensor(3),
        "none": torch.ones(0, 2),
    }
    save_tensors(tensors, tmp_path / "tensors", {"format": "x"})
    save_tensors({key: value.numpy() for key, value in tensors.items()}, tmp_path / "arrays", {"format": "x"})
    assert (tmp_path / "arrays").read_bytes() == (tmp_path / "tensors").read_bytes()
