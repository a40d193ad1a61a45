"""Whatever a plug-in does wrong, the message names it, its package and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest
from generated import write_movie
from test_seams import FILES, vdepth

from vdepth_core.errors import UsageError
from vdepth_core.plugins import answering

FAILING = '''
"""One of each kind that is broken in some way."""
from good.doubled import Doubled
from good.nearer import Nearer
from good.slope import Slope
from good.table import Table
from vdepth_core.types import ShotAlignment


class Shapes(Slope):
    def predict(self, frames):
        return super().predict(frames)[:, :5]


class Unsure(Slope):
    def predict(self):
        return None


def shapes(path, device, dtype):
    return Shapes(device)


def unsure(path, device, dtype):
    return Unsure(device)


def lazy(path, device, dtype):
    raise RuntimeError("its server sleeps")


def nothing(path, device, dtype):
    return None


def odd(path, device, dtype):
    return Slope(device)


odd.spec = {"name": "odd"}


class Raising(Nearer):
    name = "raising"

    def settle(self, shot, spec, store, progress):
        return 1 / 0


class Forgetful(Nearer):
    name = "forgetful"

    def settle(self, shot, spec, store, progress):
        return ShotAlignment((1.0,) * len(shot), (0.0,) * len(shot))


class Brief(Nearer):
    name = "brief"

    def settle(self, shot, spec, store, progress):
        super().settle(shot, spec, store, progress)
        return ShotAlignment((1.0,), (0.0,))


class Small(Doubled):
    name = "small"

    def refine(self, shot, model, store, out, progress):
        out.write(0, store.final.read(0))


class Sizeless(Doubled):
    name = "sizeless"

    def size(self, info, spec, size):
        return 0.5, size[1]


class Words(Table):
    name = "words"

    def export(self, sequence, out, progress):
        return [str(path) for path in super().export(sequence, out, progress)]


class Quitting(Table):
    name = "quitting"

    def export(self, sequence, out, progress):
        raise SystemExit(7)
'''
LINES = """
[vdepth_core.models]
slope = good.slope:load
shapes = failing:shapes
unsure = failing:unsure
lazy = failing:lazy
nothing = failing:nothing
odd = failing:odd
lost = nowhere:load

[vdepth_core.methods]
raising = failing:Raising
forgetful = failing:Forgetful
brief = failing:Brief

[vdepth_core.refiners]
small = failing:Small
sizeless = failing:Sizeless

[vdepth_core.exporters]
words = failing:Words
quitting = failing:Quitting

[vdepth_core.recipes]
lost = nowhere:Lost
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of plug-ins that fail, and a clip beside it."""
    folder = tmp_path_factory.mktemp("site")
    for made in ("failing-2.1.dist-info", "good"):
        (folder / made).mkdir()
    info = folder / "failing-2.1.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: failing\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(LINES)
    for name in ("slope.py", "nearer.py", "doubled.py", "table.py"):
        (folder / "good" / name).write_text(FILES[name].replace("\n        ", "\n").lstrip())
    (folder / "failing.py").write_text(FAILING)
    write_movie(folder / "clip.mp4", 3)
    return folder


def test_a_plug_in_that_fails_is_named_with_its_package_and_what_to_do(installed: Path) -> None:
    job = "estimate {0}/clip.mp4 --device cpu --size 64 -o {0}/out"
    expected = {
        f"{job}1 --model shapes": (
            1,
            "model plug-in shapes (failing:shapes) failed: ValueError: the model gave",
        ),
        f"{job}2 --model unsure": (1, "model plug-in unsure (failing:unsure) failed: TypeError: "),
        f"{job}3 --model lazy": (
            1,
            "model plug-in lazy (failing:lazy) failed: RuntimeError: its server sleeps.",
        ),
        f"{job}4 --model nothing": (
            1,
            "plug-in nothing (failing:nothing) failed: TypeError: what it loads is no",
        ),
        f"{job}5 --model odd": (2, "plug-in odd (failing:odd) does not load: its spec is no ModelSpec."),
        f"{job}6 --model lost": (
            2,
            "model plug-in lost (nowhere:load) does not load: No module named 'nowhere'.",
        ),
        f"{job}7 --model slope --method raising": (
            1,
            "method plug-in raising (failing:Raising) failed: ZeroDiv",
        ),
        f"{job}8 --model slope --method forgetful": (1, "failed: ValueError: settle left 3 of 3 maps out"),
        f"{job}9 --model slope --method brief": (1, "settle gave an alignment of length 1 for a shot of 3."),
        f"{job}10 --model slope --method framewise --refiner small": (
            1,
            "refiner plug-in small (failing:Small) failed: ValueError: frames (1, ",
        ),
        f"{job}11 --model slope --method framewise --refiner sizeless": (
            1,
            "refiner plug-in sizeless (failing:Sizeless) failed: ValueError: size",
        ),
        "adapt {0}/clip.mp4 -o {0}/a.safetensors --recipe lost": (
            2,
            "recipe plug-in lost (nowhere:Lost) does not",
        ),
        f"{job} --model slope": (0, ""),
        "export {0}/out --to words": (
            1,
            "format plug-in words (failing:Words) failed: ValueError: export gave",
        ),
        "export {0}/out --to quitting": (1, "plug-in quitting (failing:Quitting) failed: SystemExit: 7."),
    }
    said = vdepth(installed, *expected)
    for (command, (code, words)), (ended, _, errors, _) in zip(expected.items(), said, strict=True):
        text = " ".join(errors.split())
        assert ended == code, (command, errors)
        assert words in text, (command, errors)
        if code:
            assert "Update or uninstall the package failing 2.1, or choose another --" in text, (
                command,
                errors,
            )


def test_what_is_no_plug_ins_fault_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), answering(None):
        raise ZeroDivisionError
    with pytest.raises(UsageError), answering(None):
        raise UsageError("no")
