"""The report holds everything in one file and stays small however long the clip is."""

import base64
import math
import re
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdepth_core.output.chart import _ticks, line_chart
from vdepth_core.output.manifest import FramesEntry
from vdepth_core.output.preview import colour_map
from vdepth_core.output.report import ReportCollector, ReportPictures, _facts, _Thinned
from vdepth_core.types import Shot, ShotAlignment


def collected(count=5):
    collector = ReportCollector()
    for index in range(count):
        d = np.tile(np.linspace(0, 1, 40, dtype=np.float32)[:, None], (1, 60))
        collector.add(1001 + index, np.full((40, 60, 3), index % 256, np.uint8), d)
    return collector


def report(tmp_path, manifest, collector=None, name="report.html"):
    (collector or collected()).write(tmp_path / name, manifest)
    return (tmp_path / name).read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(tmp_path, manifest):
    collector = collected()
    collector.add_shot(
        Shot(0, 0, 5), ShotAlignment((1.0,) * 5, (0.0,) * 5, {"consistency": (math.nan,) + (0.9,) * 4})
    )
    page = report(tmp_path, manifest(), collector)
    assert "http" not in page
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 2 * 5 + 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert page.count("<svg") == 3


def test_it_says_what_matters(tmp_path, manifest):
    collector = collected()
    collector.add_shot(Shot(0, 0, 5), ShotAlignment((1.0,) * 5, (0.0,) * 5, notes=("Co-aligned at once.",)))
    page = report(tmp_path, manifest(warnings=["Interlaced: <b>edges</b> may comb."]), collector)
    for words in (
        "a clip",
        "24000/1001",
        "1001 to 1005",
        "Apache-2.0",
        "temporal",
        "embedded",
        "01:00:00:00",
    ):
        assert words in page
    assert "Interlaced: &lt;b&gt;edges&lt;/b&gt; may comb." in page
    assert "Co-aligned at once." in page
    assert "(assumed)" in page
    assert "not for commercial use" not in page


def test_restricted_weights_are_named_at_the_top(tmp_path, manifest):
    made = manifest()
    made = made.model_copy(
        update={"model": made.model.model_copy(update={"commercial": False, "license": "CC-BY-NC-4.0"})}
    )
    assert "CC-BY-NC-4.0: not for commercial use." in report(tmp_path, made)


def test_same_job_same_bytes_and_no_timings(tmp_path, manifest):
    one = report(tmp_path, manifest(timings={"infer": 1.0}))
    two = report(tmp_path, manifest(timings={"infer": 2.0}), name="b.html")
    assert one == two


def test_long_clips_are_thinned_out_evenly(tmp_path, manifest):
    short = report(tmp_path, manifest())
    made = manifest(frames=FramesEntry(first=0, stop=5000, start_number=1001, count=5000))
    long = report(tmp_path, made, collected(5000))
    thumbnails = [int(number) for number in re.findall(r"<figcaption>(\d+)", long)]
    assert 8 <= len(thumbnails) <= 16
    assert len(set(np.diff(thumbnails))) == 1
    assert len(long) < 6 * len(short)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 33, 64, 65, 1000])
def test_thinning_keeps_every_nth(count):
    kept: _Thinned[int] = _Thinned(16)
    for index in range(count):
        if kept.wants():
            kept.put(index)
        else:
            kept.skip()
    stride = kept.items[1] - kept.items[0] if len(kept.items) > 1 else 1
    assert kept.items == list(range(0, count, stride))
    assert min(count, 8) <= len(kept.items) <= 16


def test_an_empty_job_has_a_report(tmp_path, manifest):
    made = manifest(frames=FramesEntry(first=0, stop=0, start_number=1001, count=0), shots=[])
    assert "Slice through time" not in report(tmp_path, made, ReportCollector())


def test_charts_break_at_gaps_and_cuts():
    values = [1.0, 1.1, math.nan, 1.2, 1.3, 1.4, 1.5]
    svg = line_chart(values, range(1001, 1008), cuts=[1006])
    assert svg.count('class="line"') == 3
    assert svg.count('class="cut"') == 1
    assert "nan" not in svg
    assert ">1001<" in svg
    assert ">1007<" in svg


