"""The verb over a finished job: what it writes, going on after a stop, and what it refuses."""

import json
import signal
import sys
import time

import av
import cv2
import numpy as np
import pytest
import typer
from commands import vdepth
from processes import VDEPTH, start

import vdepth_core
from vdepth_core.cli.watching import watching
from vdepth_core.errors import Cancelled, InputError, JobConflictError, UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files import own
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_path import CameraPath
from vdepth_core.jobs.events import Done, Error, parse_event
from vdepth_core.output.exr import read_exr
from vdepth_core.progress import Progress
from vdepth_core.views.novel_view import novel_view

COUNT, HEIGHT, WIDTH = 5, 64, 96


def visible(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_frames_film_and_record(finished, tmp_path):
    done = novel_view(finished, tmp_path / "a", path="stereo", layout="half-side-by-side", frames="1002-1004")
    assert (done.frames, done.made) == (3, 3)
    name = done.record.name.removesuffix(".json")
    names = [f"{name}.{number}.png" for number in (1002, 1003, 1004)]
    assert sorted(visible(tmp_path / "a")) == sorted([*names, f"{name}.json", f"{name}.mp4"])
    told = json.loads(done.record.read_text())
    assert told["options"]["layout"] == "half-side-by-side"
    assert told["frames"] == f"{name}.####.png"
    first = cv2.imread(str(tmp_path / "a" / names[0]))
    assert first.shape == (HEIGHT, WIDTH, 3)
    with av.open(str(done.film)) as film:
        frames = list(film.decode(video=0))
        assert [frame.pts * frame.time_base for frame in frames] == [
            0,
            1 / done_rate(finished),
            2 / done_rate(finished),
        ]
        shown = frames[0].to_ndarray(format="rgb24")
    assert np.abs(shown[..., ::-1].astype(float) - first).mean() < 6


@pytest.mark.parametrize("name", ["still.chan", "still.txt"])
def test_a_camera_that_nothing_moved_is_the_plate_in_every_program(finished, tmp_path, name):
    zeros = "0 0 0 0 0 0" if name.endswith("chan") else "0 0 0 0 0 0 1"
    (tmp_path / name).write_text("".join(f"{number} {zeros}\n" for number in range(COUNT)))
    done = novel_view(finished, tmp_path / "a", path=str(tmp_path / name), frames="1003", movie=False)
    same = novel_view(finished, tmp_path / "b", path="dolly", amount=0, frames="1003", movie=False)
    assert done.holes == same.holes < 0.01
    one, other = (cv2.imread(str(next(each.glob("*.png")))) for each in (tmp_path / "a", tmp_path / "b"))
    np.testing.assert_array_equal(one, other)


def test_a_camera_that_looks_beside_the_plate_sees_black(finished, tmp_path):
    done = novel_view(finished, tmp_path, path="dolly", amount=90, pivot=1e6, frames="1003", movie=False)
    assert done.holes == 1
    assert cv2.imread(str(next(tmp_path.glob("*.png")))).max() == 0


def test_what_is_wrong_is_said_before_other_frames_are_looked_through(finished, tmp_path):
    (tmp_path / "bad.chan").write_text("no numbers")
    for words, code in (
        (("--path", "orbt"), 3),
        (("--path", "dolly", "--camera", tmp_path / "bad.chan"), 3),
        (("--path", "dolly", "--device", "abacus"), 2),
        (("--path", "dolly", "--frames", "5000-5001"), 2),
    ):
        vdepth("novel-view", finished, *words, "-o", tmp_path / "view", check=code)
    assert not (finished / "clean").exists()
    assert not (tmp_path / "view").exists()


def done_rate(finished):
    return vdepth_core.read_sequence(finished).rate


def test_exr_frames_have_linear_colour_and_depth_in_the_new_camera(finished, tmp_path):
    novel_view(finished, tmp_path, path="dolly", amount=0, format="exr", movie=False, frames="1003")
    sequence = vdepth_core.read_sequence(finished)
    (file,) = tmp_path.glob("*.exr")
    channels, header = read_exr(file)
    assert set(channels) == {"R", "G", "B", "Z"}
    plate = cv2.imread(str(finished.parent / "plates" / "shot.1003.png"))[..., ::-1] / 255
    linear = np.where(plate <= 0.04045, plate / 12.92, ((plate + 0.055) / 1.055) ** 2.4)
    found = np.stack([channels[name].astype(float) for name in "RGB"], 2)
    assert np.quantile(np.abs(found - linear), 0.99) < 4e-3
    off = np.abs(channels["Z"] / sequence[2] - 1)
    assert np.mean(off < 0.02) > 0.8  # at silhouettes it is one side or the other
    assert header["vdepth/fx"] == pytest.approx(sequence.intrinsics.fx)
    assert header["vdepth/license"] == sequence.attributes(2)["vdepth/license"]


def test_a_stopped_run_goes_on_to_the_same_bytes(finished, tmp_path):
    class Impatient(Progress):
        def advance(self, name, done=1):
            self.seen = getattr(self, "seen", 0) + done * (name == "view")
            if self.seen == 2:
                self.cancel()

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    novel_view(finished, whole, path="orbit")
    with pytest.raises(Cancelled):
        novel_view(finished, broken, path="orbit", progress=Impatient())
    assert len(list(broken.glob("*.png"))) == 2
    stamps = {path: path.stat().st_mtime_ns for path in broken.glob("*.png")}
    assert novel_view(finished, broken, path="orbit").made == COUNT - 2
    assert visible(whole) == visible(broken)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert novel_view(finished, broken, path="orbit").made == 0


def test_another_view_is_refused_or_gives_way_and_strangers_stay(finished, tmp_path):
    novel_view(finished, tmp_path, path="orbit", frames="1001-1002")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(JobConflictError, match="other options"):
        novel_view(finished, tmp_path, path="orbit", amount=3, frames="1001-1003")
    novel_view(finished, tmp_path, path="orbit", amount=3, frames="1002-1003", overwrite=True)
    assert sorted(path.name[-9:] for path in tmp_path.glob("*.png")) == [".1002.png", ".1003.png"]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (changed,) = tmp_path.glob("*.1003.png")
    changed.write_bytes(b"painted over")
    with pytest.raises(JobConflictError):
        novel_view(finished, tmp_path, path="orbit", amount=3, frames="1002-1003")
    assert changed.read_bytes() == b"painted over"
    with pytest.raises(UsageError, match="no frame of 7-9"):
        novel_view(finished, tmp_path / "b", path="orbit", frames="7-9")


def test_a_camera_file_is_from_the_plates_camera_on_or_in_its_world(finished, tmp_path):
    sequence = vdepth_core.read_sequence(finished)
    lens = sequence.intrinsics
    numbers = range(1001, 1001 + COUNT)
    plate = Plate(numbers, sequence.rate, WIDTH, HEIGHT, 1, lens)
    poses = np.tile(np.eye(4), (COUNT, 1, 1))
    poses[:, 0, 3] = np.linspace(0, 0.2, COUNT)
    own.write(
        CameraPath(tuple(numbers), poses, (lens,), WIDTH, HEIGHT, "scene"), tmp_path / "move.json", plate
    )
    novel_view(finished, tmp_path / "moved", path=str(tmp_path / "move.json"), movie=False)
    same = novel_view(
        finished,
        tmp_path / "same",
        path=str(tmp_path / "move.json"),
        camera=tmp_path / "move.json",
        movie=False,
    )
    assert same.holes == 0
    source = cv2.imread(str(finished.parent / "plates" / "shot.1005.png")).astype(float)
    still = cv2.imread(str(next((tmp_path / "same").glob("*.1005.png")))).astype(float)
    moved = cv2.imread(str(next((tmp_path / "moved").glob("*.1005.png")))).astype(float)
    assert np.abs(still - source).mean() < 1
    assert np.abs(moved - source).mean() > 2
    wide = CameraPath(tuple(numbers), poses, (Intrinsics(500.0, 500.0, 48.0, 32.0),), WIDTH, HEIGHT, "scene")
    own.write(wide, tmp_path / "move.json", plate)
    with pytest.raises(JobConflictError):  # the file says something else now
        novel_view(finished, tmp_path / "moved", path=str(tmp_path / "move.json"), movie=False)
    with pytest.raises(InputError, match=r"gone\.chan"):
        novel_view(finished, tmp_path / "c", path="gone.chan")


def test_the_command_tells_events_and_survives_a_kill(finished, tmp_path):
    words = [
        "novel-view",
        str(finished),
        "--path",
        "stereo",
        "--no-temporal",
        "--device",
        "cpu",
        "--no-movie",
    ]
    with start(VDEPTH, *words, "-o", tmp_path / "killed", "--events") as process:
        begun = time.monotonic()
        while not list((tmp_path / "killed").glob("*.png")) and time.monotonic() - begun < 120:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    done = vdepth(*words, "-o", tmp_path / "killed", "--events", check=0)
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert isinstance(events[-1], Done)
    novel_view(finished, tmp_path / "whole", path="stereo", movie=False)
    assert visible(tmp_path / "whole") == visible(tmp_path / "killed")


def test_what_fails_is_told_as_an_event(tmp_path, capsys):
    def work():
        with watching(tmp_path, {}, events=True) as progress:
            progress.warn("The lens is assumed.")
            raise UsageError("It is wrong.", "Do otherwise.")

    with pytest.raises(typer.Exit) as stop:
        work()
    assert stop.value.exit_code == 2
    _, error = (parse_event(line) for line in capsys.readouterr().out.splitlines())
    assert isinstance(error, Error)
    assert error.message == "It is wrong."
