"""Whose the files beside adapted weights are, and what may take their place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vdepth_core.adaptation.places import Places
from vdepth_core.errors import UsageError
from vdepth_core.learning.checkpoint import Counters, Standing
from vdepth_core.store import FrameArray


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "w.safetensors")


def learn(places: Places, identity: str) -> None:
    """Leaves the checkpoint of a run that was stopped."""
    network = torch.nn.Linear(2, 2)
    Standing.fresh(network, torch.optim.AdamW(network.parameters()), Counters(identity, "", 1)).save(
        places.state
    )


def array(folder: Path) -> Path:
    """An array of a store."""
    folder.mkdir(exist_ok=True)
    FrameArray(folder / "frames.u8", 2, (4, 4, 3), "u1").close()
    return folder / "frames.u8"


def test_a_run_that_is_not_over_is_not_begun_over(places: Places) -> None:
    places.spare_unfinished("a")
    places.spare_other()
    learn(places, "a")
    with pytest.raises(UsageError, match="not over") as same:
        places.spare_unfinished("a")
    assert "Go on with --resume" in same.value.hint
    with pytest.raises(UsageError, match="not over") as other:
        places.spare_unfinished("b")
    assert "other options" in other.value.hint
    assert "--resume" not in other.value.hint
    with pytest.raises(UsageError, match="cannot be gone on with"):
        places.spare_other()
    places.state.write_bytes(places.state.read_bytes()[:20])  # nothing can go on with it
    places.spare_unfinished("a")


def test_what_goes_on_in_a_new_folder_frees_the_name(places: Places) -> None:
    """The folder may be gone, as it is after a run that came to its end."""
    learn(places, "a")
    assert places.resume("a", "").identity == "a"
    places.claim("a", 1)
    array(places.folder)
    places.begin("b", "", 1)
    assert not places.state.exists()
    assert [path.name for path in places.folder.iterdir()] == ["run.json"]


def test_a_folder_that_was_being_removed_is_ours(places: Places) -> None:
    places.begin("a", "", 1)
    array(places.folder)
    array(places.folder / "shot-0").unlink()  # between it and its checksums
    (places.folder / "run.json").unlink()
    places.begin("b", "", 1)
    assert [path.name for path in places.folder.iterdir()] == ["run.json"]


def test_a_folder_with_anything_else_is_not(places: Places) -> None:
    array(places.folder)
    (places.folder / "notes.json").write_text("precious")
    learn(places, "a")
    for begin in (places.begin, lambda identity, _, threads: places.claim(identity, threads)):
        with pytest.raises(UsageError, match="in the way"):
            begin("a", "", 1)
    assert (places.folder / "notes.json").read_text() == "precious"
    assert places.state.exists()
