"""The verb over a finished job: passes that multiply, the plate under them, going on after a stop."""

import json

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import vdepth_core
from vdepth_core.cli.main import app
from vdepth_core.errors import Cancelled, JobConflictError
from vdepth_core.output.exr import read_exr
from vdepth_core.progress import Progress
from vdepth_core.views.lighting.lights import Lights, parse_lights
from vdepth_core.views.lighting.relight import relight


def visible(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_without_light_the_pass_is_one_and_the_film_is_the_plate(finished, tmp_path):
    done = relight(finished, Lights(), tmp_path)
    assert (done.frames, done.made) == (5, 5)
    for file in tmp_path.glob("*.exr"):
        channels, header = read_exr(file)
        assert set(channels) == {"R", "G", "B"}
        assert all((pixels == 1).all() and pixels.dtype == np.float16 for pixels in channels.values())
        assert header["vdepth/quantity"].startswith("lighting pass")
    plate = cv2.imread(str(finished.parent / "plates" / "shot.1001.png"))[..., ::-1]
    with av.open(str(done.film)) as film:
        shown = next(film.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(float) - plate).mean() < 6


def test_a_lamp_keyed_over_frames(finished, tmp_path):
    file = tmp_path / "lights.json"
    keys = [{"frame": 1001, "intensity": 0}, {"frame": 1005, "intensity": 1}]
    sun = {"type": "sun", "direction": [-1, 1, 1], "keys": keys}
    file.write_text(json.dumps({"lights": [sun, {"type": "ambient", "intensity": 0}]}))
    words = [
        "relight",
        str(finished),
        "--light",
        str(file),
        "-o",
        str(tmp_path / "out"),
        "--no-movie",
        "--device",
        "cpu",
    ]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    means = [read_exr(path)[0]["G"].astype(float).mean() for path in sorted((tmp_path / "out").glob("*.exr"))]
    assert means[0] == 1
    assert means[2] > 1.01
    assert means == sorted(means)
    assert json.loads(next((tmp_path / "out").glob("*.json")).read_text())["lights"]["plate"] == 1


def test_a_stopped_run_goes_on_to_the_same_bytes_and_other_lights_are_refused(finished, tmp_path):
    class Impatient(Progress):
        def advance(self, name, done=1):
            self.seen = getattr(self, "seen", 0) + done * (name == "light")
            if self.seen == 2:
                self.cancel()

    lights = parse_lights(["point:0.3,0.2,-0.5:2", "ambient:0.1"])
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    relight(finished, lights, whole)
    with pytest.raises(Cancelled):
        relight(finished, lights, broken, progress=Impatient())
    assert len(list(broken.glob("*.exr"))) == 2
    assert relight(finished, lights, broken).made == 3
    assert visible(whole) == visible(broken)
    with pytest.raises(JobConflictError, match="other options"):
        relight(finished, parse_lights(["ambient"]), broken)
    relight(finished, parse_lights(["ambient"]), broken, overwrite=True)
    assert visible(whole) != visible(broken)


def test_the_films_plate_may_be_gone(tmp_path, finished):
    class Told(Progress):
        def warn(self, message):
            self.said = message

    job = tmp_path / "job"
    job.mkdir()
    for file in finished.iterdir():
        if file.is_file():
            (job / file.name).write_bytes(file.read_bytes())
    told = json.loads((job / "manifest.json").read_text())
    told["clip"]["path"] = str(tmp_path / "gone")
    (job / "manifest.json").write_text(json.dumps(told))
    progress = Told()
    done = relight(job, parse_lights(["ambient"]), tmp_path / "light", frames="1001", progress=progress)
    assert done.film is None
    assert "no film" in progress.said
    assert vdepth_core.read_sequence(job).shape[0] == 5
