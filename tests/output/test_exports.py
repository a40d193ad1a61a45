"""Exported files give the values back."""

import json
import signal
from importlib.metadata import EntryPoint

import av
import cv2
import numpy as np
import pytest
import typer
from processes import run
from typer.testing import CliRunner

from vdepth_core import seams
from vdepth_core.cli.export import ExportCommand
from vdepth_core.cli.export import export as verb
from vdepth_core.errors import Cancelled, InputError, JobConflictError, UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.output.conventions import CONVENTIONS, Converter
from vdepth_core.output.exports.export import export
from vdepth_core.output.exports.mp4 import Mp4
from vdepth_core.output.exports.mp4_edit import Mp4Edit, decode
from vdepth_core.output.exports.npz import Npz
from vdepth_core.output.exports.options import DepthOptions
from vdepth_core.output.exports.png16 import Png16
from vdepth_core.output.exports.registry import EXPORTERS
from vdepth_core.output.exports.scaling import Scaling, fit_scaling, is_sky
from vdepth_core.output.journal import JOB, WORK, Journal
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress

OURS = {"png16": Png16, "npz": Npz, "mp4": Mp4, "mp4-edit": Mp4Edit}
SPACE = ("ply", "usd", "glb", "gaussians", "colmap", "nerfstudio")


@pytest.fixture(autouse=True)
def own_exporters(monkeypatch):
    """The registry with this package's own, whatever else is installed; the plug-ins to add to."""
    entries = {}
    monkeypatch.setattr(seams, "entry_points", lambda group: list(entries.values()))
    return entries


