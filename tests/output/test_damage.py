"""Damage is told from somebody's work: what can still be read is never taken for damage."""

import random

import numpy as np
import OpenImageIO as oiio
import pytest

from vdepth_core.output import damage
from vdepth_core.output.damage import damaged
from vdepth_core.output.exr import write_exr
from vdepth_core.output.journal import DAMAGED, WORK, Journal

SMOOTH = np.add.outer(np.linspace(1, 9, 40), np.linspace(0, 3, 50)).astype(np.float32)
NOISE = np.random.default_rng(0).integers(0, 2**31, (40, 50)).astype(np.uint32).view(np.float32)
NOISE = np.where(np.isfinite(NOISE), NOISE, 0).astype(np.float32)


@pytest.mark.parametrize("pixels", [SMOOTH, NOISE], ids=["smooth", "noise"])
@pytest.mark.parametrize("compression", ["zip", "zips", "pxr24"])
def test_a_frame_that_no_program_reads_is_damaged(tmp_path, capfd, pixels, compression):
    path, chance = tmp_path / "a.exr", random.Random(0)
    write_exr(path, {"Z": pixels, "N.X": np.zeros((40, 50), np.float16)}, {"vdepth/job": "x"}, compression)
    data = path.read_bytes()
    assert not damaged(path, {len(data)})
    for length in (4, 100, 700, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert damaged(path, {len(data)})
    if pixels is SMOOTH:
        spoiled = bytearray(data)
        for index in range(len(data) // 2, len(data) // 2 + 3):
            spoiled[index] ^= 1 + chance.randrange(255)
        path.write_bytes(spoiled)
        assert damaged(path, {len(data)})
    assert capfd.readouterr().out == ""  # where events are read


def test_frames_of_other_programs_are_somebodys(tmp_path):
    for name, kind in (("piz", "scanline"), ("dwaa", "scanline"), ("zip", "tiled"), ("none", "scanline")):
        path = tmp_path / f"{name}.exr"
        spec = oiio.ImageSpec(64, 48, 3, "half")
        spec["compression"] = name
        if kind == "tiled":
            spec.tile_width = spec.tile_height = 16
        out = oiio.ImageOutput.create(str(path))
        assert out.open(str(path), spec)
        assert out.write_image(np.random.default_rng(0).random((48, 64, 3), np.float32))
        out.close()
        assert not damaged(path, {path.stat().st_size, 5})


def test_what_is_larger_than_we_write_is_somebodys(tmp_path, monkeypatch):
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": SMOOTH, "Y": SMOOTH}, {})
    path.write_bytes(path.read_bytes()[:-1])
    for most, ours in ((2 * 40 * 50, True), (2 * 40 * 50 - 1, False)):
        monkeypatch.setattr(damage, "_MOST_VALUES", most)
        assert damaged(path, {1}) is ours


def test_a_word_changed_in_a_header_is_somebodys(tmp_path):
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": SMOOTH}, {"comments": "ours"})
    path.write_bytes(path.read_bytes().replace(b"ours", b"mine"))
    assert not damaged(path, {path.stat().st_size})


def test_what_a_damaged_file_held_is_kept(tmp_path):
    (tmp_path / WORK).mkdir()
    journal = Journal(tmp_path)
    journal.open()
    for turn in range(2):
        with journal.place(tmp_path / "manifest.json") as temporary:
            temporary.write_bytes(b'{"ours": 1}')
        (tmp_path / "manifest.json").write_bytes(b'{"mine": %d,}' % turn)
    with journal.place(tmp_path / "manifest.json") as temporary:
        temporary.write_bytes(b'{"ours": 1}')
    assert (tmp_path / "manifest.json").read_bytes() == b'{"ours": 1}'
    held = {path.read_bytes() for path in (tmp_path / WORK / DAMAGED).iterdir()}
    assert held == {b'{"mine": 0,}', b'{"mine": 1,}'}
