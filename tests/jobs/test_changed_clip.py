"""A clip that changed never gives stale depth: what changed is predicted again, and only that."""

import re
import shutil

import cv2
import numpy as np
import pytest
from generated import RampModel, write_movie
from test_run import digest
from test_run import run as run_default

from vdepth_core.errors import InputError, JobConflictError
from vdepth_core.jobs.events import Warning_
from vdepth_core.jobs.record import read_record

FRAMES = range(1001, 1017)
TEMPORAL = {"method": "temporal"}  # looks at the frames around one, which must not stay as they were


def run(clips, out, *arguments, **options):
    """As there, by the fastest method."""
    return run_default(clips, out, *arguments, **{"method": "framewise", **options})


def write_plate(folder, seeds=None):
    """A sequence of uncompressed images, all of one size; each pans over the picture of its seed."""
    folder.mkdir(exist_ok=True)
    for index, number in enumerate(FRAMES):
        random = np.random.default_rng((seeds or {}).get(number, 0))
        wide = random.integers(0, 255, (8, 24, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        cv2.imwrite(
            str(folder / f"plate.{number}.bmp"), np.ascontiguousarray(wide[:, 2 * index : 2 * index + 96])
        )
    return folder


def repaint(folder, *numbers):
    """Other pixels in some frames, in files of the same size; too few to make another shot of it."""
    for number in numbers:
        path = folder / f"plate.{number}.bmp"
        picture = cv2.imread(str(path))
        picture[40:56, 40:56] = 255 - picture[40:56, 40:56]
        cv2.imwrite(str(path), picture)


class Stopper(RampModel):
    """Stops like Ctrl-C once it has seen so many frames."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def predict(self, frames):
        if self.seen >= self.after:
            raise KeyboardInterrupt
        return super().predict(frames)


def stop_at(clip, out, after=12, **options):
    assert run([clip], out, Stopper(after), **options)[0].error.exit_code == 130


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch):
    """Measuring threads asks the model, too, and here its frames are counted."""
    monkeypatch.setattr("vdepth_core.jobs.run.cpu_threads", lambda *_: 1)


@pytest.fixture
def plate(tmp_path):
    return write_plate(tmp_path / "plate")


@pytest.mark.parametrize("method", ["framewise", "temporal"])
def test_an_unfinished_job_predicts_changed_frames_again_and_no_others(plate, tmp_path, method):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    stop_at(plate, out, method=method)
    repaint(plate, 1003, 1004, 1009)
    model, events = RampModel(), []
    assert run([plate], out, model, events.append, method=method)[0].error is None
    assert model.seen == 16 - 12 + 3
    told = [event.message for event in events if isinstance(event, Warning_)]
    assert "The clip changed: frames 1003-1004, 1009 of plate will be predicted again." in told
    assert run([plate], fresh, method=method)[0].error is None
    assert digest(out) == digest(fresh)


def test_a_killed_job_that_was_being_written_gives_no_stale_frame(plate, tmp_path, monkeypatch):
    from vdepth_core.output import writer

    out, written, real = tmp_path / "out", [], writer.write_exr

    def limited(path, *arguments):
        if len(written) >= 9:
            raise KeyboardInterrupt
        written.append(path)
        real(path, *arguments)

    monkeypatch.setattr(writer, "write_exr", limited)
    assert run([plate], out, **TEMPORAL)[0].error.exit_code == 130
    monkeypatch.undo()
    assert len(list(out.glob("*.exr"))) == 9
    repaint(plate, 1002)
    model = RampModel()
    assert run([plate], out, model, **TEMPORAL)[0].error is None
    assert model.seen == 1
    assert run([plate], tmp_path / "fresh", **TEMPORAL)[0].error is None
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_finished_job_is_refused_and_names_the_changed_frames(plate, tmp_path):
    out = tmp_path / "out"
    assert run([plate], out)[0].error is None
    kept = digest(out)
    repaint(plate, 1005, 1006, 1012)
    error = run([plate], out)[0].error
    assert isinstance(error, JobConflictError)
    assert "frames 1005-1006, 1012 of plate changed" in error.message
    assert "--overwrite" in error.hint
    assert digest(out) == kept
    assert run([plate], out, overwrite=True)[0].error is None
    assert run([plate], tmp_path / "fresh")[0].error is None
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_movie_changed_in_its_middle_is_refused_or_predicted_again(tmp_path):
    movie, out = write_movie(tmp_path / "shot.mp4", 8), tmp_path / "out"
    assert run([movie], out)[0].error is None
    data = bytearray(movie.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle] ^= 1
    movie.write_bytes(data)
    error = run([movie], out)[0].error
    assert isinstance(error, JobConflictError)
    assert "shot.mp4 changed" in error.message
    model = RampModel()
    assert run([movie], out, model, overwrite=True)[0].error is None
    assert model.seen == 8


def test_frames_that_came_or_went_are_told_apart(plate, tmp_path):
    out = tmp_path / "out"
    assert run([plate], out)[0].error is None
    last = sorted(plate.iterdir())[-1]
    number = int(re.findall(r"\d+", last.name)[-1])
    (last.parent / last.name.replace(str(number), str(number + 1))).write_bytes(last.read_bytes())
    repaint(plate, 1005)
    message = run([plate], out)[0].error.message
    assert f"frame 1005 and frame {number + 1} (added) of plate changed" in message


def test_frames_outside_the_range_make_no_difference(plate, tmp_path):
    out, model = tmp_path / "out", RampModel()
    assert run([plate], out, frames="1003-1008")[0].error is None
    repaint(plate, 1001, 1009)
    assert run([plate], out, model, frames="1003-1008")[0].error is None
    assert model.seen == 0
    repaint(plate, 1008)
    assert "frame 1008 of plate changed" in run([plate], out, frames="1003-1008")[0].error.message


@pytest.mark.parametrize("finished", [True, False])
def test_a_moved_and_renamed_copy_is_the_same_clip(plate, tmp_path, finished):
    out = tmp_path / "out"
    if finished:
        assert run([plate], out)[0].error is None
    else:
        stop_at(plate, out)
    moved = tmp_path / "moved"
    shutil.copytree(plate, moved, copy_function=shutil.copyfile)
    shutil.rmtree(plate)
    for file in moved.iterdir():
        file.rename(moved / file.name.replace("plate", "take2"))
    model = RampModel()
    assert run([moved], out, model)[0].error is None
    assert model.seen == (0 if finished else 4)
    assert (out / "plate_depth.1016.exr").is_file()
    assert not list(out.glob("take2*"))


def test_a_growing_sequence_keeps_what_it_can(plate, tmp_path):
    late = [plate / f"plate.{number}.bmp" for number in range(1013, 1017)]
    for file in late:
        file.rename(file.with_suffix(".later"))
    out = tmp_path / "out"
    stop_at(plate, out, 6)
    for file in late:
        file.with_suffix(".later").rename(file)
    assert run([plate], out)[0].error is None
    assert run([plate], tmp_path / "fresh")[0].error is None
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_cut_that_was_not_there_makes_other_shots(plate, tmp_path):
    out = tmp_path / "out"
    stop_at(plate, out, **TEMPORAL)
    write_plate(plate, dict.fromkeys(range(1009, 1017), 7))
    assert run([plate], out, **TEMPORAL)[0].error is None
    result = run([plate], tmp_path / "fresh", **TEMPORAL)[0]
    assert len(result.manifest.shots) == 2
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_clip_that_changes_while_it_is_worked_on_is_not_called_done(plate, tmp_path):
    class Repainting(RampModel):
        def predict(self, frames):
            if self.seen == 8:
                repaint(plate, 1002)
            return super().predict(frames)

    out = tmp_path / "out"
    error = run([plate], out, Repainting(), **TEMPORAL)[0].error
    assert isinstance(error, InputError)
    assert "frame 1002 of plate" in error.message
    assert not (out / "manifest.json").exists()
    model = RampModel()
    assert run([plate], out, model, **TEMPORAL)[0].error is None
    assert model.seen == 1
    assert run([plate], tmp_path / "fresh", **TEMPORAL)[0].error is None
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_clip_read_before_is_known_without_reading_it(plate, tmp_path, monkeypatch):
    from vdepth_core import checksums

    out = tmp_path / "out"
    assert run([plate], out)[0].error is None
    read, real = [], checksums.sha256_of
    monkeypatch.setattr(checksums, "sha256_of", lambda path: read.append(path.name) or real(path))
    assert run([plate], out)[0].error is None
    assert read == []
    assert len(read_record(out).clip.frames) == len(FRAMES)
