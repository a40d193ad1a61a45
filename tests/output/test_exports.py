"""Exported files give the values back."""

import json
from importlib.metadata import EntryPoint

import av
import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from vdepth_core.cli.export import export as verb
from vdepth_core.errors import Cancelled, InputError, UsageError
from vdepth_core.output.conventions import CONVENTIONS, Converter
from vdepth_core.output.exports import registry
from vdepth_core.output.exports.mp4 import Mp4
from vdepth_core.output.exports.npz import Npz
from vdepth_core.output.exports.png16 import Png16
from vdepth_core.output.exports.registry import export, exporter_names, load_exporter, load_exporters
from vdepth_core.output.exports.scaling import Scaling
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress

OURS = {"png16": Png16, "npz": Npz, "mp4": Mp4}


@pytest.fixture(autouse=True)
def own_exporters(monkeypatch):
    """The registry with this package's three, whatever else is installed."""
    entries = {
        name: EntryPoint(name, f"{maker.__module__}:{maker.__name__}", registry.GROUP)
        for name, maker in OURS.items()
    }
    monkeypatch.setattr(registry, "_entries", lambda: entries)
    return entries


def expected(job, convention):
    depth = read_sequence(job)
    converter = Converter(convention, depth.intrinsics, *depth.near_far)
    return np.stack([converter.convert(z) for z in depth])


def recovered(job, files, name):
    if name == "npz":
        with np.load(files[0]) as data:
            return data["depth"]
    facts = json.loads(files[-1].read_text())
    scaling = Scaling(facts["lo"], facts["hi"], facts["levels"])
    if name == "png16":
        codes = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in files[:-1]]
    else:
        with av.open(str(files[0])) as film:
            frames = list(film.decode(video=0))
        assert frames[0].format.name == "gray10le"
        codes = [frame.to_ndarray()[:41, :63] for frame in frames]
    return np.stack([scaling.decode(code) for code in codes])


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", OURS)
def test_values_come_back(job, tmp_path, name, convention):
    files = export(job, name, tmp_path / "x", convention)
    assert all(path.is_file() and path.parent == tmp_path / "x" for path in files)
    wanted = expected(job, convention)
    levels = {"png16": 65534, "mp4": 1022}.get(name)
    span = 1 if convention == "white-near" else np.ptp(wanted)
    tolerance = 0.51 * span / levels + 1e-6 * wanted.max() if levels else 0
    np.testing.assert_allclose(recovered(job, files, name), wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", OURS)
def test_same_job_same_bytes_and_nothing_left_over(job, tmp_path, name):
    one, two = export(job, name, tmp_path / "1"), export(job, name, tmp_path / "2")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == sorted(path.name for path in one)


@pytest.mark.parametrize("name", OURS)
def test_a_damaged_frame_stops_the_export_and_is_named(job, tmp_path, name):
    (job / "a clip_depth.1004.exr").unlink()
    with pytest.raises(InputError, match="1004"):
        export(job, name, tmp_path / "x", "white-near")
    assert not [
        path for path in (tmp_path / "x").iterdir() if path.suffix in (".npz", ".mp4", ".tmp", ".json")
    ]


@pytest.mark.parametrize("name", OURS)
def test_cancelling_is_heard(job, tmp_path, name):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        export(job, name, tmp_path / "x", progress=progress)
    assert list((tmp_path / "x").iterdir()) == []


def test_film_keeps_the_clips_times(job, tmp_path):
    files = export(job, "mp4", tmp_path)
    with av.open(str(files[0])) as film:
        times = [frame.pts * frame.time_base for frame in film.decode(video=0)]
    assert times == read_sequence(job).times


def test_npz_says_what_it_holds(job, tmp_path):
    with np.load(export(job, "npz", tmp_path, "inverse-z")[0]) as data:
        assert data["numbers"].tolist() == [1001, 1002, 1003, 1004, 1005]
        assert data["times"][1] == pytest.approx(1001 / 24000)
        assert data["intrinsics"].shape == (4,)
        assert json.loads(str(data["facts"]))["convention"] == "inverse-z"


def test_sky_has_a_code_of_its_own():
    scaling = Scaling(2.0, 10.0, 1 << 16)
    codes = scaling.encode(np.float32([[2, 10, 6, 1e10]]), np.array([[False, False, False, True]]))
    assert codes.tolist() == [[1, 65535, 32768, 0]]
    assert np.isnan(scaling.decode(codes)[0, 3])


def test_unknown_formats_and_conventions_name_the_known_ones(job):
    with pytest.raises(UsageError, match="mp4, npz, png16"):
        export(job, "fbx")
    with pytest.raises(UsageError, match="white-near"):
        export(job, "npz", convention="up")


def test_a_broken_plug_in_is_reported_and_harms_nobody(own_exporters):
    own_exporters["bad"] = EntryPoint("bad", "no_such_package_at_all:Thing", registry.GROUP)
    own_exporters["odd"] = EntryPoint("odd", "builtins:dict", registry.GROUP)
    working, broken = load_exporters()
    assert set(working) == set(OURS)
    assert set(broken) == {"bad", "odd"}
    assert "no_such_package_at_all" in broken["bad"]
    with pytest.raises(UsageError, match="plug-in bad") as caught:
        load_exporter("bad")
    assert caught.value.hint
    assert exporter_names() == ["bad", "mp4", "npz", "odd", "png16"]


def test_the_verb(job, tmp_path):
    app = typer.Typer()
    app.command()(verb)
    result = CliRunner().invoke(
        app, [str(job), "--to", "png16", "--convention", "white-near", "-o", str(tmp_path / "p")]
    )
    assert result.exit_code == 0, result.output
    assert "a clip_white-near.1001.png" in result.output
    assert len(list((tmp_path / "p").glob("*.png"))) == 5
    result = CliRunner().invoke(app, [str(job), "--to", "nothing"])
    assert isinstance(result.exception, UsageError)