@pytest.mark.parametrize("values", [[], [1.0], [math.nan] * 3, [2.0] * 5, [1e-30, 0, -1e-30], [-1e9, 1e9]])
def test_charts_of_awkward_curves(values):
    svg = line_chart(values, range(len(values)))
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")
    assert "nan" not in svg
    assert "inf" not in svg


@pytest.mark.parametrize(
    ("lo", "hi"), [(0, 1), (0.1, 0.9), (-3, 4), (1e-5, 2e-5), (990, 1010), (0, 7), (-50, -2)]
)
def test_ticks_are_one_to_five_round_values_within(lo, hi):
    ticks = _ticks(lo, hi)
    assert 2 <= len(ticks) <= 5
    assert all(lo - 1e-9 <= tick <= hi + 1e-9 for tick in ticks)
    step = ticks[1] - ticks[0]
    np.testing.assert_allclose(np.diff(ticks), step)
    assert step / 10 ** np.floor(np.log10(step) + 1e-9) == pytest.approx(
        min((1, 2, 5, 10), key=lambda f: abs(f - step / 10 ** np.floor(np.log10(step) + 1e-9)))
    )
    assert all(abs(tick / step - round(tick / step)) < 1e-6 for tick in ticks)
    assert ticks[0] - step < lo
    assert ticks[-1] + step > hi


def test_a_curve_lies_where_its_numbers_say():
    """960 x 170, with 64, 12, 10 and 24 left free; 8 % of the range above and below."""
    svg = line_chart([2.0, 4.0, 3.0], [10, 11, 12])
    points = re.findall(r'class="line" d="M([^"]*)"', svg)[0].split("L")
    inner = 170 - 10 - 24
    wanted = [(64, 10 + (4.16 - 2) / 2.32 * inner), (506, 10 + 0.16 / 2.32 * inner), (948, 10 + inner / 2)]
    for point, (x, y) in zip(points, wanted, strict=True):
        np.testing.assert_allclose([float(part) for part in point.split()], (x, y), atol=0.06)
    texts = re.findall(r'<text x="([^"]*)" y="164" text-anchor="(\w+)">(\d+)<', svg)
    assert texts == [("64.0", "start", "10"), ("506.0", "middle", "11"), ("948.0", "end", "12")]
    ticks = re.findall(r'M64 ([\d.]+)H948"/><text x="56" y="([\d.]+)" text-anchor="end">([^<]*)', svg)
    for line, text, value in ticks:
        assert float(line) == pytest.approx(10 + (4.16 - float(value)) / 2.32 * inner, abs=0.06)
        assert float(text) == pytest.approx(float(line) + 4, abs=0.06)


def test_single_points_and_long_curves():
    lone = line_chart([math.nan, 5.0, math.nan], [1, 2, 3])
    assert re.findall(r'<circle class="dot" cx="([\d.]+)" cy="([\d.]+)"', lone) == [("506.0", "78.0")]
    one = line_chart([5.0], [7])
    assert 'cx="506.0"' in one
    assert one.count('text-anchor="middle"') == 1
    assert line_chart(np.arange(1000.0), range(1000)).count("L") == 999
    assert 499 <= line_chart(np.arange(1001.0), range(1001)).count("L") <= 501
    twice = line_chart([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], range(6), cuts=[1, 4])
    assert [run.count("L") for run in re.findall(r'class="(?:line" d="M|dot" )([^"]*)"', twice)] == [0, 2, 1]
    cut = line_chart([1.0, 2.0, 3.0, 4.0], [5, 6, 7, 8], cuts=[7])
    assert [len(run.split("L")) for run in re.findall(r'class="line" d="M([^"]*)"', cut)] == [2, 2]
    assert f'class="cut" d="M{64 + 884 * 2 / 3:.1f} 10V146"' in cut


def test_curves_count_the_files_numbers_or_at_a_constant_rate_the_clips(tmp_path, manifest):
    collector = collected()
    for index, start, stop in ((0, 2, 4), (1, 4, 7)):
        values = tuple(range(stop - start))
        collector.add_shot(Shot(index, start, stop), ShotAlignment(values, values))
    made = manifest(frames=FramesEntry(first=2, stop=7, start_number=1001, count=5))
    chart = dict(collector._charts(made))["scale"]
    assert {">1001<", ">1003<", ">1005<"} <= set(re.findall(r">\d+<", chart))
    assert len(re.findall('class="line"', chart)) == 2
    assert "M507" in chart or "M506" in chart  # the second shot begins at 1003
    resampled = manifest(frames=FramesEntry(first=2, stop=7, start_number=1001, count=9))
    assert {">2<", ">4<", ">6<"} <= set(re.findall(r">\d+<", dict(collector._charts(resampled))["scale"]))


