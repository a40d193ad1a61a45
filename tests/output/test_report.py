"""The report holds everything in one file and stays small however long the clip is."""

import math
import re

import numpy as np
import pytest

from vdepth_core.output.chart import line_chart
from vdepth_core.output.manifest import FramesEntry
from vdepth_core.output.report import ReportCollector, _Thinned
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


def test_a_flat_curve_is_drawn_flat():
    heights = re.findall(r'class="line" d="M([^"]*)"', line_chart([1.0, 1.0 + 1e-9, 1.0], range(3)))
    assert len({point.split()[1] for point in heights[0].split("L")}) == 1
