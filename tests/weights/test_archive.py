"""Archives give up their weights files and nothing else, and cannot reach beyond their folder."""

import random
import stat
import struct
import zipfile

import pytest

from vdepth_core.errors import WeightsError
from vdepth_core.weights.archive import check_not_a_bomb, extract

NOISE = random.Random(0).randbytes(5000)


def pack(path, members, compression=zipfile.ZIP_STORED):
    """Writes an archive of (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_only_weights_files_come_out(tmp_path):
    members = [("m/encoder.pth", NOISE), ("m/depth.pth", b"1"), ("m/readme.txt", b"2"), ("run.py", b"3")]
    litter = [
        ("__MACOSX/m/._encoder.pth", b"4"),
        ("m/._depth.pth", b"5"),
        ("more.zip", b"6"),
        ("m/empty/", b""),
    ]
    archive = pack(tmp_path / "a.zip", members + litter, zipfile.ZIP_DEFLATED)
    paths = extract(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"m/encoder.pth": NOISE, "m/depth.pth": b"1"}
    assert paths == [tmp_path / "out/m/encoder.pth", tmp_path / "out/m/depth.pth"]


def test_named_members(tmp_path):
    archive = pack(tmp_path / "a.zip", [("a.pth", b"1"), ("b.txt", b"2")])
    assert extract(archive, tmp_path / "out", ["b.txt"]) == [tmp_path / "out/b.txt"]
    with pytest.raises(WeightsError, match=r"c\.pth"):
        extract(archive, tmp_path / "out", ["a.pth", "c.pth"])


@pytest.mark.parametrize(
    "name",
    [
        "../evil.pth",
        "a/../../evil.pth",
        "/evil.pth",
        "//host/evil.pth",
        "C:/evil.pth",
        "C:evil.pth",
        "..\\evil.pth",
        "a\\b.pth",
        "./evil.pth",
        "a//evil.pth",
        "evil.pth:stream",
        "evil\n.pth",
    ],
)
@pytest.mark.parametrize("suffix", ["", ".txt"])  # also where nobody asked for that member
def test_paths_that_leave_the_folder_refuse_the_whole_archive(tmp_path, name, suffix):
    (tmp_path / "in").mkdir()
    archive = pack(tmp_path / "in" / "a.zip", [("good.pth", b"1"), (name + suffix, b"2")])
    with pytest.raises(WeightsError, match="refused"):
        extract(archive, tmp_path / "out" / "deep")
    assert contents(tmp_path).keys() == {"in/a.zip"}


def test_links_are_refused(tmp_path):
    archive = pack(tmp_path / "a.zip", [link("w.pth", "/etc/passwd"), ("good.pth", b"1")])
    with pytest.raises(WeightsError, match="link"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twice", [("w.pth", "w.pth"), ("w.pth", "W.PTH"), ("w.pth", "w.pth/")])
def test_names_that_hide_each_other_are_refused(tmp_path, twice):
    archive = pack(tmp_path / "a.zip", [(name, b"") for name in twice])
    with pytest.raises(WeightsError, match="twice"):
        extract(archive, tmp_path / "out")


def test_bombs_are_refused_before_they_grow(tmp_path):
    bomb = pack(tmp_path / "a.zip", [("w.pth", bytes(30_000_000))], zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="grow to 30,000,000"):
        extract(bomb, tmp_path / "out")
    with pytest.raises(WeightsError, match="grow to"):
        check_not_a_bomb(bomb)
    assert not (tmp_path / "out").exists()


def test_the_total_is_limited(tmp_path):
    archive = pack(tmp_path / "a.zip", [(f"{n}.pth", NOISE) for n in range(4)])
    assert len(extract(archive, tmp_path / "out", limit=20_000)) == 4
    with pytest.raises(WeightsError, match="allowed 19,999"):
        extract(archive, tmp_path / "other", limit=19_999)
    many = [(f"{n}.pth", bytes(1 << 20)) for n in range(30)]  # each small enough by itself
    with pytest.raises(WeightsError, match="unpack to"):
        extract(pack(tmp_path / "b.zip", many, zipfile.ZIP_DEFLATED), tmp_path / "more")


def test_a_size_that_lies_is_found_out(tmp_path):
    """The header promises less than the stream holds: what comes is cut there, and its checksum is wrong."""
    data = b"ab" * 5000
    archive = pack(tmp_path / "a.zip", [("w.pth", data)], zipfile.ZIP_DEFLATED)
    raw = archive.read_bytes()
    assert raw.count(struct.pack("<I", len(data))) == 2
    archive.write_bytes(raw.replace(struct.pack("<I", len(data)), struct.pack("<I", 100)))
    with pytest.raises(WeightsError, match="damaged"):
        extract(archive, tmp_path / "out")
    assert contents(tmp_path).keys() == {"a.zip"}


def test_encrypted_archives_are_refused(tmp_path):
    archive = pack(tmp_path / "a.zip", [("w.pth", NOISE)])
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(raw)
    with pytest.raises(WeightsError, match="encrypted"):
        extract(archive, tmp_path / "out")


def test_archives_without_weights(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        extract(pack(tmp_path / "a.zip", [("a.txt", b"1")]), tmp_path / "out")
    inner = pack(tmp_path / "inner.zip", [("w.pth", NOISE)]).read_bytes()
    with pytest.raises(WeightsError, match="no weights file"):
        extract(pack(tmp_path / "outer.zip", [("inner.zip", inner)]), tmp_path / "out")


def test_damage_anywhere_is_one_sentence_and_leaves_nothing(tmp_path):
    good = pack(tmp_path / "a.zip", [("a.pth", NOISE), ("b.pth", NOISE)], zipfile.ZIP_DEFLATED).read_bytes()
    chance, refused = random.Random(1), 0
    for number in range(150):
        raw = bytearray(good)
        for _ in range(3):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        (tmp_path / "a.zip").write_bytes(raw[: len(raw) - chance.choice((0, 0, 1, 500))])
        out = tmp_path / str(number)
        try:
            extract(tmp_path / "a.zip", out)
        except WeightsError:
            refused += 1
            assert not contents(out) if out.exists() else True
    assert refused > 120
    assert {path.name for path in tmp_path.iterdir()} <= {"a.zip", *map(str, range(150))}


def test_files_that_are_no_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(NOISE)
    with pytest.raises(WeightsError, match=r"a\.zip is damaged"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    check_not_a_bomb(tmp_path / "a.zip")  # nothing to unpack
