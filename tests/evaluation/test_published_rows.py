"""Published rows: complete, traceable, and never beside a result of another protocol."""

from __future__ import annotations

import pytest

from vdepth_core.evaluation.published import TABLE, lacking, published_lines, published_rows, rows_under

NAMES = ["abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3"]


def test_every_row_says_where_it_comes_from_and_holds_plausible_figures() -> None:
    rows = published_rows()
    assert len(rows) == 44
    assert len({(row.system, row.training, row.size, row.data) for row in rows}) == len(rows)
    for row in rows:
        assert row.source
        assert row.conditions
        assert 0 < row.figures["abs_rel"] < 0.5
        assert set(row.figures) <= {*NAMES, "tae"}
        deltas = [row.figures[name] for name in NAMES[4:] if name in row.figures]
        assert deltas == sorted(deltas)
        assert all(0.5 < delta < 1 for delta in deltas)


@pytest.mark.parametrize(
    ("system", "training", "size", "values"),
    [
        ("SfMLearner, PyTorch port", "mono", "416x128", [0.181, 1.341, 6.236, 0.262, 0.733, 0.901, 0.964]),
        ("FeatDepth, released", "mono+stereo", "1024x320", [0.099, 0.694, 4.427, 0.184, 0.89, 0.963, 0.982]),
        ("PackNet01", "mono", "640x192", [0.111, 0.8, 4.576, 0.189, 0.88]),
        ("DDV, ResNet-101", "mono", "640x192", [0.106, 0.861, 4.699, 0.185, 0.889, 0.962, 0.982]),
        ("DIFFNet", "mono", "1024x320", [0.097, 0.722, 4.345, 0.174, 0.907]),
    ],
)
def test_full_rows_to_the_last_digit(system: str, training: str, size: str, values: list[float]) -> None:
    (row,) = (r for r in rows_under("eigen") if (r.system, r.training, r.size) == (system, training, size))
    assert row.figures == dict(zip(NAMES, values, strict=False))


def test_video_rows_have_consistency_where_it_was_measured() -> None:
    video = rows_under("clip-lstsq")
    assert {row.data for row in video if "tae" in row.figures} == {"ScanNet"}
    crafter = {row.data: (row.figures["abs_rel"], row.figures["delta1"]) for row in video
               if row.system == "DepthCrafter"}  # fmt: skip
    assert crafter == {"KITTI": (0.164, 0.753), "ScanNet": (0.169, 0.73), "Bonn": (0.153, 0.803),
                       "NYUv2": (0.141, 0.822), "Sintel": (0.299, 0.695)}  # fmt: skip
    assert rows_under("median") == ()


def test_who_has_no_figure_is_named_and_has_no_row() -> None:
    assert lacking() == ("DeepV2D", "CLSTM", "BTS", "NVDS")
    assert not [row for row in published_rows() if row.system.startswith(lacking())]


def test_table_is_one_block_for_each_set_of_data() -> None:
    lines = published_lines(published_rows())
    titles = [line for line in lines if line.startswith("Published under")]
    assert titles[0] == "Published under eigen: KITTI, Eigen's 697 test pictures"
    assert len(titles) == 6
    assert sum(line.endswith("  source") for line in lines) == 6
    monodepth2 = next(line for line in lines if "Monodepth2 mono 640x192" in line)
    assert monodepth2.split()[3:] == ["0.115", "-", "-", "-", "0.877", "-", "-", "[2]"]
    assert TABLE.stat().st_size < 10_000