def visible(folder):
    """Names of what lies in a folder, but for vdepth's own work folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".vdepth")


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
        assert frames[0].format.name == ("gray10le" if name == "mp4" else "yuv420p10le")
        codes = [frame.to_ndarray()[:41, :63] for frame in frames]
        if name == "mp4-edit":
            return np.stack([decode(code, scaling) for code in codes])
    return np.stack([scaling.decode(code) for code in codes])


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", OURS)
def test_values_come_back(job, tmp_path, name, convention):
    files = export(job, name, tmp_path / "x", convention)
    assert all(path.is_file() and path.parent == tmp_path / "x" for path in files)
    wanted = expected(job, convention)
    levels = {"png16": 65534, "mp4": 1022}.get(name)
    span = 1 if convention == "white-near" else np.ptp(wanted)
    if name == "mp4-edit":  # lossy, and the clip is mostly noise: near for all, never sky
        off = np.abs(recovered(job, files, name) - wanted) / span
        assert off.mean() < 0.003
        assert np.quantile(off, 0.999) < 0.025
        assert off.max() < 0.07  # a lone pixel in the corner of a crisp step
        return
    tolerance = 0.51 * span / levels + 1e-6 * wanted.max() if levels else 0
    np.testing.assert_allclose(recovered(job, files, name), wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", OURS)
def test_same_job_same_bytes_and_nothing_left_over(job, tmp_path, name):
    one, two = export(job, name, tmp_path / "1"), export(job, name, tmp_path / "2")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert visible(tmp_path / "1") == sorted(path.name for path in one)
    assert visible(tmp_path / "1" / ".vdepth") == ["export", "journal.jsonl", "lock", "tmp"]
    assert not list((tmp_path / "1" / ".vdepth").glob("*/*"))


@pytest.mark.parametrize("name", OURS)
def test_a_damaged_frame_stops_the_export_and_is_named(job, tmp_path, name):
    (job / "a clip_depth.1004.exr").unlink()
    with pytest.raises(InputError, match="1004"):
        export(job, name, tmp_path / "x", "white-near")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", OURS)
def test_cancelling_is_heard(job, tmp_path, name):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        export(job, name, tmp_path / "x" / "y", progress=progress)
    assert not (tmp_path / "x").exists()


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


def test_codes_are_linear_and_clip_at_their_ends():
    """value = lo + (code - 1) (hi - lo) / (levels - 2)."""
    scaling = Scaling(-1.0, 3.0, 10)
    codes = np.arange(10)[None]
    values = scaling.decode(codes)
    assert np.isnan(values[0, 0])
    np.testing.assert_allclose(values[0, 1:], -1 + np.arange(9) * 0.5)
    seen = np.zeros(codes.shape, bool)
    np.testing.assert_array_equal(scaling.encode(np.nan_to_num(values), seen)[0, 1:], codes[0, 1:])
    assert scaling.encode(np.array([[-9.0, 9.0, 0.26]]), seen[:, :3]).tolist() == [[1, 9, 4]]


class Frames(list):
    """As much of a sequence as measuring its range takes."""


@pytest.mark.parametrize(
    ("frames", "ends"),
    [
        ([[2, 8], [1, 1e10]], (1, 8)),
        ([[3, 3]], (3, 6)),
        ([[0.25, 1e10]], (0.25, 1.25)),
        ([[1e10, 1e10]], (0, 1)),
    ],
)
def test_the_range_is_the_whole_clips_without_its_sky(frames, ends):
    clip = Frames(np.float32([frame]) for frame in frames)
    progress = Progress()
    converter = Converter("z", Intrinsics(1, 1, 0, 0), 1, 9)
    scaling = fit_scaling(clip, converter, 77, progress, "measure")
    assert (scaling.lo, scaling.hi, scaling.levels) == (*ends, 77)
    white = fit_scaling(clip, Converter("white-near", Intrinsics(1, 1, 0, 0), 1, 9), 77, progress, "measure")
    assert white == Scaling(0.0, 1.0, 77)
    assert is_sky(np.float32([4.9e9, 5e9])).tolist() == [False, True]


def test_the_editors_film_keeps_depth_apart_from_none():
    """Luma 64 is no depth, 88 the darkest, 940 the brightest; loss of a few codes never mixes them up."""
    scaling = Scaling(0.0, 853 - 2.0, 853)
    codes = np.uint16([[0, 1, 2, 852]])
    luma = np.where(codes == 0, 64, codes + 88)
    assert luma.max() == 940
    values = decode(luma, scaling)
    assert np.isnan(values[0, 0])
    assert values[0, 1:].tolist() == [0, 1, 851]
    near = decode(np.uint16([[75, 76, 80, 88, 950]]), scaling)
    assert np.isnan(near).tolist() == [[True, False, False, False, False]]
    assert near[0, 1:].tolist() == [0, 0, 0, 851]
    frame = Mp4Edit(DepthOptions()).picture(np.array([[0, 1], [2, 852]], np.uint16))
    assert frame.to_ndarray()[:2].tolist() == [[64, 89], [90, 940]]


def test_odd_sizes_repeat_the_last_row_and_column(job, tmp_path):
    for name in ("mp4", "mp4-edit"):
        with av.open(str(export(job, name, tmp_path / name, "white-near")[0])) as film:
            picture = next(film.decode(video=0))
        assert (picture.width, picture.height) == (64, 42)
        grey = picture.to_ndarray()[:42].astype(int)
        assert np.abs(grey[:, 63] - grey[:, 62]).max() <= (0 if name == "mp4" else 8)
        assert np.abs(grey[41] - grey[40]).max() <= (0 if name == "mp4" else 8)


def test_facts_beside_the_files_are_the_clips(job, tmp_path):
    for name, levels in (("png16", 65536), ("mp4", 1024), ("mp4-edit", 853)):
        facts = json.loads(export(job, name, tmp_path / name)[-1].read_text())
        depth = read_sequence(job)[:]
        assert facts["levels"] == levels
        assert (facts["lo"], facts["hi"]) == (depth.min(), depth.max())
        assert (facts["first_number"], facts["frames"], facts["rate"]) == (1001, 5, "24000/1001")
        assert (facts["near"], facts["far"], facts["convention"]) == (1, 100, "z")


def test_files_go_into_the_job_unless_told(job):
    files = export(job, "npz")
    assert [path.parent for path in files] == [job / "export_npz"]
    with np.load(files[0]) as data:
        camera = read_sequence(job).intrinsics
        assert data["intrinsics"].tolist() == [camera.fx, camera.fy, camera.cx, camera.cy]
        np.testing.assert_allclose(data["times"], np.arange(5) * 1001 / 24000)


def test_unknown_formats_and_conventions_name_the_known_ones(job):
    with pytest.raises(UsageError, match="mp4, mp4-edit, nerfstudio, npz, ply, png16"):
        export(job, "fbx")
    with pytest.raises(UsageError, match="white-near"):
        export(job, "npz", convention="up")


def test_a_broken_plug_in_is_reported_and_harms_nobody(own_exporters):
    own_exporters["bad"] = EntryPoint("bad", "no_such_package_at_all:Thing", EXPORTERS.group)
    own_exporters["odd"] = EntryPoint("odd", "builtins:dict", EXPORTERS.group)
    working, broken = EXPORTERS.all_options(), EXPORTERS.broken()
    assert set(working) == {*OURS, *SPACE}
    assert set(broken) == {"bad", "odd"}
    assert "no_such_package_at_all" in broken["bad"]
    with pytest.raises(UsageError, match="plug-in bad") as caught:
        EXPORTERS.options_of("bad")
    assert caught.value.hint
    assert sorted(EXPORTERS.names()) == sorted(["bad", "odd", *OURS, *SPACE])


def test_the_verb(job, tmp_path):
    app = typer.Typer()
    app.command(cls=ExportCommand)(verb)
    result = CliRunner().invoke(
        app, [str(job), "--to", "png16", "--convention", "white-near", "-o", str(tmp_path / "p")]
    )
    assert result.exit_code == 0, result.output
    assert "a clip_white-near.1001.png" in result.output
    assert len(list((tmp_path / "p").glob("*.png"))) == 5
    result = CliRunner().invoke(app, [str(job), "--to", "nothing"])
    assert isinstance(result.exception, UsageError)


def test_the_editors_film_is_what_editors_open(job, tmp_path):
    files = export(job, "mp4-edit", tmp_path, "white-near")
    with av.open(str(files[0])) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("hevc", "Main 10")
        assert stream.codec_context.codec_tag == "hvc1"
        frame = next(film.decode(video=0))
    assert (frame.format.name, int(frame.color_range)) == ("yuv420p10le", 1)
    chroma = frame.to_ndarray()[frame.height :]
    assert np.abs(chroma.astype(int) - 512).max() <= 1


def test_a_file_of_the_users_is_never_replaced(job, tmp_path):
    out = tmp_path / "x"
    out.mkdir()
    kept = out / "a clip_z.json"
    kept.write_text("mine")
    with pytest.raises(JobConflictError, match=r"a clip_z\.json"):
        export(job, "png16", out)
    assert visible(out) == ["a clip_z.json"]
    assert kept.read_text() == "mine"
    kept.unlink()
    first = export(job, "png16", out)
    assert export(job, "png16", out) == first  # its own it may
    first[0].write_bytes(b"retouched by hand")
    with pytest.raises(JobConflictError, match="changed since"):
        export(job, "png16", out)
    assert first[0].read_bytes() == b"retouched by hand"


@pytest.mark.parametrize("state", ["finished", "begun"])
def test_no_export_goes_into_a_jobs_own_folder(job, tmp_path, state):
    own = tmp_path / "own"
    (own / WORK).mkdir(parents=True)
    journal = Journal(own)
    journal.open()
    if state == "finished":
        journal.begin("a job")
    else:
        (own / WORK / JOB).write_text("{}")
    journal.close()
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    with pytest.raises(JobConflictError, match="folder of their own"):
        export(job, "png16", own)
    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before


def test_a_killed_export_leaves_nothing_behind_the_next(job, tmp_path):
    script = (
        "import sys, os, signal\n"
        "from vdepth_core.output.exports.export import export\n"
        "from vdepth_core.progress import Progress\n"
        "class Dying(Progress):\n"
        "    def advance(self, name, done=1):\n"
        "        if name == 'export': os.kill(os.getpid(), signal.SIGKILL)\n"
        "export(sys.argv[1], sys.argv[2], sys.argv[3], progress=Dying())\n"
    )
    for name in ("png16", "mp4", "npz"):
        out = tmp_path / name
        assert run(script, job, name, out).returncode == -signal.SIGKILL
        assert visible(out) == []
        files = export(job, name, out)
        assert visible(out) == sorted(path.name for path in files)
        assert not list((out / ".vdepth" / "export").iterdir())