def picture(data):
    return cv2.imdecode(np.frombuffer(base64.b64decode(data.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ("size", "aspect", "shown"),
    [((960, 480), 1, (320, 160)), ((480, 960), 1, (120, 240)), ((60, 30), 1, (320, 160)),
     ((400, 400), 2, (320, 160)), ((2000, 2), 1, (320, 1))],
)  # fmt: skip
def test_thumbnails_fit_their_box_with_square_pixels(size, aspect, shown):
    collector = ReportCollector(Fraction(aspect))
    width, height = size
    collector.add(
        7, np.full((height, width, 3), (200, 90, 10), np.uint8), np.ones((height, width), np.float32)
    )
    (thumbnail,) = collector._sheet.items
    assert thumbnail.number == 7
    for data in (thumbnail.plate, thumbnail.depth):
        assert picture(data).shape[1::-1] == shown
    assert np.abs(picture(thumbnail.plate)[0, 0].astype(int) - (10, 90, 200)).max() < 8


def test_the_slice_is_the_middle_column_over_time():
    collector = ReportCollector()
    for index in range(3):
        rgb = np.zeros((50, 41, 3), np.uint8)
        rgb[:, 20] = 60 * (index + 1)
        d = np.zeros((50, 41), np.float32)
        d[:, 20] = 1
        collector.add(index, rgb, d)
    plate, depth = (picture(data).astype(int) for data in collector._slice_picture())
    assert plate.shape == depth.shape == (240, 3 * 333, 3)  # up to a thousand wide
    np.testing.assert_allclose(plate[120, [160, 500, 830]].mean(axis=1), [60, 120, 180], atol=6)
    near = colour_map(np.ones((1, 1), np.float32))[0, 0, ::-1].astype(int)
    assert np.abs(depth[120, 500] - near).max() < 16


@pytest.mark.parametrize("parts", [(3, 4), (1, 1, 30), (17, 16), (16, 17, 33)])
def test_collectors_of_parts_give_what_one_collector_gives(parts):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (sum(parts), 30, 41, 3), np.uint8)
    maps = rng.random((sum(parts), 30, 41), np.float32)
    whole, together, begin = ReportCollector(), ReportCollector(), 0
    for count in parts:
        part = ReportCollector(begin=begin)
        for index in range(begin, begin + count):
            whole.add(1001 + index, frames[index], maps[index])
            part.add(1001 + index, frames[index], maps[index])
        together.take(ReportPictures.model_validate_json(part.pictures().model_dump_json()), count)
        begin += count
    assert together._sheet.kept == whole._sheet.kept
    assert list(together._slice.kept) == list(whole._slice.kept)
    np.testing.assert_array_equal(np.array(together._slice.items), np.array(whole._slice.items))
    with pytest.raises(ValueError, match=r"no picture|Only base64|padding"):
        ReportCollector().take(ReportPictures(places=[0], plate="!", depth="!"), 1)
    with pytest.raises(ValueError, match="no picture"):
        ReportCollector().take(ReportPictures(places=[0]), 1)


def test_facts_of_a_job(manifest):
    shot = manifest().shots[0]
    made = manifest(shots=[shot, shot.model_copy(update={"near": 0.5, "far": 60})])
    facts = dict(_facts(made))
    assert facts["Near, far"] == "0.5, 100"
    assert facts["Frames"] == "5, numbered 1001 to 1005"
    assert facts["Shots"] == "2"
    assert facts["Picture"].startswith("63 × 41, 23.976 frames")


def test_a_flat_curve_is_drawn_flat():
    heights = re.findall(r'class="line" d="M([^"]*)"', line_chart([1.0, 1.0 + 1e-9, 1.0], range(3)))
    assert len({point.split()[1] for point in heights[0].split("L")}) == 1
