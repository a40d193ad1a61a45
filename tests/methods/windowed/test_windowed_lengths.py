"""`windowed` with a small random checkpoint: every length, odd pictures, and killed outright."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import run
from rolling_fakes import Footage

from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import network_size
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

Tiny = Callable[[str], Path]
ODD = (61, 97)


@pytest.mark.parametrize("count", [1, 2, 9, 31, 32, 33, 65])
@pytest.mark.parametrize("options", [{}, {"preset": "published"}, {"stream": True}])
def test_lengths_and_odd_sizes(options: dict[str, object], count: int, tiny: Tiny, tmp_path: Path) -> None:
    model, footage = load_model(tiny("video-depth-anything")), Footage(count, size=ODD)
    info = footage.info
    size = network_size(info.width, info.height, info.pixel_aspect, model.spec, 28)
    assert size == (28, 42)
    method = Windowed(WindowedOptions.model_validate(options))
    with DepthStore(tmp_path, count, *size) as store:
        method.run(footage, model, store, Progress())
        alignment = method.settle(footage.shot, model.spec, store, Progress())
        maps = store.final.read(0, count)
    assert np.isfinite(maps).all()
    assert all(float(each.std()) > 0 for each in maps)
    assert len(alignment.scale) == count


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from rolling_fakes import Footage
from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.models.registry import load_model
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

torch.set_num_threads(int(sys.argv[3]))  # a job keeps their number: it decides bytes
model, left = load_model(Path(sys.argv[1])), [1]
decode = model.decode
def killed(features):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(features)
model.decode = killed
with DepthStore(Path(sys.argv[2]), 60, 28, 42) as store:
    Windowed(WindowedOptions(batch=3)).run(Footage(60, size=(28, 42)), model, store, Progress())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_outright_it_goes_on_to_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    weights = tiny("video-depth-anything")
    done = run(KILLED, weights, tmp_path / "cut", torch.get_num_threads())
    assert done.returncode == -signal.SIGKILL, done.stderr
    model, method, found = load_model(weights), Windowed(WindowedOptions(batch=3)), []
    for name in ("cut", "whole"):
        footage = Footage(60, size=(28, 42))
        with DepthStore(tmp_path / name, 60, 28, 42) as store:
            method.run(footage, model, store, Progress())
            method.settle(footage.shot, model.spec, store, Progress())
            found.append(store.final.read(0, 60))
    np.testing.assert_array_equal(*found)
