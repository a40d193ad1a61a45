"""A sound installation has no findings; a broken part becomes a finding with a fix, not a crash."""

import json

from commands import vdepth

from vdepth_core.cli import doctor


def test_this_installation_is_sound():
    checks = json.loads(vdepth("doctor", "--json", check=0).stdout)
    assert {check["name"] for check in checks} >= {
        "torch",
        "exr",
        "embedded model",
        "weights folder",
        "plug-ins",
    }
    assert all(check["ok"] and check["found"] and not check["fix"] for check in checks)


def test_a_broken_part_is_reported_with_its_fix(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path / "file" / "weights"))
    broken = [check for check in doctor.run_checks() if not check.ok]
    assert [check.name for check in broken] == ["weights folder"]
    assert "VDEPTH_WEIGHTS" in broken[0].fix
