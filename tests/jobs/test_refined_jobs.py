"""A refiner's place in a job: after the method, in maps of its own, and predicting nothing again."""

from importlib import import_module

import cv2
import numpy as np
import pytest
from generated import RampModel, write_movie
from jobs.test_run import digest, run

from vdepth_core.clip import ClipReader
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.assemble import finish
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import Stage
from vdepth_core.jobs.parts import Part
from vdepth_core.options import Options
from vdepth_core.output.sequence import read_sequence
from vdepth_core.refiners.registry import REFINERS
from vdepth_core.seams import Own


class Twice:
    """Maps of twice the size; sees the picture, and the model where it says so."""

    name, needs_model, Options = "twice", False, Options
    refined = 0

    def __init__(self, options):
        self.options = options

    def size(self, info, spec, size):
        return 2 * size[0], 2 * size[1]

    def refine(self, shot, model, store, out, progress):
        assert (model is not None) == self.needs_model
        for index, _ in enumerate(shot.frames()):
            if not out.done(index):
                Twice.refined += 1
                small = store.final.read(index)[0]
                out.write(index, cv2.resize(small, out.shape[::-1])[None])
            progress.advance("refine")


class TwiceByModel(Twice):
    name, needs_model = "twice-by-model", True


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    here = "jobs.test_refined_jobs"
    ours = {name: Own(f"{here}:{kind}", f"{here}:Options") for name, kind in NAMES.items()}
    monkeypatch.setattr(REFINERS, "_ours", ours)
    _twice().refined = 0


def _twice():
    """The class as the table finds it."""
    return import_module("jobs.test_refined_jobs").Twice


NAMES = {"twice": "Twice", "twice-by-model": "TwiceByModel"}


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 12, shots=2)


@pytest.mark.parametrize("refiner", NAMES)
def test_refined_maps_are_what_is_written(movie, tmp_path, refiner):
    plain, events = tmp_path / "plain", []
    assert run([movie], plain, keep_store=True)[0].error is None
    assert run([movie], tmp_path / "out", None, events.append, refiner=refiner)[0].error is None
    assert [event.total for event in events if isinstance(event, Stage) and event.name == "refine"] == [12]
    before, after = read_sequence(plain), read_sequence(tmp_path / "out")
    assert before[3].shape == after[3].shape
    assert np.abs(before[3] - after[3]).max() > 0
    # Kept predictions are refined without predicting again, and to the same bytes.
    model = RampModel()
    again = run([movie], plain, model, keep_store=True, refiner=refiner, overwrite=True)[0]
    assert again.error is None
    assert model.seen == 0
    files = {name: what for name, what in digest(plain).items() if name.endswith(".exr")}
    assert files == {name: what for name, what in digest(tmp_path / "out").items() if name.endswith(".exr")}


def test_other_files_of_the_same_refinement_refine_nothing(movie, tmp_path):
    same = {"keep_store": True, "refiner": "twice", "method": "framewise"}
    assert run([movie], tmp_path, **same)[0].error is None
    assert _twice().refined == 12
    assert run([movie], tmp_path, far=50.0, overwrite=True, **same)[0].error is None
    assert _twice().refined == 12
    other = same | {"refiner": "twice-by-model"}
    assert run([movie], tmp_path, overwrite=True, **other)[0].error is None
    assert _twice().refined == 24


def test_stages_of_very_large_frames_take_turns_and_leave_no_decoder_open(movie, tmp_path, monkeypatch):
    together = tmp_path / "together"
    assert run([movie], together, refiner="twice-by-model")[0].error is None
    monkeypatch.setattr("vdepth_core.jobs.run._STAGES_BYTES", 1)
    readers: set[ClipReader] = set()
    most, read = [0], ClipReader.read

    def watched(self, *rest):
        readers.add(self)
        for frame in read(self, *rest):
            most[0] = max(most[0], sum(reader._frames is not None for reader in readers))
            yield frame

    monkeypatch.setattr(ClipReader, "read", watched)
    assert run([movie], tmp_path / "alone", refiner="twice-by-model")[0].error is None
    assert most == [1]
    assert len(readers) == 3  # of prediction, refinement and writing
    assert digest(tmp_path / "alone") == digest(together)


def test_shares_are_refined_too(movie, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run([movie], whole, refiner="twice")[0].error is None
    config = EstimateConfig.parse(model="ramp", device="cpu", dtype="fp32", size=64, refiner="twice")
    for share in (2, 1):
        shelf = ModelShelf()
        shelf.put("ramp", "cpu", "fp32", RampModel())
        result = estimate_clips([movie], parts, config, shelf=shelf, part=Part(share=(share, 2)))[0]
        assert result.error is None
    finish(parts)
    assert digest(parts) == digest(whole)
