"""A Python that is not one: started as the core's interpreter, it plays `fake_core`."""

import shutil
import sys
from pathlib import Path

import pytest

# At the end, so that the installed core comes before the checkout's; the add-on is in no wheel.
sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture
def fake_python(tmp_path: Path) -> Path:
    """Where a virtual environment has its Python; its answer lies in ``version.json`` beside."""
    if sys.platform == "win32":
        pytest.skip("the fake interpreter is a shell script")
    folder = tmp_path / "fake" / "bin"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("fake_core.py"), folder / "fake_core.py")
    (folder / "version.json").write_text('{"vdepth": "0.1.7", "python": "3.11.0", "events": 1}')
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "fake_core.py"}" "$@"\n')
    python.chmod(0o755)
    return python
